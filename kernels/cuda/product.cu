/* Products by cuBLAS (its part cuBLASLt, which can add a bias on the way), of float32 matrices that
 * it may take less exactly where that is wanted.
 *
 * The library is opened with the device, which cannot be used where it is missing, but not linked:
 * it is large, and most programs that look for a GPU and find none would load it in vain. How a
 * product is best done is asked once for each shape and kept, for as many shapes as there is room.
 */
#include "kernels/cuda/state.h"
#include <cublasLt.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CUBLAS_LIBRARY
#    define CUBLAS_LIBRARY "libcublasLt.so"
#endif

enum {
    PLANS = 512,
    TRIES = 8, /* of a plan's places */
    WORKSPACE = 32 << 20,
    MOST_ALIGNED = 256 /* more is of no use */
};

/* What a plan depends on, as it is told to cuBLAS: it has columns where we have rows, so what it
 * computes is c^T = op(b)^T op(a)^T, and its a is our b. Every byte counts. */
struct shape {
    uint64_t batch; /* of matrices that lie one behind the other */
    uint64_t m, n, k, lda, ldb, ldc;
    uint32_t turn_a, turn_b, bias;
    enum precision precision;
    uint64_t aligned; /* bytes, all matrices are, of a batch too */
};

struct plan {
    bool made;
    struct shape shape;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulAlgo_t algorithm;
};

#define FUNCTIONS(DO)                                                                              \
    DO(cublasLtCreate)                                                                             \
    DO(cublasLtDestroy)                                                                            \
    DO(cublasLtGetStatusString)                                                                    \
    DO(cublasLtMatmul)                                                                             \
    DO(cublasLtMatmulAlgoGetHeuristic)                                                             \
    DO(cublasLtMatmulDescCreate)                                                                   \
    DO(cublasLtMatmulDescDestroy)                                                                  \
    DO(cublasLtMatmulDescSetAttribute)                                                             \
    DO(cublasLtMatmulPreferenceCreate)                                                             \
    DO(cublasLtMatmulPreferenceDestroy)                                                            \
    DO(cublasLtMatmulPreferenceSetAttribute)                                                       \
    DO(cublasLtMatrixLayoutCreate)                                                                 \
    DO(cublasLtMatrixLayoutDestroy)                                                                \
    DO(cublasLtMatrixLayoutSetAttribute)

struct products {
    cublasLtHandle_t handle;
    struct plan plans[PLANS];
    unsigned replaced; /* plans so far */
#define MEMBER(name) decltype(&::name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

/* --- the library */

template <class Function>
static void find(struct device *d, void *library, Function **function, const char *name)
{
    *function = reinterpret_cast<Function *>(dlsym(library, name));
    if (!*function)
        cuda_fail(d, "cuBLAS has no %s", name);
}

static bool check(struct device *d, const struct products *p, cublasStatus_t status)
{
    if (status != CUBLAS_STATUS_SUCCESS)
        cuda_fail(d, "cuBLAS: %s", p->cublasLtGetStatusString(status));
    return status == CUBLAS_STATUS_SUCCESS;
}

bool cuda_open_products(struct device *d)
{
    char name[64];
    struct products *p = static_cast<struct products *>(calloc(1, sizeof *p));
    cuda_of(d)->products = p;
    snprintf(name, sizeof name, "%s.%d", CUBLAS_LIBRARY, CUBLAS_VER_MAJOR);
    void *library = p ? dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
    if (!library) {
        cuda_fail(d, "%s", p ? dlerror() : "not enough memory");
        return false;
    }
#define FIND(name) find(d, library, &p->name, #name);
    FUNCTIONS(FIND)
#undef FIND
    return !d->failed;
}

/* With a handle, and working memory for this lane, which are made for the first product: some
 * stages have none. NULL: the device has failed. */
static struct products *products_of(struct device *d)
{
    struct products *p = cuda_of(d)->products;
    struct lane *lane = lane_of(d);
    if (!d->failed && !p->handle)
        check(d, p, p->cublasLtCreate(&p->handle));
    if (!d->failed && !lane->workspace && !(lane->workspace = d->allocate(d, WORKSPACE)))
        cuda_fail(d, "not enough memory for products: %d bytes, %zu are free", WORKSPACE,
                  d->left(d));
    return d->failed ? NULL : p;
}

/* --- plans */

static void forget(const struct products *p, struct plan *plan)
{
    if (plan->product)
        p->cublasLtMatmulDescDestroy(plan->product);
    for (cublasLtMatrixLayout_t layout : {plan->a, plan->b, plan->c})
        if (layout)
            p->cublasLtMatrixLayoutDestroy(layout);
    *plan = {};
}

void cuda_close_products(struct device *d)
{
    struct products *p = cuda_of(d)->products;
    for (size_t i = 0; p && i < PLANS; i++)
        forget(p, &p->plans[i]);
    if (p && p->handle)
        p->cublasLtDestroy(p->handle);
    free(p);
}

static cublasComputeType_t compute_type(enum precision precision)
{
    switch (precision) {
    case PRECISION_TF32:
        return CUBLAS_COMPUTE_32F_FAST_TF32;
    case PRECISION_BF16:
        return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
        return CUBLAS_COMPUTE_32F;
    }
}

template <class Value>
static bool describe(struct device *d, const struct products *p, struct plan *plan,
                     cublasLtMatmulDescAttributes_t what, Value value)
{
    return check(d, p,
                 p->cublasLtMatmulDescSetAttribute(plan->product, what, &value, sizeof value));
}

/* That there are so many matrices, `apart` floats from one to the next. */
static bool repeat(struct device *d, const struct products *p, cublasLtMatrixLayout_t layout,
                   uint64_t batch, uint64_t apart)
{
    int32_t count = (int32_t)batch;
    int64_t stride = (int64_t)apart;
    return check(d, p,
                 p->cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                                                     &count, sizeof count)) &&
           check(d, p,
                 p->cublasLtMatrixLayoutSetAttribute(
                     layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride));
}

