/* Frames: the 18-byte prefix, and a body that is one map (man/msa-stream.5). reader.h and writer.h
 * have them in and out, value.h what is in them. */
#ifndef MSA_FRAME_H
#define MSA_FRAME_H

#include "common/run/run.h"

enum frame_kind {
    FRAME_HEADER = 'H',
    FRAME_DATA = 'D',
    FRAME_CONTROL = 'C',
    FRAME_METRICS = 'M',
    FRAME_GRADIENT = 'G',
    FRAME_END = 'E',
    FRAME_ERROR = 'X'
};

enum {
    FRAME_PREFIX = 18,
    FRAME_VERSION = 1,
    FRAME_NO_CRC = 1 /* the one flag: crc is 0 and not checked */
};
enum { BODY_DEPTH = 8, BODY_OBJECTS = 1 << 20, BODY_PAIRS = 256, BODY_KEY = 128 /* bytes */ };

struct msgpack_object;
struct msgpack_zone;

/* A frame that was read: its body, walked and unpacked. `map` points into body and zone. */
struct frame {
    enum frame_kind kind;
    uint32_t seq;
    const char *from; /* name of its reader */
    uint8_t *body;    /* 64-byte aligned, unless it is mapped */
    size_t length;
    const struct msgpack_object *map;
    struct msgpack_zone *zone;
    struct slot *slot; /* the reader's, of the body */
};

/* --max-frame: the longest body that is read or written. */
size_t frame_limit(const struct msa *m);
/* Fails the run with MSA_CORRUPT: "frame 17, tensor 'audio': …"; `tensor` may be NULL. */
_Noreturn void frame_fail(struct msa *m, const struct frame *f, const char *tensor,
                          const char *format, ...) MSA_PRINTF(4, 5);
/* What an X frame tells: "WHO: WHAT", owned by the run. */
const char *frame_reason(struct msa *m, const struct frame *x);
/* Ends the run because another program's did: MSA_OTHER, with that reason. */
_Noreturn void frame_fail_other(struct msa *m, const struct frame *x);

#endif
