/* The tape: records the operations of a forward pass and walks them back.
 *
 * An operation takes variables and makes one; its forward kernel runs at once, its backward kernel
 * when the tape is walked. All memory of a step comes from the tape's arenas and goes at
 * tape_reset. The operations themselves are in ops.h; a new one is a function there and a pair of
 * kernels. */
#ifndef MSA_TAPE_H
#define MSA_TAPE_H

#include "common/nn/arena.h"
#include "common/stream/tensor.h"

enum { VAR_RANK = 4 };

struct tape;

/* A tensor of the network: an input, a parameter, or what an operation made. */
struct var {
    float *data; /* [shape], on the device */
    float *grad; /* the same shape; NULL until something has put a gradient there */
    bool wants;  /* a gradient by it is wanted */
    int rank;
    size_t shape[VAR_RANK];
    size_t count;
    struct var *base; /* a view's or slice's: whose data and gradient it shares; else NULL */
};

/* What an operation leaves for the backward pass; the first member of each operation's own record.
 */
struct node {
    void (*backward)(struct tape *t, struct node *n);
    struct node *before;
    unsigned lane; /* in which the operation was done */
};

struct tape {
    struct msa *m;
    struct device *device;
    struct arena memory;  /* the device's */
    struct arena passing; /* the device's too, of what nobody comes back for: tape_pass */
    struct arena spare;   /* what `passing` was before */
    bool passes;          /* memory is taken from `passing` */
    struct arena nodes;   /* the host's */
    struct node *last;
    unsigned lane; /* of the device, where operations are done */
    bool copies;   /* tape_copy_out has begun some */
    bool train;    /* record nodes, draw dropout */
    uint64_t seed;
    uint32_t step; /* of training, for dropout */
};

struct tape tape_new(struct msa *m, struct device *device, uint64_t seed);
/* Forgets everything of the step before; `train` and `step` are of the next one. */
void tape_reset(struct tape *t, bool train, uint32_t step);

/* In training, has operations from now on done in that lane of the device (kernels.h), and their
 * backward kernels too: those of one lane have nothing to do with those of others. Whoever has
 * called it goes back to lane 0, where all copies are made: one in another lane fails the run. */
void tape_lane(struct tape *t, unsigned lane);
/* Has memory taken, until the next call or tape_keep, where it is good until the call after the
 * next: for a layer by which no gradient is wanted, so that a stack of them takes the memory of
 * two. It is all lanes', so from here on it is lane 0 again. */
void tape_pass(struct tape *t);
/* Has memory taken where it is good until tape_reset, as it is after that. */
void tape_keep(struct tape *t);
/* Memory of the device, 64-byte aligned, undefined. */
void *tape_take(struct tape *t, size_t bytes);
/* The same with `bytes` of the host's in it. */
void *tape_upload(struct tape *t, const void *from, size_t bytes);

/* A variable of that shape with undefined data. Here and below a rank above VAR_RANK fails the run.
 */
struct var *tape_var(struct tape *t, bool wants, int rank, const size_t *shape);
/* One of zeros, by which no gradient is wanted. */
struct var *tape_zeros(struct tape *t, int rank, const size_t *shape);
/* One with a host tensor's numbers; its dtype must be F4 (msa_fail names it otherwise). */
struct var *tape_input(struct tape *t, const struct tensor *host, bool wants);
/* The same numbers in another shape of as many elements; no operation, shares the gradient. */
struct var *tape_view(struct tape *t, struct var *x, int rank, const size_t *shape);
/* Likewise those of x from element `at` on, as many as the shape has; what is outside of x's last
 * one fails the run. Columns of rows are no slice: op_attention takes such where they stand. */
struct var *tape_slice(struct tape *t, struct var *x, size_t at, int rank, const size_t *shape);
/* The same numbers, through which no gradient goes back to x. */
struct var *tape_detached(struct tape *t, struct var *x);
/* The variable of which x is a view or a slice, or x itself: their gradients are in one place. */
struct var *tape_owner(struct var *x);
/* Puts a gradient there from the host (a second one is an error of the caller), count floats; or
 * the scalar 1. */
void tape_seed(struct tape *t, struct var *x, const float *host);
/* Runs the backward kernels, last operation first. */
void tape_backward(struct tape *t);

/* A tensor's numbers on the host, in memory kept from record to record. */
struct host_copy {
    float *data;
    size_t capacity; /* floats */
};
/* Copies `count` floats from the device, which are there after tape_wait, and stay until the next
 * call with that copy. */
const float *tape_copy_out(struct tape *t, struct host_copy *to, const float *from, size_t count);
/* Waits for the copies that have been begun, if any: once for all that a frame takes. */
void tape_wait(struct tape *t);

/* For operations: a node of `size` bytes, put on the tape with its backward function. */
void *tape_node(struct tape *t, size_t size, void (*backward)(struct tape *, struct node *));
/* For backward functions: where the gradient by x goes, NULL when nobody wants it; *add tells
 * whether one is there already (first use takes undefined memory, but zeros for a slice: what else
 * its variable has may get no gradient). */
float *tape_into(struct tape *t, struct var *x, bool *add);
/* The same for a kernel that always adds, as to weights: where none is there yet, as of weights
 * that an operation has made, it is zeros. */
float *tape_added(struct tape *t, struct var *x);
/* The gradient that has reached y; NULL: none has. */
float *tape_gradient(struct var *y);

#endif
