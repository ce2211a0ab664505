/* What a header says of the training that is resumed: its checkpoint, and each program's state. */
#include "common/stream/resume.h"
#include "common/stream/commit.h"
#include "common/stream/tensor_codec.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Parts of a state ---- */

static _Noreturn void lacks(struct msa *m, const char *key, const char *what)
{
    msa_fail(m, MSA_CORRUPT, "header: the state to be resumed: '%s' is no %s", key, what);
}

double resume_number(struct msa *m, const value *state, const char *key)
{
    const value *v = value_get(state, key);
    if (!v ||
        (v->type != MSGPACK_OBJECT_FLOAT32 && v->type != MSGPACK_OBJECT_FLOAT64 &&
         v->type != MSGPACK_OBJECT_POSITIVE_INTEGER && v->type != MSGPACK_OBJECT_NEGATIVE_INTEGER))
        lacks(m, key, "number");
    return value_real(state, key, 0);
}

int64_t resume_int(struct msa *m, const value *state, const char *key)
{
    int64_t i = value_int(state, key, -1);
    if (i < 0 || i > (INT64_C(1) << 53))
        lacks(m, key, "whole number from 0 to 2^53");
    return i;
}

static const value *typed(struct msa *m, const value *state, const char *key,
                          msgpack_object_type type, const char *name)
{
    const value *v = value_get(state, key);
    if (!v || v->type != type)
        lacks(m, key, name);
    return v;
}

bool resume_bool(struct msa *m, const value *state, const char *key)
{
    return typed(m, state, key, MSGPACK_OBJECT_BOOLEAN, "true or false")->via.boolean;
}

const value *resume_map(struct msa *m, const value *state, const char *key)
{
    return typed(m, state, key, MSGPACK_OBJECT_MAP, "map");
}

const value *resume_own(struct msa *m, const value *state, const char *name)
{
    return resume_map(m, resume_map(m, state, "own"), name);
}

uint32_t resume_crc32(struct msa *m, const value *state, const char *key)
{
    int64_t i = value_int(state, key, -1);
    if (i < 0 || i > UINT32_MAX)
        lacks(m, key, "CRC-32");
    return (uint32_t)i;
}

const char *resume_text(struct msa *m, const value *state, const char *key)
{
    const value *v = typed(m, state, key, MSGPACK_OBJECT_STR, "text");
    return msa_strndup(m, v->via.str.ptr, v->via.str.size);
}

struct tensor resume_tensor(struct msa *m, const value *state, const char *key, enum dtype dtype,
                            long count)
{
    struct tensor t;
    char text[256], number[32] = "n";
    const char *wrong = value_tensor(typed(m, state, key, MSGPACK_OBJECT_MAP, "tensor"), key,
                                     strlen(key), &t, text);
    if (wrong)
        msa_fail(m, MSA_CORRUPT, "header: the state to be resumed: '%s': %s", key, wrong);
    if (count != RESUME_ANY)
        snprintf(number, sizeof number, "%ld", count);
    if (t.dtype != dtype || t.rank != 1 || (count != RESUME_ANY && t.count != (size_t)count))
        msa_fail(m, MSA_CORRUPT,
                 "header: the state to be resumed: '%s' is %s %s but expected %s [%s]", key,
                 dtype_names[t.dtype], tensor_shape_text(text, t.rank, t.shape), dtype_names[dtype],
                 number);
    return t;
}

/* ---- The training ---- */

void resume_put(struct header *h, const struct commit *commit)
{
    value resume = commit ? commit->control.map : value_map();
    if (!commit)
        value_set(h->m, h->zone, &resume, "checkpoint", value_of_int(0));
    value_set(h->m, h->zone, &h->map, "resume", resume);
}

static const value *resume_of(const struct header *h)
{
    const value *resume = value_get(&h->map, "resume");
    if (resume && resume->type != MSGPACK_OBJECT_MAP)
        msa_fail(h->m, MSA_CORRUPT, "header: 'resume' is not a map");
    return resume;
}

long resume_checkpoint(const struct header *h)
{
    const value *resume = resume_of(h);
    return resume ? (long)resume_int(h->m, resume, "checkpoint") : -1;
}

bool resume_best(const struct header *h)
{
    const value *resume = resume_of(h);
    return value_get(resume, "best") ? resume_bool(h->m, resume, "best") : true;
}

/* ---- Whose state it is ---- */

/* A key NUMBER:PROGRAM of the state. */
struct place {
    long number;
    char program[BODY_KEY + 1];
};

static struct place place_of(const struct header *h, const value *states, uint32_t i)
{
    const value *key = &states->via.map.ptr[i].key;
    char text[BODY_KEY + 1], *end = "";
    struct place place = {0};
    if (key->type == MSGPACK_OBJECT_STR)
        place.number = strtol(value_key(states, i, text), &end, 10);
    if (*end != ':')
        msa_fail(h->m, MSA_CORRUPT, "header: the state to be resumed: a key is not NUMBER:PROGRAM");
    strcpy(place.program, end + 1);
    return place;
}

