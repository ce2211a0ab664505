/* Scores in a checkpoint. */
#include "common/metrics/scores_state.h"
#include "common/stream/commit.h"
#include "common/stream/tensor_codec.h"
#include <stdio.h>
#include <string.h>

/* --- into a checkpoint --- */

static value loss_state(const struct scores *s, msgpack_zone *zone, const struct scores_loss *loss)
{
    value v = value_map();
    value_set(s->m, zone, &v, "sum", value_of_real(loss->sum));
    value_set(s->m, zone, &v, "samples", value_of_real(loss->samples));
    return v;
}

static value vector_state(const struct scores *s, msgpack_zone *zone, const char *name,
                          const float *numbers, size_t count)
{
    struct tensor t = tensor_of(name, F4, numbers, 1, &count);
    return value_of_tensor(s->m, zone, &t);
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
              vector_state(s, zone, "prediction", p->prediction, p->samples));
    value_set(s->m, zone, &v, "label", vector_state(s, zone, "label", p->label, p->samples));
    return v;
}

value scores_state(const struct scores *s, msgpack_zone *zone)
{
    value v = value_map();
    for (int i = 0; i < s->count; i++)
        if (s->splits[i].samples)
            value_set(s->m, zone, &v, s->splits[i].name, split_state(s, zone, &s->splits[i]));
    return v;
}

/* --- and out of it --- */

static _Noreturn void wrong(const struct scores *s, const char *split, const char *what)
{
    msa_fail(s->m, MSA_CORRUPT, "header: the state to be resumed: split '%s': %s", split, what);
}

static void key_text(const value *key, char *to, size_t size)
{
    snprintf(to, size, "%.*s", (int)key->via.str.size, key->via.str.ptr);
}

static struct tensor vector_of(const struct scores *s, const char *split, const value *state,
                               const char *name)
{
    struct tensor t;
    char text[256] = "is not there";
    const value *v = value_get(state, name);
    const char *reason = v ? value_tensor(v, name, strlen(name), &t, text) : text;
    if (reason)
        wrong(s, split, reason);
    if (t.rank != 1)
        wrong(s, split, "numbers that are no vector");
    return t;
}

static void take_loss(struct msa *m, struct scores_loss *loss, const value *state)
{
    loss->sum = resume_number(m, state, "sum");
    loss->samples = resume_number(m, state, "samples");
}

static void take_split(struct scores *s, const char *name, const value *state)
{
    struct scores_split *p = scores_split(s, name);
    const value *losses = resume_map(s->m, state, "loss");
    struct tensor y = vector_of(s, name, state, "prediction");
    struct tensor label = vector_of(s, name, state, "label");
    uint32_t count = losses->via.map.size;
    if (count > SCORES_LOSSES || label.count != y.count)
        wrong(s, name, "more losses than can be judged, or not as many labels as predictions");
    for (size_t i = 0; i < y.count; i++)
        scores_add(s, p, (float)tensor_value(&y, i), (float)tensor_value(&label, i));
    for (p->loss_count = 0; p->loss_count < (int)count; p->loss_count++) {
        struct scores_loss *loss = &p->losses[p->loss_count];
        key_text(&losses->via.map.ptr[p->loss_count].key, loss->name, sizeof loss->name);
        take_loss(s->m, loss, &losses->via.map.ptr[p->loss_count].val);
    }
    take_loss(s->m, &p->total, resume_map(s->m, state, "total"));
    p->train = resume_bool(s->m, state, "train");
    p->epoch = resume_int(s->m, state, "epoch");
}

void scores_take_state(struct scores *s, const value *state)
{
    for (uint32_t i = 0; i < state->via.map.size; i++) {
        char name[BODY_KEY + 1];
        key_text(&state->via.map.ptr[i].key, name, sizeof name);
        take_split(s, name, &state->via.map.ptr[i].val);
    }
}
