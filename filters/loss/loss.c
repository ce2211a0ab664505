/* A stage that computes the losses of the tasks in its program's table, their gradients, and what
 * tasks share. */
#include "filters/loss/loss.h"
#include "common/dataset/tensor_names.h"
#include "common/nn/device.h"
#include "common/stream/resume.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct loss_settings, name)
const struct option loss_options[] = {
    {0, "tasks", "LIST", OPTION_TEXT, FIELD(tasks), "msr,msc,uni,cl", 0, 0,
     .help = "tasks to compute"},
    {0, "regression", "smoothl1|mse|l1", OPTION_CHOICE, FIELD(regression), "smoothl1", 0, 0,
     .help = "loss of a regression"},
    {0, "phi", "X", OPTION_REAL, FIELD(phi), "1", 1e-9, 1e9,
     .help = "where smooth L1 turns from square to linear"},
    {0, "weights", "LIST", OPTION_TEXT, FIELD(weights), NULL, 0, 0,
     .help = "weights of tasks, msr=2,cl=.1; a task not named keeps its own; a weigher after it "
             "replaces those that it adjusts"},
    {0},
};
#undef FIELD

/* --- what tasks share --- */

const void *loss_settings(const struct loss *l)
{
    return variant_settings(l->m, &l->part->task->is);
}

const struct schema_entry *loss_arrives(const struct loss *l, const char *name, int rank)
{
    return schema_floats(l->m, &l->stage->header->schema, name, rank);
}

const struct schema_entry *loss_needs(const struct loss *l, const char *name, int rank)
{
    const struct schema_entry *entry = loss_arrives(l, name, rank);
    if (!entry)
        msa_fail(l->m, MSA_FAILED, "task %s: no '%s' arrives (does msa-predict stand before?)",
                 l->part->name, name);
    return entry;
}

struct var *loss_operand(struct loss *l, const char *name)
{
    const struct schema_entry *entry = schema_find(&l->stage->header->schema, name);
    struct loss_part *p = l->part;
    for (int i = 0; i < p->operand_count; i++)
        if (strcmp(p->operands[i].name, name) == 0)
            return p->operands[i].var;
    if (p->operand_count == LOSS_OPERANDS)
        msa_fail(l->m, MSA_FAILED, "task %s: '%s': a loss depends on at most %d tensors", p->name,
                 name, LOSS_OPERANDS);
    struct operand *o = &p->operands[p->operand_count++];
    o->name = name;
    o->var = tape_input(&l->tape, record_promised(l->record, entry), entry->gradient);
    return o->var;
}

const float *loss_numbers(struct loss *l, const char *name)
{
    const struct tensor *t = record_promised(l->record, loss_arrives(l, name, 1));
    for (size_t i = 0; i < t->count; i++)
        if (!isfinite(tensor_value(t, i)))
            frame_fail(l->m, &l->record->frame, name, "sample %zu is %g but expected a number", i,
                       tensor_value(t, i));
    return t->data;
}

const float *loss_label(struct loss *l, int label)
{
    char name[TENSOR_NAME + 1];
    if (!loss_arrives(l, name_label(name, label), 1))
        loss_needs(l, name_label(name, LABEL_JOINT), 1);
    return loss_numbers(l, name);
}

void *loss_upload(struct loss *l, const void *host, size_t count)
{
    return tape_upload(&l->tape, host, count * 4);
}

/* --- which tasks --- */

/* NAME_MODALITY, or NAME. */
static const char *part_name(struct msa *m, const struct task *task, int modality)
{
    return modality < 0 ? task->is.name
                        : msa_format(m, "%s_%s", task->is.name, modality_names[modality]);
}

/* Are all of them names of tasks, or of parts? */
static void check_names(struct loss *l, const char *option, const char *list)
{
    const char *names[LOSS_TASKS + VARIANTS_MOST];
    int count = 0;
    for (const struct variant *const *v = l->m->of->variants; *v; v++) {
        const struct task *task = (const struct task *)*v;
        for (int i = -1; i < (task->by_modality ? MODALITIES : 0); i++)
            names[count++] = part_name(l->m, task, i);
    }
    option_subset(l->m, option, list, names, count);
}