static bool stands_at(const struct header *h, const char *program, long number)
{
    const value *pipeline = value_get(&h->map, "pipeline");
    return number >= 1 && number <= header_position(h) &&
           value_equals(value_get(&pipeline->via.array.ptr[number - 1], "name"), program);
}

static _Noreturn void cannot_tell(const struct header *h, int named)
{
    msa_fail(h->m, MSA_USAGE,
             "the training that is to be resumed has %d times %s, and other programs before them: "
             "which of them is stage %d?",
             named, h->m->program, header_position(h) + 1);
}

/* This program's part; NULL: it has none. It is found by number and name. Where programs that keep
 * nothing were added or left out, the number has changed, and a name that occurs once is enough;
 * several programs of one name must be placed as they were. */
static const value *find_state(const struct header *h)
{
    const value *states = resume_map(h->m, resume_of(h), "state"), *mine = NULL, *only = NULL;
    long here = header_position(h) + 1;
    int named = 0;
    bool moved = false;
    for (uint32_t i = 0; i < states->via.map.size; i++) {
        struct place place = place_of(h, states, i);
        if (strcmp(place.program, h->m->program) != 0)
            continue;
        named++;
        only = &states->via.map.ptr[i].val;
        mine = place.number == here ? only : mine;
        moved = moved || (place.number < here && !stands_at(h, place.program, place.number));
    }
    if (named > 1 && (moved || !mine))
        cannot_tell(h, named);
    return mine ? mine : only;
}

/* ---- Settings ---- */

static value list_value(struct msa *m, msgpack_zone *zone, const struct option_list *list)
{
    value all = value_nils(m, zone, (size_t)list->count);
    for (int i = 0; i < list->count; i++)
        all.via.array.ptr[i] = value_str(m, zone, list->values[i]);
    return all;
}

/* Of one key, where the option has keys. */
static value one_value(struct msa *m, msgpack_zone *zone, const struct option *o, const void *field)
{
    const struct variant *variant;
    const char *text;
    switch (o->kind) {
    case OPTION_FLAG:
        return value_of_bool(*(const bool *)field);
    case OPTION_INT:
        return value_of_int(*(const long *)field);
    case OPTION_REAL:
        return value_of_real(*(const double *)field);
    case OPTION_CHOICE:
        return value_str(m, zone, option_word(m, o->arg, *(const int *)field));
    case OPTION_VARIANT:
        variant = *(const struct variant *const *)field;
        return value_str(m, zone, variant ? variant->name : "auto");
    case OPTION_LIST:
    case OPTION_READS_LIST:
        return list_value(m, zone, field);
    default:
        text = *(const char *const *)field;
        return value_str(m, zone, text ? text : "");
    }
}

/* With keys, an array. */
static value option_value(struct msa *m, msgpack_zone *zone, const struct option *o, void *field)
{
    if (!o->keys)
        return one_value(m, zone, o, field);
    value all = value_nils(m, zone, (size_t)option_items(o));
    for (int i = 0; i < option_items(o); i++)
        all.via.array.ptr[i] = one_value(m, zone, o, option_item(o, field, i));
    return all;
}

/* Is it left out, as from the states of older programs? */
static bool left_out(struct msa *m, msgpack_zone *zone, const struct option *o, void *field)
{
    if (!o->added)
        return false;
    void *initial = msa_calloc(m, (size_t)option_items(o), sizeof(struct option_list));
    if (o->initial)
        option_set(m, o, initial, o->initial);
    return msgpack_object_equal(option_value(m, zone, o, field), option_value(m, zone, o, initial));
}

static void put_setting(struct msa *m, msgpack_zone *zone, value *settings, const struct option *o,
                        void *field)
{
    if (!left_out(m, zone, o, field))
        value_set(m, zone, settings, o->name, option_value(m, zone, o, field));
}

value resume_settings(struct msa *m, msgpack_zone *zone, const char *names)
{
    struct option_table tables[OPTION_TABLES];
    int count = option_tables(m->of, m, tables);
    value settings = value_map();
    uint64_t met = 0;
    for (int i = 0; i < count; i++)
        for (const struct option *o = tables[i].options; o && o->name; o++)
            if (tables[i].variant ? variant_chosen(m, tables[i].variant)
                                  : option_meets(names, o->name, &met))
                put_setting(m, zone, &settings, o, (char *)tables[i].fields + o->offset);
    assert(!option_unmet(m, names, met)); /* names without an option would not be compared */
    return settings;
}

