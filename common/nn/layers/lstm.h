/* An LSTM, of one direction or of both. */
#ifndef MSA_LSTM_LAYER_H
#define MSA_LSTM_LAYER_H

#include "common/nn/layers/linear.h"

struct lstm_layer {
    struct linear_layer input; /* [4H,F], [4H] */
    struct var *weight, *bias; /* [4H,H], [4H] */
    bool reversed;             /* from a sample's own last frame to its first */
};
/* PREFIX.weight_ih, .weight_hh, .bias_ih and .bias_hh with `suffix` behind ("_l0", or "" for none),
 * U(+-1/sqrt(H)) all. */
struct lstm_layer lstm_layer(struct params *p, const char *prefix, const char *suffix,
                             size_t features, size_t hidden);
/* x [B,L,F] -> [B,L,H], from zeros. Where frames are not the samples' own, states stay as they are
 * (kernels.h). */
struct states lstm_apply(struct tape *t, const struct lstm_layer *l, struct var *x,
                         const struct lengths *lengths);
/* The same of one frame, x [B,F], at each of so many steps. */
struct states lstm_apply_constant(struct tape *t, const struct lstm_layer *l, struct var *x,
                                  size_t steps, const struct lengths *lengths);
/* Its h [B,L,H] -> [B,H] where it ends: at the samples' own last frame or, reversed, their first.
 */
struct var *lstm_last(struct tape *t, const struct lstm_layer *l, struct var *h,
                      const struct lengths *lengths);
/* One step: x [B,F] and states [B,H] -> [B,H] */
struct states lstm_step(struct tape *t, const struct lstm_layer *l, struct var *x,
                        struct states before);

enum { LSTM_FORWARD, LSTM_BACKWARD, LSTM_DIRECTIONS };
struct bilstm_layer {
    struct lstm_layer directions[LSTM_DIRECTIONS];
};
/* The names of the one that goes backward end in SUFFIX_reverse. */
struct bilstm_layer bilstm_layer(struct params *p, const char *prefix, const char *suffix,
                                 size_t features, size_t hidden);
/* x [B,L,F] -> [B,L,2H], h of both directions side by side; last has where each ends, [B,H]. */
struct var *bilstm_apply(struct tape *t, const struct bilstm_layer *l, struct var *x,
                         const struct lengths *lengths, struct var *last[LSTM_DIRECTIONS]);

#endif
