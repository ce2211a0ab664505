/* Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3), many counters at a
 * time.
 *
 * Each 32-bit word of the state is kept in a 64-bit lane of a vector, whose upper half is garbage:
 * the one widening multiplication that all x86 processors have for vectors takes the lower halves
 * and gives 64 bits. */
#ifndef MSA_CPU_PHILOX_H
#define MSA_CPU_PHILOX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#    include <immintrin.h>
#endif

#if defined __AVX512F__
#    define PHILOX_LANES          8
#    define PHILOX_MULTIPLY(a, b) ((philox_words)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#elif defined __AVX2__
#    define PHILOX_LANES          4
#    define PHILOX_MULTIPLY(a, b) ((philox_words)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#elif defined __SSE2__
#    define PHILOX_LANES          2
#    define PHILOX_MULTIPLY(a, b) ((philox_words)_mm_mul_epu32((__m128i)(a), (__m128i)(b)))
#else
#    define PHILOX_LANES          2
#    define PHILOX_MULTIPLY(a, b) (((a)&0xffffffff) * ((b)&0xffffffff))
#endif

typedef uint64_t philox_words __attribute__((vector_size(8 * PHILOX_LANES)));

enum { PHILOX_GROUPS = 4, PHILOX_COUNTERS = PHILOX_GROUPS * PHILOX_LANES };

/* out[8 PHILOX_COUNTERS] = the four words, low halves first, of each of the counters {low and high
 * half of first + i, step, site} */
static inline void philox(uint16_t *out, uint64_t first, uint32_t step, uint32_t site, uint64_t key)
{
    const philox_words zero = {0}, m0 = zero + 0xd2511f53, m1 = zero + 0xcd9e8d57;
    philox_words numbers = zero, x[PHILOX_GROUPS][4];
    for (size_t i = 0; i < PHILOX_LANES; i++)
        numbers[i] = i;
    for (size_t g = 0; g < PHILOX_GROUPS; g++) {
        x[g][0] = numbers + (first + g * PHILOX_LANES);
        x[g][1] = x[g][0] >> 32;
        x[g][2] = zero + step;
        x[g][3] = zero + site;
    }
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        for (size_t g = 0; g < PHILOX_GROUPS; g++) {
            philox_words p0 = PHILOX_MULTIPLY(x[g][0], m0), p1 = PHILOX_MULTIPLY(x[g][2], m1);
            x[g][0] = (p1 >> 32) ^ x[g][1] ^ k0;
            x[g][1] = p1;
            x[g][2] = (p0 >> 32) ^ x[g][3] ^ k1;
            x[g][3] = p0;
        }
        k0 += 0x9e3779b9;
        k1 += 0xbb67ae85;
    }
    for (size_t g = 0; g < PHILOX_GROUPS; g++) {
        philox_words low = (x[g][0] & 0xffffffff) | x[g][1] << 32,
                     high = (x[g][2] & 0xffffffff) | x[g][3] << 32;
        uint64_t pairs[2 * PHILOX_LANES];
        for (size_t i = 0; i < PHILOX_LANES; i++) {
            pairs[2 * i] = low[i];
            pairs[2 * i + 1] = high[i];
        }
        memcpy(out + 8 * PHILOX_LANES * g, pairs, sizeof pairs);
    }
}

#endif
