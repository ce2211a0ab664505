#include "kernels/cpu/bf16.h"
#include "kernels/cpu/pairs.h"
#include <omp.h>

bool cpu_in_bf16(const struct device *d, size_t m, size_t n, size_t k)
{
    const struct cpu *cpu = d->state;
    return cpu->precision == PRECISION_BF16 && !cpu_product_is_small(m, n, k);
}

/* --- rounding */

void cpu_bf16_round(const struct device *d, uint16_t *to, const float *x, size_t n)
{
    int threads = workers(d, n / 4);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++)
        to[i] = (uint16_t)bf16_bits(x[i]);
}

/* --- products */

#define CALL(function, ...) cpu_onednn_did(d, dnnl->function(__VA_ARGS__), #function)

/* A matrix of `rows` rows as oneDNN sees it: stored so, or transposed */
static bool describe(const struct device *d, const struct onednn *dnnl, dnnl_memory_desc_t *matrix,
                     char op, size_t rows, size_t columns, dnnl_data_type_t type)
{
    const dnnl_dims_t sizes = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    const dnnl_dims_t strides = {op == 'T' ? 1 : sizes[1], op == 'T' ? sizes[0] : 1};
    return CALL(memory_desc_init_by_strides, matrix, 2, sizes, type, strides);
}

/* The product with b in whatever order is the fastest. */
static bool plan_product(const struct device *d, const struct onednn *dnnl, struct bf16_plan *plan,
                         const struct bf16_product *p, const_dnnl_primitive_attr_t how)
{
    const dnnl_dims_t sizes = {(dnnl_dim_t)p->k, (dnnl_dim_t)p->n};
    const dnnl_memory_desc_t *bias = p->bias ? &plan->bias : NULL;
    dnnl_memory_desc_t any;
    dnnl_matmul_desc_t product;
    return CALL(memory_desc_init_by_tag, &any, 2, sizes, dnnl_bf16, dnnl_format_tag_any) &&
           CALL(matmul_desc_init, &product, &plan->a, &any, bias, &plan->c) &&
           cpu_onednn_did(
               d, dnnl->primitive_desc_create(&plan->product, &product, how, dnnl->engine, NULL),
               "a product in bfloat16");
}

/* … added to what is there, where that is wanted */
static bool plan_sum(const struct device *d, const struct onednn *dnnl, struct bf16_plan *plan,
                     const struct bf16_product *p)
{
    dnnl_post_ops_t after = NULL;
    dnnl_primitive_attr_t how = NULL;
    bool good = CALL(post_ops_create, &after) && CALL(primitive_attr_create, &how) &&
                (!p->add || (CALL(post_ops_append_sum, after, 1) &&
                             CALL(primitive_attr_set_post_ops, how, after))) &&
                plan_product(d, dnnl, plan, p, how);
    dnnl->primitive_attr_destroy(how);
    dnnl->post_ops_destroy(after);
    return good;
}

bool cpu_bf16_plan(const struct device *d, struct bf16_plan *plan, const struct bf16_product *p)
{
    const struct onednn *dnnl = cpu_onednn(d);
    *plan = (struct bf16_plan){.product = NULL};
    if (!dnnl || !describe(d, dnnl, &plan->a, p->op_a, p->m, p->k, dnnl_bf16) ||
        !describe(d, dnnl, &plan->b, p->op_b, p->k, p->n, dnnl_bf16) ||
        !describe(d, dnnl, &plan->c, 'N', p->m, p->n, dnnl_f32) ||
        !describe(d, dnnl, &plan->bias, 'N', 1, p->n, dnnl_f32) || !plan_sum(d, dnnl, plan, p))
        return false;
    plan->packed = dnnl->memory_desc_get_size(
        dnnl->primitive_desc_query_md(plan->product, dnnl_query_weights_md, 0));
    return true;
}

void cpu_bf16_forget(const struct device *d, struct bf16_plan *plan)
{
    const struct onednn *dnnl = cpu_onednn(d);
    if (dnnl)
        dnnl->primitive_desc_destroy(plan->product);
}

/* A matrix that a primitive of oneDNN reads or writes. */
struct argument {
    int which; /* DNNL_ARG_… */
    const dnnl_memory_desc_t *matrix;
    const void *at;
};

enum { ARGUMENTS = 4 };

static bool execute_with(const struct device *d, const struct onednn *dnnl,
                         const_dnnl_primitive_t primitive, const struct argument *arguments,
                         dnnl_exec_arg_t *given, int count)
{
    for (int i = 0; i < count; i++) {
        const struct argument *from = &arguments[i];
        given[i].arg = from->which;
        if (!CALL(memory_create, &given[i].memory, from->matrix, dnnl->engine, (void *)from->at))
            return false;
    }
    omp_set_num_threads(d->threads);
    return CALL(primitive_execute, primitive, dnnl->stream, count, given) &&
           CALL(stream_wait, dnnl->stream);
}

/* Makes the primitive anew, which oneDNN does quickly where it has made one like it before. */
static bool execute(const struct device *d, const struct onednn *dnnl,
                    const_dnnl_primitive_desc_t what, const struct argument *arguments, int count)
{
    dnnl_primitive_t primitive = NULL;
    dnnl_exec_arg_t given[ARGUMENTS] = {{0, NULL}};
    bool good = CALL(primitive_create, &primitive, what) &&
                execute_with(d, dnnl, primitive, arguments, given, count);
    for (int i = 0; i < count; i++)
        dnnl->memory_destroy(given[i].memory);
    dnnl->primitive_destroy(primitive);
    return good;
}

void cpu_bf16_multiply(const struct device *d, const struct bf16_plan *plan,
                       const struct bf16_product *p, const uint16_t *a, const uint16_t *b, float *c,
                       void *room)
{
    const struct onednn *dnnl = cpu_onednn(d);
    const dnnl_memory_desc_t *packed =
        dnnl->primitive_desc_query_md(plan->product, dnnl_query_weights_md, 0);
    dnnl_primitive_desc_t pack = NULL;
    const struct argument packing[] = {{DNNL_ARG_FROM, &plan->b, b}, {DNNL_ARG_TO, packed, room}},
                          product[ARGUMENTS] = {{DNNL_ARG_SRC, &plan->a, a},
                                                {DNNL_ARG_WEIGHTS, packed, room},
                                                {DNNL_ARG_DST, &plan->c, c},
                                                {DNNL_ARG_BIAS, &plan->bias, p->bias}};
    if (CALL(reorder_primitive_desc_create, &pack, &plan->b, dnnl->engine, packed, dnnl->engine,
             NULL) &&
        execute(d, dnnl, pack, packing, 2))
        execute(d, dnnl, plan->product, product, p->bias ? ARGUMENTS : ARGUMENTS - 1);
    dnnl->primitive_desc_destroy(pack);
}
