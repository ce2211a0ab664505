/* Samples with planted sentiment. */
#include "common/data/synth.h"
#include "common/nn/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double planted = 2;    /* how far a hidden number of 1 moves a frame that shows it */
static const double steepness = .9; /* of the labels' tanh */
static const double label_noise = .05; /* before the tanh */

static struct random stream_of(const struct synth *s, enum split split, const char *what, size_t i)
{
    char name[32];
    snprintf(name, sizeof name, "synth %s %s", split_names[split], what);
    return random_stream(s->seed, name, (uint32_t)i);
}

/* A normal number: Box and Muller's method. */
static double normal(struct random *r)
{
    double radius = (random_bits(r) + 1.) * 0x1p-32, angle = random_bits(r) * 0x1p-32;
    return sqrt(-2 * log(radius)) * cos(6.283185307179586 * angle);
}

void synth_prepare(struct msa *m, struct synth *s)
{
    for (int modality = 0; modality < MODALITIES; modality++) {
        struct random r = random_stream(s->seed, "synth direction", (uint32_t)modality);
        size_t width = s->width[modality];
        double *direction = s->direction[modality] = msa_calloc(m, width, sizeof *direction);
        double squares = 0;
        for (size_t f = 0; f < width; f++) {
            direction[f] = normal(&r);
            squares += direction[f] * direction[f];
        }
        for (size_t f = 0; f < width; f++)
            direction[f] /= sqrt(squares);
    }
}

static double on_grid(double range, double x)
{
    return round(range * tanh(steepness * x) * 5) / 5 + 0.; /* + 0 makes of -0 a 0 */
}

/* The hidden numbers of a sample; the stream goes on with the noise of its labels. */
static struct random draw_hidden(const struct synth *s, enum split split, size_t i,
                                 double hidden[MODALITIES])
{
    struct random r = stream_of(s, split, "hidden", i);
    for (int modality = 0; modality < MODALITIES; modality++)
        hidden[modality] = normal(&r);
    return r;
}

void synth_labels(const struct synth *s, enum split split, size_t i, double labels[LABELS])
{
    double hidden[MODALITIES], range = family_range(s->family), sum = 0;
    struct random r = draw_hidden(s, split, i, hidden);
    for (int modality = 0; modality < MODALITIES; modality++) {
        labels[modality] = on_grid(range, hidden[modality] + label_noise * normal(&r));
        sum += hidden[modality];
    }
    labels[LABEL_JOINT] = on_grid(range, sum / sqrt(MODALITIES) + label_noise * normal(&r));
}

/* Between half of the frames and all. */
static size_t draw_length(struct random *r, size_t frames)
{
    size_t least = (frames + 1) / 2;
    return least + random_below(r, (uint32_t)(frames - least + 1));
}

size_t synth_length(const struct synth *s, enum split split, enum modality modality, size_t i)
{
    struct random r = stream_of(s, split, modality_names[modality], i);
    return draw_length(&r, s->frames[modality]);
}

/* Noise, and the hidden number in a third of the frames. */
void synth_frames(const struct synth *s, enum split split, enum modality modality, size_t i,
                  double *out)
{
    struct random r = stream_of(s, split, modality_names[modality], i);
    size_t frames = s->frames[modality], width = s->width[modality];
    size_t length = draw_length(&r, frames), to_show = (length + 2) / 3;
    double hidden[MODALITIES];
    draw_hidden(s, split, i, hidden);
    memset(out, 0, frames * width * sizeof *out);
    for (size_t t = 0; t < length; t++) {
        bool shows = random_below(&r, (uint32_t)(length - t)) < to_show;
        double shown = shows ? planted * hidden[modality] : 0;
        to_show -= shows;
        for (size_t f = 0; f < width; f++)
            out[t * width + f] = s->noise * normal(&r) + shown * s->direction[modality][f];
    }
}
