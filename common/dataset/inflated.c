/* Data sets that are gzipped. */
#include "common/dataset/inflated.h"
#include "common/run/gunzip.h"
#include "common/run/temp_file.h"

bool is_gzip(struct mapping map)
{
    return map.size && map.bytes[0] == 0x1f && (map.size == 1 || map.bytes[1] == 0x8b);
}

struct mapping inflate_map(struct msa *m, struct mapping map, const char *path)
{
    enum { PIECE = 1 << 30 }; /* compressed bytes, whose number zlib keeps in 32 bits */
    enum { BLOCK = 1 << 18 }; /* inflated bytes */
    struct gunzip *g = gunzip_open(m);
    struct spool *s = spool_open(m);
    uint8_t *block = msa_alloc(m, BLOCK);
    const uint8_t *at = map.bytes, *end = at + map.size;
    for (;;) {
        if (!g->z.avail_in) {
            size_t left = (size_t)(end - at), piece = left < PIECE ? left : PIECE;
            g->z.next_in = (Bytef *)at;
            g->z.avail_in = (uInt)piece;
            at += piece;
        }
        bool all = !g->z.avail_in;
        size_t got = gunzip_step(g, block, BLOCK);
        if (g->wrong)
            msa_fail(m, MSA_CORRUPT, "%s: gzip: %s", path, g->wrong);
        if (all && !got && !g->member_ended)
            msa_fail(m, MSA_CUT, "%s: gzip: the file is cut off", path);
        if (all && !got)
            break;
        spool_write(m, s, block, got);
    }
    struct mapping inflated = spool_map(m, s);
    msa_free(m, block);
    msa_free(m, s);
    msa_free(m, g);
    return inflated;
}
