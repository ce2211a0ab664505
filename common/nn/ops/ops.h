/* The closed set of operations on a tape; everything else is composed of them: linear.c,
 * elementwise.c, arithmetic.c (of two variables), rows.c (softmax, Euclidean norm), matmul.c,
 * norm.c, batch_norm.c, embedding.c (positions too), attention.c, lstm.c, conv.c, mean.c, concat.c,
 * tensor_fusion.c, sequences.c, losses.c.
 *
 * Shapes are those of kernels/table.def, where each formula is. Rows, R, are all dimensions but the
 * last. An operation's result wants a gradient when one of its inputs does. */
#ifndef MSA_OPS_H
#define MSA_OPS_H

#include "common/nn/tape.h"

/* Dropout at the place of that name ("vision_encoder.….layers.0", "attention"): the name alone
 * tells places apart, so the masks stay the same when another modality or stage joins the line.
 * Nothing is dropped outside training. */
struct dropout dropout_at(const struct tape *t, float rate, const char *layer, const char *place);

/* x [..,in], w [out,in], b [out] or NULL -> [..,out]; w and b need not be parameters. */
struct var *op_linear(struct tape *t, struct var *x, struct var *w, struct var *b);
struct var *op_gelu(struct tape *t, struct var *x, struct dropout drop);
struct var *op_tanh(struct tape *t, struct var *x, struct dropout drop);
struct var *op_dropout(struct tape *t, struct var *x, struct dropout drop);

/* The same shape as x. */
struct var *op_relu(struct tape *t, struct var *x, struct dropout drop);
struct var *op_sigmoid(struct tape *t, struct var *x, struct dropout drop);
struct var *op_affine(struct tape *t, struct var *x, float scale, float shift);
/* Infinite limits are none. */
struct var *op_clamp(struct tape *t, struct var *x, float low, float high);
/* NaN becomes 0. */
struct var *op_number(struct tape *t, struct var *x);
/* a [..,C], of R rows, and b, which has as many numbers, or is a row [C] for all of them, or has a
 * number for each row, [R], or is one number -> the shape of a. Other sizes of b fail the run. a
 * and b may be the same variable. */
struct var *op_add(struct tape *t, struct var *a, struct var *b, enum broadcast how);
struct var *op_multiply(struct tape *t, struct var *a, struct var *b, enum broadcast how);
/* a / (b + eps) */
struct var *op_divide(struct tape *t, struct var *a, struct var *b, enum broadcast how, float eps);
struct var *op_softmax(struct tape *t, struct var *x); /* over the last dimension */
/* [..,C] -> [R]: the norm of each row, or at_zero where all of it is 0. */
struct var *op_euclidean(struct tape *t, struct var *x, float at_zero);
/* op(a) [..,m,k], op(b) [..,k,n] -> [..,m,n], op exchanging the last two dimensions where they are
 * to be turned. Where sizes differ the run fails. */
struct var *op_matmul(struct tape *t, struct var *a, struct var *b, bool turn_a, bool turn_b);

/* LayerNorm of x + drop(z), or of x alone when z is NULL. */
struct var *op_norm(struct tape *t, struct var *x, struct var *z, struct var *gain,
                    struct var *bias, float eps, struct dropout drop);
struct var *op_positions(struct tape *t, struct var *e, struct var *cls, struct var *positions,
                         struct dropout drop); /* [B,L,D] -> [B,1+L,D] */
/* x [B,L,D] and the positions of its frames by sinusoids, of those that are no padding. */
struct var *op_sinusoids(struct tape *t, struct var *x);
/* Tokens on the device: rows of the tables of words, positions and types, [rows] each. */
struct tokens {
    size_t rows;
    const int32_t *word, *place, *type;
};
/* Tables [*,D] -> [rows,D] */
struct var *op_embedding(struct tape *t, struct tokens tokens, struct var *words,
                         struct var *positions, struct var *types);
/* Columns of x from `at` on, as many as who reads them takes. */
struct columns {
    struct var *x;
    size_t at;
};
/* Queries [Q,heads size], keys and values [K,heads size] -> [Q,heads size]; strides of the shape
 * are filled in (kernels.h). */
