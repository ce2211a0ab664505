/* Vectors of floats, as wide as the level of the processor has them. */
#ifndef MSA_CPU_VECTOR_H
#define MSA_CPU_VECTOR_H

#include <string.h>
#ifdef __SSE2__
#    include <immintrin.h>
#endif

#if defined __AVX512F__
#    define VECTOR_LANES 16
#    define VECTOR_ADD_PRODUCT(sum, a, b)                                                          \
        ((vector)_mm512_fmadd_ps(_mm512_set1_ps(a), (__m512)(b), (__m512)(sum)))
#elif defined __AVX2__ && defined __FMA__
#    define VECTOR_LANES 8
#    define VECTOR_ADD_PRODUCT(sum, a, b)                                                          \
        ((vector)_mm256_fmadd_ps(_mm256_set1_ps(a), (__m256)(b), (__m256)(sum)))
#else
#    define VECTOR_LANES                  4
#    define VECTOR_ADD_PRODUCT(sum, a, b) ((sum) + (a) * (b))
#endif

typedef float vector __attribute__((vector_size(4 * VECTOR_LANES)));

static inline vector vector_load(const float *x)
{
    vector v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* sum + a b, rounded once where the processor can */
static inline vector vector_add_product(vector sum, float a, vector b)
{
    return VECTOR_ADD_PRODUCT(sum, a, b);
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
        memcpy(x, &v, sizeof v);
    else
        VECTOR_STORE_FIRST(x, v, n);
}

#endif
