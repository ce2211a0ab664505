/* Mutations that know frames and MessagePack: most random changes would end at the CRC, or at a
 * body that is none, and never reach what reads the values. */
#include "common/stream/body_validate.h"
#include "common/stream/prefix.h"
#include "common/stream/value.h"
#include "tests/fuzz/fuzz.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 64, BODY = 1 << 16, VALUES = 4096 };

/* One frame of the stream that is being changed; its body lies in the input, or in `changed`. */
struct piece {
    uint8_t kind;
    uint16_t flags;
    const uint8_t *body;
    size_t length;
};

struct stream {
    struct piece pieces[FRAMES];
    size_t count;
    uint64_t random;
    uint8_t changed[BODY];
};

static size_t draw(struct stream *s, size_t below)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(s->random >> 33) % below;
}

/* ---- Values of a body ---- */

/* All values of a body, containers and keys too. */
struct values {
    msgpack_object *all[VALUES];
    size_t count;
};

static void collect(struct values *values, msgpack_object *v)
{
    if (values->count == VALUES)
        return;
    values->all[values->count++] = v;
    if (v->type == MSGPACK_OBJECT_ARRAY)
        for (uint32_t i = 0; i < v->via.array.size; i++)
            collect(values, &v->via.array.ptr[i]);
    if (v->type == MSGPACK_OBJECT_MAP)
        for (uint32_t i = 0; i < v->via.map.size; i++) {
            collect(values, &v->via.map.ptr[i].key);
            collect(values, &v->via.map.ptr[i].val);
        }
}

/* A value that readers should have thought of. */
static msgpack_object surprise(struct stream *s)
{
    static const uint64_t whole[] = {0,         1,          2,          3,          64,
                                     127,       128,        65535,      1u << 20,   INT32_MAX,
                                     1u << 31,  UINT32_MAX, 1ull << 32, 1ull << 61, 1ull << 62,
                                     INT64_MAX, 1ull << 63, UINT64_MAX};
    static const double real[] = {
        0, -1, .5, 1e300, -1e-300, 3e38, __builtin_inf(), __builtin_nan("")};
    static const char *const words[] = {"",      "train", "eval",       "back", "text",
                                        "audio", "y",     "\xff",       "<f4",  "<f8",
                                        "|b1",   "|O",    "1:msa-gdwg", "a\nb"};
    const char *word = words[draw(s, sizeof words / sizeof *words)];
    switch (draw(s, 8)) {
    case 0:
        return value_of_real(real[draw(s, sizeof real / sizeof *real)]);
    case 1:
        return value_of_bool(draw(s, 2));
    case 2:
        return value_of_int(-(int64_t)(whole[draw(s, sizeof whole / sizeof *whole)] >> 1) - 1);
    case 3:
        return draw(s, 2) ? value_map() : value_array();
    case 4:
    case 5:
        return (value){.type = draw(s, 2) ? MSGPACK_OBJECT_STR : MSGPACK_OBJECT_BIN,
                       .via.str = {.size = (uint32_t)strlen(word), .ptr = word}};
    case 6:
        return (value){.type = MSGPACK_OBJECT_NIL};
    default:
        return (value){.type = MSGPACK_OBJECT_POSITIVE_INTEGER,
                       .via.u64 = whole[draw(s, sizeof whole / sizeof *whole)]};
    }
}

/* Puts a surprise, or another value of the body, in the place of one; or takes the last item from a
 * container. Another value may be one that holds it: a copy is made first. */
static void change_value(struct stream *s, struct values *values, msgpack_zone *zone, struct msa *m)
{
    msgpack_object *to = values->all[draw(s, values->count)];
    bool container = to->type == MSGPACK_OBJECT_ARRAY || to->type == MSGPACK_OBJECT_MAP;
    if (container && draw(s, 2) && to->via.array.size)
        to->via.array.size--;
    else if (draw(s, 3) == 0)
        *to = value_copy(m, zone, values->all[draw(s, values->count)]);
    else if (values->count > 1)
        *to = surprise(s);
}

struct change {
    struct msa m; /* first: its address is that of both */
    struct stream *s;
    struct piece *piece;
};

