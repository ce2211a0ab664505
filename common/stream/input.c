/* Bytes in. */
#include "common/stream/input.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void input_release(void *memory)
{
    if (((struct input *)memory)->fd >= 0)
        close(((struct input *)memory)->fd);
}

struct input *input_open(struct msa *m, int fd, const char *name)
{
    struct input *in = msa_alloc(m, sizeof *in);
    struct stat status;
    in->m = m;
    in->fd = fd;
    in->name = name;
    in->bytes = in->buffer;
    in->regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    msa_at_free(in, input_release);
    return in;
}

struct input *input_open_mapped(struct msa *m, struct mapping map, const char *name)
{
    struct input *in = msa_alloc(m, sizeof *in);
    *in = (struct input){.m = m, .fd = -1, .name = name, .regular = true, .bytes = map.bytes};
    in->filled = map.size;
    in->started = map.size > 0;
    return in;
}

void input_close(struct input *in)
{
    msa_free(in->m, in->gzip);
    msa_free(in->m, in);
}

static _Noreturn void cut(struct input *in)
{
    if (in->cut)
        in->cut(in->closure);
    if (!in->started)
        msa_fail(in->m, MSA_CUT, "%s: no stream: %s", in->name,
                 in->regular ? "the file is empty" : "the program before ended without a word");
    msa_fail(in->m, MSA_CUT, "%s: cut off after %u frames, without an end (E) or an error (X)",
             in->name, in->count);
}

/* Bytes as they are: at least one, or 0 at the end. */
static size_t read_raw(struct input *in, uint8_t *to, size_t size)
{
    ssize_t got = 0;
    while (in->fd >= 0 && (got = read(in->fd, to, size)) < 0 && (errno == EINTR || errno == EAGAIN))
        if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = in->fd, .events = POLLIN}, 1, -1);
    if (got < 0 && errno != ECONNRESET)
        msa_fail_errno(in->m, "cannot read %s", in->name);
    in->started |= got > 0;
    return got < 0 ? 0 : (size_t)got;
}

/* ---- gzip ---- */

static size_t inflate_step(struct input *in, uint8_t *to, size_t size)
{
    size_t got = gunzip_step(in->gzip, to, size);
    if (in->gzip->wrong)
        INPUT_CORRUPT(in, "gzip: %s", in->gzip->wrong);
    return got;
}

static size_t read_gzip(struct input *in, uint8_t *to, size_t size)
{
    struct gunzip *gzip = in->gzip;
    for (;;) {
        size_t got = inflate_step(in, to, size);
        if (got)
            return got;
        if (gzip->z.avail_in)
            continue;
        if (gzip->member_ended && in->ended && !in->regular)
            return 0;
        gzip->z.next_in = gzip->packed;
        gzip->z.avail_in = (uInt)read_raw(in, gzip->packed, GUNZIP_BUFFER);
        if (!gzip->z.avail_in && gzip->member_ended)
            return 0;
        if (!gzip->z.avail_in)
            cut(in);
    }
}

static void start_gzip(struct input *in)
{
    struct gunzip *gzip = gunzip_open(in->m);
    memcpy(gzip->packed, in->buffer, in->filled);
    gzip->z.avail_in = (uInt)in->filled;
    in->filled = 0;
    in->gzip = gzip;
}

/* The first two bytes say whether the input is gzip's. */
static void look_at_start(struct input *in)
{
    while (in->filled < 2) {
        size_t got = read_raw(in, in->buffer + in->filled, INPUT_BUFFER - in->filled);
        if (!got)
            cut(in);
        in->filled += got;
    }
    if (in->buffer[0] == 0x1f && in->buffer[1] == 0x8b)
        start_gzip(in);
}

/* ---- Plain bytes ---- */

static size_t read_plain(struct input *in, uint8_t *to, size_t size)
{
    return in->gzip ? read_gzip(in, to, size) : read_raw(in, to, size);
}

/* Long reads go past the buffer. */
void input_take(struct input *in, uint8_t *to, size_t size)
{
    if (!in->started)
        look_at_start(in);
    while (size) {
        size_t got = in->filled - in->at;
        if (got) {
            got = got < size ? got : size;
            memcpy(to, in->bytes + in->at, got);
            in->at += got;
        } else if (size >= INPUT_BUFFER || in->fd < 0) {
            got = read_plain(in, to, size);
        } else {
            in->at = 0;
            in->filled = read_plain(in, in->buffer, INPUT_BUFFER);
            if (in->filled)
                continue;
        }
        if (!got)
            cut(in);
        to += got;
        size -= got;
    }
}

const uint8_t *input_in_place(struct input *in, size_t size)
{
    if (in->fd >= 0)
        return NULL;
    if (size > in->filled - in->at)
        cut(in);
    in->at += size;
    return in->bytes + in->at - size;
}

void input_inflate_ahead(struct input *in)
{
    if (!in->gzip || in->at < in->filled || !in->gzip->z.avail_in)
        return;
    in->at = 0;
    in->filled = inflate_step(in, in->buffer, INPUT_BUFFER);
}

bool input_more(struct input *in)
{
    uint8_t byte;
    return in->at < in->filled || ((in->regular || in->gzip) && read_plain(in, &byte, 1));
}
