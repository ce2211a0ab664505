/* What all trainable stages share. */
#include "common/trainable.h"
#include "common/nn/device.h"
#include "common/nn/saves.h"
#include "common/stream/checkpoint.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct trainable_settings, name)
const struct option trainable_options[] = {
    {'p', "params", "FILE", OPTION_TEXT, FIELD(params), NULL, 0, 0,
     "parameters: written in training (the best checkpoint as FILE, the last two as FILE.N with "
     "the optimizer's state), read in evaluation"},
    {0, "init", "FILE", OPTION_LIST, FIELD(init), NULL, 0, 0,
     "initial values by name; repeatable, the last one wins; what no file gives is drawn from the "
     "seed"},
    {'f', "force", NULL, OPTION_FLAG, FIELD(force), NULL, 0, 0,
     "train even if the parameter file exists already, and replace it"},
    {0, "freeze", "GLOB", OPTION_LIST, FIELD(freeze), NULL, 0, 0,
     "do not train parameters whose names match this shell pattern; repeatable"},
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

/* --- what is kept with the parameters --- */

void trainable_note(struct trainable *t, const char *key, const char *text)
{
    int i = 0;
    while (i < t->note_count && strcmp(t->notes[i][0], key) != 0)
        i++;
    if (i == TRAINABLE_NOTES)
        msa_fail(t->m, MSA_FAILED, "more than %d notes on parameters", TRAINABLE_NOTES);
    t->note_count += i == t->note_count;
    t->notes[i][0] = msa_strndup(t->m, key, strlen(key));
    t->notes[i][1] = msa_strndup(t->m, text, strlen(text));
}

const char *trainable_noted(const struct trainable *t, const char *key)
{
    return t->given ? safetensors_metadata(t->given, key) : NULL;
}

const struct safetensor *trainable_given(const struct trainable *t, const char *name)
{
    return t->given ? safetensors_find(t->given, name) : NULL;
}

/* A whole number of the file, from 1 to `most`. */
static long noted_int(struct trainable *t, const char *key, const char *text, long most)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*end || number < 1 || number > most)
        msa_fail(t->m, MSA_CORRUPT, "%s: '%s' is '%.32s' but expected a number from 1 to %ld",
                 t->given->path, key, text, most);
    return number;
}

long trainable_int(struct trainable *t, const char *key, long given, long initial, long most)
{
    const char *text = trainable_noted(t, key);
    long kept = text ? noted_int(t, key, text, most) : initial;
    if (text && given && kept != given)
        msa_fail(t->m, MSA_USAGE, "--%s: %ld given but %s has %ld", key, given, t->given->path,
                 kept);
    long result = given ? given : kept;
    trainable_note(t, key, msa_format(t->m, "%ld", result));
    return result;
}

/* --- files --- */

/* FILE and its checkpoints of an earlier training are in the way. Where a resumed training begins
 * again, for nothing was committed, its first checkpoint may be there. */
static void find_old(struct trainable *t)
{
    const char *path = t->settings->params;
    bool resumed = resume_checkpoint(t->stage->header) == 0;
    t->replaces = file_exists(path) || saves_others(t->m, path, resumed);
    if (t->replaces && !t->settings->force)
        msa_fail(t->m, MSA_FAILED,
                 "'%s' (or a checkpoint of it) exists%s: -f trains anew and replaces it", path,
                 resumed ? ", and no commit to resume it from" : "");
    file_check(t->m, path);
}

/* The old files go when the whole line stands. */
static void clear_old(struct trainable *t)
{
    unlink(t->settings->params);
    saves_remove(t->m, t->settings->params);
    t->replaces = false;
}

/* Two stages that save into one file would each lose the other's parameters. */
static void claim(struct trainable *t)
{
    struct header *h = t->stage->header;
    const value *found = value_get(&h->map, "parameters");
    value files = found && found->type == MSGPACK_OBJECT_ARRAY ? *found : value_array();
    for (uint32_t i = 0; i < files.via.array.size; i++)
        if (value_equals(&files.via.array.ptr[i], t->settings->params))
            msa_fail(t->m, MSA_USAGE, "-p '%s' is the file of a stage before too",
                     t->settings->params);
    value_push(t->m, h->zone, &files, value_str(t->m, h->zone, t->settings->params));
    value_set(t->m, h->zone, &h->map, "parameters", files);
}

static void load_initial(struct trainable *t)
{
    for (int i = 0; i < t->settings->init.count; i++) {
        struct safetensors *file = safetensors_open(t->m, t->settings->init.values[i]);
        params_load(&t->params, file);
        safetensors_close(t->m, file);
    }
    if (t->given)
        params_load(&t->params, t->given);
    if (!training(t))
        params_require(&t->params, t->given ? t->given->path : "--init");
}

static void save(struct trainable *t, const char *path, long checkpoint, bool moments)
{
    const char *all[TRAINABLE_NOTES + 4][2];
    size_t count = 0;
    all[count][0] = "program", all[count++][1] = t->m->program;
    all[count][0] = "version", all[count++][1] = MSA_VERSION;
    all[count][0] = "checkpoint", all[count++][1] = msa_format(t->m, "%ld", checkpoint);
    all[count][0] = "seed";
    all[count++][1] = msa_format(t->m, "%llu", (unsigned long long)t->params.seed);
    for (int i = 0; i < t->note_count; i++, count++)
        memcpy(all[count], t->notes[i], sizeof all[count]);
    params_save(&t->params, path, moments, all, count);
}

