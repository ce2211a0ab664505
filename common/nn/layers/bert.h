/* BERT: token ids -> one vector, or one for each token (msa-model(7), Text). Names of parameters
 * are Hugging Face's, behind a prefix. */
#ifndef MSA_BERT_H
#define MSA_BERT_H

#include "common/formats/bert_checkpoint.h"
#include "common/nn/layers/transformer.h"

/* What becomes of the last layer's vectors, one a token: tanh of a linear layer on that of the
 * first token; that of the first token; the mean over all; or they stay. */
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

/* A batch on the host: of text_bert [B,3,L] (ids, mask, types) the tokens that the mask marks, one
 * behind the other, checked. Nothing is computed for padding. */
struct bert_batch {
    size_t batch, rows, longest;  /* rows: tokens of all samples; longest: most of one */
    int32_t *word, *place, *type; /* [rows]; place: in its sample, from 0 */
    int32_t *spans;               /* [batch,2]: sample b has the rows from [b,0] to before [b,1] */
};
/* A sample whose mask marks no token has its first one. Fails the run with MSA_CORRUPT at a number
 * that the network has no row for: "frame 3, tensor 'text_bert': sample 2, token 5: id 30522 but
 * expected one from 0 to 30521". */
struct bert_batch bert_read(struct msa *m, const struct bert *b, const struct frame *frame,
                            const struct tensor *tokens);
void bert_batch_free(struct msa *m, struct bert_batch *batch);

/* What the tokens' embeddings are, [rows,D]. */
struct var *bert_embed(struct tape *t, const struct bert *b, const struct bert_batch *batch);
/* x [rows,D], these or what has been made of them, through all layers: [B,D], or with POOL_NONE
 * [rows,D]. */
struct var *bert_apply(struct tape *t, const struct bert *b, const struct bert_batch *batch,
                       struct var *x);

#endif
