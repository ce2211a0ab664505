/* Convolution along the frames of sequences. The products of each frame with the weights of each
 * place in the window are one product of matrices; what the frames of a window have at their places
 * is added up, so that no copy of windows is made. */
#include "kernels/cpu/cpu.h"
#include <string.h>

/* Weights by their place in the window, [width,dim,features], and what is by frames and places,
 * [batch length,width,dim]. */
struct room {
    float *weights, *places;
};

static struct room room_of(struct device *d, const struct conv *s)
{
    size_t weights = s->width * s->dim * s->features;
    size_t places = s->batch * s->length * s->width * s->dim;
    float *memory = cpu_scratch(d, (weights + places) * sizeof *memory);
    return (struct room){memory, memory ? memory + weights : NULL};
}

/* The place of w[o,f,i] among weights by place. */
static size_t by_place(const struct conv *s, size_t o, size_t f, size_t i)
{
    return (i * s->dim + o) * s->features + f;
}

static void order_weights(float *to, const float *w, const struct conv *s)
{
    for (size_t o = 0; o < s->dim; o++)
        for (size_t f = 0; f < s->features; f++)
            for (size_t i = 0; i < s->width; i++)
                to[by_place(s, o, f, i)] = *w++;
}

static void add_weights(float *dw, const float *from, const struct conv *s)
{
    for (size_t o = 0; o < s->dim; o++)
        for (size_t f = 0; f < s->features; f++)
            for (size_t i = 0; i < s->width; i++)
                *dw++ += from[by_place(s, o, f, i)];
}

static void add_window(float *y, const float *places, const struct conv *s)
{
    memcpy(y, places, s->dim * sizeof *y);
    for (size_t i = 1; i < s->width; i++) {
        const float *from = places + i * (s->width + 1) * s->dim; /* of the next frame */
#pragma omp simd
        for (size_t o = 0; o < s->dim; o++)
            y[o] += from[o];
    }
}

void cpu_conv_forward(struct device *d, float *y, const float *x, const float *w,
                      const struct conv *s)
{
    struct room room = room_of(d, s);
    size_t windows = s->length - s->width + 1;
    if (!room.weights)
        return;
    order_weights(room.weights, w, s);
    cpu_linear_forward(d, room.places, x, room.weights, NULL, s->batch * s->length, s->features,
                       s->width * s->dim);
    int threads = workers(d, s->batch * windows * s->width * s->dim / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < s->batch * windows; r++)
        add_window(y + r * s->dim,
                   room.places + (r / windows * s->length + r % windows) * s->width * s->dim, s);
}

/* The slopes by one frame's places: those of the windows that have it there, 0 where none has. */
static void spread_frame(float *places, const float *dy, size_t frame, const struct conv *s)
{
    size_t windows = s->length - s->width + 1;
    for (size_t i = 0; i < s->width; i++, places += s->dim)
        if (i <= frame && frame - i < windows)
            memcpy(places, dy + (frame - i) * s->dim, s->dim * sizeof *places);
        else
            memset(places, 0, s->dim * sizeof *places);
}

void cpu_conv_backward(struct device *d, float *dx, float *dw, const float *dy, const float *x,
                       const float *w, const struct conv *s, bool add)
{
    struct room room = room_of(d, s);
    size_t frames = s->batch * s->length, columns = s->width * s->dim;
    size_t windows = s->length - s->width + 1;
    if (!room.weights)
        return;
    int threads = workers(d, frames * columns / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < frames; r++)
        spread_frame(room.places + r * columns, dy + r / s->length * windows * s->dim,
                     r % s->length, s);
    if (dx) {
        order_weights(room.weights, w, s);
        cpu_linear_backward(d, dx, NULL, NULL, room.places, x, room.weights, frames, s->features,
                            columns, add);
    }
    if (dw) {
        memset(room.weights, 0, columns * s->features * sizeof *room.weights);
        cpu_linear_backward(d, NULL, room.weights, NULL, room.places, x, NULL, frames, s->features,
                            columns, false);
        add_weights(dw, room.weights, s);
    }
}
