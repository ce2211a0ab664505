/* What all trainable stages share. */
#include "common/stage/trainable.h"
#include "common/nn/device.h"
#include "common/stage/parameter_files.h"
#include "common/stream/resume.h"
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct trainable_settings, name)
const struct option trainable_options[] = {
    {'p', "params", "FILE", OPTION_PARAMETERS, FIELD(params), NULL, 0, 0,
     "parameters: written in training (the best checkpoint as FILE, the last two as FILE.N with "
     "the optimizer's state), read in evaluation"},
    {0, "init", "FILE", OPTION_READS_LIST, FIELD(init), NULL, 0, 0,
     "initial values by name; repeatable, the last one wins; what no file gives is drawn from the "
     "seed"},
    {'f', "force", NULL, OPTION_FLAG, FIELD(force), NULL, 0, 0,
     "train even if the parameter file exists already, and replace it"},
    {0, "freeze", "GLOB[@N]", OPTION_LIST, FIELD(freeze), NULL, 0, 0,
     "do not train parameters whose names match this shell pattern, or with GLOB@N not for the "
     "first N epochs; repeatable"},
    {0, "lr-scale", "X", OPTION_REAL, FIELD(lr_scale), "1", 0, 1e6,
     "multiply the learning rate of the line by X in this stage"},
    {0},
};
#undef FIELD

const struct schema_entry *trainable_arrives(const struct trainable *t, const char *name)
{
    return schema_find(&t->arrived, name);
}

static bool training(const struct trainable *t)
{
    return t->stage->header->train;
}

/* --- header --- */

static void begin_training(struct trainable *t)
{
    const struct trainable_settings *set = t->settings;
    const char *frozen = "";
    checkpoints_claim(t);
    for (int i = 0; i < set->freeze.count; i++)
        frozen = msa_format(t->m, "%s%s%s", frozen, i ? " " : "", set->freeze.values[i]);
    trainable_note(t, "family", t->stage->header->family);
    trainable_note(t, "device", t->device->name);
    trainable_note(t, "threads", msa_format(t->m, "%d", t->device->threads));
    trainable_note(t, "freeze", frozen);
    trainable_note(t, "lr-scale", msa_format(t->m, "%g", set->lr_scale));
}

static void on_header(struct stage *s)
{
    struct trainable *t = s->self;
    t->stage = s;
    t->arrived = s->header->schema;
    t->device = device_of_run(t->m);
    t->params = params_new(t->m, t->device, s->header->seed, &t->settings->freeze);
    t->params.fixed = !training(t);
    t->tape = tape_new(t->m, t->device, s->header->seed);
    parameter_files_open(t);
    if (training(t))
        begin_training(t);
    t->model->build(t);
    params_check_frozen(&t->params);
    params_gradients(&t->params);
    if (training(t))
        checkpoints_begin(t);
    else if (!t->params.source_count)
        msa_fail(t->m, MSA_USAGE, "evaluation needs -p FILE, the parameters");
    if (!training(t) || resume_checkpoint(s->header) < 1) /* else they come from a checkpoint */
        params_warn(&t->params);
}

void trainable_declare(struct trainable *t, const char *name, int rank, const size_t *shape)
{
    bool gradient = training(t) && params_trained(&t->params);
    for (int i = 0; i < t->arrived.count; i++)
        gradient = gradient || t->arrived.entries[i].gradient;
    schema_add(t->m, &t->stage->header->schema, name, F4, rank, shape, gradient);
}

void trainable_drop(struct trainable *t, const char *name)
{
    if (t->record)
        record_remove(t->record, name);
    else
        schema_remove(&t->stage->header->schema, name);
}

/* --- records and gradients --- */

struct var *trainable_input(struct trainable *t, const char *name)
{
    const struct schema_entry *entry = trainable_arrives(t, name);
    const struct tensor *host = record_promised(t->record, entry);
    struct trainable_end *end = &t->inputs[t->input_count++];
    memcpy(end->name, host->name, sizeof end->name);
    end->var = tape_input(&t->tape, host, entry->gradient);
    return end->var;
}

/* The end's data or gradient as a tensor of a frame. */
static struct tensor host_tensor(struct trainable *t, struct trainable_end *end, const float *from)
{
    const float *host = tape_copy_out(&t->tape, &end->host, from, end->var->count);
    return tensor_of(end->name, F4, host, end->var->rank, end->var->shape);
}

void trainable_initial(struct trainable *t, struct safetensors *file)
{
    params_source(&t->params, file, true);
}

