/* How a parameter starts when no file gives it, in the distributions of PyTorch's torch.nn.init. */
#ifndef MSA_INIT_H
#define MSA_INIT_H

#include "common/run/random.h"

enum init_kind { INIT_CONSTANT, INIT_VALUES, INIT_UNIFORM, INIT_NORMAL };

struct init {
    enum init_kind kind;
    float number;        /* the constant, the bound, or the standard deviation */
    const float *values; /* INIT_VALUES: of the parameter's shape, on the host; the caller's */
};

struct init init_constant(float number);
struct init init_values(const float *values);
struct init init_uniform(float bound);    /* U(-bound, bound) */
struct init init_normal(float deviation); /* N(0, deviation^2) */
/* Xavier's (Glorot's) for a parameter of that shape [out,in,...], of rank 2 or more:
 * U(-b, b) with b = sqrt(6 / (fan_in + fan_out)), and N(0, 2 / (fan_in + fan_out)).
 * As in PyTorch fan_in = in * n and fan_out = out * n, n being the product of the dimensions after
 * the second. */
struct init init_xavier_uniform(int rank, const size_t *shape);
struct init init_xavier_normal(int rank, const size_t *shape);

/* Draws to[count]; INIT_UNIFORM and INIT_NORMAL alone. */
void init_draw(struct init init, struct random *r, float *to, size_t count);

#endif
