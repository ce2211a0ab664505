/* msa-companions: for each sample that is trained on those that are alike, opposite and deceptive,
 * by what msa-encode makes of them (msa-model(7), Companions).
 *
 * It takes the records of a survey, and adds to the control that ends it, on its way back to
 * msa-load, which others each sample has. All else it passes on. */
#include "common/dataset/companions.h"
#include "common/dataset/dataset.h"
#include "common/dataset/tensor_names.h"
#include "common/nn/device.h"
#include "common/nn/ops/ops.h"
#include "common/run/option.h"
#include "common/stage/stage.h"
#include "common/stream/tensor_codec.h"
#include <math.h>
#include <string.h>

enum rule { RELEASED, MEANT };

struct settings {
    int rule; /* enum rule */
    long every, keep;
    double reach; /* 0: the family's */
};

struct finder {
    struct msa *m;
    const struct settings *settings;
    struct tape tape;
    double reach;
    bool rounded; /* labels are classes when they are rounded */
    int count;    /* of vectors */
    const struct schema_entry *vectors[MODALITIES];
    size_t width;  /* of all vectors */
    size_t most;   /* samples that there may be */
    size_t seen;   /* in this survey */
    float *units;  /* [most,width], of length 1 */
    float *labels; /* [most] */
    struct host_copy cosines;
    int64_t *lists; /* [most,COMPANION_LISTS,keep], of the survey before */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "rule", "released|meant", OPTION_CHOICE, FIELD(rule), "released", 0, 0,
     .help =
         "take positions in the order of similarity for samples, as ConFEDE's code does, or the "
         "samples that stand there"},
    {0, "every", "E", OPTION_INT, FIELD(every), "1", 1, 1e6,
     .help = "look for companions anew in front of every E-th epoch"},
    {0, "reach", "X", OPTION_REAL, FIELD(reach), NULL, 1e-6, 1,
     .help = "how far companions are looked for in that order, a part of all samples; unless given "
             ".5 for family sims and 1 for mosi"},
    {0, "keep", "M", OPTION_INT, FIELD(keep), "10", 1, 10000,
     .help = "companions that each list has at most"},
    {0},
};
#undef FIELD

/* --- header --- */

static void find_vectors(struct finder *c, const struct header *h)
{
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++) {
        const struct schema_entry *e =
            schema_floats(c->m, &h->schema, name_vector(name, 'h', i), 2);
        if (!e)
            continue;
        c->vectors[c->count++] = e;
        c->width += e->shape[1];
    }
    if (!c->count)
        msa_fail(c->m, MSA_FAILED, "no h_* arrives: does msa-encode stand before?");
    if (!schema_floats(c->m, &h->schema, "label", 1))
        msa_fail(c->m, MSA_FAILED, "no labels arrive: nothing says who is alike");
}

static void on_header(struct stage *s)
{
    struct finder *c = s->self;
    struct header *h = s->header;
    if (!h->train)
        return;
    if (!h->surveyed)
        msa_fail(c->m, MSA_FAILED,
                 "no samples are to have companions: does msa-load have --group?");
    h->surveyed = false; /* no stage behind sees one */
    find_vectors(c, h);
    c->rounded = family_named(c->m, h->family) == FAMILY_MOSI;
    c->reach = c->settings->reach > 0 ? c->settings->reach : c->rounded ? 1 : .5;
    long most = header_samples(h, split_names[TRAIN]);
    if (most < 1 || most > INT32_MAX)
        msa_fail(c->m, MSA_CORRUPT, "header: 'samples' does not say how many there are of train");
    c->most = (size_t)most;
    c->units = msa_calloc(c->m, c->most * c->width, sizeof *c->units);
    c->labels = msa_calloc(c->m, c->most, sizeof *c->labels);
    c->lists =
        msa_calloc(c->m, c->most * COMPANION_LISTS, (size_t)c->settings->keep * sizeof *c->lists);
    c->tape = tape_new(c->m, device_of_run(c->m), h->seed);
}

