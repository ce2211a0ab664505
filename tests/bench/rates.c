/* rates [--device D] [--precision P] [--size N] [--turns T]: how fast a device multiplies and
 * copies, by its own kernels. Prints the floating-point operations a second of the product of two
 * [N,N] matrices, and the bytes a second, read and written, of a copy of one; the best of T times.
 */
#include "common/cli/option.h"
#include "common/nn/device.h"
#include "common/nn/random.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

struct settings {
    long size, turns;
};

struct rates {
    struct msa *m;
    struct device *d;
    size_t n;
    float *x, *w, *y; /* [n,n] */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "size", "N", OPTION_INT, FIELD(size), "8192", 1, 65536, "rows and columns of matrices"},
    {0, "turns", "T", OPTION_INT, FIELD(turns), "10", 1, 10000, "how often each is timed"},
    {0},
};
#undef FIELD

static void multiply(struct rates *r)
{
    r->d->k.linear_forward(r->d, r->y, r->x, r->w, NULL, r->n, r->n, r->n);
}

static void copy(struct rates *r)
{
    r->d->k.columns_forward(r->d, r->y, r->x, r->n, r->n, 0, r->n);
}

/* Numbers of [-1,1): the power that products take, and so their speed, depends on them. */
static float *matrix(struct rates *r, const char *name, float *host)
{
    struct random random = random_stream(1, name, 0);
    size_t count = r->n * r->n;
    float *there = device_allocate(r->m, r->d, count * sizeof *there);
    for (size_t i = 0; i < count; i++)
        host[i] = random_uniform(&random, -1, 1);
    r->d->copy_in(r->d, there, host, count * sizeof *there);
    return there;
}

/* The device has done all that it was given. */
static void wait_for(struct rates *r)
{
    float number;
    device_copy_out(r->m, r->d, &number, r->y, sizeof number);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds, without those of the first time. */
static double fastest(struct rates *r, void (*work)(struct rates *r), long turns)
{
    double best = INFINITY;
    for (long i = 0; i <= turns; i++) {
        double began = now();
        work(r);
        wait_for(r);
        if (i > 0)
            best = fmin(best, now() - began);
    }
    return best;
}

static void run(struct msa *m)
{
    const struct settings *settings = m->settings;
    struct rates r = {m, device_of_run(m), (size_t)settings->size, NULL, NULL, NULL};
    double n = (double)r.n;
    float *host = msa_calloc(m, r.n * r.n, sizeof *host);
    r.x = matrix(&r, "x", host);
    r.w = matrix(&r, "w", host);
    r.y = matrix(&r, "y", host);
    printf("%.4g ", 2 * n * n * n / fastest(&r, multiply, settings->turns));
    printf("%.4g\n", 2 * n * n * sizeof *host / fastest(&r, copy, settings->turns));
    r.d->release(r.d, r.x);
    r.d->release(r.d, r.w);
    r.d->release(r.d, r.y);
}

static const struct example examples[] = {
    {"rates --device cuda --precision tf32", "what a GPU can do"},
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
