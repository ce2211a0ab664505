/* What all trainable stages share. */
#include "common/stage/trainable.h"
#include "common/nn/device.h"
#include "common/stage/parameter_files.h"
#include "common/stage/trainable_frames.h"
#include "common/stage/trainable_lengths.h"
#include "common/stream/resume.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

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
    if (set->params)
        checkpoints_claim(t);
    for (int i = 0; i < set->freeze.count; i++)
        frozen = msa_join(t->m, frozen, " ", set->freeze.values[i]);
    trainable_note(t, "family", t->stage->header->family);
    trainable_note(t, "device", t->device->name);
    trainable_note(t, "threads", msa_format(t->m, "%d", t->device->threads));
    trainable_note(t, "freeze", frozen);
    trainable_note(t, "lr-scale", shares_text(t->m, &t->params.rates));
    if (set->decay)
        trainable_note(t, "decay", shares_text(t->m, &t->params.decays));
}

/* --- what is at work --- */

struct part *trainable_part(struct trainable *t, const struct model *model, int modality)
{
    assert(t->part_count < TRAINABLE_PARTS);
    struct part *p = &t->parts[t->part_count++];
    *p = (struct part){.t = t,
                       .model = model,
                       .settings = variant_settings(t->m, &model->is),
                       .self = msa_alloc(t->m, model->size),
                       .modality = modality};
    return p;
}

void trainable_check_options(struct trainable *t)
{
    const struct variant *chosen[MODALITIES] = {NULL};
    for (int i = 0; i < t->part_count; i++)
        chosen[t->parts[i].modality < 0 ? 0 : t->parts[i].modality] = &t->parts[i].model->is;
    options_check_taken(t->m, chosen, MODALITIES);
}

void trainable_choose(struct trainable *t, const struct variant *given)
{
    const struct program *of = t->m->of;
    const char *option = of->chosen_by,
               *noted = t->given ? trainable_initial_note(t, option) : NULL;
    const struct variant *kept = noted   ? variant_named(t->m, noted)
                                 : given ? given
                                         : of->variants[0];
    if (!kept)
        msa_fail(t->m, MSA_CORRUPT, "the parameters' note '%s' is '%.32s', which is not known",
                 option, noted);
    if (t->given && given && given != kept)
        msa_fail(t->m, MSA_USAGE, "%s%s given but %s has %s",
                 of->by_operand ? "" : msa_format(t->m, "--%s: ", option), given->name,
                 t->given->path, kept->name);
    const struct variant *v = given ? given : kept;
    trainable_note(t, option, v->name);
    trainable_part(t, (const struct model *)v, -1);
    trainable_check_options(t);
}

/* --- what goes in and comes out --- */

static struct trainable_end *find_end(struct trainable_end *ends, int count, const char *name)
{
    int i = 0;
    while (i < count && strcmp(ends[i].name, name) != 0)
        i++;
    return i < count ? &ends[i] : NULL;
}

/* One that must have been declared. */
static struct trainable_end *end_of(struct trainable_end *ends, int count, const char *name)
{
    struct trainable_end *end = find_end(ends, count, name);
    assert(end);
    return end;
}

static struct trainable_end *add_end(struct trainable *t, struct trainable_end *ends, int *count,
                                     const char *name)
{
    if (*count == TRAINABLE_ENDS)
        msa_fail(t->m, MSA_FAILED, "tensor '%s': a stage uses at most %d of a record", name,
                 TRAINABLE_ENDS);
    struct trainable_end *end = &ends[(*count)++];
    snprintf(end->name, sizeof end->name, "%s", name);
    return end;
}

struct trainable_end *trainable_reads(struct trainable *t, const char *name)
{
    struct trainable_end *end = find_end(t->inputs, t->input_count, name);
    const struct schema_entry *entry = trainable_arrives(t, name);
    if (end && entry && entry->gradient &&
        t->part_count > 1) /* two lanes would write its gradient */
        msa_fail(t->m, MSA_FAILED, "tensor '%s': a gradient from two networks of a stage", name);
    return end ? end : add_end(t, t->inputs, &t->input_count, name);
}

void trainable_adds(struct trainable *t, const char *name, int rank, const size_t *shape)
{
    struct trainable_end *end = add_end(t, t->outputs, &t->output_count, name);
    if (rank > VAR_RANK)
        msa_fail(t->m, MSA_FAILED, "tensor '%s': rank %d but at most %d is possible", name, rank,
                 VAR_RANK);
    end->rank = rank;
    memcpy(end->shape, shape, (size_t)rank * sizeof *shape);
}

void trainable_columns(struct trainable *t, const char *name, char (*columns)[TENSOR_NAME + 1])
{
    end_of(t->outputs, t->output_count, name)->columns = columns;
}

void trainable_drop(struct trainable *t, const char *name)
{
    if (t->drop_count == TRAINABLE_ENDS)
        msa_fail(t->m, MSA_FAILED, "tensor '%s': a stage uses at most %d of a record", name,
                 TRAINABLE_ENDS);
    t->drops[t->drop_count++] = msa_strndup(t->m, name, strlen(name));
}

