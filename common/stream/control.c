/* Control frames. */
#include "common/stream/control.h"

struct control control_new(struct msa *m)
{
    struct control c = {.map = value_map(), .zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE)};
    if (!c.zone)
        msa_fail(m, MSA_FAILED, "out of memory");
    return c;
}

struct control control_parse(struct msa *m, const struct frame *f)
{
    struct control c = control_new(m);
    c.map = value_copy(m, c.zone, &f->map);
    return c;
}

void control_write(const struct control *c, struct writer *w, enum frame_kind kind)
{
    struct body *b = body_begin(w);
    body_value(b, &c->map);
    body_write(w, b, kind);
}

void control_free(struct control *c)
{
    msgpack_zone_free(c->zone);
    c->zone = NULL;
}

void control_add_state(struct msa *m, struct control *c, int position, value state)
{
    const value *found = value_get(&c->map, "state");
    value all = found && found->type == MSGPACK_OBJECT_MAP ? *found : value_map();
    char key[80];
    snprintf(key, sizeof key, "%d:%s", position, m->program);
    value_set(m, c->zone, &all, key, state);
    value_set(m, c->zone, &c->map, "state", all);
}
