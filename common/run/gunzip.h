/* Inflating gzip: members, one behind the other, and nothing else. */
#ifndef MSA_GUNZIP_H
#define MSA_GUNZIP_H

#include "common/run/run.h"
#include <zlib.h>

enum { GUNZIP_BUFFER = 1 << 16 };

struct gunzip {
    z_stream z; /* next_in, avail_in: what is waiting, in `packed` */
    bool member_ended;
    const char *wrong; /* what is wrong with the bytes; NULL: nothing */
    uint8_t packed[GUNZIP_BUFFER];
};

/* Owned by the run. */
struct gunzip *gunzip_open(struct msa *m);
/* Inflates what there is of compressed bytes; how many came of it, perhaps none. */
size_t gunzip_step(struct gunzip *g, uint8_t *to, size_t size);

#endif
