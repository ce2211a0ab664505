/* The logistic function and its slope, as every device computes them. */
#ifndef MSA_SIGMOID_H
#define MSA_SIGMOID_H

#include "kernels/scalar.h"
#include <math.h>

SCALAR float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

SCALAR float sigmoid_slope(float x)
{
    float s = sigmoid(x);
    return s * (1 - s);
}

#endif
