/* Frames as networks take them. */
#include "common/nn/layers/frames.h"
#include "common/nn/device.h"

struct frames frames_layer(struct params *p, const char *prefix, size_t most, size_t features,
                           const float *mean, const float *scale)
{
    struct frames f = {.most = most};
    if (!mean)
        return f;
    f.mean = params_buffer(p, params_name(p, prefix, "standardize.mean"), init_values(mean), 1,
                           &features, BUFFER_OPTIONAL);
    f.scale = params_buffer(p, params_name(p, prefix, "standardize.scale"), init_values(scale), 1,
                            &features, BUFFER_OPTIONAL);
    return f;
}

/* With padding after the frames that are there. */
static struct var *lengthen(struct tape *t, size_t frames, struct var *x)
{
    size_t batch = x->shape[0], features = x->shape[2];
    if (x->shape[1] == frames)
        return x;
    struct var *longer = tape_zeros(t, 3, (size_t[]){batch, frames, features});
    t->device->k.columns_forward(t->device, longer->data, x->data, batch, frames * features, 0,
                                 x->shape[1] * features, false);
    return longer;
}

static uint8_t *find_padding(struct tape *t, const struct var *x)
{
    uint8_t *pad = tape_take(t, x->shape[0] * (1 + x->shape[1]));
    t->device->k.padding_mask(t->device, pad, x->data, x->shape[0], x->shape[1], x->shape[2]);
    return pad;
}

/* Padding is found on the raw features; standardization leaves it 0. */
struct var *frames_apply(struct tape *t, const struct frames *f, struct var *x, uint8_t **pad)
{
    x = lengthen(t, f->most, x);
    uint8_t *found = pad || f->mean ? find_padding(t, x) : NULL;
    if (pad)
        *pad = found;
    if (!f->mean)
        return x;
    struct var *scaled = tape_var(t, false, 3, x->shape);
    t->device->k.standardize(t->device, scaled->data, x->data, found, f->mean->data, f->scale->data,
                             x->shape[0], x->shape[1], x->shape[2]);
    return scaled;
}
