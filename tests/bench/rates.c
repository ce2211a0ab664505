/* rates [--device D] [--precision P] [--size N] [--turns T]: how fast a device multiplies and
 * copies, by its own kernels. Prints the floating-point operations a second of the product of two
 * [N,N] matrices, and the bytes a second, read and written, of a copy of one; the best of T times.
 *
 * rates --layer [--batch B] [--length S] [--dim D] [--heads H] …: a table of the kernels of a
 * transformer layer on [B,S,D], both ways with dropout: how often they are called in its training
 * step, milliseconds of a call when it follows others, and the same two rates. Operations are
 * those of products, as the formulas have them; bytes, each operand read or written once. Below it
 * the whole layer, and what its products would take by themselves: those of linear layers what they
 * have taken, attention's at the rate of these.
 */
#include "common/nn/device.h"
#include "common/run/option.h"
#include "common/run/random.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

struct settings {
    long size, turns, batch, length, dim, heads;
    bool layer;
};

struct rates {
    struct msa *m;
    struct device *d;
    size_t batch, length, dim, heads, rows; /* rows: batch length */
    float *y, *z;                           /* [rows,dim] */
    float *qkv, *dqkv;                      /* [rows,3 dim] */
    float *w, *dw, *b, *db;                 /* [3 dim,dim], [3 dim] */
    float *kept;                            /* [2 rows heads] */
    struct dropout drop;
};

struct kernel {
    const char *name;
    int calls; /* in a layer's step */
    void (*work)(struct rates *r);
    double flops, floats; /* of a call */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "size", "N", OPTION_INT, FIELD(size), "8192", 1, 65536,
     .help = "rows and columns of matrices"},
    {0, "turns", "T", OPTION_INT, FIELD(turns), "10", 1, 10000, .help = "how often each is timed"},
    {0, "layer", NULL, OPTION_FLAG, FIELD(layer), NULL, 0, 0,
     .help = "time a transformer layer's kernels"},
    {0, "batch", "B", OPTION_INT, FIELD(batch), "16", 1, 65536, .help = "its samples"},
    {0, "length", "S", OPTION_INT, FIELD(length), "501", 1, 65536, .help = "its positions"},
    {0, "dim", "D", OPTION_INT, FIELD(dim), "768", 1, 65536, .help = "its width"},
    {0, "heads", "H", OPTION_INT, FIELD(heads), "8", 1, 65536, .help = "its attention heads"},
    {0},
};
#undef FIELD

/* --- kernels */

static void multiply(struct rates *r)
{
    r->d->k.linear_forward(r->d, r->y, r->z, r->w, NULL, r->rows, r->dim, r->dim);
}

static void copy(struct rates *r)
{
    r->d->k.columns_forward(r->d, r->y, r->z, r->rows, r->dim, 0, r->dim, false);
}

static void to_qkv(struct rates *r)
{
    r->d->k.linear_forward(r->d, r->qkv, r->z, r->w, r->b, r->rows, r->dim, 3 * r->dim);
}

static void from_qkv(struct rates *r)
{
    r->d->k.linear_backward(r->d, r->y, r->dw, r->db, r->qkv, r->z, r->w, r->rows, r->dim,
                            3 * r->dim, false);
}

static void project(struct rates *r)
{
    r->d->k.linear_forward(r->d, r->y, r->z, r->w, r->b, r->rows, r->dim, r->dim);
}

static void from_project(struct rates *r)
{
    r->d->k.linear_backward(r->d, r->y, r->dw, r->db, r->z, r->qkv, r->w, r->rows, r->dim, r->dim,
                            false);
}

/* Queries, keys and values side by side. */
static struct attention self_attention(const struct rates *r)
{
    struct sequences rows = {r->batch, r->length, NULL, NULL};
    return (struct attention){r->heads,   r->dim / r->heads, rows,       rows,
                              3 * r->dim, 3 * r->dim,        3 * r->dim, .masked = false};
}

static void attend(struct rates *r)
{
    struct attention shape = self_attention(r);
    r->d->k.attention_forward(r->d, r->y, r->kept, r->qkv, r->qkv + r->dim, r->qkv + 2 * r->dim,
                              &shape, &r->drop);
}

static void from_attend(struct rates *r)
{
    struct attention shape = self_attention(r);
    size_t dim = r->dim;
    r->d->k.attention_backward(r->d, r->dqkv, r->dqkv + dim, r->dqkv + 2 * dim, r->z, r->y, r->kept,
                               r->qkv, r->qkv + dim, r->qkv + 2 * dim, &shape, &r->drop, false,
                               false, false);
}

static void norm(struct rates *r)
{
    r->d->k.norm_forward(r->d, r->y, r->dqkv, r->kept, r->kept + r->rows, r->qkv, r->z, r->b, r->b,
                         r->rows, r->dim, 1e-5f, &r->drop);
}

static void from_norm(struct rates *r)
{
    r->d->k.norm_backward(r->d, r->y, r->dqkv, r->dw, r->db, r->z, r->qkv, r->kept,
                          r->kept + r->rows, r->b, r->rows, r->dim, &r->drop, false, false);
}

static void gelu(struct rates *r)
{
    r->d->k.gelu_forward(r->d, r->y, r->z, r->rows * r->dim, &r->drop);
}

static void from_gelu(struct rates *r)
{
    r->d->k.gelu_backward(r->d, r->y, r->z, r->qkv, r->rows * r->dim, &r->drop, false);
}

/* --- memory and time */

