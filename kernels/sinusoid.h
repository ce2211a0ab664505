/* One number of the positions by sinusoids, as every device computes it: table.def has the formula.
 */
#ifndef MSA_SINUSOID_H
#define MSA_SINUSOID_H

#include "kernels/scalar.h"
#include <math.h>
#include <stddef.h>

/* Number i < 2 half of the frame t, from 1. Angles are of hundreds of radians: in float their sines
 * would have four digits. */
SCALAR float sinusoid(size_t t, size_t i, size_t half)
{
    double steps = half > 1 ? (double)half - 1 : 1;
    double w = pow(10000.0, -(double)(i % half) / steps);
    return (float)(i < half ? sin((double)t * w) : cos((double)t * w));
}

#endif
