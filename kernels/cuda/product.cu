/* Products by cuBLAS, of float32 matrices that it may take less exactly where that is wanted.
 *
 * The library is opened with the device, which cannot be used where it is missing, but not linked:
 * it is large, and most programs that look for a GPU and find none would load it in vain. A handle
 * takes the GPU's memory, so it is made for the first product; some stages have none. */
#include "kernels/cuda/state.h"
#include <cublas_v2.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef CUBLAS_LIBRARY
#    define CUBLAS_LIBRARY "libcublas.so"
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
    find(d, library, &p->create, "cublasCreate_v2");
    find(d, library, &p->destroy, "cublasDestroy_v2");
    find(d, library, &p->set_stream, "cublasSetStream_v2");
    find(d, library, &p->status_string, "cublasGetStatusString");
    find(d, library, &p->gemm, "cublasGemmEx");
    return !d->failed;
}

/* With a handle; NULL: the device has failed. */
static struct products *products_of(struct device *d)
{
    struct products *p = cuda_of(d)->products;
    if (!d->failed && !p->handle) {
        check(d, p, p->create(&p->handle));
        if (!d->failed)
            check(d, p, p->set_stream(p->handle, cuda_stream(d)));
    }
    return d->failed ? NULL : p;
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