static bool repeat_all(struct device *d, const struct products *p, const struct plan *plan)
{
    const struct shape *s = &plan->shape;
    return s->batch == 1 || (repeat(d, p, plan->a, s->batch, s->m * s->k) &&
                             repeat(d, p, plan->b, s->batch, s->k * s->n) &&
                             repeat(d, p, plan->c, s->batch, s->m * s->n));
}

static bool describe_all(struct device *d, const struct products *p, struct plan *plan)
{
    const struct shape *s = &plan->shape;
    int32_t turn_a = s->turn_a ? CUBLAS_OP_T : CUBLAS_OP_N,
            turn_b = s->turn_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    uint32_t after = s->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    return check(d, p,
                 p->cublasLtMatmulDescCreate(&plan->product, compute_type(s->precision),
                                             CUDA_R_32F)) &&
           describe(d, p, plan, CUBLASLT_MATMUL_DESC_TRANSA, turn_a) &&
           describe(d, p, plan, CUBLASLT_MATMUL_DESC_TRANSB, turn_b) &&
           describe(d, p, plan, CUBLASLT_MATMUL_DESC_EPILOGUE, after) &&
           check(d, p,
                 p->cublasLtMatrixLayoutCreate(&plan->a, CUDA_R_32F, s->turn_a ? s->k : s->m,
                                               s->turn_a ? s->m : s->k, (int64_t)s->lda)) &&
           check(d, p,
                 p->cublasLtMatrixLayoutCreate(&plan->b, CUDA_R_32F, s->turn_b ? s->n : s->k,
                                               s->turn_b ? s->k : s->n, (int64_t)s->ldb)) &&
           check(
               d, p,
               p->cublasLtMatrixLayoutCreate(&plan->c, CUDA_R_32F, s->m, s->n, (int64_t)s->ldc)) &&
           repeat_all(d, p, plan);
}

