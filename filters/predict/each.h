/* --each: a head for each modality beside that of all, h_MODALITY [B,D_m] -> f_MODALITY [B,P_m] and
 * y_MODALITY [B] (msa-model(7), Heads). In training there is one for those that arrive; evaluation
 * has those of the parameters, zeros standing in for what does not arrive. */
#ifndef MSA_PREDICT_EACH_H
#define MSA_PREDICT_EACH_H

#include "common/nn/layers/linear.h"
#include "common/stage/trainable.h"

enum { EACH_LAYERS = 3 };

struct each {
    struct each_head {
        size_t width; /* D_m; 0: there is no such head */
        bool arrives;
        float dropout; /* in front of it */
        const char *names[EACH_LAYERS];
        struct linear_layer layers[EACH_LAYERS];
    } heads[MODALITIES];
};
/* For build(): which heads there are, their parameters, and the tensors that go in and come out.
 * Fails the run with MSA_FAILED where --each is given and there is none. */
void each_build(struct part *p, struct each *e);
/* For forward(), of a record of `batch` samples. */
void each_make(struct part *p, const struct each *e, size_t batch);

#endif
