/* Counter-based random streams on Philox. */
#include "common/run/random.h"
#include "kernels/philox.h"
#include <string.h>
#include <zlib.h>

uint32_t random_name(const char *name)
{
    return (uint32_t)crc32(0, (const unsigned char *)name, (unsigned)strlen(name));
}

struct random random_stream(uint64_t seed, const char *name, uint32_t number)
{
    return (struct random){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                           .counter = {0, 0, number, random_name(name)}};
}

uint32_t random_bits(struct random *r)
{
    if (r->left == 0) {
        philox4x32(r->block, r->counter, r->key);
        if (++r->counter[0] == 0)
            r->counter[1]++;
        r->left = 4;
    }
    return r->block[4 - r->left--];
}

float random_uniform(struct random *r, float low, float high)
{
    return low + (high - low) * ((float)(random_bits(r) >> 8) * 0x1p-24f);
}

uint32_t random_below(struct random *r, uint32_t n)
{
    uint32_t limit = UINT32_MAX - UINT32_MAX % n, bits;
    do
        bits = random_bits(r);
    while (bits >= limit);
    return bits % n;
}

void random_order(struct random *r, uint32_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = random_below(r, i), swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}
