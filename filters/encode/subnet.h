/* What the encoders of MMSA's models share: frames as they arrive, a width of their own, and
 * MMSA's names (msa-model(7), Encoders of the small models). */
#ifndef MSA_SUBNET_H
#define MSA_SUBNET_H

#include "common/stage/trainable_lengths.h"
#include "filters/encode/encode.h"

struct subnet {
    const char *prefix; /* "video_subnet", or as --names says */
    struct sequence sequence;
    size_t hidden; /* --hidden */
    float dropout;
};

/* For build(): all that is there before the network's own layers; the modality's tensors go no
 * further. */
struct subnet subnet_build(struct part *p, const struct model *model);
/* The same with another usual prefix and width, 0 being that of a frame. */
struct subnet subnet_named(struct part *p, const struct model *model, const char *usual,
                           long hidden);

#endif
