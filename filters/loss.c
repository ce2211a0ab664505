/* msa-loss: the task losses (msa-model(7), Losses), and in training each task's gradient.
 *
 * Forward only, and easily replaced: for task K and tensor NAME it writes NAME@K, the gradient of
 * K's loss by NAME; msa-backprop weights and adds them. */
#include "common/dataset/tensor_names.h"
#include "common/metrics/metrics.h"
#include "common/nn/device.h"
#include "common/nn/ops/ops.h"
#include "common/run/option.h"
#include "common/stage/stage.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum task { MSR, MSC, UNI, CL, TASKS };
static const char *const task_names[TASKS] = {"msr", "msc", "uni", "cl"};

struct settings {
    const char *tasks, *weights;
    int contrast, regression;
    double tau_m, phi;
};

/* A tensor of the record that a task's loss depends on. */
struct operand {
    const char *name;
    struct var *var;
    struct host_copy gradient; /* until the frame is written */
};

struct loss {
    struct msa *m;
    const struct settings *settings;
    struct stage *stage;
    struct device *device;
    struct tape tape;
    struct record *record;
    bool computed[TASKS];
    double weights[TASKS];
    enum family family;
    int classes;              /* width of logits */
    struct features features; /* that arrive, in their order */
    struct operand operands[TASKS][FEATURES];
    int operand_count; /* of the task at hand */
    struct host_copy number[TASKS];
};

#define DEFAULT_WEIGHTS "msr=1,msc=1,uni=.5,cl=.5"
#define FIELD(name)     offsetof(struct settings, name)
static const struct option options[] = {
    {0, "tasks", "LIST", OPTION_TEXT, FIELD(tasks), "msr,msc,uni,cl", 0, 0,
     "tasks to compute: msr (regression), msc (classification), uni (each feature by itself), cl "
     "(contrast)"},
    {0, "regression", "smoothl1|mse|l1", OPTION_CHOICE, FIELD(regression), "smoothl1", 0, 0,
     "loss of msr and uni"},
    {0, "phi", "X", OPTION_REAL, FIELD(phi), "1", 1e-9, 1e9,
     "where smooth L1 turns from square to linear"},
    {0, "contrast", "mntx|ntxent|ntxent-pml", OPTION_CHOICE, FIELD(contrast), "mntx", 0, 0,
     "loss of cl: Multi NT-Xent, NT-Xent, or ConFEDE's"},
    {0, "tau-m", "X", OPTION_REAL, FIELD(tau_m), "0.5", 1e-6, 1e6, "temperature of cl"},
    {0, "weights", "LIST", OPTION_TEXT, FIELD(weights), DEFAULT_WEIGHTS, 0, 0,
     "weights of the tasks; a weigher after it replaces those that it adjusts; a task not named "
     "keeps its default"},
    {0},
};
#undef FIELD

/* --- header --- */

static void set_weight(struct msa *m, void *closure, const char *key, const char *text)
{
    struct loss *l = closure;
    option_subset(m, "weights", key, task_names, TASKS);
    for (int k = 0; k < TASKS; k++)
        if (strcmp(key, task_names[k]) == 0)
            l->weights[k] = option_real(m, "weights", text, 0, 1e9);
}

/* A tensor that must arrive as float32 of that rank. */
static const struct schema_entry *arrives(const struct loss *l, const char *name, int rank)
{
    return schema_floats(l->m, &l->stage->header->schema, name, rank);
}

static int similarities(const struct loss *l)
{
    int count = 0;
    while (count < l->features.count && l->features.names[count][0] == 's')
        count++;
    return count;
}

/* Without labels there is nothing to learn; an evaluation goes on with what needs none. */
static void check_labels(struct loss *l)
{
    if (arrives(l, "label", 1))
        return;
    if (l->stage->header->train)
        msa_fail(l->m, MSA_FAILED, "no labels arrive: there is nothing to learn from");
    msa_warn(l->m, "no labels arrive: the tasks msr, msc and uni are left out");
    l->computed[MSR] = l->computed[MSC] = l->computed[UNI] = false;
}

/* Every task needs its tensors; CL alone is left out, with a warning, where there is no positive
 * pair. */
