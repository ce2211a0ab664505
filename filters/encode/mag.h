/* --gate mag: what goes with the words of a text shifts them, inside BERT: MAG-BERT's
 * (msa-model(7), Text). Frames of vision and audio are averaged to as many as there are words. */
#ifndef MSA_ENCODE_MAG_H
#define MSA_ENCODE_MAG_H

#include "common/nn/layers/frames.h"
#include "common/nn/layers/gate.h"
#include "filters/encode/encode.h"

struct mag {
    struct gate gate;
    struct mag_side {
        int modality;
        size_t width; /* F */
        bool arrives; /* else its words are zeros */
        struct frames frames;
    } sides[GATE_SIDES]; /* gate.count of them */
};

/* For build() of BERT, of that prefix and width: the gate for what arrives of those that --only
 * names, in evaluation for what the parameters are for; frames go no further. Fails the run with
 * MSA_FAILED where there is none. */
void mag_build(struct part *p, struct mag *mag, const char *bert, size_t dim, double beta);
/* For forward(), in lane 0: e [rows,D] of that batch, of texts of so many words with their padding,
 * as it is shifted. */
struct var *mag_apply(struct part *p, const struct mag *mag, const struct bert_batch *batch,
                      size_t words, struct var *e);

#endif
