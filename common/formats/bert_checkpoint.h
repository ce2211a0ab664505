/* A BERT on disk, as Hugging Face writes one: config.json, and model.safetensors or, in several
 * files, model.safetensors.index.json. */
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
    size_t count; /* of files with weights; no tensor is in two of them */
    struct safetensors **weights;
};

/* PATH is the directory, or the safetensors file, or the index of several (shards.h), with its
 * config.json beside it. Weights get the names "PREFIX.embeddings.word_embeddings.weight" and so
 * on, whether they come with "bert." in front or not, and `gamma` and `beta` of old files become
 * `weight` and `bias`. Fails the run with MSA_CORRUPT where there are weights of another format
 * alone: "DIR/pytorch_model.bin: PyTorch's pickled weights, which are not read: ...". */
struct bert_checkpoint bert_open(struct msa *m, const char *path, const char *prefix);
/* Calls see for each file that bert_open reads of PATH, whether it is there or not. Fails the run
 * likewise, and where an index is none. */
void bert_each_file(struct msa *m, const char *path, void (*see)(struct msa *m, const char *path));

#endif
