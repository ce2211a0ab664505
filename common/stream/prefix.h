/* The 18 bytes in front of every body, as they lie in memory and on the wire. */
#ifndef MSA_PREFIX_H
#define MSA_PREFIX_H

#include "common/stream/frame.h"
#include <assert.h>
#include <libdeflate.h> /* its CRC is several times as fast as zlib's */

struct __attribute__((packed)) prefix {
    uint8_t magic[2]; /* d8 4d: MessagePack's fixext 16 of type 'M' */
    uint8_t version, kind;
    uint16_t flags;
    uint32_t seq, length, crc;
};
static_assert(sizeof(struct prefix) == FRAME_PREFIX, "a prefix has no holes");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a prefix is little-endian in memory too");

enum { PREFIX_MAGIC_0 = 0xd8, PREFIX_MAGIC_1 = 0x4d };

/* The CRC of the 12 bytes from version to length; go on with the body. */
static inline uint32_t prefix_crc(const struct prefix *p)
{
    return libdeflate_crc32(0, &p->version, 12);
}

#endif
