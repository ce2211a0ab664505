/* Inflating gzip. */
#include "common/run/gunzip.h"

enum { OF_GZIP = 15 + 16 }; /* what inflateInit2 is to expect */
enum { FIRST = 0x1f };      /* byte of a member */

static void release(void *memory)
{
    inflateEnd(&((struct gunzip *)memory)->z);
}

struct gunzip *gunzip_open(struct msa *m)
{
    struct gunzip *g = msa_alloc(m, sizeof *g);
    if (inflateInit2(&g->z, OF_GZIP) != Z_OK)
        msa_fail(m, MSA_FAILED, "out of memory");
    msa_at_free(g, release);
    g->z.next_in = g->packed;
    return g;
}

size_t gunzip_step(struct gunzip *g, uint8_t *to, size_t size)
{
    if (g->member_ended && g->z.avail_in) {
        if (*g->z.next_in != FIRST) {
            g->wrong = "bytes behind its end";
            return 0;
        }
        inflateReset(&g->z);
        g->member_ended = false;
    }
    g->z.next_out = to;
    g->z.avail_out = (uInt)size;
    int status = inflate(&g->z, Z_NO_FLUSH);
    if (status == Z_STREAM_END)
        g->member_ended = true;
    else if (status != Z_OK && status != Z_BUF_ERROR)
        g->wrong = g->z.msg ? g->z.msg : zError(status);
    return size - g->z.avail_out;
}
