/* Counter-based random streams on Philox. */
#include "common/run/random.h"
#include "kernels/philox.h"
#include <math.h>
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

/* The natural logarithm of x > 0. That of libm is not the same to the bit on all machines, nor with
 * and without instructions that multiply and add at once. Here are only operations that IEEE 754
 * rounds alike everywhere, and -std=c11 keeps the compiler from joining two of them.
 *
 * With x = m 2^e, m around 1, and s = (m-1)/(m+1): log m = 2 (s + s^3/3 + s^5/5 + ...). */
static double natural_log(double x)
{
    enum { LAST = 19 }; /* power of s; the next term is below 2^-53 */
    int e;
    double m = frexp(x, &e); /* [.5, 1) */
    if (m < .7071) {
        m *= 2;
        e--;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int k = LAST; k > 0; k -= 2)
        sum = sum * square + 1. / k;
    return e * 0x1.62e42fefa39efp-1 + 2 * s * sum;
}

/* Marsaglia's polar method: of a point drawn in the unit circle the direction and the square of the
 * distance are uniform and independent, and sqrt(-2 log square) is the length of a pair of normal
 * numbers. */
void random_normals(struct random *r, double pair[2])
{
    double x, y, square;
    do {
        x = (random_bits(r) + .5) * 0x1p-31 - 1; /* (-1,1), never 0 */
        y = (random_bits(r) + .5) * 0x1p-31 - 1;
        square = x * x + y * y;
    } while (square >= 1);
    double scale = sqrt(-2 * natural_log(square) / square);
    pair[0] = x * scale;
    pair[1] = y * scale;
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
