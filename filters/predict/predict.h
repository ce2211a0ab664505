/* What the heads of msa-predict share: each makes sentiment y [B]. A new one is a file; its name is
 * here and in filters/predict.c. */
#ifndef MSA_PREDICT_H
#define MSA_PREDICT_H

#include "common/stage/trainable.h"

/* The layers of a head get narrower by half each: the least width that it takes. */
enum { HEAD_LEAST = 8 };

extern const struct model predict_joint, predict_unimodal;

#endif
