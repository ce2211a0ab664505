/* What is done to a modality's frames before any network: samples of fewer frames than it is for
 * are lengthened, padding is found, and what is not padding is standardized. A layer that is not
 * trained (msa-model(7), Encoders). */
#ifndef MSA_FRAMES_H
#define MSA_FRAMES_H

#include "common/nn/params.h"

struct frames {
    size_t most;              /* L */
    struct var *mean, *scale; /* [F] each; NULL: frames are not standardized */
};

/* mean and scale [F] of the host are kept as buffers PREFIX.standardize.mean and .scale; both NULL:
 * none. */
struct frames frames_layer(struct params *p, const char *prefix, size_t most, size_t features,
                           const float *mean, const float *scale);
/* [B,up to L,F] -> [B,L,F]; pad, on the device, is what kernels call pad[B,1+L], a place for CLS
 * before the frames; NULL: it is not asked for. Nothing goes back to x where it is lengthened or
 * standardized. */
struct var *frames_apply(struct tape *t, const struct frames *f, struct var *x, uint8_t **pad);

#endif
