/* Convolution along the frames of sequences. The products of each frame with the weights of each
 * place in the window are one product of matrices; what the frames of a window have at their places
 * is added up, so that no copy of windows is made. */
#include "kernels/cuda/cuda.h"

/* Weights by their place in the window, [width,dim,features], and what is by frames and places,
 * [batch length,width,dim]. */
struct room {
    float *weights, *places;
};

static struct room room_of(struct device *d, const struct conv *s)
{
    size_t weights = s->width * s->dim * s->features;
    size_t places = s->batch * s->length * s->width * s->dim;
    float *memory = static_cast<float *>(cuda_scratch(d, (weights + places) * sizeof *memory));
    return {memory, memory ? memory + weights : NULL};
}

/* The place in w[dim,features,width] of weight `at` of those by place. */
static __device__ size_t of_weight(const struct conv &s, size_t at)
{
    size_t f = at % s.features, o = at / s.features % s.dim, i = at / s.features / s.dim;
    return (o * s.features + f) * s.width + i;
}

static __global__ void order_weights(float *to, const float *w, struct conv s)
{
    each_in_grid(s.width * s.dim * s.features, [=](size_t at) { to[at] = w[of_weight(s, at)]; });
}

static __global__ void add_weights(float *dw, const float *from, struct conv s)
{
    each_in_grid(s.width * s.dim * s.features,
                 [=](size_t at) { dw[of_weight(s, at)] += from[at]; });
}

static __global__ void add_windows(float *y, const float *places, struct conv s)
{
    size_t windows = s.length - s.width + 1;
    each_in_grid(s.batch * windows * s.dim, [=](size_t at) {
        size_t o = at % s.dim, r = at / s.dim;
        size_t frame = r / windows * s.length + r % windows;
        float sum = 0;
        for (size_t i = 0; i < s.width; i++)
            sum += places[((frame + i) * s.width + i) * s.dim + o];
        y[at] = sum;
    });
}

/* The slopes by a frame's places: those of the windows that have it there, 0 where none has. */
static __global__ void spread(float *places, const float *dy, struct conv s)
{
    size_t windows = s.length - s.width + 1;
    each_in_grid(s.batch * s.length * s.width * s.dim, [=](size_t at) {
        size_t o = at % s.dim, i = at / s.dim % s.width, r = at / s.dim / s.width;
        size_t b = r / s.length, frame = r % s.length;
        bool inside = i <= frame && frame - i < windows;
        places[at] = inside ? dy[(b * windows + frame - i) * s.dim + o] : 0;
    });
}

void cuda_conv_forward(struct device *d, float *y, const float *x, const float *w,
                       const struct conv *s)
{
    struct room room = room_of(d, s);
    size_t columns = s->width * s->dim, windows = s->length - s->width + 1;
    if (!room.weights)
        return;
    launch(d, order_weights, cuda_blocks(d, columns * s->features, THREADS), THREADS, room.weights,
           w, *s);
    cuda_linear_forward(d, room.places, x, room.weights, NULL, s->batch * s->length, s->features,
                        columns);
    launch(d, add_windows, cuda_blocks(d, s->batch * windows * s->dim, THREADS), THREADS, y,
           room.places, *s);
}

void cuda_conv_backward(struct device *d, float *dx, float *dw, const float *dy, const float *x,
                        const float *w, const struct conv *s, bool add)
{
    struct room room = room_of(d, s);
    size_t frames = s->batch * s->length, columns = s->width * s->dim;
    size_t weights = columns * s->features;
    if (!room.weights)
        return;
    launch(d, spread, cuda_blocks(d, frames * columns, THREADS), THREADS, room.places, dy, *s);
    if (dx) {
        launch(d, order_weights, cuda_blocks(d, weights, THREADS), THREADS, room.weights, w, *s);
        cuda_linear_backward(d, dx, NULL, NULL, room.places, x, room.weights, frames, s->features,
                             columns, add);
    }
    if (dw) {
        cuda_fill(d, room.weights, 0, weights);
        cuda_linear_backward(d, NULL, room.weights, NULL, room.places, x, NULL, frames, s->features,
                             columns, false);
        launch(d, add_weights, cuda_blocks(d, weights, THREADS), THREADS, dw, room.weights, *s);
    }
}