static const char *setting_text(struct msa *m, const value *v)
{
    if (v->type == MSGPACK_OBJECT_BOOLEAN)
        return v->via.boolean ? "true" : "false";
    if (v->type == MSGPACK_OBJECT_STR)
        return msa_format(m, "'%.*s'", (int)v->via.str.size, v->via.str.ptr);
    if (v->type == MSGPACK_OBJECT_FLOAT64)
        return real_text(m, v->via.f64);
    if (v->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        return msa_format(m, "%ju", (uintmax_t)v->via.u64);
    if (v->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return msa_format(m, "%jd", (intmax_t)v->via.i64);
    const char *all = "";
    for (uint32_t i = 0; v->type == MSGPACK_OBJECT_ARRAY && i < v->via.array.size; i++)
        all = msa_format(m, "%s%s%s", all, i ? "," : "", setting_text(m, &v->via.array.ptr[i]));
    return all;
}

static void check_setting(const struct header *h, const value *kept, const value *all,
                          const char *key)
{
    const value *before = value_get(kept, key), *now = value_get(all, key);
    static const char began[] = "the training that is to be resumed began";
    if (!before)
        msa_fail(h->m, MSA_USAGE, "%s without %s, and not with %s", began, key,
                 setting_text(h->m, now));
    if (!now)
        msa_fail(h->m, MSA_USAGE, "%s with %s %s, and not without it", began, key,
                 setting_text(h->m, before));
    if (!msgpack_object_equal(*before, *now))
        msa_fail(h->m, MSA_USAGE, "%s with %s %s, and not with %s", began, key,
                 setting_text(h->m, before), setting_text(h->m, now));
}

/* Those that `of` has, one of the two. */
static void check_settings(const struct header *h, const value *kept, const value *now,
                           const value *of)
{
    uint32_t count = of && of->type == MSGPACK_OBJECT_MAP ? of->via.map.size : 0;
    for (uint32_t i = 0; i < count; i++) {
        char key[BODY_KEY + 1];
        if (of->via.map.ptr[i].key.type == MSGPACK_OBJECT_STR)
            check_setting(h, kept, now, value_key(of, i, key));
    }
}

/* ---- What a program is told ---- */

const value *resume_state(const struct header *h, const value *settings)
{
    if (resume_checkpoint(h) < 1)
        return NULL;
    const value *state = find_state(h);
    if (state && state->type != MSGPACK_OBJECT_MAP)
        lacks(h->m, h->m->program, "map");
    if (!state)
        msa_fail(h->m, MSA_USAGE,
                 "the training that is to be resumed has no %s as stage %d: is this another line?",
                 h->m->program, header_position(h) + 1);
    const value *kept = value_get(state, "settings");
    check_settings(h, kept, settings, settings);
    check_settings(h, kept, settings, kept);
    return state;
}

/* How many programs of this name the line has up to here. */
static int times_here(const struct header *h, const char *program)
{
    int times = strcmp(program, h->m->program) == 0;
    for (long number = 1; number <= header_position(h); number++)
        times += stands_at(h, program, number);
    return times;
}

static void check_there(const struct header *h, const value *states)
{
    for (uint32_t i = 0; i < states->via.map.size; i++) {
        struct place place = place_of(h, states, i);
        int times = 1;
        for (uint32_t k = 0; k < i; k++)
            times += strcmp(place_of(h, states, k).program, place.program) == 0;
        if (times > times_here(h, place.program))
            msa_fail(h->m, MSA_USAGE,
                     "the training that is to be resumed has %s as stage %ld, which is not in this "
                     "line",
                     place.program, place.number);
    }
}

/* The place of the least number above `after`; its number is 0 where there is none. */
static struct place place_after(const struct header *h, const value *states, long after)
{
    struct place least = {0};
    for (uint32_t i = 0; i < states->via.map.size; i++) {
        struct place place = place_of(h, states, i);
        if (place.number > after && (!least.number || place.number < least.number))
            least = place;
    }
    return least;
}

/* The first stage after that one, up to this one, that is of this program; 0: there is none. */
static long stage_after(const struct header *h, const char *program, long after)
{
    long here = header_position(h) + 1;
    for (long number = after + 1; number < here; number++)
        if (stands_at(h, program, number))
            return number;
    return after < here && strcmp(program, h->m->program) == 0 ? here : 0;
}

/* Between those that gave a state others may have come and gone. */
static void check_order(const struct header *h, const value *states)
{
    struct place before = {0}, place = place_after(h, states, 0);
    for (long stage = 0; place.number; place = place_after(h, states, before.number)) {
        stage = stage_after(h, place.program, stage);
        if (!stage)
            msa_fail(h->m, MSA_USAGE,
                     "the training that is to be resumed has %s as stage %ld, after %s, and not "
                     "before it as in this line",
                     place.program, place.number, before.program);
        before = place;
    }
}

void resume_line(const struct header *h)
{
    if (resume_checkpoint(h) < 1)
        return;
    const value *states = resume_map(h->m, resume_of(h), "state");
    check_there(h, states);
    check_order(h, states);
}
