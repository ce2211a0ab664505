/* Frames in: each checked before anything believes it. */
#include "common/stream/reader.h"
#include "common/run/content.h"
#include "common/stream/body_validate.h"
#include "common/stream/input.h"
#include "common/stream/prefix.h"
#include "common/stream/value.h"

#include <fcntl.h>
#include <msgpack/unpack.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_BODY = 1 << 20 };

/* A body and what was unpacked from it, used for one frame after the other. */
struct slot {
    struct slot *next;
    bool taken;
    uint8_t *body;
    size_t capacity; /* of the body; 0: it is the input's */
    msgpack_unpacked unpacked;
};

struct reader {
    struct msa *m;
    struct input *in;
    struct slot *slots;
};

static void slot_release(void *memory)
{
    struct slot *slot = memory;
    msgpack_unpacked_destroy(&slot->unpacked);
}

struct reader *reader_open(struct msa *m, int fd, const char *name)
{
    if (isatty(fd))
        msa_fail(m, MSA_USAGE, "%s: frames are not read from a terminal (--help shows how)", name);
    struct reader *r = msa_alloc(m, sizeof *r);
    *r = (struct reader){.m = m, .in = input_open(m, fd, name)};
    return r;
}

struct reader *reader_open_path(struct msa *m, const char *path)
{
    if (strcmp(path, "-") == 0)
        return reader_open(m, STDIN_FILENO, "stdin");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        msa_fail_errno(m, "cannot read '%s'", path);
    return reader_open(m, fd, path);
}

struct reader *reader_open_mapped(struct msa *m, struct mapping map, const char *name)
{
    struct reader *r = msa_alloc(m, sizeof *r);
    *r = (struct reader){.m = m, .in = input_open_mapped(m, map, name)};
    return r;
}

void reader_on_cut(struct reader *r, void (*cut)(void *closure), void *closure)
{
    r->in->cut = cut;
    r->in->closure = closure;
}

static struct slot *free_slot(struct reader *r)
{
    struct slot *slot = r->slots;
    while (slot && slot->taken)
        slot = slot->next;
    if (!slot) {
        slot = msa_alloc(r->m, sizeof *slot);
        msa_at_free(slot, slot_release);
        slot->next = r->slots;
        r->slots = slot;
    }
    return slot;
}

static void grow(struct reader *r, struct slot *slot, size_t capacity)
{
    if (slot->capacity >= capacity)
        return;
    slot->body = msa_realloc(r->m, slot->body, capacity);
    slot->capacity = capacity;
}

/* Reads a body of `length` bytes, unless it is in memory already, into memory that is never more
 * than twice what has come, or FIRST_BODY. */
static void read_body(struct reader *r, struct slot *slot, size_t length)
{
    size_t have = 0;
    const uint8_t *mapped = input_in_place(r->in, length);
    if (mapped) {
        slot->body = (uint8_t *)mapped;
        return;
    }
    grow(r, slot, length < FIRST_BODY ? length : FIRST_BODY);
    while (have < length) {
        if (have == slot->capacity)
            grow(r, slot, length / 2 < have ? length : 2 * have);
        size_t end = slot->capacity < length ? slot->capacity : length;
        input_take(r->in, slot->body + have, end - have);
        have = end;
    }
}

static bool kind_fits(const struct reader *r, uint8_t kind)
{
    if (r->in->count == 0)
        return kind == FRAME_HEADER || kind == FRAME_ERROR;
    return kind && strchr("DCMGEX", kind);
}

static _Noreturn void refuse_magic(struct reader *r, const struct prefix *p)
{
    const char *what = r->in->count ? NULL : content_guess((const uint8_t *)p, sizeof *p);
    INPUT_CORRUPT(r->in, "%s%s%s%sbegins with %02x %02x but expected d8 4d",
                  r->in->count ? "" : "not a stream", what ? ", but " : "", what ? what : "",
                  r->in->count ? "" : ": ", p->magic[0], p->magic[1]);
}