static bool prefer(struct device *d, const struct products *p, cublasLtMatmulPreference_t limits,
                   uint32_t aligned)
{
    const uint64_t workspace = WORKSPACE;
    bool good =
        check(d, p,
              p->cublasLtMatmulPreferenceSetAttribute(
                  limits, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace));
    for (auto which :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
        good = good && check(d, p,
                             p->cublasLtMatmulPreferenceSetAttribute(limits, which, &aligned,
                                                                     sizeof aligned));
    return good;
}

/* Asks how it is best done. */
static void choose_algorithm(struct device *d, const struct products *p, struct plan *plan)
{
    const struct shape *s = &plan->shape;
    cublasLtMatmulPreference_t limits = NULL;
    cublasLtMatmulHeuristicResult_t best = {};
    int found = 0;
    if (!check(d, p, p->cublasLtMatmulPreferenceCreate(&limits)))
        return;
    if (prefer(d, p, limits, (uint32_t)s->aligned)) {
        cublasStatus_t status = p->cublasLtMatmulAlgoGetHeuristic(
            p->handle, plan->product, plan->a, plan->b, plan->c, plan->c, limits, 1, &best, &found);
        if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && !found))
            cuda_fail(d, "cuBLAS has no product of [%zu,%zu] and [%zu,%zu]", (size_t)s->n,
                      (size_t)s->k, (size_t)s->k, (size_t)s->m);
        else
            check(d, p, status);
    }
    p->cublasLtMatmulPreferenceDestroy(limits);
    plan->algorithm = best.algo;
    plan->made = !d->failed;
}

/* FNV-1a */
static size_t place_of(const struct shape *s)
{
    uint64_t hash = 0xcbf29ce484222325;
    const unsigned char *byte = reinterpret_cast<const unsigned char *>(s);
    for (size_t i = 0; i < sizeof *s; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3;
    return (size_t)(hash >> 32);
}

/* NULL: the device has failed. */
static struct plan *plan_of(struct device *d, struct products *p, const struct shape *s)
{
    size_t place = place_of(s), i = 0;
    struct plan *plan;
    do {
        plan = &p->plans[(place + i) % PLANS];
        if (plan->made && memcmp(&plan->shape, s, sizeof *s) == 0)
            return plan;
    } while (plan->made && ++i < TRIES);
    if (plan->made)
        plan = &p->plans[(place + p->replaced++ % TRIES) % PLANS];
    forget(p, plan);
    plan->shape = *s;
    if (describe_all(d, p, plan))
        choose_algorithm(d, p, plan);
    return d->failed ? NULL : plan;
}

static uint64_t bits_of(const float *memory)
{
    return reinterpret_cast<uintptr_t>(memory);
}

/* By how many bytes all are aligned whose addresses and distances have these bits together. */
static uint64_t aligned_by(uint64_t bits)
{
    bits |= MOST_ALIGNED;
    return bits & -bits;
}

static void multiply(struct device *d, const struct shape &shape, const float *a, const float *b,
                     const float *bias, float beta, float *c)
{
    const float one = 1;
    struct products *p = products_of(d);
    if (!p || !shape.m || !shape.n)
        return;
    struct plan *plan = plan_of(d, p, &shape);
    if (plan && (!bias || describe(d, p, plan, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias)))
        check(d, p,
              p->cublasLtMatmul(p->handle, plan->product, &one, b, plan->a, a, plan->b, &beta, c,
                                plan->c, c, plan->c, &plan->algorithm, lane_of(d)->workspace,
                                WORKSPACE, cuda_stream(d)));
}

void cuda_product(struct device *d, char op_a, char op_b, size_t m, size_t n, size_t k,
                  const float *a, size_t lda, const float *b, size_t ldb, const float *bias,
                  float beta, float *c, size_t ldc)
{
    const struct shape shape = {1,
                                n,
                                m,
                                k,
                                ldb,
                                lda,
                                ldc,
                                op_b == 'T',
                                op_a == 'T',
                                bias != NULL,
                                cuda_of(d)->precision,
                                aligned_by(bits_of(a) | bits_of(b) | bits_of(c) | bits_of(bias))};
    multiply(d, shape, a, b, bias, beta, c);
}

void cuda_products(struct device *d, const struct product *q, float beta, float *c)
{
    uint64_t apart = q->batch == 1 ? 0 : (q->m * q->k | q->k * q->n | q->m * q->n) * sizeof *c;
    const struct shape shape = {
        q->batch,
        q->n,
        q->m,
        q->k,
        right_row(q),
        left_row(q),
        q->n,
        q->op_right == 'T',
        q->op_left == 'T',
        false,
        cuda_of(d)->precision,
        aligned_by(bits_of(q->left) | bits_of(q->right) | bits_of(c) | apart)};
    multiply(d, shape, q->left, q->right, NULL, beta, c);
}
