/* Bytes out. */
#include "common/stream/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

static void output_release(void *memory)
{
    struct output *o = memory;
    if (o->fd >= 0)
        close(o->fd);
}

static void gzip_release(void *memory)
{
    deflateEnd(&((struct output_gzip *)memory)->z);
}

/* Its header has a checksum, so that no change of a byte is overlooked. */
static struct output_gzip *gzip_open(struct msa *m)
{
    enum { UNIX = 3 };
    struct output_gzip *gzip = msa_alloc(m, sizeof *gzip);
    gzip->header = (gz_header){.os = UNIX, .hcrc = true};
    if (deflateInit2(&gzip->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        msa_fail(m, MSA_FAILED, "out of memory");
    deflateSetHeader(&gzip->z, &gzip->header);
    msa_at_free(gzip, gzip_release);
    return gzip;
}

struct output *output_open(struct msa *m, int fd, const char *name)
{
    struct output *o = msa_alloc(m, sizeof *o);
    struct stat status;
    *o = (struct output){.m = m, .fd = fd, .name = name};
    msa_at_free(o, output_release);
    o->socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    if (m->common.gzip)
        output_gzip(o);
    fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
    return o;
}

void output_gzip(struct output *o)
{
    if (!o->socket && !o->gzip)
        o->gzip = gzip_open(o->m);
}

/* Others may have the same pipe open by this very description, a shell for one, so it is opened
 * anew; where that cannot be (without /proc), writes are of as many bytes as a pipe takes at once
 * when poll says that there is room. */
static void make_nonblocking(struct output *o)
{
    struct stat status;
    char path[64];
    o->nonblocking = true;
    if (o->socket || fstat(o->fd, &status) != 0 || !S_ISFIFO(status.st_mode))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", o->fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    o->careful = own < 0 || dup2(own, o->fd) < 0;
    if (own >= 0)
        close(own);
}

void output_on_wait(struct output *o, writer_wait_fn *wait, void *closure)
{
    o->wait = wait;
    o->closure = closure;
    make_nonblocking(o);
}

void output_close(struct output *o)
{
    int fd = o->fd;
    msa_free(o->m, o->gzip);
    o->fd = -1;
    if (close(fd) < 0 && errno != EINTR)
        msa_fail_errno(o->m, "cannot write %s", o->name);
    msa_free(o->m, o);
}

/* ---- Sending ---- */

static ssize_t send_some(struct output *o, struct iovec *v, size_t n)
{
    n = n < IOV_MAX ? n : IOV_MAX;
    struct msghdr message = {.msg_iov = v, .msg_iovlen = n};
    if (o->socket)
        return sendmsg(o->fd, &message, MSG_NOSIGNAL | (o->nonblocking ? MSG_DONTWAIT : 0));
    if (!o->careful)
        return writev(o->fd, v, (int)n);
    if (poll(&(struct pollfd){.fd = o->fd, .events = POLLOUT}, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(o->fd, v->iov_base, v->iov_len < PIPE_BUF ? v->iov_len : PIPE_BUF);
}

/* After a write that gave an error: waits, or ends the run, or gives up quietly. */
static void recover(struct output *o)
{
    if (errno == EINTR)
        return;
    if (errno == EAGAIN && o->wait) {
        o->wait(o->closure, o->fd);
    } else if (errno == EAGAIN) {
        poll(&(struct pollfd){.fd = o->fd, .events = POLLOUT}, 1, -1);
    } else {
        bool closed = errno == EPIPE || errno == ECONNRESET;
        o->broken = true;
        if (closed && !o->forgiven)
            msa_fail(o->m, MSA_CLOSED, "%s is closed", o->name);
        if (!closed)
            msa_fail_errno(o->m, "cannot write %s", o->name);
    }
}

static void send_plain(struct output *o, struct iovec *v, size_t n)
{
    while (n && !o->broken) {
        ssize_t sent = send_some(o, v, n);
        if (sent < 0) {
            recover(o);
            continue;
        }
        o->sent += (uint64_t)sent;
        for (; n && (size_t)sent >= v->iov_len; v++, n--)
            sent -= (ssize_t)v->iov_len;
        if (n) {
            v->iov_base = (uint8_t *)v->iov_base + sent;
            v->iov_len -= (size_t)sent;
        }
    }
}

static void send_packed(struct output *o, struct iovec bytes, int flush)
{
    z_stream *z = &o->gzip->z;
    z->next_in = bytes.iov_base;
    z->avail_in = (uInt)bytes.iov_len;
    do {
        z->next_out = o->gzip->packed;
        z->avail_out = OUTPUT_PACKED;
        deflate(z, flush);
        struct iovec v = {.iov_base = o->gzip->packed, .iov_len = OUTPUT_PACKED - z->avail_out};
        send_plain(o, &v, 1);
    } while (z->avail_out == 0);
}

void output_send(struct output *o, struct iovec *v, size_t n)
{
    if (!o->gzip)
        send_plain(o, v, n);
    for (size_t i = 0; o->gzip && i < n; i++)
        send_packed(o, v[i], i + 1 < n ? Z_NO_FLUSH : Z_SYNC_FLUSH);
}

void output_finish(struct output *o)
{
    if (o->gzip)
        send_packed(o, (struct iovec){0}, Z_FINISH);
}

/* ---- Trying ---- */

static long milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void output_try(struct output *o, const uint8_t *bytes, size_t size, int milliseconds)
{
    struct iovec v = {.iov_base = (void *)bytes, .iov_len = size};
    if (o->gzip) {
        z_stream *z = &o->gzip->z;
        z->next_in = v.iov_base;
        z->avail_in = (uInt)size;
        z->next_out = v.iov_base = o->gzip->packed;
        z->avail_out = OUTPUT_PACKED;
        deflate(z, Z_FINISH);
        v.iov_len = OUTPUT_PACKED - z->avail_out;
    }
    make_nonblocking(o);
    long end = milliseconds_now() + milliseconds, left;
    while (v.iov_len && (left = end - milliseconds_now()) > 0) {
        ssize_t sent = send_some(o, &v, 1);
        if (sent < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = o->fd, .events = POLLOUT}, 1, (int)left);
        else if (sent < 0 && errno != EINTR)
            return;
        if (sent > 0) {
            v.iov_base = (uint8_t *)v.iov_base + sent;
            v.iov_len -= (size_t)sent;
        }
    }
}
