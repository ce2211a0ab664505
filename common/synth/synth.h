/* Samples with planted sentiment: one hidden number a modality, which a few frames of that modality
 * show in noise and from which the labels follow (man/msa-synth.1). Every number is drawn by its
 * place, so samples come in any order and nothing but the directions is kept. synth_text.c makes up
 * what is said. */
#ifndef MSA_SYNTH_H
#define MSA_SYNTH_H

#include "common/dataset/dataset.h"
#include "common/run/random.h"

struct synth {
    enum family family;
    uint64_t seed;
    double noise;         /* deviation of the frames' noise */
    double calm;          /* share of samples that are calm: neutral, whatever they hide */
    size_t count[SPLITS]; /* samples */
    size_t frames[MODALITIES], width[MODALITIES];
    /* Where frames show sentiment and calm: width[] numbers, of length 1 (synth_prepare). */
    double *sentiment[MODALITIES], *calmness[MODALITIES];
};

/* Draws the directions, which belong to the run; the other fields have been set. */
void synth_prepare(struct msa *m, struct synth *s);
/* The labels of sample i: those of T, V and A, then the joint one, on the family's grid. */
void synth_labels(const struct synth *s, enum split split, size_t i, double labels[LABELS]);
/* Its frames that are not padding. */
size_t synth_length(const struct synth *s, enum split split, enum modality modality, size_t i);
/* Its frames, out[frames*width], zeros behind its length. */
void synth_frames(const struct synth *s, enum split split, enum modality modality, size_t i,
                  double *out);

/* ---- What is said: as many words as text has frames that are not padding ---- */

/* Tokens of a sample: its words, at most, between [CLS] and [SEP]. */
size_t synth_tokens_most(const struct synth *s);
/* Characters of a sample, at most. */
size_t synth_sentence_most(const struct synth *s);
/* text_bert: ids, mask and segments, out[3*synth_tokens_most]. */
void synth_tokens(const struct synth *s, enum split split, size_t i, int64_t *out);
/* raw_text: the same words with spaces between them; out[synth_sentence_most + 1]. */
void synth_sentence(const struct synth *s, enum split split, size_t i, char *out);

/* The vocabulary, by id: special tokens, then words. */
size_t synth_word_count(void);
const char *synth_word(size_t id);
double synth_valence(size_t id); /* the hidden number that the word stands for; 0: for none */
bool synth_word_calm(size_t id);

/* ---- What the parts of a sample are drawn with ---- */

struct random synth_stream(const struct synth *s, enum split split, const char *what, size_t i);
double synth_normal(struct random *r);
/* Is the sample calm? Its hidden numbers; the stream goes on with the noise of its labels. */
bool synth_calm(const struct synth *s, enum split split, size_t i);
struct random synth_hidden(const struct synth *s, enum split split, size_t i,
                           double hidden[MODALITIES]);
/* Of so many frames or words, how many show the hidden number; and, going through them, does the
 * one show it that has `rest` - 1 more behind it, while there are `to_show` left? */
size_t synth_shown(size_t length);
bool synth_shows(struct random *r, size_t rest, size_t to_show);
/* The noise of a word that shows a hidden number of 1, as that of a frame along its direction. */
double synth_word_noise(const struct synth *s);

#endif
