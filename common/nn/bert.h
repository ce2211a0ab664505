/* BERT: token ids -> one vector, or one for each token (msa-model(7), Text). Names of parameters
 * are Hugging Face's, behind a prefix. */
#ifndef MSA_BERT_H
#define MSA_BERT_H

#include "common/data/bert_checkpoint.h"
#include "common/nn/transformer.h"

/* What becomes of the last layer's vectors [B,L,D]: tanh of a linear layer on that of the first
 * token; that of the first token; the mean over the tokens that the mask marks; or they stay. */
enum bert_pool { POOL_POOLER, POOL_CLS, POOL_MEAN, POOL_NONE };

struct bert {
    const char *name; /* the prefix */
    struct bert_config config;
    enum bert_pool pool;
    struct var *words, *positions, *types; /* [words,D], [positions,D], [types,D] */
    struct norm_layer norm;
    struct transformer stack;
    struct linear_layer pooler; /* with POOL_POOLER alone */
};

struct bert bert_layers(struct params *p, const char *prefix, const struct bert_config *config,
                        enum bert_pool pool);

/* A batch on the host: text_bert [B,3,L] (ids, mask, types), int64, checked and cut to its longest
 * sample. */
struct bert_batch {
    size_t batch, length;
    int32_t *word, *type; /* [batch,length] */
    uint8_t *pad;         /* [batch,length]: 1 where the mask is 0 */
};
/* `cut` false: keeps all L tokens. A sample whose mask marks no token counts its first one. Fails
 * the run with MSA_CORRUPT at a number that the network has no row for: "frame 3, tensor
 * 'text_bert': sample 2, token 5: id 30522 but expected one from 0 to 30521". */
struct bert_batch bert_read(struct msa *m, const struct bert *b, const struct frame *frame,
                            const struct tensor *tokens, bool cut);
void bert_batch_free(struct msa *m, struct bert_batch *batch);

/* [B,D], or with POOL_NONE [B,L,D]. */
struct var *bert_apply(struct tape *t, const struct bert *b, const struct bert_batch *batch);

#endif
