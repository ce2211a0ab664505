/* Products of factors that are rounded to bfloat16, of float32 sums. */
#ifndef MSA_CPU_BF16_H
#define MSA_CPU_BF16_H

#include "kernels/cpu/onednn.h"

/* c[m,n] = op(a)[m,k] op(b)[k,n] + bias, + c where `add`; op transposes for 'T' and not for 'N'. */
struct bf16_product {
    char op_a, op_b;
    size_t m, n, k;
    const float *bias; /* [n]; NULL: none */
    bool add;
};

/* … as oneDNN has prepared it: with b in an order of its own, which takes so many bytes. */
struct bf16_plan {
    dnnl_memory_desc_t a, b, c, bias;
    dnnl_primitive_desc_t product;
    size_t packed;
};

/* Are linear layers of such products to be computed so? */
bool cpu_in_bf16(const struct device *d, size_t m, size_t n, size_t k);

/* false: the device has failed. Ends with bf16_forget, in either case. */
bool cpu_bf16_plan(const struct device *d, struct bf16_plan *plan, const struct bf16_product *p);
void cpu_bf16_forget(const struct device *d, struct bf16_plan *plan);

/* Computes it; `room` has plan->packed bytes, 64-byte aligned. */
void cpu_bf16_multiply(const struct device *d, const struct bf16_plan *plan,
                       const struct bf16_product *p, const uint16_t *a, const uint16_t *b, float *c,
                       void *room);

/* to[n] = x, rounded to the nearest bfloat16, of two the even one */
void cpu_bf16_round(const struct device *d, uint16_t *to, const float *x, size_t n);

#endif
