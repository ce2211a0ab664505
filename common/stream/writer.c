/* Frames out: each one whole, at once, its payloads straight from where they lie. */
#include "common/stream/writer.h"
#include "common/run/mapping.h"
#include "common/run/utf8.h"
#include "common/stream/body.h"
#include "common/stream/output.h"
#include "common/stream/prefix.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 13 };
enum { ERROR_TEXT = 1000, ERROR_FRAME = 2 * ERROR_TEXT + 64, ERROR_PATIENCE = 1000 /* ms */ };

struct writer {
    struct msa *m;
    struct output *out;
    bool checked; /* frames have a CRC */
    bool ended;   /* E or X has been written */
    bool partial; /* a frame has been begun, and not finished */
    uint32_t count;
    struct body body;
};

static void writer_release(void *memory)
{
    msgpack_vrefbuffer_destroy(&((struct writer *)memory)->body.buffer);
}

struct writer *writer_open(struct msa *m, int fd, const char *name)
{
    if (isatty(fd))
        msa_fail(m, MSA_USAGE, "%s: frames are not written to a terminal (--help shows how)", name);
    struct writer *w = msa_alloc(m, sizeof *w);
    *w = (struct writer){
        .m = m, .out = output_open(m, fd, name), .checked = !m->common.no_crc, .body.m = m};
    if (!msgpack_vrefbuffer_init(&w->body.buffer, MSGPACK_VREFBUFFER_REF_SIZE, CHUNK))
        msa_fail(m, MSA_FAILED, "out of memory");
    msa_at_free(w, writer_release);
    return w;
}

void writer_gzip(struct writer *w)
{
    output_gzip(w->out);
}

void writer_checked(struct writer *w)
{
    w->checked = true;
}

void writer_on_wait(struct writer *w, writer_wait_fn *wait, void *closure)
{
    output_on_wait(w->out, wait, closure);
}

void writer_forgive(struct writer *w)
{
    w->out->forgiven = true;
}

/* ---- Bodies ---- */

/* The packer's output; as it cannot pass an error on, it ends the run itself. */
static int append(void *closure, const char *bytes, size_t size)
{
    struct body *b = closure;
    if (msgpack_vrefbuffer_append_copy(&b->buffer, bytes, size) < 0)
        msa_fail(b->m, MSA_FAILED, "out of memory");
    b->length += size;
    return 0;
}

struct body *body_begin(struct writer *w)
{
    static const char room[FRAME_PREFIX];
    struct body *b = &w->body;
    msgpack_vrefbuffer_clear(&b->buffer);
    msgpack_packer_init(&b->packer, b, append);
    append(b, room, FRAME_PREFIX);
    b->length = 0;
    return b;
}

static void check_length(struct writer *w, size_t length)
{
    if (length > frame_limit(w->m))
        msa_fail(w->m, MSA_FAILED,
                 "%s: frame %u: a body of %zu bytes but at most %zu are allowed (--max-frame)",
                 w->out->name, w->count, length, frame_limit(w->m));
    if (w->count == UINT32_MAX)
        msa_fail(w->m, MSA_FAILED, "%s: a stream of more than %u frames", w->out->name, w->count);
}

/* Fills in the prefix, which is in front of the body's first bytes in v[0]. */
static void write_prefix(struct writer *w, enum frame_kind kind, size_t length,
                         const struct iovec *v, size_t n)
{
    bool checked = w->checked;
    struct prefix *p = v->iov_base;
    *p = (struct prefix){.magic = {PREFIX_MAGIC_0, PREFIX_MAGIC_1},
                         .version = FRAME_VERSION,
                         .kind = (uint8_t)kind,
                         .flags = checked ? 0 : FRAME_NO_CRC,
                         .seq = w->count,
                         .length = (uint32_t)length};
    uint32_t crc = prefix_crc(p);
    for (size_t i = 0; checked && i < n; i++) {
        size_t skip = i ? 0 : sizeof *p;
        crc = libdeflate_crc32(crc, (const uint8_t *)v[i].iov_base + skip, v[i].iov_len - skip);
    }
    p->crc = checked ? crc : 0;
}

void body_write(struct writer *w, struct body *b, enum frame_kind kind)
{
    assert(!w->ended && b == &w->body);
    check_length(w, b->length);
    struct iovec *v = b->buffer.array;
    size_t n = msgpack_vrefbuffer_veclen(&b->buffer);
    write_prefix(w, kind, b->length, v, n);
    mapping_check(w->m); /* what it was made of has been read by now */
    w->partial = true;
    output_send(w->out, v, n);
    w->partial = false;
    w->count++;
    msgpack_vrefbuffer_clear(&b->buffer);
}

void frame_write(struct writer *w, const struct frame *f)
{
    struct body *b = body_begin(w);
    body_reference(b, f->body, f->length);
    body_write(w, b, f->kind);
}

void writer_end(struct writer *w)
{
    struct body *b = body_begin(w);
    body_map(b, 1);
    body_str(b, "frames");
    body_int(b, w->count);
    body_write(w, b, FRAME_END);
    w->ended = true;
    output_finish(w->out);
}

/* ---- The last word ---- */

/* A frame in memory of its own: at a failure nothing may be allocated, or fail. */
struct last_word {
    size_t length;
    uint8_t bytes[ERROR_FRAME];
};

static int append_word(void *closure, const char *bytes, size_t size)
{
    struct last_word *word = closure;
    memcpy(word->bytes + word->length, bytes, size);
    word->length += size;
    return 0;
}

/* At most ERROR_TEXT bytes of a text, as UTF-8. */
static void pack_text(msgpack_packer *packer, const char *text)
{
    char copy[ERROR_TEXT];
    size_t length = strnlen(text, ERROR_TEXT);
    memcpy(copy, text, length);
    utf8_clean(copy, length);
    msgpack_pack_str(packer, length);
    msgpack_pack_str_body(packer, copy, length);
}

void writer_error(struct writer *w, const char *who, const char *what)
{
    if (w->ended || w->partial || w->out->broken)
        return;
    struct last_word word = {.length = FRAME_PREFIX};
    msgpack_packer packer;
    msgpack_packer_init(&packer, &word, append_word);
    msgpack_pack_map(&packer, 2);
    pack_text(&packer, "who");
    pack_text(&packer, who);
    pack_text(&packer, "what");
    pack_text(&packer, what);
    struct iovec v = {.iov_base = word.bytes, .iov_len = word.length};
    write_prefix(w, FRAME_ERROR, word.length - FRAME_PREFIX, &v, 1);
    w->ended = true;
    output_try(w->out, word.bytes, word.length, ERROR_PATIENCE);
}

void writer_expect(struct writer *w, const struct target *t)
{
    file_expect(w->m, t, w->out->fd, (int64_t)w->out->sent);
}

uint64_t writer_sent(const struct writer *w)
{
    return w->out->sent;
}

uint64_t writer_unread(const struct writer *w)
{
    struct stat status;
    int bytes = 0;
    bool pipe = fstat(w->out->fd, &status) == 0 && S_ISFIFO(status.st_mode);
    return pipe && ioctl(w->out->fd, FIONREAD, &bytes) == 0 ? (uint64_t)bytes : 0;
}

bool writer_broken(const struct writer *w)
{
    return w->out->broken;
}

int writer_fd(const struct writer *w)
{
    return w->out->fd;
}

void writer_close(struct writer *w)
{
    output_close(w->out);
    msa_free(w->m, w);
}
