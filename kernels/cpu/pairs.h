/* Numbers in bfloat16, and words of two of them, as products of tiles take them (tile.h). A word is
 * kept as the float of the same bits: the first number is the lower half. */
#ifndef MSA_CPU_PAIRS_H
#define MSA_CPU_PAIRS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The bits of the nearest one, of two the even one. */
static inline uint32_t bf16_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : nearest;
}

static inline float pair_of(float first, float second)
{
    uint32_t bits = bf16_bits(first) | bf16_bits(second) << 16;
    float word;
    memcpy(&word, &bits, sizeof word);
    return word;
}

/* words[rows,(width+1)/2]: pairs of neighbours in a row of x[rows,width], whose rows are `stride`
 * apart; the last has a 0 where there is no other */
static inline void pair_along_rows(float *words, const float *x, size_t stride, size_t rows,
                                   size_t width)
{
    for (size_t r = 0; r < rows; r++, x += stride) {
        for (size_t i = 0; i < width / 2; i++)
            words[i] = pair_of(x[2 * i], x[2 * i + 1]);
        if (width % 2)
            words[width / 2] = pair_of(x[width - 1], 0);
        words += (width + 1) / 2;
    }
}

/* words[(rows+1)/2,width]: pairs of neighbours in a column */
static inline void pair_down_columns(float *words, const float *x, size_t stride, size_t rows,
                                     size_t width)
{
    for (size_t r = 0; r < rows; r += 2, x += 2 * stride, words += width)
        for (size_t i = 0; i < width; i++)
            words[i] = pair_of(x[i], r + 1 < rows ? x[stride + i] : 0);
}

#endif