/* Numbers of [-most,most): the power that products take, and so their speed, depends on them; and
 * attention's exponentials on how far apart scores are. */
static float *numbers(struct rates *r, const char *name, size_t count, float most)
{
    struct random random = random_stream(1, name, 0);
    float *there = device_allocate(r->m, r->d, count * sizeof *there);
    float *host = msa_calloc(r->m, count, sizeof *host);
    for (size_t i = 0; i < count; i++)
        host[i] = random_uniform(&random, -most, most);
    r->d->copy_in(r->d, there, host, count * sizeof *there);
    msa_free(r->m, host);
    return there;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of `turns` calls in a row, after one that does not count. */
static double time_of(struct rates *r, void (*work)(struct rates *r), long turns)
{
    work(r);
    device_wait(r->m, r->d);
    double began = now();
    for (long i = 0; i < turns; i++)
        work(r);
    device_wait(r->m, r->d);
    return now() - began;
}

static void allocate(struct rates *r)
{
    size_t block = r->rows * r->dim, weights = 3 * r->dim * r->dim;
    r->y = numbers(r, "y", block, 1);
    r->z = numbers(r, "z", block, 1);
    r->w = numbers(r, "w", weights, 1 / sqrtf((float)r->dim));
    if (r->heads == 0)
        return;
    r->qkv = numbers(r, "qkv", 3 * block, 1);
    r->dqkv = numbers(r, "dqkv", 3 * block, 1);
    r->dw = numbers(r, "dw", weights, 1);
    r->b = numbers(r, "b", 3 * r->dim, 1);
    r->db = numbers(r, "db", 3 * r->dim, 1);
    r->kept = numbers(r, "kept", 2 * r->rows * r->heads, 1);
}

static void release(struct rates *r)
{
    float *const all[] = {r->y, r->z, r->qkv, r->dqkv, r->w, r->dw, r->b, r->db, r->kept};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        r->d->release(r->d, all[i]);
}

/* The best of `turns` times, of one call each. */
static double fastest(struct rates *r, void (*work)(struct rates *r), long turns)
{
    double best = INFINITY;
    for (long i = 0; i < turns; i++)
        best = fmin(best, time_of(r, work, 1));
    return best;
}

static void matrices(struct rates *r, long turns)
{
    double n = (double)r->dim;
    printf("%.4g ", 2 * n * n * n / fastest(r, multiply, turns));
    printf("%.4g\n", 2 * n * n * sizeof(float) / fastest(r, copy, turns));
}

static void layer(struct rates *r, long turns)
{
    double n = (double)r->rows, d = (double)r->dim, s = (double)r->length;
    const struct kernel kernels[] = {
        {"linear to q, k, v", 1, to_qkv, 6 * n * d * d, 4 * n * d + 3 * d * d},
        {"back", 1, from_qkv, 12 * n * d * d, 8 * n * d + 9 * d * d},
        {"linear", 3, project, 2 * n * d * d, 2 * n * d + d * d},
        {"back", 3, from_project, 4 * n * d * d, 3 * n * d + 3 * d * d},
        {"attention", 1, attend, 4 * n * s * d, 4 * n * d},
        {"back", 1, from_attend, 10 * n * s * d, 8 * n * d},
        {"residual, norm", 2, norm, 0, 4 * n * d},
        {"back", 2, from_norm, 0, 4 * n * d},
        {"gelu", 1, gelu, 0, 2 * n * d},
        {"back", 1, from_gelu, 0, 3 * n * d},
    };
    double all = 0, linear = 0, linear_flops = 0, attention_flops = 0;
    printf("%-18s %5s %9s %9s %9s\n", "kernel", "calls", "ms", "TFLOP/s", "GB/s");
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        const struct kernel *k = &kernels[i];
        double seconds = time_of(r, k->work, turns) / (double)turns;
        all += k->calls * seconds;
        if (k->work == attend || k->work == from_attend) {
            attention_flops += k->calls * k->flops;
        } else if (k->flops > 0) {
            linear += k->calls * seconds;
            linear_flops += k->calls * k->flops;
        }
        printf("%-18s %5d %9.3f %9.3f %9.0f\n", k->name, k->calls, 1e3 * seconds,
               1e-12 * k->flops / seconds, 1e-9 * sizeof(float) * k->floats / seconds);
    }
    printf("%-18s %5s %9.3f\n", "layer", "", 1e3 * all);
    double rate = linear_flops / linear;
    printf("%-18s %5s %9.3f %9.3f\n", "its products", "",
           1e3 * (linear_flops + attention_flops) / rate, 1e-12 * rate);
}

static void run(struct msa *m)
{
    const struct settings *s = m->settings;
    struct rates r = {.m = m, .d = device_of_run(m), .drop = {.rate = 0.5f, .seed = 1}};
    if (s->layer) {
        r.batch = (size_t)s->batch;
        r.length = (size_t)s->length;
        r.dim = (size_t)s->dim;
        r.heads = (size_t)s->heads;
        r.rows = r.batch * r.length;
    } else {
        r.dim = r.rows = (size_t)s->size;
    }
    allocate(&r);
    if (s->layer)
        layer(&r, s->turns);
    else
        matrices(&r, s->turns);
    release(&r);
}

static const struct example examples[] = {
    {"rates --device cuda --precision tf32", "what a GPU can do"},
    {"rates --layer --batch 128 --length 501", "where the time of an encoder goes"},
    {0},
};

static const struct program program = {
    .name = "rates",
    .summary = "measure how fast a device multiplies and copies",
    .operands = "",
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-encode(1)",
    .run = run,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
