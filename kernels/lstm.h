/* One number of an LSTM's state in one step, as every device computes it: table.def has the
 * formula.
 */
#ifndef MSA_LSTM_H
#define MSA_LSTM_H

#include "kernels/kernels.h"
#include "kernels/scalar.h"
#include "kernels/sigmoid.h"

/* Its four gates, before or after their functions, or the slopes of the loss by them. */
struct gates {
    float i, f, g, o;
};

SCALAR struct gates lstm_gates(struct gates before)
{
    struct gates gates = {sigmoid(before.i), sigmoid(before.f), tanhf(before.g), sigmoid(before.o)};
    return gates;
}

/* Slopes fade from step to step, down to denormal numbers that processors take ten times as long
 * for: those on the way there are 0. */
SCALAR float lstm_faded(float x)
{
    return fabsf(x) < 1e-30f ? 0 : x;
}

/* c_before is c of the step before; dh and dc are all that reaches this step, and dc becomes what
 * goes on to the step before. */
SCALAR struct gates lstm_slopes(struct gates gates, float c_before, float c, float dh, float *dc)
{
    float t = tanhf(c), by_c = *dc + dh * gates.o * (1 - t * t);
    struct gates slopes = {lstm_faded(by_c * gates.g * gates.i * (1 - gates.i)),
                           lstm_faded(by_c * c_before * gates.f * (1 - gates.f)),
                           lstm_faded(by_c * gates.i * (1 - gates.g * gates.g)),
                           lstm_faded(dh * t * gates.o * (1 - gates.o))};
    *dc = lstm_faded(by_c * gates.f);
    return slopes;
}

/* The place in the sequence of each step, from 0. */
static inline size_t lstm_place(const struct lstm *shape, size_t step)
{
    return shape->reversed ? shape->length - 1 - step : step;
}

#endif
