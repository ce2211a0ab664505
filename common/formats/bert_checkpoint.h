/* A BERT on disk, as Hugging Face writes one: config.json and model.safetensors. */
#ifndef MSA_BERT_CHECKPOINT_H
#define MSA_BERT_CHECKPOINT_H

#include "common/formats/safetensors.h"

enum { BERT_LAYERS = 48 }; /* at most */

/* What of a config.json determines the network. */
struct bert_config {
    size_t dim, layers, heads, wide; /* wide: width of the feed-forward */
    size_t words, positions, types;  /* rows of the tables of embeddings */
    double eps;                      /* of all norms */
    double hidden, attention;        /* dropout rates */
};

/* From the text of a config.json; `from` names it in errors. Fails the run with MSA_CORRUPT where a
 * size is missing or impossible, or where it is of a network that is not BERT's: "FILE:
 * 'hidden_act' is "relu" but expected "gelu"". */
struct bert_config bert_config_parse(struct msa *m, const char *from, const char *text,
                                     size_t length);
/* The same as a JSON text that bert_config_parse reads; msa_free it. */
char *bert_config_text(struct msa *m, const struct bert_config *c);

struct bert_checkpoint {
    struct bert_config config;
    struct safetensors *weights;
};

/* What is read in such a folder, with commas. */
extern const char bert_files[];
/* PATH is the directory, or the safetensors file with its config.json beside it. Weights get the
 * names "PREFIX.embeddings.word_embeddings.weight" and so on, whether they come with "bert." in
 * front or not, and `gamma` and `beta` of old files become `weight` and `bias`. Fails the run as
 * content_expect where PATH is neither. */
struct bert_checkpoint bert_open(struct msa *m, const char *path, const char *prefix);

#endif
