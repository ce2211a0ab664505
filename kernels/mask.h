/* Dropout (kernels.h), ready for use by a kernel. */
#ifndef MSA_MASK_H
#define MSA_MASK_H

#include "kernels/kernels.h"
#include <math.h>

struct mask {
    uint32_t threshold; /* of 65536; 0: nothing is dropped */
    float scale;        /* of what is not dropped */
    struct dropout from;
};

/* drop may be NULL */
static inline struct mask mask_of(const struct dropout *drop)
{
    struct mask mask = {0, 1, {0, 0, 0, 0}};
    if (!drop || drop->rate <= 0)
        return mask;
    mask.from = *drop;
    mask.threshold = (uint32_t)lroundf(drop->rate * 65536);
    mask.scale = mask.threshold < 65536 ? 65536.0f / (float)(65536 - mask.threshold) : 0;
    return mask;
}

#endif