struct var *op_attention(struct tape *t, struct columns q, struct columns k, struct columns v,
                         struct attention shape, struct dropout drop);
/* qkv [R,3D] -> [R,D]: the rows of each sample to one another; padding is looked at by none. */
struct var *op_self_attention(struct tape *t, struct var *qkv, struct sequences samples,
                              size_t heads, struct dropout drop);
/* [R,D] -> [B,D]: the mean of each sample's rows, be they padding or not; with spans of those. */
struct var *op_mean(struct tape *t, struct var *x, size_t batch, const int32_t *spans);
struct var *op_concat(struct tape *t, int count,
                      struct var *const *parts); /* [R,w1] [R,w2] … -> [R,w1+w2+…] */
/* [..,C] -> [..,width]; columns that are not there fail the run. */
struct var *op_columns(struct tape *t, struct columns from, size_t width);
enum { FUSED = 3 };
/* One to FUSED of [B,n1] [B,n2] …, w [P,(n1+1) (n2+1) …], b [P] -> [B,P]: the outer product of a
 * sample's vectors, a 1 in front of each, the last one's numbers innermost, with dropout, through a
 * linear layer (msa-model(7), Fusion). */
struct var *op_tensor_fusion(struct tape *t, int count, struct var *const *parts, struct var *w,
                             struct var *b, struct dropout drop);

/* What an LSTM remembers: [B,L,H] behind each step, or [B,H] at one. */
struct states {
    struct var *h, *c;
};
/* Products of the inputs x [B,L,4H], w [4H,H], b [4H] -> all states; what they begin with, h and c,
 * may be NULL each: zeros. A sequence goes on where another ended by beginning with its last. */
struct states op_lstm(struct tape *t, struct var *x, struct var *w, struct var *b,
                      struct states start, const int32_t *lengths, bool reversed);
/* x [B,L,F], w [D,F,k] -> [B,L-k+1,D]; fewer than k frames fail the run. */
struct var *op_conv(struct tape *t, struct var *x, struct var *w);
/* Running statistics [D], buffers of the parameters. */
struct running {
    struct var *mean, *var;
};
/* x [B,D] by its own statistics in training, which the running ones follow; else, and where B is 1,
 * by the running ones, which stay as they are. */
struct var *op_batch_norm(struct tape *t, struct var *x, struct var *gain, struct var *bias,
                          struct running running, float eps, float momentum);

/* Which frames of padded sequences [B,L] are the samples' own, on the device: how many (for
 * op_lstm), and spans of rows [B,2], for op_mean, of all of them, the first, and the last. */
struct lengths {
    const int32_t *own, *all, *first, *last;
};
/* Of own[B] frames, from the host; NULL: all are L long. Spans of a sample of none have the frame
 * at its place. One of more than L fails the run. In lane 0. */
struct lengths op_lengths(struct tape *t, size_t batch, size_t length, const int32_t *own);
struct var *op_concat_frames(struct tape *t, int count,
                             struct var *const *parts); /* [B,L1,D] [B,L2,D] … -> [B,L1+L2+…,D] */
struct var *op_turn(struct tape *t, struct var *x);     /* [B,L,D] -> [L,B,D]. In lane 0. */
/* x [B,L,D] -> [B,T,D], T words: the last frame is repeated until there are n T frames, n =
 * ceil(L/T), and a word is the mean of n. In lane 0. */
struct var *op_words(struct tape *t, struct var *x, size_t words);

/* Losses: scalars [1], means over the batch. */
/* target and weight are on the device, as many as y has numbers; weight NULL: all are 1. */
struct var *op_regression(struct tape *t, struct var *y, const float *target, const float *weight,
                          enum regression kind, float phi);
struct var *op_cross_entropy(struct tape *t, struct var *logits, const int32_t *class_of);
struct var *op_cosines(struct tape *t, struct var *anchor, int count,
                       struct var *const *others); /* -> [B,count] */
struct var *op_contrast(struct tape *t, struct var *cosines, size_t positives, enum contrast kind,
                        float tau);

#endif
