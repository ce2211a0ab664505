/* Identities of trainings. */
#include "common/stream/training.h"
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The text ---- */

enum { OWN = 8, BOTH = 16, WHOLE = 24 }; /* digits */

const char *training_text(char text[TRAINING_TEXT], uint32_t own, uint32_t following)
{
    char both[BOTH + 1];
    snprintf(both, sizeof both, "%08x%08x", own, following);
    snprintf(text, TRAINING_TEXT, "%s%08x", both, libdeflate_crc32(0, both, BOTH));
    return text;
}

bool training_is_whole(const char *text)
{
    char check[9];
    if (strlen(text) != WHOLE)
        return false;
    snprintf(check, sizeof check, "%08x", libdeflate_crc32(0, text, BOTH));
    return strcmp(text + BOTH, check) == 0;
}

uint32_t training_own(const char *text)
{
    char own[OWN + 1];
    snprintf(own, sizeof own, "%s", text);
    return (uint32_t)strtoul(own, NULL, 16);
}

const char *training_of(const struct header *h)
{
    const char *text = value_text(h->zone, &h->map, "training");
    return text ? text : "";
}

void training_put(struct header *h, const char *text)
{
    value_set(h->m, h->zone, &h->map, "training", value_str(h->m, h->zone, text));
}

/* ---- Settings ---- */

static uint32_t crc_of(char type, const void *bytes, size_t size)
{
    return libdeflate_crc32(libdeflate_crc32(0, &type, 1), size ? bytes : "", size);
}

/* In whatever order they come: their sum. */
static uint32_t pairs_crc(const value *map)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *pair = &map->via.map.ptr[i];
        uint32_t both[2] = {training_crc(&pair->key), training_crc(&pair->val)};
        sum += crc_of('p', both, sizeof both);
    }
    return sum;
}

static uint32_t items_crc(const value *array)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < array->via.array.size; i++) {
        uint32_t next[2] = {crc, training_crc(&array->via.array.ptr[i])};
        crc = crc_of('i', next, sizeof next);
    }
    return crc;
}

uint32_t training_crc(const value *v)
{
    double number = 0;
    switch (v->type) {
    case MSGPACK_OBJECT_MAP:
        return pairs_crc(v);
    case MSGPACK_OBJECT_ARRAY:
        return items_crc(v);
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN:
        return crc_of('s', v->via.str.ptr, v->via.str.size);
    case MSGPACK_OBJECT_BOOLEAN:
        return crc_of('b', v->via.boolean ? "1" : "0", 1);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        number = (double)v->via.u64;
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        number = (double)v->via.i64;
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        number = v->via.f64;
        break;
    default:
        break;
    }
    return crc_of('n', &number, sizeof number);
}

/* Programs in whatever order, and without their numbers: those that keep nothing may come and go.
 */
uint32_t training_settings(const struct control *c)
{
    const value *states = value_get(&c->map, "state");
    uint32_t sum = 0;
    for (uint32_t i = 0; states && i < states->via.map.size; i++) {
        const msgpack_object_kv *pair = &states->via.map.ptr[i];
        const value *settings = value_get(&pair->val, "settings");
        char key[BODY_KEY + 1];
        if (!settings || pair->key.type != MSGPACK_OBJECT_STR)
            continue;
        const char *program = value_key(states, i, key) + strspn(key, "0123456789");
        uint32_t both[2] = {crc_of('s', program, strlen(program)), training_crc(settings)};
        sum += crc_of('p', both, sizeof both);
    }
    return sum;
}

/* ---- The whole line ---- */

void training_add_settings(struct header *h, const value *settings)
{
    const char *before = training_of(h);
    uint32_t crc = libdeflate_crc32(training_crc(settings), before, strlen(before));
    char text[TRAINING_TEXT];
    if (*before)
        training_put(h, training_text(text, crc, 0));
}

void training_put_line(struct control *c, const struct header *h)
{
    const char *before = training_of(h);
    char text[TRAINING_TEXT];
    if (*before)
        value_set(c->m, c->zone, &c->map, "line",
                  value_str(c->m, c->zone,
                            training_text(text, training_own(before), training_settings(c))));
}

char *training_line(struct msa *m, const value *control)
{
    const value *v = value_get(control, "line");
    bool text = v && v->type == MSGPACK_OBJECT_STR;
    return text ? msa_strndup(m, v->via.str.ptr, v->via.str.size) : NULL;
}

/* ---- In a state ---- */

const char *resume_training(struct msa *m, const value *state)
{
    const char *text = resume_text(m, state, "training");
    if (!training_is_whole(text))
        msa_fail(
            m, MSA_CORRUPT,
            "header: the state to be resumed: 'training' is '%.32s' but expected %d digits, the "
            "last 8 being the CRC-32 of the others",
            text, WHOLE);
    return text;
}
