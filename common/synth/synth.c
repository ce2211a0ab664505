/* Samples with planted sentiment: hidden numbers, labels and frames. */
#include "common/synth/synth.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double planted = 2;      /* how far a hidden number of 1 moves a frame that shows it */
static const double planted_calm = 8; /* how far calm moves each frame */
static const double steepness = .9;   /* of the labels' tanh */
static const double label_noise = .05; /* before the tanh */

struct random synth_stream(const struct synth *s, enum split split, const char *what, size_t i)
{
    char name[32];
    snprintf(name, sizeof name, "synth %s %s", split_names[split], what);
    return random_stream(s->seed, name, (uint32_t)i);
}

/* From 0 to below 1. */
static double uniform(struct random *r)
{
    return random_bits(r) * 0x1p-32;
}

/* Box and Muller's method. */
double synth_normal(struct random *r)
{
    double radius = (random_bits(r) + 1.) * 0x1p-32, angle = uniform(r);
    return sqrt(-2 * log(radius)) * cos(6.283185307179586 * angle);
}

/* A direction for each modality. */
static void draw_directions(struct msa *m, const struct synth *s, const char *name,
                            double *of[MODALITIES])
{
    for (int modality = 0; modality < MODALITIES; modality++) {
        struct random r = random_stream(s->seed, name, (uint32_t)modality);
        size_t width = s->width[modality];
        double *direction = of[modality] = msa_calloc(m, width, sizeof *direction);
        double squares = 0;
        for (size_t f = 0; f < width; f++) {
            direction[f] = synth_normal(&r);
            squares += direction[f] * direction[f];
        }
        for (size_t f = 0; f < width; f++)
            direction[f] /= sqrt(squares);
    }
}

void synth_prepare(struct msa *m, struct synth *s)
{
    draw_directions(m, s, "synth direction", s->sentiment);
    draw_directions(m, s, "synth calm", s->calmness);
}

/* ---- Labels ---- */

bool synth_calm(const struct synth *s, enum split split, size_t i)
{
    struct random r = synth_stream(s, split, "calm", i);
    return uniform(&r) < s->calm;
}

struct random synth_hidden(const struct synth *s, enum split split, size_t i,
                           double hidden[MODALITIES])
{
    struct random r = synth_stream(s, split, "hidden", i);
    for (int modality = 0; modality < MODALITIES; modality++)
        hidden[modality] = synth_normal(&r);
    return r;
}

static double on_grid(double range, double x)
{
    return round(range * tanh(steepness * x) * 5) / 5 + 0.; /* + 0 makes of -0 a 0 */
}

void synth_labels(const struct synth *s, enum split split, size_t i, double labels[LABELS])
{
    double hidden[MODALITIES], range = family_range(s->family), sum = 0;
    struct random r = synth_hidden(s, split, i, hidden);
    for (int modality = 0; modality < MODALITIES; modality++) {
        labels[modality] = on_grid(range, hidden[modality] + label_noise * synth_normal(&r));
        sum += hidden[modality];
    }
    labels[LABEL_JOINT] = on_grid(range, sum / sqrt(MODALITIES) + label_noise * synth_normal(&r));
    if (synth_calm(s, split, i))
        labels[LABEL_JOINT] = 0;
}

/* ---- Frames ---- */

/* Between half of the frames and all. */
static size_t draw_length(struct random *r, size_t frames)
{
    size_t least = (frames + 1) / 2;
    return least + random_below(r, (uint32_t)(frames - least + 1));
}

size_t synth_length(const struct synth *s, enum split split, enum modality modality, size_t i)
{
    struct random r = synth_stream(s, split, modality_names[modality], i);
    return draw_length(&r, s->frames[modality]);
}

size_t synth_shown(size_t length)
{
    return (length + 2) / 3;
}

bool synth_shows(struct random *r, size_t rest, size_t to_show)
{
    return random_below(r, (uint32_t)rest) < to_show;
}

double synth_word_noise(const struct synth *s)
{
    return s->noise / planted;
}

/* Noise, the hidden number in a third of the frames, and calm in all. */
void synth_frames(const struct synth *s, enum split split, enum modality modality, size_t i,
                  double *out)
{
    struct random r = synth_stream(s, split, modality_names[modality], i);
    size_t frames = s->frames[modality], width = s->width[modality];
    size_t length = draw_length(&r, frames), to_show = synth_shown(length);
    double calm = synth_calm(s, split, i) ? planted_calm : 0, hidden[MODALITIES];
    synth_hidden(s, split, i, hidden);
    memset(out, 0, frames * width * sizeof *out);
    for (size_t t = 0; t < length; t++) {
        bool shows = synth_shows(&r, length - t, to_show);
        double shown = shows ? planted * hidden[modality] : 0;
        to_show -= shows;
        for (size_t f = 0; f < width; f++)
            out[t * width + f] = s->noise * synth_normal(&r) + shown * s->sentiment[modality][f] +
                                 calm * s->calmness[modality][f];
    }
}