static void change_values(struct msa *m)
{
    struct change *c = (struct change *)m;
    struct values *values = msa_alloc(m, sizeof *values);
    msgpack_zone *zone = value_zone(m);
    msgpack_object body;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    char text[256];
    if (body_walk(c->piece->body, c->piece->length, text) ||
        msgpack_unpack((const char *)c->piece->body, c->piece->length, NULL, zone, &body) !=
            MSGPACK_UNPACK_SUCCESS)
        return;
    collect(values, &body);
    for (size_t n = 1 + draw(c->s, 3); n > 0; n--)
        change_value(c->s, values, zone, m);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_object(&packer, body);
    if (buffer.size <= BODY) {
        memcpy(c->s->changed, buffer.data, buffer.size);
        c->piece->body = c->s->changed;
        c->piece->length = buffer.size;
    }
    msgpack_sbuffer_destroy(&buffer);
}

static void change_bytes(struct stream *s, struct piece *p)
{
    size_t length = p->length < BODY ? p->length : BODY;
    memcpy(s->changed, p->body, length);
    p->length = LLVMFuzzerMutate(s->changed, length, BODY);
    p->body = s->changed;
}

/* ---- Frames of a stream ---- */

static void split(struct stream *s, const uint8_t *data, size_t size)
{
    while (size >= FRAME_PREFIX && s->count < FRAMES) {
        struct prefix p;
        memcpy(&p, data, sizeof p);
        data += sizeof p;
        size -= sizeof p;
        size_t length = p.length < size ? p.length : size;
        s->pieces[s->count++] = (struct piece){p.kind, p.flags, data, length};
        data += length;
        size -= length;
    }
}

static void drop(struct stream *s, size_t at)
{
    s->count--;
    memmove(s->pieces + at, s->pieces + at + 1, (s->count - at) * sizeof *s->pieces);
}

static void change_frames(struct stream *s)
{
    size_t at = draw(s, s->count), other = draw(s, s->count);
    struct piece one = s->pieces[at];
    switch (draw(s, 6)) {
    case 0:
        drop(s, at);
        break;
    case 1:
        if (s->count < FRAMES) {
            s->count++;
            memmove(s->pieces + other + 1, s->pieces + other,
                    (s->count - 1 - other) * sizeof *s->pieces);
            s->pieces[other] = one;
        }
        break;
    case 2:
        s->pieces[at] = s->pieces[other];
        s->pieces[other] = one;
        break;
    case 3:
        s->pieces[at].kind = (uint8_t) "HDCMGEX?"[draw(s, 8)];
        break;
    case 4:
        s->pieces[at].flags ^= FRAME_NO_CRC;
        break;
    default:
        s->count = at + 1;
    }
}

/* Writes the frames, with prefixes that are right; returns the size. E counts the frames. */
static size_t join(const struct stream *s, uint8_t *to, size_t room)
{
    size_t size = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct piece piece = s->pieces[i];
        uint8_t end[] = {0x81, 0xa6, 'f', 'r', 'a', 'm', 'e', 's', (uint8_t)i};
        if (piece.kind == FRAME_END && i == s->count - 1)
            piece = (struct piece){piece.kind, piece.flags, end, sizeof end};
        struct prefix p = {.magic = {PREFIX_MAGIC_0, PREFIX_MAGIC_1},
                           .version = FRAME_VERSION,
                           .kind = piece.kind,
                           .flags = piece.flags,
                           .seq = (uint32_t)i,
                           .length = (uint32_t)piece.length};
        if (size + sizeof p + piece.length > room)
            break;
        if (!(p.flags & FRAME_NO_CRC))
            p.crc = libdeflate_crc32(prefix_crc(&p), piece.body, piece.length);
        memcpy(to + size, &p, sizeof p);
        memcpy(to + size + sizeof p, piece.body, piece.length);
        size += sizeof p + piece.length;
    }
    return size;
}

size_t frames_mutate(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    struct msa m = {.program = "msa-fuzz"};
    struct stream *s = NULL;
    uint8_t *joined = NULL;
    if (seed % 16 == 0 || size < FRAME_PREFIX || data[0] != PREFIX_MAGIC_0)
        return LLVMFuzzerMutate(data, size, room);
    s = malloc(sizeof *s);
    joined = malloc(room);
    s->count = 0;
    s->random = seed;
    split(s, data, size);
    size_t at = draw(s, s->count);
    struct change change = {.m = m, .s = s, .piece = &s->pieces[at]};
    switch (draw(s, 8)) {
    case 0:
        change_frames(s);
        break;
    case 1:
    case 2:
    case 3:
        change_bytes(s, &s->pieces[at]);
        break;
    default:
        msa_run(&change.m, change_values);
    }
    size = join(s, joined, room);
    memcpy(data, joined, size);
    free(joined);
    free(s);
    return size;
}
