/* How many of a modality's frames count in a network that averages them, or goes through them in
 * their order: an option of such a network, --lengths (msa-model(7), Frames that count). */
#ifndef MSA_TRAINABLE_LENGTHS_H
#define MSA_TRAINABLE_LENGTHS_H

#include "common/stage/trainable_frames.h"

/* The option is a choice of these, whose help this is, "auto" unless given. */
#define LENGTHS_WORDS "all|own|text|auto"
#define LENGTHS_HELP                                                                               \
    "frames that count: all of the record, padding too; or each sample's own, which are as many "  \
    "as MODALITY_lengths says, for text the mask of text_bert, and without these all up to the "   \
    "last that is no padding; or as many as the sample's text has of its own, at most all, and "   \
    "without text own ones; auto: all, and in evaluation what the parameters are for"
enum lengths_kind { LENGTHS_ALL, LENGTHS_OWN, LENGTHS_TEXT, LENGTHS_AUTO };

/* A modality's frames as such a network takes them: as many as a record has, be they fewer than
 * those of the training, or more. */
struct sequence {
    int modality;
    size_t width;         /* F */
    struct frames frames; /* what is done to them first */
    bool missing;         /* none arrive */
};
/* For build(): declares the input "vision" and so on, as trainable_frames does, and has its frames
 * counted as the option says, `given`, which is noted. Fails the run with MSA_CORRUPT where the
 * tensor that says lengths is not one of integers. */
struct sequence trainable_sequence(struct trainable *t, int modality, const char *prefix,
                                   int given);
/* The same in an evaluation of what was trained with that modality, which does not arrive: a sample
 * is one frame of zeros [width] then. */
struct sequence trainable_no_sequence(struct trainable *t, int modality, size_t width, int given);
/* … the frames behind those that count in any sample of the record are left out. */
void trainable_cut(struct trainable *t, int modality);
/* … what a modality has come as goes no further: frames, their lengths, text's tokens. */
void trainable_drop_modality(struct trainable *t, int modality);

/* For forward(), in any lane: the frames of the current record, [B,L,F], L being fewer where they
 * are cut. */
struct var *sequence_frames(struct trainable *t, const struct sequence *s);
/* … and which of them count, on the device: one of each sample at least. */
const struct lengths *sequence_lengths(const struct trainable *t, const struct sequence *s);

/* For trainable.c, in lane 0, when a record's inputs have been read: computes what
 * sequence_lengths returns. Fails the run with MSA_CORRUPT where a length is below 0 or above
 * L. */
void trainable_lengths_read(struct trainable *t);

#endif