static void check_prefix(struct reader *r, const struct prefix *p)
{
    if (p->magic[0] != PREFIX_MAGIC_0 || p->magic[1] != PREFIX_MAGIC_1)
        refuse_magic(r, p);
    if (p->version != FRAME_VERSION)
        INPUT_CORRUPT(r->in, "version %u of the format but expected %d", p->version, FRAME_VERSION);
    if (!kind_fits(r, p->kind))
        INPUT_CORRUPT(r->in, "kind %02x ('%c') but expected %s", p->kind,
                      p->kind >= ' ' && p->kind < 0x7f ? p->kind : '?',
                      r->in->count ? "one of D C M G E X" : "H or X");
    if (p->flags & ~FRAME_NO_CRC)
        INPUT_CORRUPT(r->in, "unknown flags %04x", p->flags);
    if (p->flags & FRAME_NO_CRC && p->crc)
        INPUT_CORRUPT(r->in, "flagged to be without CRC but has %08x", p->crc);
    if (p->seq != r->in->count)
        INPUT_CORRUPT(r->in, "number %u but expected %u", p->seq, r->in->count);
    if (p->length == 0)
        INPUT_CORRUPT(r->in, "without a body");
    if (p->length > frame_limit(r->m))
        INPUT_CORRUPT(r->in, "a body of %u bytes but at most %zu are allowed (--max-frame)",
                      p->length, frame_limit(r->m));
}

static void check_body(struct reader *r, const struct prefix *p, const uint8_t *body)
{
    if (!(p->flags & FRAME_NO_CRC)) {
        uint32_t crc = libdeflate_crc32(prefix_crc(p), body, p->length);
        if (crc != p->crc)
            INPUT_CORRUPT(r->in, "CRC %08x but expected %08x: damaged on the way", crc, p->crc);
    }
    char text[256];
    const char *wrong = body_walk(body, p->length, text);
    if (wrong)
        INPUT_CORRUPT(r->in, "body: %s", wrong);
}

static void unpack(struct reader *r, struct slot *slot, size_t length)
{
    size_t at = 0;
    if (msgpack_unpack_next(&slot->unpacked, (const char *)slot->body, length, &at) !=
        MSGPACK_UNPACK_SUCCESS)
        msa_fail(r->m, MSA_FAILED, "out of memory");
    if (!slot->unpacked.zone)
        slot->unpacked.zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    if (!slot->unpacked.zone)
        msa_fail(r->m, MSA_FAILED, "out of memory");
}

/* E counts the frames before it. */
static void check_end(struct reader *r, const struct frame *f)
{
    const value *frames = value_get(f->map, "frames");
    if (!frames || frames->type != MSGPACK_OBJECT_POSITIVE_INTEGER || frames->via.u64 != f->seq)
        frame_fail(r->m, f, NULL, "an end whose 'frames' is not %u", f->seq);
}

bool reader_next(struct reader *r, struct frame *f)
{
    if (r->in->ended)
        return false;
    struct prefix p;
    input_take(r->in, (uint8_t *)&p, sizeof p);
    check_prefix(r, &p);
    struct slot *slot = free_slot(r);
    read_body(r, slot, p.length);
    check_body(r, &p, slot->body);
    unpack(r, slot, p.length);
    slot->taken = true;
    *f = (struct frame){.kind = p.kind,
                        .seq = p.seq,
                        .from = r->in->name,
                        .body = slot->body,
                        .length = p.length,
                        .map = &slot->unpacked.data,
                        .zone = slot->unpacked.zone,
                        .slot = slot};
    r->in->ended = f->kind == FRAME_END || f->kind == FRAME_ERROR;
    if (f->kind == FRAME_END)
        check_end(r, f);
    r->in->count++;
    if (!r->in->ended)
        input_inflate_ahead(r->in);
    else if (input_more(r->in))
        INPUT_CORRUPT(r->in, "bytes behind the end of the stream");
    return true;
}

uint32_t reader_count(const struct reader *r)
{
    return r->in->count;
}

bool reader_started(const struct reader *r)
{
    return r->in->started;
}

int reader_fd(const struct reader *r)
{
    return r->in->fd;
}

bool reader_buffered(const struct reader *r)
{
    return r->in->at < r->in->filled;
}

void frame_free(struct frame *f)
{
    if (f->slot) {
        msgpack_unpacked_destroy(&f->slot->unpacked);
        f->slot->taken = false;
    }
    *f = (struct frame){0};
}

void reader_close(struct reader *r)
{
    struct slot *next;
    for (struct slot *slot = r->slots; slot; slot = next) {
        next = slot->next;
        if (slot->capacity)
            msa_free(r->m, slot->body);
        msa_free(r->m, slot);
    }
    input_close(r->in);
    msa_free(r->m, r);
}