static bool is_called(const struct loss_part *p, const char *name)
{
    return strcmp(p->name, name) == 0 || strcmp(p->task->is.name, name) == 0;
}

static void set_weight(struct msa *m, void *closure, const char *key, const char *text)
{
    struct loss *l = closure;
    check_names(l, "weights", key);
    double weight = option_real(m, "weights", text, 0, 1e9);
    for (int i = 0; i < l->count; i++)
        if (is_called(&l->parts[i], key))
            l->parts[i].weight = weight;
}

static void take_task(struct loss *l, const struct task *task)
{
    const char *list = l->settings->tasks;
    for (int i = -1; i < MODALITIES; i++) {
        const char *name = part_name(l->m, task, i);
        bool named = option_names(list, name);
        if (task->by_modality == (i >= 0) && (named || option_names(list, task->is.name)))
            l->parts[l->count++] = (struct loss_part){.task = task,
                                                      .name = name,
                                                      .modality = i,
                                                      .named = named,
                                                      .self = msa_alloc(l->m, task->size)};
    }
}

static void take_tasks(struct loss *l)
{
    check_names(l, "tasks", l->settings->tasks);
    for (const struct variant *const *v = l->m->of->variants; *v; v++)
        take_task(l, (const struct task *)*v);
}

/* The tasks' own weights first, and what is given over them. */
static void take_weights(struct loss *l)
{
    const char *own = "";
    for (int i = 0; i < l->count; i++)
        own = msa_format(l->m, "%s%s%s=%s", own, i ? "," : "", l->parts[i].name,
                         l->parts[i].task->weight);
    option_pairs(l->m, "weights", own, l, set_weight);
    if (l->settings->weights)
        option_pairs(l->m, "weights", l->settings->weights, l, set_weight);
    else
        l->settings->weights = own;
}

static void check_options(struct loss *l)
{
    const struct variant *chosen[LOSS_TASKS];
    for (int i = 0; i < l->count; i++)
        chosen[i] = &l->parts[i].task->is;
    options_check_taken(l->m, chosen, l->count);
}

/* Without labels there is nothing to learn; an evaluation goes on with what needs none. */
static bool labelled(struct loss *l)
{
    const char *left_out = "";
    for (int i = 0; i < l->count; i++)
        if (l->parts[i].task->labels)
            left_out = msa_join(l->m, left_out, ", ", l->parts[i].name);
    if (!*left_out || loss_arrives(l, "label", 1))
        return true;
    if (l->stage->header->train)
        msa_fail(l->m, MSA_FAILED, "no labels arrive: there is nothing to learn from");
    msa_warn(l->m, "no labels arrive: left out are %s", left_out);
    return false;
}

/* By the name of a task by modality none of its parts need be there, but one must. */
static void check_any(struct loss *l, const struct task *task)
{
    bool any = !task->by_modality;
    for (int i = 0; i < l->count; i++)
        any = any || (l->parts[i].task == task && l->parts[i].computed);
    if (!any)
        msa_fail(l->m, MSA_FAILED, "task %s: nothing arrives that it reads, %s", task->is.name,
                 task->is.reads);
}

static void begin_tasks(struct loss *l)
{
    bool all = labelled(l);
    for (int i = 0; i < l->count; i++) {
        struct loss_part *p = l->part = &l->parts[i];
        p->computed = (all || !p->task->labels) && p->task->begin(l, p->self);
    }
    for (int i = 0; i < l->count && all; i++)
        check_any(l, l->parts[i].task);
}

/* Columns of logs are called by these. */
static void put_tasks(struct loss *l, struct header *h)
{
    value names = value_array();
    for (int i = 0; i < l->count; i++)
        if (l->parts[i].computed)
            value_push(l->m, h->zone, &names, value_str(l->m, h->zone, l->parts[i].name));
    value_set(l->m, h->zone, &h->map, "tasks", names);
}

