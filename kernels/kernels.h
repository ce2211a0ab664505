/* The table of kernels: all that the tape, the layers and the optimizer know of a device.
 *
 * A device is memory and kernels. Its memory is touched by its own functions alone, so that it may
 * be a GPU's, or the test device's, which nobody can read in between (kernels/test). Pointers to
 * float below are into the device's memory unless said otherwise; sizes are counts of elements;
 * everything is row-major float32. The list itself is kernels/table.def: add a kernel there, write
 * it in kernels/cpu, and every device has it or does not link. */
#ifndef MSA_KERNELS_H
#define MSA_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which of the values of a place in the network are dropped in a step. Element i is dropped when 16
 * bits of Philox4x32-10(key = seed, counter = {i / 8 low, i / 8 high, step, site}), lane i % 8 (low
 * half of word 0, high half of word 0, low half of word 1 …), are below round(rate * 65536); others
 * are scaled by 65536 / (65536 - that). The same on every device, and recomputed in the backward
 * pass. */
struct dropout {
    float rate;    /* 0: nothing is dropped */
    uint64_t seed; /* the run's seed */
    uint32_t step; /* training step from 0 */
    uint32_t site; /* the place in the network: the CRC-32 of its name */
};

/* What optimizers keep with a parameter from step to step. */
enum moment { MOMENT_FIRST, MOMENT_SECOND, MOMENT_MOST, MOMENT_BUFFER, MOMENTS };

/* A parameter's part of an optimizer step: its memory, and the constants of the step's formula
 * (table.def), which are computed in double on the host (common/nn/optimizer.c). */
struct update {
    size_t n;
    float *p;                /* [n] */
    const float *g;          /* [n], the gradient by p */
    float *moments[MOMENTS]; /* [n] each; NULL: this optimizer has no such one */
    float l2;                /* share of p that is added to g */
    float new1, old2, new2, root, eps, before, after; /* Adam's */
    float momentum;                                   /* gradient descent's */
    float step;
};

/* How the rows of a matrix belong to the samples of a batch: `length` rows each, one sample behind
 * the other; or, with spans [batch,2], at most so many: sample b has the rows from spans[b,0] to
 * before spans[b,1], and rows in no span are neither read nor written. pad (NULL: none) has a
 * number for each row, not 0 where it is padding. */
struct sequences {
    size_t batch, length;
    const uint8_t *pad;
    const int32_t *spans;
};

/* Attention of `heads` heads of `size` values each. Row r of the queries is q + r q_stride, its
 * heads side by side; keys and values likewise. A query that sees no key gets zeros, and so does
 * one that is padding. */
struct attention {
    size_t heads, size;
    struct sequences queries, keys;      /* of one batch */
    size_t q_stride, k_stride, v_stride; /* floats; of the gradients dq, dk, dv too */
    bool masked;                         /* query i of a sample sees key j only where */
    size_t offset;                       /* j <= i + offset */
};

/* Arithmetic of a[rows,cols] and b, which has as many numbers, one row for all of a's, a number
 * for each row, or one for all. */
enum operation { OPERATION_ADD, OPERATION_MULTIPLY, OPERATION_DIVIDE };
enum broadcast { BROADCAST_NONE, BROADCAST_ROW, BROADCAST_COLUMN, BROADCAST_NUMBER };
struct arithmetic {
    size_t rows, cols;
    enum operation kind;
    enum broadcast b;
    float eps; /* of a quotient: what is added to b */
};

/* Products of op(a)[m,k] and op(b)[k,n], `batch` of them: a's matrices lie one behind the other,
 * b's likewise; op transposes what is stored where it is to be turned. */
struct matmul {
    size_t batch, m, n, k;
    bool turn_a, turn_b;
};

/* An LSTM over [batch,length] rows. Sample b takes the first lengths[b] steps, 0 and more (NULL:
 * all), in their order or, reversed, from its own last one back to the first. A step that is not
 * its own leaves its state as it was: rows behind them repeat its last state or, reversed, what it
 * began with, and gradients with respect to them are that state's. */
struct lstm {
    size_t batch, length, hidden;
    const int32_t *lengths; /* [batch] on the device */
    bool reversed;
};

/* A convolution along sequences [batch,length,features] by windows of `width` <= length frames, to
 * `dim` values a window. */
struct conv {
    size_t batch, length, features, dim, width;
};

/* A linear layer of `out` values on the outer product of three vectors of a sample, which have so
 * many numbers each and a 1 in front; a vector of none is that 1. */
struct tensor_fusion {
    size_t batch, out, a, v, t;
};

enum regression { REGRESSION_SMOOTHL1, REGRESSION_MSE, REGRESSION_L1 };
enum contrast { CONTRAST_MNTX, CONTRAST_NTXENT, CONTRAST_NTXENT_PML };

/* How exact the factors of matrix products are taken: all 24 bits, 11, or 8 of them. Sums are
 * float32 always. */
enum precision { PRECISION_F32, PRECISION_TF32, PRECISION_BF16 };

enum { LANES = 4 };

struct device;

struct kernels {
#define KERNEL(name, parameters, arguments) void(*name) parameters;
#include "kernels/table.def"
#undef KERNEL
};

struct device {
    const char *name; /* "cpu:v3", "cuda:0", "cuda:0:tf32", "test" */
    int threads;      /* that its kernels use, at least 1 */
    /* Why a kernel could not do its work; NULL: all have. It stays: what the device holds means
     * nothing any more. Whoever takes numbers from the device looks at it (device_wait). */
    const char *failed;
    void *state; /* the device's own */
    /* 64-byte aligned, undefined contents; NULL when there is not enough. */
    void *(*allocate)(struct device *d, size_t bytes);
    void (*release)(struct device *d, void *memory); /* NULL is fine */
    size_t (*left)(struct device *d); /* bytes that are free; NULL: the device does not know */
    void (*copy_in)(struct device *d, void *to, const void *from_host, size_t bytes);
    /* Takes what is there now, but to_host may have it only when `wait` has returned. */
    void (*copy_out)(struct device *d, void *to_host, const void *from, size_t bytes);
    /* The device has done all that it was given. */
    void (*wait)(struct device *d);
    /* Kernels from now on may be done beside those of other lanes below LANES. Lane 0, where a
     * device begins and alone copies, comes before what is begun in others after it, and goes on
     * when they have ended. NULL: there is one. */
    void (*lane)(struct device *d, unsigned lane);
    /* Of linear layers from now on, and part of the name. Returns NULL, or why it cannot be. NULL:
     * it is PRECISION_F32 always. */
    const char *(*set_precision)(struct device *d, enum precision precision);
    void (*close)(struct device *d);
    struct kernels k;
};

/* What a shared object with kernels exports under the name "msa_device_open". `threads` is 0 for as
 * many as the machine has; NULL and a line in `error` when the device cannot be used. */
typedef struct device *msa_device_open_fn(int index, int threads, char *error, size_t error_size);

#endif
