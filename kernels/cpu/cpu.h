/* What the CPU's kernels share: their declarations, the memory they work in, and how they use
 * threads and vectors.
 *
 * Every file here is compiled once for each level of the processor (kernels/level.h). Loops are
 * written so that the compiler turns them into the vector instructions of that level. Work is cut
 * into pieces whose borders do not depend on the number of threads, except in oneDNN's products, so
 * that results do not depend on timing. */
#ifndef MSA_CPU_H
#define MSA_CPU_H

#include "kernels/kernels.h"
#include "kernels/mask.h"
#include <math.h>

#define KERNEL(name, parameters, arguments) void cpu_##name parameters;
#include "kernels/table.def"
#undef KERNEL

/* glibc has these for vectors (libmvec), but shows them to the compiler only under -ffast-math,
 * which we cannot use since it forgets infinities and NaN. */
#if defined __x86_64__ && !defined __clang__
extern float expf(float) __attribute__((simd("notinbranch"), const, nothrow));
extern float erff(float) __attribute__((simd("notinbranch"), const, nothrow));
extern float tanhf(float) __attribute__((simd("notinbranch"), const, nothrow));
#endif

enum {
    CHUNK = 1024, /* elements that an elementwise kernel takes at a time, with their dropout factors
                     on the stack */
    STRIP = 64    /* columns that column sums are kept of in registers */
};

/* What the device keeps. */
struct cpu {
    struct device device;
    void *scratch;
    size_t scratch_size;
    struct onednn *onednn; /* once a product was worth opening it (onednn.h) */
    enum precision precision;
    char name[32];
    char failure[256];
};

/* The device has failed: `why` must live as long as it does. */
void cpu_fail(const struct device *d, const char *why);
extern const char cpu_no_memory[];

/* Begins the threads of all loops to come, so many, or as many as the machine has (0). Returns
 * their number; 0, with a line in `error`, where they cannot be had. */
int cpu_begin_threads(int threads, char *error, size_t error_size);

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Threads for so much work, in elements that cost about a nanosecond each: one where others are not
 * worth waking, else all. With fewer than before libgomp would end the others, and begin them anew
 * for the next loop, which may fail. */
static inline int workers(const struct device *d, size_t work)
{
    enum { LEAST = 1 << 15 };
    return work < LEAST ? 1 : d->threads;
}

/* A gradient by an input goes to its place: added to what is there, or over it. */
static inline void put(float *to, float value, bool add)
{
    *to = add ? *to + value : value;
}

/* total[w] = the sums of w <= STRIP columns of x, whose rows are `stride` apart. In two levels, for
 * precision. */
static inline void sum_columns(float *total, const float *x, size_t rows, size_t stride, size_t w)
{
    for (size_t j = 0; j < w; j++)
        total[j] = 0;
    for (size_t at = 0; at < rows; at += 64) {
        float part[STRIP] = {0};
        size_t end = least(rows, at + 64);
        if (w == STRIP)
            for (size_t r = at; r < end; r++)
                for (size_t j = 0; j < STRIP; j++)
                    part[j] += x[r * stride + j];
        else
            for (size_t r = at; r < end; r++)
                for (size_t j = 0; j < w; j++)
                    part[j] += x[r * stride + j];
        for (size_t j = 0; j < w; j++)
            total[j] += part[j];
    }
}

/* Working memory of one kernel call, 64-byte aligned, good until the next call of it; the device
 * keeps it. NULL when there is not enough: the device has failed then, and the kernel returns. Not
 * for use inside a parallel region. */
void *cpu_scratch(struct device *d, size_t bytes);

/* Is a product of these sizes our own, which one thread does? Then each element is the same in
 * whatever larger product its row and column are, if that is small too. */
bool cpu_product_is_small(size_t m, size_t n, size_t k);
/* c[m,n] = alpha op(a)[m,k] op(b)[k,n] + beta c, where op transposes for 'T' and not for 'N', and
 * lda, ldb, ldc are the lengths of the rows as they are stored. Takes all threads, or one inside a
 * parallel region. The device has failed when there is not enough memory for it. */
void cpu_product(const struct device *d, char op_a, char op_b, size_t m, size_t n, size_t k,
                 float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta,
                 float *c, size_t ldc);

/* factors[n] of the elements from `first` on: 0 for the dropped, `scale` for the others */
void mask_factors(float *factors, const struct mask *mask, uint64_t first, size_t n);

/* The same for rows that follow one another: few are drawn as fast as hundreds, so they are drawn
 * ahead, for as many whole rows as there is room. One thread's. */
struct factors {
    const struct mask *mask;
    uint64_t end; /* of the elements; no more are drawn ahead */
    float *ahead; /* [room]: those of `count` elements from `first` on */
    size_t room, count;
    uint64_t first;
};

/* factors[n], n <= room, of the elements from `first` on; good until the next call */
static inline const float *factors_at(struct factors *f, uint64_t first, size_t n)
{
    if (first < f->first || first + n > f->first + f->count) {
        f->first = first;
        f->count = first + n < f->end ? least(f->room / n * n, f->end - first) : n;
        mask_factors(f->ahead, f->mask, first, f->count);
    }
    return f->ahead + (first - f->first);
}

// clang-format off
/* Does a statement for each element `i` of n, `factor` being that of its dropout. */
#define EACH_ELEMENT(d, n, drop, i, factor, statement)                      \
    do {                                                                    \
        struct mask mask_ = mask_of(drop);                                  \
        int threads_ = workers(d, n);                                       \
        _Pragma("omp parallel for schedule(static) num_threads(threads_)")  \
        for (size_t at_ = 0; at_ < (n); at_ += CHUNK) {                     \
            float factors_[CHUNK];                                          \
            size_t count_ = least(CHUNK, (n) - at_);                        \
            mask_factors(factors_, &mask_, at_, count_);                    \
            _Pragma("omp simd")                                             \
            for (size_t k_ = 0; k_ < count_; k_++) {                        \
                size_t i = at_ + k_;                                        \
                float factor = factors_[k_];                                \
                statement;                                                  \
            }                                                               \
        }                                                                   \
    } while (0)
// clang-format on

#endif
