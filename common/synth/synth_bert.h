/* A small BERT for samples with planted sentiment. */
#ifndef MSA_SYNTH_BERT_H
#define MSA_SYNTH_BERT_H

#include "common/synth/synth.h"

/* Writes config.json, model.safetensors and vocab.txt, as Hugging Face's, into the folder, which is
 * made if it is not there. Weights are drawn from the seed; words have their valence and calm in
 * their embeddings, as those of a trained BERT know what words mean. Fails the run when something
 * cannot be written. */
void synth_bert_write(struct msa *m, const struct synth *s, const char *folder);

#endif