static void check_tasks(struct loss *l)
{
    static const char *const needs[] = {[MSR] = "y", [MSC] = "logits", [UNI] = "u"};
    static const int ranks[] = {[MSR] = 1, [MSC] = 2, [UNI] = 2};
    for (int k = 0; k < TASKS; k++)
        l->computed[k] = option_names(l->settings->tasks, task_names[k]);
    check_labels(l);
    for (int k = MSR; k <= UNI; k++)
        if (l->computed[k] && !arrives(l, needs[k], ranks[k]))
            msa_fail(l->m, MSA_FAILED, "task %s: no '%s' arrives (does msa-predict stand before?)",
                     task_names[k], needs[k]);
    if (l->computed[CL] && similarities(l) < 2) {
        msa_warn(l->m, "task cl is left out: a positive pair needs two modalities");
        l->computed[CL] = false;
    }
}

static void check_classes(struct loss *l)
{
    const struct header *h = l->stage->header;
    const struct schema_entry *logits = schema_find(&h->schema, "logits");
    if (!l->computed[MSC])
        return;
    l->family = family_named(l->m, h->family);
    size_t classes = logits->shape[1];
    l->classes = classes < INT_MAX ? (int)classes : 0;
    if (label_class(0, l->classes, l->family) < 0)
        msa_fail(l->m, MSA_FAILED, "task msc: %zu classes, but family %s has %s", classes,
                 family_names[l->family], l->family == FAMILY_SIMS ? "2, 3 or 5" : "2, 3, 5 or 7");
}

/* u has a column for each feature. */
static void check_columns(struct loss *l)
{
    const struct schema_entry *u = schema_find(&l->stage->header->schema, "u");
    if (l->computed[UNI] && u->shape[1] != (size_t)l->features.count)
        msa_fail(l->m, MSA_CORRUPT,
                 "header: 'u' has %zu columns but there are %d features s_*, d_*", u->shape[1],
                 l->features.count);
}

static void on_header(struct stage *s)
{
    struct loss *l = s->self;
    struct header *h = s->header;
    l->stage = s;
    l->features = features_find(l->m, &h->schema);
    check_tasks(l);
    check_classes(l);
    check_columns(l);
    l->device = device_of_run(l->m);
    l->tape = tape_new(l->m, l->device, h->seed);
}

/* --- one task --- */

static struct var *operand(struct loss *l, enum task task, const char *name)
{
    const struct schema_entry *entry = schema_find(&l->stage->header->schema, name);
    struct operand *o = &l->operands[task][l->operand_count++];
    o->name = name;
    o->var = tape_input(&l->tape, record_promised(l->record, entry), entry->gradient);
    return o->var;
}

/* A label of the batch, float32 [B]; a modality without one takes the joint label. */
static const float *label_of(struct loss *l, int label)
{
    char name[TENSOR_NAME + 1];
    const struct schema_entry *entry = arrives(l, name_label(name, label), 1);
    if (!entry)
        return label_of(l, LABEL_JOINT);
    const struct tensor *t = record_promised(l->record, entry);
    for (size_t i = 0; i < t->count; i++)
        if (!isfinite(tensor_value(t, i)))
            frame_fail(l->m, &l->record->frame, name, "sample %zu is %g but expected a number", i,
                       tensor_value(t, i));
    return t->data;
}

/* A host array of 4-byte numbers on the device, for this step. */
static void *upload(struct loss *l, const void *host, size_t count)
{
    return tape_upload(&l->tape, host, count * 4);
}

static struct var *task_msr(struct loss *l)
{
    struct var *y = operand(l, MSR, "y");
    return op_regression(&l->tape, y, upload(l, label_of(l, LABEL_JOINT), y->count),
                         (enum regression)l->settings->regression, (float)l->settings->phi);
}

static struct var *task_msc(struct loss *l)
{
    struct var *logits = operand(l, MSC, "logits");
    size_t batch = logits->shape[0];
    int32_t *class_of = arena_take(&l->tape.nodes, batch * sizeof *class_of);
    const float *label = label_of(l, LABEL_JOINT);
    for (size_t i = 0; i < batch; i++) {
        float one;
        memcpy(&one, label + i, sizeof one);
        class_of[i] = label_class(one, l->classes, l->family);
    }
    return op_cross_entropy(&l->tape, logits, upload(l, class_of, batch));
}

