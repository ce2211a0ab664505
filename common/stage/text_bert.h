/* Text by BERT, in a trainable stage: text_bert [B,3,L] -> h_text [B,D], or a vector for each
 * token, text [B,L,D] (msa-model(7), Text). */
#ifndef MSA_TEXT_BERT_H
#define MSA_TEXT_BERT_H

#include "common/nn/layers/bert.h"
#include "common/stage/trainable.h"

enum text { TEXT_FEATURES, TEXT_BERT, TEXT_AUTO };
enum { POOL_AUTO = POOL_NONE + 1 };

/* --text --pool --bert: options of the stage, of kinds OPTION_CHOICE, OPTION_CHOICE, OPTION_READS.
 */
struct text_bert_settings {
    int text, pool; /* enum text; enum bert_pool or POOL_AUTO */
    const char *bert;
};

struct text_bert {
    struct bert bert;
    bool features; /* a vector for each token: --pool none */
    struct host_copy vectors;
    float *made; /* of the record at hand */
};

extern const char text_bert_name[]; /* of the tensor with tokens */

/* Is text to be encoded from tokens? Then BERT's configuration: of --bert, whose weights are
 * initial values then, or of the parameters. Fails the run where that is asked for and cannot be.
 */
bool text_bert_wanted(struct trainable *t, const struct text_bert_settings *s,
                      struct bert_config *config);
/* Fails the run with MSA_USAGE where options of BERT are given that would do nothing. */
void text_bert_refuse(struct msa *m, const struct text_bert_settings *s);
/* For build() and forward(). With --bert all of BERT's parameters must be in files. */
struct text_bert text_bert_build(struct trainable *t, const struct text_bert_settings *s,
                                 const struct bert_config *config);
void text_bert_declare(struct trainable *t, const struct text_bert *b);
void text_bert_forward(struct trainable *t, struct text_bert *b);

#endif
