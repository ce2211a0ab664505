/* What the heads of msa-predict share: each makes sentiment y [B]. A new one is a file; its name is
 * here and in filters/predict.c.
 *
 * A head makes its last vector x [B,N] of what it reads, and of that z [B,1]. What becomes of these
 * is the same for all heads (results.c): y, logits, and sentiment from each modality by itself. */
#ifndef MSA_PREDICT_H
#define MSA_PREDICT_H

#include "filters/predict/each.h"

/* The layers of a head get narrower by half each: the least width that it takes. */
enum { HEAD_LEAST = 8 };
enum { MOST_CLASSES = 7 };

/* The keys of --dropout: modalities, for --each; and the layers inside a head. */
#define PREDICT_DROPOUT_KEYS MODALITY_KEYS "|hidden"
enum { DROPOUT_HIDDEN = MODALITIES, DROPOUTS };

/* Options that are no single head's. */
struct predict_settings {
    struct trainable_one one;
    long classes, each[MODALITIES]; /* 0: not given */
    const char *range;              /* NULL: not given */
    double dropout[DROPOUTS];
};
const struct predict_settings *predict_settings(const struct trainable *t);
/* For build() of a head with dropout of its own: its rate; noted. */
float predict_hidden_dropout(struct trainable *t);

struct results {
    bool bounded; /* y lies between these */
    float low, high;
    size_t classes;                 /* 0: the head makes no logits, or by itself */
    struct linear_layer classifier; /* of x */
    struct each each;
};
/* For build(). `width` is N; 0: the head makes logits by itself. */
void results_build(struct part *p, struct results *r, size_t width);
/* For forward(): of x [B,N] and z [B,1], which is no view of an input. */
void results_make(struct part *p, const struct results *r, struct var *x, struct var *z);

/* What f [B,D] is like, which must arrive as float32; declares it as an input. */
const struct schema_entry *predict_reads_fused(struct trainable *t);

extern const struct model predict_joint, predict_unimodal, predict_mlp, predict_none;
extern const struct model predict_linear;

#endif
