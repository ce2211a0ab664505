/* A modality's frames as an input of a network: with what frames.h does to them, which the header
 * or the parameters say. */
#ifndef MSA_TRAINABLE_FRAMES_H
#define MSA_TRAINABLE_FRAMES_H

#include "common/nn/layers/frames.h"
#include "common/stage/trainable.h"

/* For build(): declares the input "audio" and so on, [B,up to `most`,F], as trainable_reads does,
 * and makes the layer for it, which forward() applies to trainable_input(). It standardizes where
 * the header of a training says so (msa-load --standardize), and in evaluation where FILE has
 * PREFIX.standardize.mean and .scale. Fails the run with MSA_CORRUPT where more than `most` frames
 * arrive, and where one of these numbers is missing, or none of float32 by feature; and with
 * MSA_FAILED where a gradient is wanted with respect to what is lengthened or standardized. */
struct frames trainable_frames(struct trainable *t, const char *name, const char *prefix,
                               size_t most);

/* For trainable.c, when all is built: fails the run with MSA_USAGE where the header of a training
 * has an input standardized that was not declared so. */
void trainable_check_frames(const struct trainable *t);

#endif
