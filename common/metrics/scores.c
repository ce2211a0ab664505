/* Gathering what is to be judged. */
#include "common/metrics/scores.h"
#include "common/stream/resume.h"
#include "common/stream/tensor_codec.h"
#include <stdio.h>
#include <string.h>

struct scores_split *scores_split(struct scores *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->splits[i].name, name) == 0)
            return &s->splits[i];
    if (s->count == SCORES_SPLITS)
        msa_fail(s->m, MSA_CORRUPT, "split '%s' is one more than the %d that can be judged", name,
                 SCORES_SPLITS);
    struct scores_split *p = &s->splits[s->count++];
    if (strlen(name) >= sizeof p->name)
        msa_fail(s->m, MSA_CORRUPT, "split '%.40s...': a name of more than %d bytes", name,
                 TENSOR_NAME);
    strcpy(p->name, name);
    return p;
}

void scores_add(struct scores *s, struct scores_split *p, float prediction, float label)
{
    if (p->samples == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 256;
        p->prediction = msa_realloc(s->m, p->prediction, p->capacity * sizeof *p->prediction);
        p->label = msa_realloc(s->m, p->label, p->capacity * sizeof *p->label);
    }
    p->prediction[p->samples] = prediction;
    p->label[p->samples++] = label;
}

struct outside scores_outside(const struct scores *s)
{
    struct outside found = {0};
    for (int i = 0; i < s->count; i++)
        for (size_t k = 0; k < s->splits[i].samples; k++)
            outside_add(&found, s->splits[i].label[k], family_range(s->family));
    return found;
}

/* A tensor [B] of the record, as the header promised it. */
static const struct tensor *vector(const struct scores *s, const struct schema *schema,
                                   const struct record *r, const char *name)
{
    return record_promised(r, schema_floats(s->m, schema, name, 1));
}

static void add_loss(struct scores_loss *loss, double number, size_t samples)
{
    loss->sum += number * (double)samples;
    loss->samples += (double)samples;
}

static struct scores_loss *loss_of(struct scores *s, struct scores_split *p, const struct record *r,
                                   const char *name)
{
    for (int i = 0; i < p->loss_count; i++)
        if (strcmp(p->losses[i].name, name) == 0)
            return &p->losses[i];
    tasks_check_loss(r, name);
    if (p->loss_count == SCORES_LOSSES)
        frame_fail(s->m, &r->frame, NULL, "loss '%s' is one more than the %d that can be judged",
                   name, SCORES_LOSSES);
    strcpy(p->losses[p->loss_count].name, name);
    return &p->losses[p->loss_count++];
}

static void add_losses(struct scores *s, struct scores_split *p, const struct record *r)
{
    const value *losses = value_get(&r->map, "loss");
    for (uint32_t i = 0; losses && i < losses->via.map.size; i++) {
        char name[BODY_KEY + 1];
        value_key(losses, i, name);
        add_loss(loss_of(s, p, r, name), value_real(losses, name, 0), r->samples);
    }
    if (losses)
        add_loss(&p->total, record_total_loss(r), r->samples);
}

struct scores_split *scores_add_record(struct scores *s, const struct schema *schema,
                                       const struct record *r)
{
    const struct tensor *y = vector(s, schema, r, "y");
    const struct tensor *label = s->labelled ? vector(s, schema, r, "label") : NULL;
    struct scores_split *p = scores_split(s, r->split[0] ? r->split : "all");
    for (size_t i = 0; i < y->count; i++)
        scores_add(s, p, (float)tensor_value(y, i), label ? (float)tensor_value(label, i) : 0);
    add_losses(s, p, r);
    p->epoch = r->epoch;
    p->train = r->train;
    return p;
}

void scores_judge(struct scores *s)
{
    for (int i = 0; i < s->count && s->labelled; i++) {
        struct scores_split *p = &s->splits[i];
        metrics_compute(p->metrics, p->prediction, p->label, p->samples, s->family);
    }
}

static bool warn_of(struct scores *s, const struct scores_split *p, const char *what,
                    const float *numbers)
{
    size_t count = metrics_nonfinite(numbers, p->samples);
    char epoch[40] = "";
    if (p->epoch)
        snprintf(epoch, sizeof epoch, "epoch %jd, ", (intmax_t)p->epoch);
    if (count)
        msa_warn(s->m, "%s%s: %zu of %zu %s are not finite%s", epoch, p->name, count, p->samples,
                 what, s->labelled ? ": all its metrics are nan" : "");
    return count > 0;
}

void scores_warn(struct scores *s, struct scores_split *p)
{
    if (p->warned)
        return;
    p->warned = warn_of(s, p, "predictions", p->prediction);
    p->warned |= warn_of(s, p, "labels", p->label);
}

void scores_forget(struct scores_split *p)
{
    p->samples = 0;
    for (int i = 0; i < p->loss_count; i++)
        p->losses[i].sum = p->losses[i].samples = 0;
    p->total.sum = p->total.samples = 0;
}

static bool mean(const struct scores_loss *loss, double *number)
{
    *number = loss->sum / loss->samples;
    return loss->samples > 0;
}

