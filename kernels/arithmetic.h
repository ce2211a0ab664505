/* Sums, products and quotients of two numbers, and their slopes: table.def has the formulas. */
#ifndef MSA_ARITHMETIC_H
#define MSA_ARITHMETIC_H

#include "kernels/kernels.h"
#include "kernels/scalar.h"

SCALAR float arithmetic_of(float a, float b, enum operation kind, float eps)
{
    if (kind == OPERATION_ADD)
        return a + b;
    if (kind == OPERATION_MULTIPLY)
        return a * b;
    return a / (b + eps);
}

/* The gradient by a; dy is that by the result. */
SCALAR float arithmetic_by_a(float dy, float b, enum operation kind, float eps)
{
    if (kind == OPERATION_ADD)
        return dy;
    if (kind == OPERATION_MULTIPLY)
        return dy * b;
    return dy / (b + eps);
}

/* … and by b. */
SCALAR float arithmetic_by_b(float dy, float a, float b, enum operation kind, float eps)
{
    if (kind == OPERATION_ADD)
        return dy;
    if (kind == OPERATION_MULTIPLY)
        return dy * a;
    return -dy * (a / (b + eps)) / (b + eps);
}

#endif