/* --- records of a survey --- */

/* Of length 1; a vector that is shorter than 1e-6 stays shorter. */
static void normalize(float *x, size_t width)
{
    double squares = 0;
    for (size_t i = 0; i < width; i++)
        squares += (double)x[i] * x[i];
    double length = fmax(sqrt(squares), 1e-6);
    for (size_t i = 0; i < width; i++)
        x[i] = (float)(x[i] / length);
}

static void on_survey(struct stage *s, const struct record *r)
{
    struct finder *c = s->self;
    const struct schema *schema = &s->header->schema;
    const struct tensor *label = record_promised(r, schema_find(schema, "label"));
    if (r->samples > c->most - c->seen)
        frame_fail(c->m, &r->frame, NULL, "a survey of more than the %zu samples of train",
                   c->most);
    memcpy(c->labels + c->seen, label->data, r->samples * sizeof *c->labels);
    for (int k = 0, at = 0; k < c->count; at += (int)c->vectors[k++]->shape[1]) {
        const struct tensor *h = record_promised(r, c->vectors[k]);
        size_t width = h->shape[1];
        for (size_t i = 0; i < r->samples; i++)
            memcpy(c->units + (c->seen + i) * c->width + at, (const float *)h->data + i * width,
                   width * sizeof *c->units);
    }
    for (size_t i = 0; i < r->samples; i++)
        normalize(c->units + (c->seen + i) * c->width, c->width);
    c->seen += r->samples;
}

/* --- the answer --- */

/* A sample in the order of another one's similarity. */
struct similar {
    float cosine;
    uint32_t sample;
};

/* That order, the most similar first, of equal ones the lower sample; or from the other end. Only
 * as much of it is put in order as is asked for, as lists are short: the rest is a heap, whose
 * first is next. */
struct ranking {
    bool back;
    size_t sorted, left;
    struct similar *first, *heap; /* [sorted], [left]; both have room for all samples */
};

static bool goes_before(const struct ranking *o, struct similar a, struct similar b)
{
    bool first = a.cosine != b.cosine ? a.cosine > b.cosine : a.sample < b.sample;
    return first != o->back;
}

static void sink(struct ranking *o, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < o->left; i = child) {
        child += child + 1 < o->left && goes_before(o, o->heap[child + 1], o->heap[child]);
        if (goes_before(o, o->heap[i], o->heap[child]))
            return;
        struct similar down = o->heap[i];
        o->heap[i] = o->heap[child];
        o->heap[child] = down;
    }
}

/* From a sample's cosines with all n. */
static void begin_ranking(struct ranking *o, const float *cosines, size_t n)
{
    o->sorted = 0;
    o->left = n;
    for (size_t j = 0; j < n; j++)
        o->heap[j] = (struct similar){cosines[j], (uint32_t)j};
    for (size_t i = n / 2; i-- > 0;)
        sink(o, i);
}

/* The sample at place k, from the end where the order begins. */
static size_t sample_at(struct ranking *o, size_t k)
{
    while (o->sorted <= k) {
        o->first[o->sorted++] = o->heap[0];
        o->heap[0] = o->heap[--o->left];
        sink(o, 0);
    }
    return o->first[k].sample;
}

static bool same_class(const struct finder *c, size_t i, size_t j)
{
    float a = c->labels[i], b = c->labels[j];
    return c->rounded ? rintf(a) == rintf(b) : a == b;
}

/* The list of a sample: from one end of the order, those of its class or of others. By the released
 * rule positions are taken for samples, from the end where they are counted from there, and
 * "itself" is the position of its number. */
