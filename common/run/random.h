/* Random numbers by counter: the same key and counter give the same number, wherever and whenever
 * it is drawn. So dropout needs no stored state, an initial value depends on its parameter's name
 * alone, and a shuffle on its epoch. */
#ifndef MSA_RANDOM_H
#define MSA_RANDOM_H

#include "common/run/run.h"

/* A stream of numbers, keyed by the run's seed and a name ("shuffle",
 * "vision_encoder.layernorm.weight"). */
struct random {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int left; /* unused words of block */
};

/* `number` tells streams of one name apart (an epoch, say). */
struct random random_stream(uint64_t seed, const char *name, uint32_t number);
uint32_t random_bits(struct random *r);
float random_uniform(struct random *r, float low, float high); /* [low, high) */
/* Two independent numbers of N(0,1), the same bits on every machine. */
void random_normals(struct random *r, double pair[2]);
uint32_t random_below(struct random *r, uint32_t n); /* 0 .. n-1, without bias */
/* A random order of 0 .. n-1 (Fisher-Yates), into order[n]. */
void random_order(struct random *r, uint32_t *order, uint32_t n);
/* The number that stands for a name in keys: its CRC-32. */
uint32_t random_name(const char *name);

#endif
