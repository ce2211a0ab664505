/* The order of samples in training. */
#include "common/dataset/sampler.h"
#include "common/run/random.h"
#include <math.h>

struct order order_new(struct msa *m, size_t samples, double fraction, uint64_t seed, bool shuffled)
{
    struct order o = {.m = m, .seed = seed, .shuffled = shuffled};
    struct random r = random_stream(seed, "fraction", 0);
    size_t wanted = (size_t)fmax(ceil(fraction * (double)samples - 1e-9), samples > 0);
    o.taken = msa_calloc(m, samples + 1, sizeof *o.taken);
    o.places = msa_calloc(m, samples + 1, sizeof *o.places);
    o.samples = msa_calloc(m, samples + 1, sizeof *o.samples);
    bool *chosen = msa_calloc(m, samples + 1, sizeof *chosen);
    random_order(&r, o.places, (uint32_t)samples);
    for (size_t i = 0; i < wanted; i++)
        chosen[o.places[i]] = true;
    for (size_t i = 0; i < samples; i++)
        if (chosen[i])
            o.taken[o.count++] = (uint32_t)i;
    msa_free(m, chosen);
    return o;
}

const uint32_t *order_of(struct order *o, long epoch)
{
    if (!o->shuffled)
        return o->taken;
    struct random r = random_stream(o->seed, "shuffle", (uint32_t)epoch);
    random_order(&r, o->places, (uint32_t)o->count);
    for (size_t i = 0; i < o->count; i++)
        o->samples[i] = o->taken[o->places[i]];
    return o->samples;
}
