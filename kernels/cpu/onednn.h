/* oneDNN, opened for the first product that is worth it: that alone takes longer than all that a
 * small network computes. */
#ifndef MSA_CPU_ONEDNN_H
#define MSA_CPU_ONEDNN_H

#include "kernels/cpu/cpu.h"
#include <dnnl.h>

/* Its functions that we call, without their dnnl_. */
#define ONEDNN_FUNCTIONS(F)                                                                        \
    F(sgemm)                                                                                       \
    F(engine_create)                                                                               \
    F(engine_destroy)                                                                              \
    F(stream_create)                                                                               \
    F(stream_destroy)                                                                              \
    F(stream_wait)                                                                                 \
    F(memory_desc_init_by_strides)                                                                 \
    F(memory_desc_init_by_tag)                                                                     \
    F(memory_desc_get_size)                                                                        \
    F(memory_create)                                                                               \
    F(memory_destroy)                                                                              \
    F(matmul_desc_init)                                                                            \
    F(post_ops_create)                                                                             \
    F(post_ops_destroy)                                                                            \
    F(post_ops_append_sum)                                                                         \
    F(primitive_attr_create)                                                                       \
    F(primitive_attr_destroy)                                                                      \
    F(primitive_attr_set_post_ops)                                                                 \
    F(primitive_desc_create)                                                                       \
    F(primitive_desc_destroy)                                                                      \
    F(primitive_desc_query_md)                                                                     \
    F(reorder_primitive_desc_create)                                                               \
    F(primitive_create)                                                                            \
    F(primitive_destroy)                                                                           \
    F(primitive_execute)

struct onednn {
#define FUNCTION(name) __typeof__(dnnl_##name) *name;
    ONEDNN_FUNCTIONS(FUNCTION)
#undef FUNCTION
    dnnl_engine_t engine; /* the CPU, and the only stream on it */
    dnnl_stream_t stream;
};

/* NULL: the device has failed. May be called by several threads at a time. */
const struct onednn *cpu_onednn(const struct device *d);

/* Has it done `what`? The device has failed where it has not. */
bool cpu_onednn_did(const struct device *d, dnnl_status_t status, const char *what);

/* What the device keeps of it; NULL is fine. */
void cpu_onednn_close(struct onednn *dnnl);

#endif