static void fill_list(const struct finder *c, size_t i, struct ranking *o, bool alike,
                      int64_t *list)
{
    size_t n = c->seen, reach = (size_t)floor(c->reach * (double)n + 1e-9);
    size_t keep = (size_t)c->settings->keep, found = 0;
    bool meant = c->settings->rule == MEANT;
    for (size_t k = 0; k + o->back < reach && found < keep; k++) {
        size_t position = o->back ? n - 1 - k : k, j = sample_at(o, k);
        bool itself = meant ? j == i : !o->back && position == i;
        if (!itself && same_class(c, i, j) == alike)
            list[found++] = (int64_t)(meant ? j : position);
    }
    while (found < keep)
        list[found++] = -1;
}

static void fill_lists(const struct finder *c, size_t i, const float *cosines,
                       struct ranking ends[2])
{
    size_t keep = (size_t)c->settings->keep;
    int64_t *list = c->lists + i * COMPANION_LISTS * keep;
    begin_ranking(&ends[0], cosines, c->seen);
    begin_ranking(&ends[1], cosines, c->seen);
    fill_list(c, i, &ends[0], true, list);
    fill_list(c, i, &ends[1], false, list + keep);
    fill_list(c, i, &ends[0], false, list + 2 * keep);
}

/* Samples whose cosines with all others are in memory at a time. */
enum { BLOCK = 1024 };

static void find_lists(struct finder *c)
{
    size_t n = c->seen, all[] = {n, c->width};
    struct ranking ends[] = {{.back = false}, {.back = true}};
    for (int e = 0; e < 2; e++) {
        ends[e].first = msa_calloc(c->m, n + 1, sizeof *ends[e].first);
        ends[e].heap = msa_calloc(c->m, n + 1, sizeof *ends[e].heap);
    }
    for (size_t from = 0; from < n; from += BLOCK) {
        size_t rows = n - from < BLOCK ? n - from : BLOCK, some[] = {rows, c->width};
        struct tensor block = tensor_of("h", F4, c->units + from * c->width, 2, some),
                      whole = tensor_of("h", F4, c->units, 2, all);
        tape_reset(&c->tape, false, 0);
        struct var *cosines = op_linear(&c->tape, tape_input(&c->tape, &block, false),
                                        tape_input(&c->tape, &whole, false), NULL);
        const float *host = tape_copy_out(&c->tape, &c->cosines, cosines->data, cosines->count);
        tape_wait(&c->tape);
        for (size_t i = 0; i < rows; i++)
            fill_lists(c, from + i, host + i * n, ends);
    }
    for (int e = 0; e < 2; e++) {
        msa_free(c->m, ends[e].first);
        msa_free(c->m, ends[e].heap);
    }
}

static void on_answer(struct stage *s, struct control *control)
{
    struct finder *c = s->self;
    size_t shape[] = {c->seen, COMPANION_LISTS, (size_t)c->settings->keep};
    find_lists(c);
    struct tensor t = tensor_of("companions", I8, c->lists, 3, shape);
    value_set(c->m, control->zone, &control->map, "companions",
              value_of_tensor(c->m, control->zone, &t));
    value_set(c->m, control->zone, &control->map, "every", value_of_int(c->settings->every));
    c->seen = 0;
}

static void run(struct msa *m)
{
    static const struct stage_ops ops = {.joins = true,
                                         .header = on_header,
                                         .survey = on_survey,
                                         .answer = on_answer,
                                         .settings = "rule,every,reach,keep",
                                         .identifies = true};
    struct finder *c = msa_alloc(m, sizeof *c);
    c->m = m;
    c->settings = m->settings;
    stage_run(m, &ops, c);
}

static const struct example examples[] = {
    {"msa-load --train --group 7 data.pkl | msa-encode -p encode.safetensors | msa-companions | "
     "msa-decompose -p decompose.safetensors | msa-predict --classes 0 -p predict.safetensors | "
     "msa-loss --tasks msr,uni,cl --contrast confede | msa-backprop",
     "train as ConFEDE does"},
    {0},
};

static const struct program program = {
    .name = "msa-companions",
    .summary = "find samples that are alike, opposite and deceptive, to train on together",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-load(1), msa-encode(1), msa-loss(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
    .on_cpu = true,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