/* Similarity features predict the joint label, dissimilarity features their own modality's. */
static struct var *task_uni(struct loss *l)
{
    struct var *u = operand(l, UNI, "u");
    size_t batch = u->shape[0], columns = u->shape[1];
    float *target = arena_take(&l->tape.nodes, u->count * sizeof *target);
    for (size_t j = 0; j < columns; j++) {
        const float *label = label_of(l, feature_label(l->features.which[j]));
        for (size_t i = 0; i < batch; i++)
            memcpy(&target[i * columns + j], label + i, sizeof *target);
    }
    return op_regression(&l->tape, u, upload(l, target, u->count),
                         (enum regression)l->settings->regression, (float)l->settings->phi);
}

/* Anchor: the first similarity feature. Positives: with the other similarities; negatives: with all
 * dissimilarities. */
static struct var *task_cl(struct loss *l)
{
    struct var *all[FEATURES];
    for (int i = 0; i < l->features.count; i++)
        all[i] = operand(l, CL, l->features.names[i]);
    struct var *cosines = op_cosines(&l->tape, all[0], l->features.count - 1, all + 1);
    return op_contrast(&l->tape, cosines, (size_t)similarities(l) - 1,
                       (enum contrast)l->settings->contrast, (float)l->settings->tau_m);
}

/* Adds NAME@TASK for each operand that a gradient has reached. */
static void put_gradients(struct loss *l, enum task task)
{
    for (int i = 0; i < l->operand_count; i++) {
        struct operand *o = &l->operands[task][i];
        const float *grad = tape_gradient(o->var);
        char name[2 * TENSOR_NAME];
        if (!grad)
            continue;
        const float *host = tape_copy_out(&l->tape, &o->gradient, grad, o->var->count);
        snprintf(name, sizeof name, "%s@%s", o->name, task_names[task]);
        record_put(l->m, l->record, tensor_of(name, F4, host, o->var->rank, o->var->shape));
    }
}

/* Its loss, which is there after tape_wait. */
static const float *one_task(struct loss *l, enum task task)
{
    static struct var *(*const tasks[TASKS])(struct loss *) = {task_msr, task_msc, task_uni,
                                                               task_cl};
    l->operand_count = 0;
    tape_reset(&l->tape, l->record->train, (uint32_t)l->record->step);
    struct var *loss = tasks[task](l);
    const float *number = tape_copy_out(&l->tape, &l->number[task], loss->data, 1);
    if (l->record->train) {
        tape_seed(&l->tape, loss, NULL);
        tape_backward(&l->tape);
        put_gradients(l, task);
    }
    return number;
}

static void on_record(struct stage *s, struct record *r)
{
    struct loss *l = s->self;
    value losses = value_map(), weights = value_map();
    const float *numbers[TASKS];
    l->record = r;
    for (int k = 0; k < TASKS; k++)
        numbers[k] = l->computed[k] ? one_task(l, (enum task)k) : NULL;
    tape_wait(&l->tape);
    for (int k = 0; k < TASKS; k++)
        if (numbers[k]) {
            double number = r->samples ? (double)*numbers[k] : 0; /* of none there is no mean */
            value_set(l->m, r->zone, &losses, task_names[k], value_of_real(number));
            value_set(l->m, r->zone, &weights, task_names[k], value_of_real(l->weights[k]));
        }
    value_set(l->m, r->zone, &r->map, "loss", losses);
    value_set(l->m, r->zone, &r->map, "weight", weights);
}

static void run(struct msa *m)
{
    static const struct stage_ops ops = {.header = on_header,
                                         .record = on_record,
                                         .settings = "tasks,regression,phi,contrast,tau-m,weights"};
    struct loss *l = msa_alloc(m, sizeof *l);
    l->m = m;
    l->settings = m->settings;
    option_subset(m, "tasks", l->settings->tasks, task_names, TASKS);
    option_pairs(m, "weights", DEFAULT_WEIGHTS, l, set_weight);
    option_pairs(m, "weights", l->settings->weights, l, set_weight);
    stage_run(m, &ops, l);
}

static const struct example examples[] = {
    {"... | msa-predict -p predict.safetensors | msa-loss | msa-gdwg | msa-metrics | msa-backprop",
     "the four tasks, weighted by msa-gdwg"},
    {"... | msa-loss --tasks msr,msc,uni | msa-backprop",
     "an ablation: without the contrastive task"},
    {"... | msa-loss --weights uni=.01,cl=.1 --regression mse | msa-backprop",
     "fixed weights, in a line without msa-gdwg"},
    {0},
};

static const struct program program = {
    .name = "msa-loss",
    .summary = "compute the losses of the tasks, and their gradients",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-predict(1), msa-gdwg(1), msa-backprop(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
