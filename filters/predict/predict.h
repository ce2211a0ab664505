/* What the heads of msa-predict share: each makes sentiment y [B]. A new one is a file here and a
 * line in filters/predict.c. */
#ifndef MSA_PREDICT_H
#define MSA_PREDICT_H

#include "common/stage/trainable.h"

enum {
    HEAD_LEAST = 8
}; /* a head's layers are narrower by half each: the least width that it takes */

struct predict_settings {
    struct trainable_settings trainable;
    const struct variant *head;
};

extern const struct model predict_joint, predict_unimodal;

#endif
