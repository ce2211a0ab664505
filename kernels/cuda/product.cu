/* Products by cuBLAS, of float32 matrices that it may take less exactly where that is wanted.
 *
 * The library is large and slow to load, so it is opened when the first product is wanted: a stage
 * without any does without it, and where it is missing this object can still be opened. */
#include "kernels/cuda/state.h"
#include <cublas_v2.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>

#ifndef CUBLAS_LIBRARY
#    define TEXT_OF(x)     #    x
#    define LIBRARY_OF(v)  "libcublas.so." TEXT_OF(v)
#    define CUBLAS_LIBRARY LIBRARY_OF(CUBLAS_VER_MAJOR)
#endif

/* cublasGemmEx: the header has two of that name. */
typedef cublasStatus_t gemm_fn(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n,
                               int k, const void *alpha, const void *a, cudaDataType, int lda,
                               const void *b, cudaDataType, int ldb, const void *beta, void *c,
                               cudaDataType, int ldc, cublasComputeType_t, cublasGemmAlgo_t);

struct products {
    cublasHandle_t handle;
    decltype(&cublasCreate) create;
    decltype(&cublasDestroy) destroy;
    decltype(&cublasSetStream) set_stream;
    decltype(&cublasGetStatusString) status_string;
    gemm_fn *gemm;
};

template <class Function>
static void find(struct device *d, void *library, Function **function, const char *name)
{
    *function = reinterpret_cast<Function *>(dlsym(library, name));
    if (!*function)
        cuda_fail(d, "cuBLAS has no %s", name);
}

static void check(struct device *d, const struct products *p, cublasStatus_t status)
{
    if (status != CUBLAS_STATUS_SUCCESS)
        cuda_fail(d, "cuBLAS: %s", p->status_string(status));
}

static void load(struct device *d, struct products *p)
{
    void *library = dlopen(CUBLAS_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        cuda_fail(d, "%s", dlerror());
        return;
    }
    find(d, library, &p->create, "cublasCreate_v2");
    find(d, library, &p->destroy, "cublasDestroy_v2");
    find(d, library, &p->set_stream, "cublasSetStream_v2");
    find(d, library, &p->status_string, "cublasGetStatusString");
    find(d, library, &p->gemm, "cublasGemmEx");
    if (!d->failed)
        check(d, p, p->create(&p->handle));
    if (!d->failed)
        check(d, p, p->set_stream(p->handle, cuda_stream(d)));
}

/* NULL: the device has failed. */
static struct products *products_of(struct device *d)
{
    struct cuda *cuda = cuda_of(d);
    if (!cuda->products && !d->failed) {
        cuda->products = static_cast<struct products *>(calloc(1, sizeof *cuda->products));
        if (cuda->products)
            load(d, cuda->products);
        else
            cuda_fail(d, "not enough memory");
    }
    return d->failed ? NULL : cuda->products;
}

void cuda_close_products(struct device *d)
{
    struct products *p = cuda_of(d)->products;
    if (p && p->handle)
        p->destroy(p->handle);
    free(p);
}

static cublasOperation_t operation(char op)
{
    return op == 'T' ? CUBLAS_OP_T : CUBLAS_OP_N;
}

static cublasComputeType_t compute_type(const struct device *d)
{
    switch (cuda_of(d)->precision) {
    case PRECISION_TF32:
        return CUBLAS_COMPUTE_32F_FAST_TF32;
    case PRECISION_BF16:
        return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
        return CUBLAS_COMPUTE_32F;
    }
}

/* cuBLAS has columns where we have rows: what it computes is c^T = op(b)^T op(a)^T. */
void cuda_product(struct device *d, char op_a, char op_b, size_t m, size_t n, size_t k,
                  const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                  size_t ldc)
{
    const float one = 1;
    struct products *p = products_of(d);
    if (!p || !m || !n)
        return;
    if (m > INT_MAX || n > INT_MAX || k > INT_MAX || lda > INT_MAX || ldb > INT_MAX ||
        ldc > INT_MAX)
        cuda_fail(d, "a product of [%zu,%zu] and [%zu,%zu] is too large", m, k, k, n);
    else
        check(d, p,
              p->gemm(p->handle, operation(op_b), operation(op_a), (int)n, (int)m, (int)k, &one, b,
                      CUDA_R_32F, (int)ldb, a, CUDA_R_32F, (int)lda, &beta, c, CUDA_R_32F, (int)ldc,
                      compute_type(d), CUBLAS_GEMM_DEFAULT));
}