static void on_header(struct stage *s)
{
    struct loss *l = s->self;
    struct header *h = s->header;
    l->stage = s;
    begin_tasks(l);
    put_tasks(l, h);
    l->tape = tape_new(l->m, device_of_run(l->m), h->seed);
}

/* --- one task --- */

/* Adds NAME@TASK for each operand that a gradient has reached. */
static void put_gradients(struct loss *l)
{
    for (int i = 0; i < l->part->operand_count; i++) {
        struct operand *o = &l->part->operands[i];
        const float *grad = tape_gradient(o->var);
        char name[TENSOR_NAME + 1];
        if (!grad)
            continue;
        const float *host = tape_copy_out(&l->tape, &o->gradient, grad, o->var->count);
        if ((size_t)snprintf(name, sizeof name, "%s@%s", o->name, l->part->name) >= sizeof name)
            msa_fail(l->m, MSA_FAILED, "tensor '%s@%s': its name is longer than %d bytes", o->name,
                     l->part->name, TENSOR_NAME);
        record_put(l->m, l->record, tensor_of(name, F4, host, o->var->rank, o->var->shape));
    }
}

/* Its loss, which is there after tape_wait; NULL: the record has none. */
static const float *one_task(struct loss *l, struct loss_part *p)
{
    l->part = p;
    p->operand_count = 0;
    tape_reset(&l->tape, l->record->train, (uint32_t)l->record->step);
    struct var *loss = p->task->compute(l, p->self);
    if (!loss)
        return NULL;
    const float *number = tape_copy_out(&l->tape, &p->number, loss->data, 1);
    if (l->record->train) {
        tape_seed(&l->tape, loss, NULL);
        tape_backward(&l->tape);
        put_gradients(l);
    }
    return number;
}

static void on_record(struct stage *s, struct record *r)
{
    struct loss *l = s->self;
    value losses = value_map(), weights = value_map();
    const float *numbers[LOSS_TASKS] = {NULL};
    l->record = r;
    for (int i = 0; i < l->count; i++)
        numbers[i] = l->parts[i].computed ? one_task(l, &l->parts[i]) : NULL;
    tape_wait(&l->tape);
    for (int i = 0; i < l->count; i++)
        if (numbers[i]) {
            const char *name = l->parts[i].name;
            double number = r->samples ? (double)*numbers[i] : 0; /* of none there is no mean */
            value_set(l->m, r->zone, &losses, name, value_of_real(number));
            value_set(l->m, r->zone, &weights, name, value_of_real(l->parts[i].weight));
        }
    value_set(l->m, r->zone, &r->map, "loss", losses);
    value_set(l->m, r->zone, &r->map, "weight", weights);
}

/* --- its state: what tasks keep --- */

static void on_save(struct stage *s, struct control *c, value *state)
{
    struct loss *l = s->self;
    for (int i = 0; i < l->count; i++) {
        struct loss_part *p = l->part = &l->parts[i];
        value one = value_map();
        if (!p->computed || !p->task->save)
            continue;
        p->task->save(l, p->self, c, &one);
        control_add_own(l->m, c, state, p->name, one);
    }
}

static void on_restore(struct stage *s, const value *state)
{
    struct loss *l = s->self;
    for (int i = 0; i < l->count; i++) {
        struct loss_part *p = l->part = &l->parts[i];
        if (p->computed && p->task->restore)
            p->task->restore(l, p->self, resume_own(l->m, state, p->name));
    }
}

void loss_run(struct msa *m)
{
    static const struct stage_ops ops = {.header = on_header,
                                         .record = on_record,
                                         .settings = "tasks,regression,phi,weights",
                                         .save = on_save,
                                         .restore = on_restore};
    struct loss *l = msa_alloc(m, sizeof *l);
    l->m = m;
    l->settings = m->settings;
    take_tasks(l);
    take_weights(l);
    check_options(l);
    stage_run(m, &ops, l);
}
