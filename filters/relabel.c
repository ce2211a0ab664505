/* msa-relabel: labels of single modalities for sets that have none, and how much each counts, made
 * in training of the joint labels and of what is learned (msa-model(7), Pseudo-labels): Self-MM's.
 *
 * Forward only: a record gets the labels that its samples have by now, then new ones are made of
 * its features, and of centres as the record before has left them. */
#include "common/dataset/tensor_names.h"
#include "common/run/option.h"
#include "common/stage/stage.h"
#include "common/stream/finite.h"
#include "filters/relabel/bank.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double LEAST = 1e-8;

struct settings {
    double limit; /* 0: not given */
};

/* A modality, or, last, all of them. */
struct view {
    char feature[TENSOR_NAME + 1], label[TENSOR_NAME + 1], weight[TENSOR_NAME + 1];
    float *features, *labels, *weights, *next; /* of the current record */
};

struct relabel {
    struct msa *m;
    const struct settings *settings;
    double limit;
    struct stage *stage;
    int64_t *last; /* [samples]: the record, from 1, in which a sample came last; 0: in none */
    int64_t records;
    struct bank bank;
    struct view views[KINDS]; /* those of the bank's kinds that have a width */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "limit", "X", OPTION_REAL, FIELD(limit), NULL, 1e-6, 1e6,
     .help =
         "keep labels between -X and X: the range of the family's labels, 1 of CH-SIMS and 3 of "
         "MOSI, unless given"},
    {0},
};
#undef FIELD

/* --- header --- */

static void name_view(struct view *v, int kind)
{
    if (kind == LABEL_JOINT)
        snprintf(v->feature, sizeof v->feature, "f");
    else
        name_vector(v->feature, 'f', kind);
    name_label(v->label, kind);
    if (kind != LABEL_JOINT)
        snprintf(v->weight, sizeof v->weight, "weight_%s", modality_names[kind]);
}

/* Widths of the features that arrive, by kind; 0: they do not. */
static void find_widths(struct relabel *r, size_t widths[KINDS])
{
    const struct schema *schema = &r->stage->header->schema;
    bool any = false;
    for (int i = 0; i < KINDS; i++) {
        name_view(&r->views[i], i);
        const struct schema_entry *e = schema_floats(r->m, schema, r->views[i].feature, 2);
        widths[i] = e ? e->shape[1] : 0;
        any = any || (e && i != LABEL_JOINT);
    }
    if (!widths[LABEL_JOINT])
        msa_fail(r->m, MSA_FAILED, "no f arrives (msa-fuse makes it), which labels are made from");
    if (!any)
        msa_fail(r->m, MSA_FAILED,
                 "no f_MODALITY arrives (msa-predict --each makes it): there is nothing to label");
}

static void check_labels(struct relabel *r)
{
    const struct schema *schema = &r->stage->header->schema;
    if (!schema_floats(r->m, schema, r->views[LABEL_JOINT].label, 1))
        msa_fail(r->m, MSA_FAILED, "no labels arrive: there is nothing to make others from");
    if (!schema_find(schema, "index"))
        msa_fail(r->m, MSA_FAILED, "no 'index' arrives, by which samples are known again");
}

static void find_limit(struct relabel *r)
{
    r->limit = r->settings->limit > 0 ? r->settings->limit : r->stage->header->range;
    if (!(r->limit > 0))
        msa_fail(r->m, MSA_USAGE, "the range of labels is not known: give --limit");
}

/* In evaluation there is nothing to learn, and everything passes. */
static void on_header(struct stage *s)
{
    struct relabel *r = s->self;
    size_t widths[KINDS];
    r->stage = s;
    if (!s->header->train)
        return;
    long samples = header_samples(s->header, "train");
    find_widths(r, widths);
    check_labels(r);
    find_limit(r);
    if (samples < 0)
        msa_fail(r->m, MSA_FAILED, "the header does not say how many samples train has");
    bank_new(&r->bank, r->m, (size_t)samples, widths);
    r->last = msa_calloc(r->m, (size_t)samples, sizeof *r->last);
    for (int i = 0; i < LABEL_JOINT; i++)
        if (widths[i]) {
            schema_add(r->m, &s->header->schema, r->views[i].label, F4, 1, (size_t[]){0}, false);
            schema_add(r->m, &s->header->schema, r->views[i].weight, F4, 1, (size_t[]){0}, false);
        }
}

/* --- a record --- */

/* The numbers of a tensor that the header promises, which may be aligned to nothing. */
static float *take(struct relabel *r, const struct record *record, const char *name, float *into)
{
    const struct tensor *t = record_promised(record, schema_find(&r->stage->header->schema, name));
    into = msa_realloc(r->m, into, t->count * sizeof *into + 1);
    memcpy(into, t->data, t->count * sizeof *into);
    size_t bad = tensor_nonfinite(t);
    if (bad < t->count)
        frame_fail(r->m, &record->frame, name, "sample %zu: %g but expected a number",
                   bad / (t->count / record->samples), (double)into[bad]);
    return into;
}

static void check_once(struct relabel *r, const struct record *record, const int64_t *index)
{
    r->records++;
    for (size_t i = 0; i < record->samples; i++) {
        if ((uint64_t)index[i] >= r->bank.samples)
            frame_fail(r->m, &record->frame, "index", "sample %zu has number %jd of %zu", i,
                       (intmax_t)index[i], r->bank.samples);
        if (r->last[index[i]] == r->records)
            frame_fail(r->m, &record->frame, "index",
                       "sample %zu has number %jd, as another of the record", i,
                       (intmax_t)index[i]);
        r->last[index[i]] = r->records;
    }
}