/* The last checkpoint is safe everywhere: FILE if it is the best so far or nobody judges; what is
 * older than N-1 goes. */
static void on_committed(struct stage *s)
{
    struct trainable *t = s->self;
    const char *path = t->settings->params;
    if (t->best)
        save(t, path, t->checkpoint, false);
    saves_remove_one(t->m, path, t->checkpoint - 2);
}

/* FILE.N. */
static void on_checkpoint(struct stage *s, struct control *c)
{
    struct trainable *t = s->self;
    t->checkpoint = (long)value_int(&c->map, "checkpoint", 0);
    t->best = value_bool(&c->map, "best", true);
    if (t->checkpoint < 1)
        msa_fail(t->m, MSA_CORRUPT, "way back: a control without the number of its checkpoint");
    save(t, saves_path(t->m, t->settings->params, t->checkpoint), t->checkpoint, true);
}

/* --- a training that is resumed --- */

/* What tells where the numbers were computed, and not how. */
static bool of_machine(const char *key)
{
    return strcmp(key, "device") == 0 || strcmp(key, "threads") == 0;
}

static void compare_settings(struct trainable *t, const struct safetensors *file)
{
    for (int i = 0; i < t->note_count; i++) {
        const char *key = t->notes[i][0], *now = t->notes[i][1];
        const char *before = safetensors_metadata(file, key);
        if (before && strcmp(before, now) == 0)
            continue;
        if (!of_machine(key))
            msa_fail(t->m, MSA_USAGE, "%s was trained with %s %s, and not with %s", file->path, key,
                     before ? before : "unknown", now);
        msa_warn(t->m, "%s was trained with %s %s, and not with %s: the last bits may differ",
                 file->path, key, before ? before : "unknown", now);
    }
}

/* Goes on from checkpoint N, as committed; what was saved after it goes. */
static void restore(struct trainable *t, long n)
{
    struct safetensors *file = safetensors_open(t->m, saves_path(t->m, t->settings->params, n));
    compare_settings(t, file);
    params_restore(&t->params, file);
    safetensors_close(t->m, file);
    saves_remove_one(t->m, t->settings->params, n + 1);
    t->checkpoint = n;
    t->best = resume_best(t->stage->header);
    on_committed(t->stage);
}

static void load(struct trainable *t)
{
    long n = training(t) ? resume_checkpoint(t->stage->header) : 0;
    if (n > 0)
        restore(t, n);
    else
        load_initial(t);
}

/* Evaluation takes the family of a set without labels from the parameters, and warns when stages
 * were trained apart. */
static void compare_notes(struct trainable *t)
{
    struct header *h = t->stage->header;
    const char *family = trainable_noted(t, "family"),
               *checkpoint = trainable_noted(t, "checkpoint");
    if (!h->family[0] && family)
        snprintf(h->family, sizeof h->family, "%s", family);
    if (!checkpoint)
        return;
    long mine = strtol(checkpoint, NULL, 10);
    long others = (long)value_int(&h->map, "checkpoint", mine);
    if (mine != others)
        msa_warn(t->m, "%s is of checkpoint %ld but the stages before are of %ld", t->given->path,
                 mine, others);
    value_set(t->m, h->zone, &h->map, "checkpoint", value_of_int(mine));
}

/* --- the stage --- */

static void begin_training(struct trainable *t)
{
    const struct trainable_settings *set = t->settings;
    const char *frozen = "";
    if (!set->params)
        msa_fail(t->m, MSA_USAGE, "training needs -p FILE, where the parameters go");
    claim(t);
    file_claim(t->m, set->params);
    if (resume_checkpoint(t->stage->header) < 1)
        find_old(t);
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
    t->device = device_open(t->m, t->m->common.device, t->m->common.threads);
    t->params = params_new(t->m, t->device, s->header->seed, &t->settings->freeze);
    t->params.fixed = !training(t);
    t->tape = tape_new(t->m, t->device, s->header->seed);
    if (training(t)) {
        begin_training(t);
    } else if (t->settings->params) {
        t->given = safetensors_open(t->m, t->settings->params);
        compare_notes(t);
        t->params.given = t->settings->init.count ? NULL : t->given;
    } else if (t->settings->init.count == 0) {
        msa_fail(t->m, MSA_USAGE, "evaluation needs -p FILE, the parameters");
    }
    t->model->build(t);
    load(t);
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
    tape_reset(&t->tape, r->train && training(t), (uint32_t)r->step);
    t->model->forward(t);
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
}

static void on_update(struct stage *s, const struct record *g)
{
    struct trainable *t = s->self;
    struct optimizer o = optimizer_hear(t->m, g);
    o.lr *= t->settings->lr_scale;
    params_update(&t->params, &o);
    if (t->replaces)
        clear_old(t);
}

void trainable_run(struct msa *m, const struct model *model, void *self)
{
    static const struct stage_ops ops = {.joins = true,
                                         .header = on_header,
                                         .record = on_record,
                                         .gradient = on_gradient,
                                         .update = on_update,
                                         .checkpoint = on_checkpoint,
                                         .committed = on_committed};
    struct trainable *t = msa_alloc(m, sizeof *t);
    *t = (struct trainable){.m = m, .settings = m->settings, .model = model, .self = self};
    stage_run(m, &ops, t);
}
