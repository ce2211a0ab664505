/* Initial values. */
#include "common/nn/init.h"
#include <assert.h>
#include <math.h>

struct init init_constant(float number)
{
    return (struct init){INIT_CONSTANT, number, NULL};
}

struct init init_values(const float *values)
{
    return (struct init){INIT_VALUES, 0, values};
}

struct init init_uniform(float bound)
{
    return (struct init){INIT_UNIFORM, bound, NULL};
}

struct init init_normal(float deviation)
{
    return (struct init){INIT_NORMAL, deviation, NULL};
}

/* fan_in + fan_out */
static float fans(int rank, const size_t *shape)
{
    assert(rank >= 2);
    size_t sum = shape[0] + shape[1];
    for (int i = 2; i < rank; i++)
        sum *= shape[i];
    return (float)sum;
}

struct init init_xavier_uniform(int rank, const size_t *shape)
{
    return init_uniform(sqrtf(6 / fans(rank, shape)));
}

struct init init_xavier_normal(int rank, const size_t *shape)
{
    return init_normal(sqrtf(2 / fans(rank, shape)));
}

static void draw_normals(float deviation, struct random *r, float *to, size_t count)
{
    double pair[2];
    for (size_t i = 0; i < count; i++) {
        if (i % 2 == 0)
            random_normals(r, pair);
        to[i] = (float)((double)deviation * pair[i % 2]);
    }
}

void init_draw(struct init init, struct random *r, float *to, size_t count)
{
    if (init.kind == INIT_NORMAL)
        draw_normals(init.number, r, to, count);
    else
        for (size_t i = 0; i < count; i++)
            to[i] = random_uniform(r, -init.number, init.number);
}