static void change_schema(struct trainable *t)
{
    struct schema *schema = &t->stage->header->schema;
    bool gradient = training(t) && params_trained(&t->params);
    for (int i = 0; i < t->arrived.count; i++)
        gradient = gradient || t->arrived.entries[i].gradient;
    for (int i = 0; i < t->drop_count; i++)
        schema_remove(schema, t->drops[i]);
    for (int i = 0; i < t->output_count; i++) {
        const struct trainable_end *end = &t->outputs[i];
        schema_add(t->m, schema, end->name, F4, end->rank, end->shape, gradient);
        schema_columns(schema, end->name, end->columns);
    }
}

static void on_header(struct stage *s)
{
    struct trainable *t = s->self;
    t->stage = s;
    t->arrived = s->header->schema;
    t->device = device_of_run(t->m);
    t->params = params_new(t->m, t->device, s->header->seed, &t->settings->freeze);
    t->params.fixed = !training(t);
    t->params.rates = t->rates;
    t->params.decays = t->decays;
    t->tape = tape_new(t->m, t->device, s->header->seed);
    parameter_files_open(t);
    if (training(t))
        begin_training(t);
    t->choose(t);
    for (int i = 0; i < t->part_count; i++) {
        t->params.modality = t->parts[i].modality;
        t->parts[i].model->build(&t->parts[i]);
    }
    trainable_check_frames(t);
    params_check_named(&t->params);
    params_gradients(&t->params);
    change_schema(t);
    parameter_files_check(t);
    if (training(t))
        checkpoints_begin(t);
    if (!training(t) || resume_checkpoint(s->header) < 1) /* else they come from a checkpoint */
        params_warn(&t->params);
    parameter_files_warn(t);
}

/* --- records and gradients --- */

static void read_inputs(struct trainable *t)
{
    for (int i = 0; i < t->input_count; i++) {
        struct trainable_end *end = &t->inputs[i];
        const struct schema_entry *entry = trainable_arrives(t, end->name);
        end->var = tape_input(&t->tape, record_promised(t->record, entry), entry->gradient);
    }
}

struct var *trainable_input(struct trainable *t, const char *name)
{
    return end_of(t->inputs, t->input_count, name)->var;
}

/* The end's data or gradient as a tensor of a frame. */
static struct tensor host_tensor(struct trainable *t, struct trainable_end *end, const float *from)
{
    const float *host = tape_copy_out(&t->tape, &end->host, from, end->var->count);
    return tensor_of(end->name, F4, host, end->var->rank, end->var->shape);
}

const struct tensor *trainable_promised(const struct trainable *t, const char *name)
{
    return record_promised(t->record, trainable_arrives(t, name));
}

void trainable_output(struct trainable *t, const char *name, struct var *var)
{
    end_of(t->outputs, t->output_count, name)->var = var;
}

_Static_assert((int)MODALITIES < (int)LANES, "a lane for each, beside the first");

/* Parts for different modalities are independent, so each has a lane. */
static void compute(struct trainable *t)
{
    for (int i = 0; i < t->part_count; i++) {
        struct part *p = &t->parts[i];
        tape_lane(&t->tape, 1 + (unsigned)p->modality);
        p->model->forward(p);
    }
    tape_lane(&t->tape, 0);
}

static void write_outputs(struct trainable *t)
{
    for (int i = 0; i < t->drop_count; i++)
        record_remove(t->record, t->drops[i]);
    for (int i = 0; i < t->output_count; i++)
        record_put(t->m, t->record, host_tensor(t, &t->outputs[i], t->outputs[i].var->data));
}

static void on_record(struct stage *s, struct record *r)
{
    struct trainable *t = s->self;
    t->record = r;
    if (r->train && training(t))
        params_epoch(&t->params, (long)r->epoch);
    tape_reset(&t->tape, r->train && training(t), (uint32_t)r->step);
    read_inputs(t);
    trainable_lengths_read(t);
    compute(t);
    write_outputs(t);
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
    params_ready_gradients(&t->params);
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

/* The key of its state. */
static const char *part_name(const struct part *p)
{
    return p->modality < 0 ? p->model->is.name : modality_names[p->modality];
}

static void on_save(struct stage *s, struct control *c, value *state)
{
    struct trainable *t = s->self;
    checkpoints_save(t, c, state);
    for (int i = 0; i < t->part_count; i++) {
        struct part *p = &t->parts[i];
        value one = value_map();
        if (!p->model->save)
            continue;
        p->model->save(p, c, &one);
        control_add_own(t->m, c, state, part_name(p), one);
    }
}

static void on_restore(struct stage *s, const value *state)
{
    struct trainable *t = s->self;
    checkpoints_restore(t, state);
    for (int i = 0; i < t->part_count; i++) {
        struct part *p = &t->parts[i];
        if (p->model->restore)
            p->model->restore(p, resume_own(t->m, state, part_name(p)));
    }
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

void trainable_run(struct msa *m, void (*choose)(struct trainable *t), void *self)
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
    const struct trainable_settings *set = m->settings;
    *t = (struct trainable){.m = m,
                            .settings = set,
                            .choose = choose,
                            .self = self,
                            .rates =
                                shares_parse(m, "lr-scale", set->lr_scale, MODALITY_KEYS, 0, 1e6),
                            .decays = shares_parse(m, "decay", set->decay, MODALITY_KEYS, 0, 1e3)};
    stage_run(m, &ops, t);
}

static void choose_one(struct trainable *t)
{
    trainable_choose(t, ((const struct trainable_one *)t->m->settings)->model);
}

void trainable_run_one(struct msa *m)
{
    trainable_run(m, choose_one, NULL);
}