/* What samples learn by now, the joint label where nothing else is known, and how much it counts.
 */
static void put_labels(struct relabel *r, struct record *record, const int64_t *index, int kind)
{
    struct view *v = &r->views[kind];
    const float *joint = r->views[LABEL_JOINT].labels;
    size_t samples = record->samples;
    v->labels = msa_realloc(r->m, v->labels, samples * sizeof *v->labels + 1);
    v->weights = msa_realloc(r->m, v->weights, samples * sizeof *v->weights + 1);
    for (size_t i = 0; i < samples; i++) {
        v->labels[i] = r->bank.known[index[i]] ? r->bank.kinds[kind].labels[index[i]] : joint[i];
        v->weights[i] = (float)tanh(fabs((double)v->labels[i] - (double)joint[i]));
    }
    record_put(r->m, record, tensor_of(v->label, F4, v->labels, 1, &samples));
    record_put(r->m, record, tensor_of(v->weight, F4, v->weights, 1, &samples));
}

/* A label in the n-th epoch, from the one before; it stays where a centre is missing. */
static float next_label(const struct relabel *r, int64_t n, float label, float joint, double own,
                        double fused)
{
    double made = .5 * own / (fused + LEAST) * (double)joint + .5 * ((double)joint + own - fused);
    double kept = (double)(n - 1) / (double)(n + 1), moved = 2 / (double)(n + 1);
    if (isnan(made))
        return label;
    return (float)(kept * (double)label + moved * fmax(-r->limit, fmin(r->limit, made)));
}

/* Labels of the record's samples from now on, before any of its features is in the bank. */
static void make_labels(struct relabel *r, const struct record *record, int kind)
{
    const struct view *joint = &r->views[LABEL_JOINT];
    const struct kind *own = &r->bank.kinds[kind], *fused = &r->bank.kinds[LABEL_JOINT];
    struct view *v = &r->views[kind];
    v->next = msa_realloc(r->m, v->next, record->samples * sizeof *v->next + 1);
    for (size_t i = 0; i < record->samples; i++)
        v->next[i] = record->epoch < 2
                         ? v->labels[i]
                         : next_label(r, record->epoch, v->labels[i], joint->labels[i],
                                      bank_nearer(own, v->features + i * own->width),
                                      bank_nearer(fused, joint->features + i * fused->width));
}

static void put_samples(struct relabel *r, const struct record *record, const int64_t *index)
{
    for (size_t i = 0; i < record->samples; i++) {
        for (int kind = 0; kind < KINDS; kind++) {
            struct kind *k = &r->bank.kinds[kind];
            const struct view *v = &r->views[kind];
            if (k->width)
                bank_put(&r->bank, k, (size_t)index[i],
                         kind == LABEL_JOINT ? v->labels[i] : v->next[i],
                         v->features + i * k->width);
        }
        r->bank.known[index[i]] = 1;
    }
}

static void relabel(struct relabel *r, struct record *record)
{
    const int64_t *index = record_index(record, r->stage->header);
    struct view *joint = &r->views[LABEL_JOINT];
    check_once(r, record, index);
    bank_settle(&r->bank);
    joint->labels = take(r, record, joint->label, joint->labels);
    joint->features = take(r, record, joint->feature, joint->features);
    for (int kind = 0; kind < LABEL_JOINT; kind++) {
        struct view *v = &r->views[kind];
        if (!r->bank.kinds[kind].width)
            continue;
        v->features = take(r, record, v->feature, v->features);
        put_labels(r, record, index, kind);
        make_labels(r, record, kind);
    }
    put_samples(r, record, index);
}

/* What does not train has no such labels. */
static void on_record(struct stage *s, struct record *record)
{
    struct relabel *r = s->self;
    if (!s->header->train)
        return;
    if (record->train)
        relabel(r, record);
    for (int kind = 0; kind < LABEL_JOINT && !record->train; kind++)
        if (r->bank.kinds[kind].width)
            record_remove(record, r->views[kind].label);
}

/* --- checkpoints --- */

static void save(struct stage *s, struct control *c, value *state)
{
    bank_save(&((struct relabel *)s->self)->bank, c, state);
}

static void restore(struct stage *s, const value *state)
{
    bank_restore(&((struct relabel *)s->self)->bank, state);
}

static void run(struct msa *m)
{
    static const struct stage_ops ops = {.header = on_header,
                                         .record = on_record,
                                         .settings = "limit",
                                         .identifies = true,
                                         .save = save,
                                         .restore = restore};
    struct relabel *r = msa_alloc(m, sizeof *r);
    r->m = m;
    r->settings = m->settings;
    stage_run(m, &ops, r);
}

static const struct example examples[] = {
    {"... | msa-fuse concat -p fuse.safetensors | msa-predict --each 32 -p predict.safetensors | "
     "msa-relabel | msa-loss --tasks msr,each | msa-backprop",
     "modalities learn labels of their own, which the training makes"},
    {0},
};

static const struct program program = {
    .name = "msa-relabel",
    .summary = "make labels of single modalities in training",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-predict(1), msa-loss(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