/* Which of the family's metrics it is; -1: none, or there are no labels to compute it of. */
static int metric_of(const struct scores *s, const char *key)
{
    const char *const *keys = metrics_keys(s->family);
    for (int i = 0; s->labelled && keys[i]; i++)
        if (strcmp(keys[i], key) == 0)
            return i;
    return -1;
}

bool scores_value(const struct scores *s, const struct scores_split *p, const char *key,
                  double *number)
{
    int metric = metric_of(s, key);
    if (metric >= 0) {
        *number = p->metrics[metric];
        return true;
    }
    for (int i = 0; i < p->loss_count; i++)
        if (strcmp(p->losses[i].name, key) == 0)
            return mean(&p->losses[i], number);
    return strcmp(key, "loss") == 0 && mean(&p->total, number);
}

void scores_check_key(const struct scores *s, const char *option, const char *key)
{
    char known[256] = "";
    double ignored;
    for (int i = 0; i < s->count; i++)
        if (scores_value(s, &s->splits[i], key, &ignored))
            return;
    if (!s->labelled)
        msa_fail(s->m, MSA_FAILED, "--%s: no labels arrive to judge '%s' against", option, key);
    for (const char *const *k = metrics_keys(s->family); *k; k++)
        snprintf(known + strlen(known), sizeof known - strlen(known), " %s", *k);
    msa_fail(s->m, MSA_USAGE, "--%s: '%s' is none of%s, and no loss of that name arrives", option,
             key, known);
}

bool scores_smaller_is_better(const struct scores *s, const char *key)
{
    return metric_of(s, key) < 0 || metrics_smaller_is_better(key);
}

/* --- into a checkpoint --- */

static value loss_state(const struct scores *s, msgpack_zone *zone, const struct scores_loss *loss)
{
    value v = value_map();
    value_set(s->m, zone, &v, "sum", value_of_real(loss->sum));
    value_set(s->m, zone, &v, "samples", value_of_real(loss->samples));
    return v;
}

static value split_state(const struct scores *s, msgpack_zone *zone, const struct scores_split *p)
{
    value v = value_map(), losses = value_map();
    for (int i = 0; i < p->loss_count; i++)
        value_set(s->m, zone, &losses, p->losses[i].name, loss_state(s, zone, &p->losses[i]));
    value_set(s->m, zone, &v, "train", value_of_bool(p->train));
    value_set(s->m, zone, &v, "epoch", value_of_int(p->epoch));
    value_set(s->m, zone, &v, "loss", losses);
    value_set(s->m, zone, &v, "total", loss_state(s, zone, &p->total));
    value_set(s->m, zone, &v, "prediction",
              value_of_floats(s->m, zone, "prediction", p->prediction, p->samples));
    value_set(s->m, zone, &v, "label", value_of_floats(s->m, zone, "label", p->label, p->samples));
    return v;
}

/* Of each split of which there are samples. */
void scores_save(const struct scores *s, struct control *c, value *state)
{
    value splits = value_map();
    for (int i = 0; i < s->count; i++)
        if (s->splits[i].samples)
            value_set(s->m, c->zone, &splits, s->splits[i].name,
                      split_state(s, c->zone, &s->splits[i]));
    value_set(s->m, c->zone, state, "splits", splits);
}

/* --- and out of it --- */

static void take_loss(struct msa *m, struct scores_loss *loss, const value *state)
{
    loss->sum = resume_number(m, state, "sum");
    loss->samples = resume_number(m, state, "samples");
}

static void take_split(struct scores *s, const char *name, const value *state)
{
    struct scores_split *p = scores_split(s, name);
    const value *losses = resume_map(s->m, state, "loss");
    struct tensor y = resume_tensor(s->m, state, "prediction", F4, RESUME_ANY);
    struct tensor label = resume_tensor(s->m, state, "label", F4, (long)y.count);
    uint32_t count = losses->via.map.size;
    if (count > SCORES_LOSSES)
        msa_fail(s->m, MSA_CORRUPT,
                 "header: the state to be resumed: split '%s' has %u losses but at most %d can be "
                 "judged",
                 name, (unsigned)count, SCORES_LOSSES);
    for (size_t i = 0; i < y.count; i++)
        scores_add(s, p, (float)tensor_value(&y, i), (float)tensor_value(&label, i));
    for (p->loss_count = 0; p->loss_count < (int)count; p->loss_count++) {
        struct scores_loss *loss = &p->losses[p->loss_count];
        value_key(losses, (uint32_t)p->loss_count, loss->name);
        take_loss(s->m, loss, &losses->via.map.ptr[p->loss_count].val);
    }
    take_loss(s->m, &p->total, resume_map(s->m, state, "total"));
    p->train = resume_bool(s->m, state, "train");
    p->epoch = resume_int(s->m, state, "epoch");
}

void scores_restore(struct scores *s, const value *state)
{
    const value *splits = resume_map(s->m, state, "splits");
    for (uint32_t i = 0; i < splits->via.map.size; i++) {
        char name[BODY_KEY + 1];
        take_split(s, value_key(splits, i, name), &splits->via.map.ptr[i].val);
    }
}
