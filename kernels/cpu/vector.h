/* Vectors of floats, as wide as the level of the processor has them. */
#ifndef MSA_CPU_VECTOR_H
#define MSA_CPU_VECTOR_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#    include <immintrin.h>
#endif

#if defined __AVX512F__
#    define VECTOR_LANES 16
#    define VECTOR_ADD_PRODUCT(sum, a, b)                                                          \
        ((vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(sum)))
#elif defined __AVX2__ && defined __FMA__
#    define VECTOR_LANES 8
#    define VECTOR_ADD_PRODUCT(sum, a, b)                                                          \
        ((vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(sum)))
#else
#    define VECTOR_LANES                  4
#    define VECTOR_ADD_PRODUCT(sum, a, b) ((sum) + (a) * (b))
#endif

typedef float vector __attribute__((vector_size(4 * VECTOR_LANES)));
typedef int32_t vector_int __attribute__((vector_size(4 * VECTOR_LANES)));
typedef uint32_t vector_bits __attribute__((vector_size(4 * VECTOR_LANES)));

static inline vector vector_load(const float *x)
{
    vector v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void vector_store(float *x, vector v)
{
    memcpy(x, &v, sizeof v);
}

static inline vector vector_all(float x)
{
    return x - (vector){0};
}

/* sum + a b, rounded once where the processor can */
static inline vector vector_add_product(vector sum, vector a, vector b)
{
    return VECTOR_ADD_PRODUCT(sum, a, b);
}

#if VECTOR_LANES == 16
/* sum + a b of both numbers of each word, which are bfloat16; where the processor has AVX512-BF16,
 * which no level asks for */
static inline vector vector_add_pairs(vector sum, vector a, vector b)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}
#endif

/* a where the condition holds, elsewhere b */
static inline vector vector_choose(vector_int condition, vector a, vector b)
{
    return (vector)((condition & (vector_int)a) | (~condition & (vector_int)b));
}

/* The greater of each two; b where either is NaN */
static inline vector vector_greater(vector a, vector b)
{
    return vector_choose(a > b, a, b);
}

/* e^x for x <= 88, within .7 units in the last place; 0 where x < -86.6.
 *
 * x = n ln 2 + r, |r| <= ln 2 / 2. Adding 1.5 2^23 rounds x / ln 2 to the integer n and leaves it
 * in the lowest bits. e^r = 1 + r + r^2 q(r), where q is the polynomial of the least greatest
 * error. */
static inline vector vector_exp(vector x)
{
    const vector magic = vector_all(0x1.8p23f);
    vector shifted = vector_add_product(magic, x, vector_all(0x1.715476p0f)), n = shifted - magic;
    vector r = vector_add_product(x, n, vector_all(-0x1.63p-1f));
    r = vector_add_product(r, n, vector_all(0x1.bd0106p-13f));
    vector q = vector_all(.0013814548f);
    q = vector_add_product(vector_all(.008368748f), q, r);
    q = vector_add_product(vector_all(.041668393f), q, r);
    q = vector_add_product(vector_all(.1666652f), q, r);
    q = vector_add_product(vector_all(.49999994f), q, r);
    vector power = (vector)(((vector_bits)shifted << 23) + 0x3f800000); /* 2^n */
    vector result = (1 + vector_add_product(r, q, r * r)) * power;
    return vector_choose(x < vector_all(-86.6f), vector_all(0), result);
}

/* ---- Of all elements of a vector ---- */

static inline float vector_sum(vector v)
{
    float sum = 0;
    for (size_t i = 0; i < VECTOR_LANES; i++)
        sum += v[i];
    return sum;
}

static inline float vector_greatest(vector v)
{
    float most = v[0];
    for (size_t i = 1; i < VECTOR_LANES; i++)
        most = v[i] > most ? v[i] : most;
    return most;
}

/* ---- The first n <= VECTOR_LANES of a vector, the others being 0, and no memory beyond ---- */

#if VECTOR_LANES == 16
static inline __mmask16 vector_mask(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}
#    define VECTOR_LOAD_FIRST(x, n)     ((vector)_mm512_maskz_loadu_ps(vector_mask(n), x))
#    define VECTOR_STORE_FIRST(x, v, n) _mm512_mask_storeu_ps(x, vector_mask(n), (__m512)(v))
#elif VECTOR_LANES == 8
static inline __m256i vector_mask(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#    define VECTOR_LOAD_FIRST(x, n)     ((vector)_mm256_maskload_ps(x, vector_mask(n)))
#    define VECTOR_STORE_FIRST(x, v, n) _mm256_maskstore_ps(x, vector_mask(n), (__m256)(v))
#else
static inline vector vector_gather(const float *x, size_t n)
{
    vector v = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = x[i];
    return v;
}
#    define VECTOR_LOAD_FIRST(x, n)     vector_gather(x, n)
#    define VECTOR_STORE_FIRST(x, v, n) memcpy(x, &(v), (n) * sizeof *(x))
#endif

static inline vector vector_load_first(const float *x, size_t n)
{
    return n == VECTOR_LANES ? vector_load(x) : VECTOR_LOAD_FIRST(x, n);
}

static inline void vector_store_first(float *x, vector v, size_t n)
{
    if (n == VECTOR_LANES)
        vector_store(x, v);
    else
        VECTOR_STORE_FIRST(x, v, n);
}

#endif
