/* LSTM. */
#include "common/nn/layers/lstm.h"
#include <math.h>

static struct var *add(struct params *p, const char *prefix, const char *name, const char *suffix,
                       size_t rows, size_t columns)
{
    char *full = params_name(p, prefix, msa_format(p->m, "%s%s", name, suffix));
    struct init init = init_uniform(1 / sqrtf((float)rows * .25F));
    return params_add(p, full, init, columns ? 2 : 1, (size_t[]){rows, columns});
}

struct lstm_layer lstm_layer(struct params *p, const char *prefix, const char *suffix,
                             size_t features, size_t hidden)
{
    struct lstm_layer l = {.reversed = false};
    l.input.weight = add(p, prefix, "weight_ih", suffix, 4 * hidden, features);
    l.weight = add(p, prefix, "weight_hh", suffix, 4 * hidden, hidden);
    l.input.bias = add(p, prefix, "bias_ih", suffix, 4 * hidden, 0);
    l.bias = add(p, prefix, "bias_hh", suffix, 4 * hidden, 0);
    return l;
}

struct states lstm_apply(struct tape *t, const struct lstm_layer *l, struct var *x,
                         const struct lengths *lengths)
{
    return op_lstm(t, linear_apply(t, &l->input, x), l->weight, l->bias, (struct states){0},
                   lengths->own, l->reversed);
}

struct states lstm_apply_constant(struct tape *t, const struct lstm_layer *l, struct var *x,
                                  size_t steps, const struct lengths *lengths)
{
    struct var *product = linear_apply(t, &l->input, x);
    struct var **all = msa_calloc(t->m, steps, sizeof(struct var *));
    for (size_t i = 0; i < steps; i++)
        all[i] = product;
    x = op_concat_frames(t, (int)steps, all);
    msa_free(t->m, all);
    return op_lstm(t, x, l->weight, l->bias, (struct states){0}, lengths->own, l->reversed);
}

struct var *lstm_last(struct tape *t, const struct lstm_layer *l, struct var *h,
                      const struct lengths *lengths)
{
    return op_mean(t, h, h->shape[0], l->reversed ? lengths->first : lengths->last);
}

struct states lstm_step(struct tape *t, const struct lstm_layer *l, struct var *x,
                        struct states before)
{
    size_t batch = x->shape[0], features = x->shape[1], hidden = l->weight->shape[1];
    x = linear_apply(t, &l->input, tape_view(t, x, 3, (size_t[]){batch, 1, features}));
    struct states s = op_lstm(t, x, l->weight, l->bias, before, NULL, false);
    return (struct states){tape_view(t, s.h, 2, (size_t[]){batch, hidden}),
                           tape_view(t, s.c, 2, (size_t[]){batch, hidden})};
}

struct bilstm_layer bilstm_layer(struct params *p, const char *prefix, const char *suffix,
                                 size_t features, size_t hidden)
{
    struct bilstm_layer l;
    const char *reverse = msa_format(p->m, "%s_reverse", suffix);
    l.directions[LSTM_FORWARD] = lstm_layer(p, prefix, suffix, features, hidden);
    l.directions[LSTM_BACKWARD] = lstm_layer(p, prefix, reverse, features, hidden);
    l.directions[LSTM_BACKWARD].reversed = true;
    return l;
}

struct var *bilstm_apply(struct tape *t, const struct bilstm_layer *l, struct var *x,
                         const struct lengths *lengths, struct var *last[LSTM_DIRECTIONS])
{
    struct var *h[LSTM_DIRECTIONS];
    for (int i = 0; i < LSTM_DIRECTIONS; i++) {
        h[i] = lstm_apply(t, &l->directions[i], x, lengths).h;
        last[i] = lstm_last(t, &l->directions[i], h[i], lengths);
    }
    return op_concat(t, LSTM_DIRECTIONS, h);
}