const struct tensor *trainable_promised(const struct trainable *t, const char *name)
{
    return record_promised(t->record, trainable_arrives(t, name));
}

void trainable_output(struct trainable *t, const char *name, struct var *var)
{
    struct trainable_end *end = &t->outputs[t->output_count++];
    snprintf(end->name, sizeof end->name, "%s", name);
    end->var = var;
    record_put(t->m, t->record, host_tensor(t, end, var->data));
}

static void on_record(struct stage *s, struct record *r)
{
    struct trainable *t = s->self;
    t->record = r;
    t->input_count = t->output_count = 0;
    if (r->train && training(t))
        params_epoch(&t->params, (long)r->epoch);
    tape_reset(&t->tape, r->train && training(t), (uint32_t)r->step);
    t->model->forward(t);
    tape_wait(&t->tape);
}

/* A gradient that has arrived, of the shape it must have. */
static void seed(struct trainable *t, struct record *g, const struct trainable_end *end)
{
    const struct tensor *host = record_find(g, end->name);
    char found[128], expected[128];
    if (!host)
        return;
    if (host->dtype != F4 ||
        !tensor_same_shape(host->rank, host->shape, end->var->rank, end->var->shape))
        frame_fail(t->m, &g->frame, end->name, "%s %s but expected <f4 %s",
                   dtype_names[host->dtype], tensor_shape_text(found, host->rank, host->shape),
                   tensor_shape_text(expected, end->var->rank, end->var->shape));
    tape_seed(&t->tape, end->var, host->data);
}

/* Takes the gradients of what was produced, adds those of what was consumed. */
static void on_gradient(struct stage *s, struct record *g)
{
    struct trainable *t = s->self;
    params_zero_gradients(&t->params);
    for (int i = 0; i < t->input_count; i++)
        if (t->inputs[i].var->wants)
            seed(t, g, &t->inputs[i]);
    for (int i = 0; i < t->output_count; i++) {
        if (t->outputs[i].var->wants)
            seed(t, g, &t->outputs[i]);
        record_remove(g, t->outputs[i].name);
    }
    tape_backward(&t->tape);
    for (int i = 0; i < t->input_count; i++) {
        struct trainable_end *end = &t->inputs[i];
        const float *grad = tape_gradient(end->var);
        if (end->var->wants && grad)
            record_put(t->m, g, host_tensor(t, end, grad));
    }
    tape_wait(&t->tape);
}

static void on_update(struct stage *s, const struct record *g)
{
    struct trainable *t = s->self;
    struct optimizer o = optimizer_hear(t->m, g);
    o.lr *= t->settings->lr_scale;
    params_update(&t->params, &o);
}

static void on_stands(struct stage *s)
{
    checkpoints_replace(s->self);
}

/* What has once become NaN does not recover: the end of the line is told, and ends the training
 * before this checkpoint replaces anything. */
static void on_control(struct stage *s, struct control *c)
{
    struct trainable *t = s->self;
    if (training(t) && !params_finite(&t->params))
        value_set(t->m, c->zone, &c->map, "finite", value_of_bool(false));
}

static void on_save(struct stage *s, struct control *c, value *state)
{
    struct trainable *t = s->self;
    checkpoints_save(t, c, state);
    if (!t->model->save)
        return;
    value own = value_map();
    t->model->save(t, c, &own);
    value_set(t->m, c->zone, state, "own", own);
}

static void on_restore(struct stage *s, const value *state)
{
    struct trainable *t = s->self;
    checkpoints_restore(t, state);
    if (t->model->restore)
        t->model->restore(t, resume_map(t->m, state, "own"));
}

static void on_committed(struct stage *s)
{
    checkpoints_committed(s->self);
}

static void on_end(struct stage *s)
{
    checkpoints_look(s->self);
}

/* --- the stage --- */

void trainable_run(struct msa *m, const struct model *model, void *self)
{
    static const struct stage_ops ops = {.joins = true,
                                         .header = on_header,
                                         .stands = on_stands,
                                         .record = on_record,
                                         .gradient = on_gradient,
                                         .update = on_update,
                                         .control = on_control,
                                         .committed = on_committed,
                                         .end = on_end,
                                         .save = on_save,
                                         .restore = on_restore};
    struct trainable *t = msa_alloc(m, sizeof *t);
    *t = (struct trainable){.m = m, .settings = m->settings, .model = model, .self = self};
    stage_run(m, &ops, t);
}
