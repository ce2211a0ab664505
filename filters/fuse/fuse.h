/* What the variants of msa-fuse share: each makes one vector f [B,D] of all modalities. A new one
 * is a file; its name is here and in filters/fuse.c. Which modalities it is made of, modalities.h
 * says. */
#ifndef MSA_FUSE_H
#define MSA_FUSE_H

#include "common/stage/trainable.h"

/* The places of dropout in a variant that has several; others have one. */
#define FUSE_PLACES "att1|att2|gamma1|gamma2"
enum { ATT1, ATT2, GAMMA1, GAMMA2, PLACES };
enum { FUSE_MOST = 65536 /* widths */, FUSE_HEADS = 1024 };

/* Options that are no single variant's: each takes those that it makes use of. */
struct fuse_settings {
    struct trainable_settings trainable;
    const char *order;      /* NULL: not given */
    long out, heads;        /* 0: likewise */
    double dropout[PLACES]; /* by place */
};

extern const struct model fuse_concat, fuse_tensor, fuse_low_rank, fuse_memory, fuse_attention;

/* For build(): D, as --out says, else as files with initial values have noted, else `usual`; noted,
 * and f [B,D] is declared. */
size_t fuse_adds(struct trainable *t, long usual);
/* For build() of a variant with one place: its dropout; noted. Fails the run with MSA_USAGE where
 * there are several. */
float fuse_dropout(struct trainable *t);

#endif
