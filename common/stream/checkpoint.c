/* Commits, and going on from them. */
#include "common/stream/checkpoint.h"
#include "common/cli/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- The commit ---- */

struct header *commit_header(const struct header *h)
{
    struct header *copy = msa_alloc(h->m, sizeof *copy);
    *copy = *h;
    copy->address[0] = '\0';
    copy->map = value_copy(h->m, h->zone, &h->map);
    value_remove(&copy->map, "resume");
    return copy;
}

void commit_write(struct msa *m, const char *path, const struct commit *commit)
{
    struct file *file = file_create(m, path);
    int fd = dup(file->fd);
    if (fd < 0)
        msa_fail_errno(m, "cannot write '%s'", path);
    struct writer *w = writer_open(m, fd, path);
    header_write(commit->header, w);
    control_write(&commit->control, w, FRAME_CONTROL);
    writer_end(w);
    writer_close(w);
    file_commit(m, file);
}

static void expect(struct reader *in, struct frame *f, enum frame_kind kind, const char *path,
                   struct msa *m)
{
    reader_next(in, f);
    if (f->kind != kind)
        msa_fail(m, MSA_CORRUPT, "%s: not the commit of a training: kind '%c' but expected '%c'",
                 path, f->kind, kind);
}

struct commit *commit_read(struct msa *m, const char *path)
{
    struct frame f;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return NULL;
    if (fd < 0)
        msa_fail_errno(m, "cannot read '%s'", path);
    struct commit *commit = msa_alloc(m, sizeof *commit);
    struct reader *in = reader_open(m, fd, path);
    expect(in, &f, FRAME_HEADER, path, m);
    commit->header = header_parse(m, &f);
    frame_free(in, &f);
    expect(in, &f, FRAME_CONTROL, path, m);
    if (!commit->header->train || field_int(m, &f, "checkpoint", 1, 0) == 0)
        frame_fail(m, &f, NULL, "not the commit of a training: no number of a checkpoint");
    field_int(m, &f, "epoch", 1, 1);
    field_int(m, &f, "step", 0, 0);
    commit->control = control_parse(m, &f);
    frame_free(in, &f);
    expect(in, &f, FRAME_END, path, m);
    reader_close(in);
    return commit;
}

/* ---- Going on ---- */

void resume_put(struct header *h, const struct commit *commit)
{
    value resume = commit ? commit->control.map : value_map();
    if (!commit)
        value_set(h->m, h->zone, &resume, "checkpoint", value_of_int(0));
    value_set(h->m, h->zone, &h->map, "resume", resume);
}

long resume_checkpoint(const struct header *h)
{
    const value *resume = value_get(&h->map, "resume");
    if (!resume)
        return -1;
    int64_t n = resume->type == MSGPACK_OBJECT_MAP ? value_int(resume, "checkpoint", -1) : -1;
    if (n < 0)
        msa_fail(h->m, MSA_CORRUPT, "header: 'resume' has no number of a checkpoint");
    return (long)n;
}

bool resume_best(const struct header *h)
{
    return value_bool(value_get(&h->map, "resume"), "best", true);
}

/* The state under this program's key; where stages that keep nothing have come or gone the number
 * differs, and a name that is there once will do. */
static const value *find_state(const struct header *h)
{
    const value *states = value_get(value_get(&h->map, "resume"), "state"), *found = NULL;
    char key[80];
    int named = 0;
    snprintf(key, sizeof key, "%d:%s", header_position(h) + 1, h->m->program);
    const char *name = strchr(key, ':');
    if (!states || states->type != MSGPACK_OBJECT_MAP || value_get(states, key))
        return value_get(states, key);
    for (uint32_t i = 0; i < states->via.map.size; i++) {
        const msgpack_object_str *other = &states->via.map.ptr[i].key.via.str;
        const char *colon = memchr(other->ptr, ':', other->size);
        size_t length = colon ? other->size - (size_t)(colon - other->ptr) : 0;
        if (length != strlen(name) || memcmp(colon, name, length) != 0)
            continue;
        found = &states->via.map.ptr[i].val;
        named++;
    }
    return named == 1 ? found : NULL;
}

static const char *setting_text(struct msa *m, msgpack_zone *zone, const value *map,
                                const char *key)
{
    const value *v = value_get(map, key);
    if (!v)
        return "nothing";
    if (v->type == MSGPACK_OBJECT_BOOLEAN)
        return v->via.boolean ? "true" : "false";
    if (v->type == MSGPACK_OBJECT_STR)
        return msa_format(m, "'%s'", value_text(zone, map, key));
    return msa_format(m, "%.9g", value_real(map, key, 0));
}

static void check_settings(const struct header *h, const value *kept, const value *now)
{
    for (uint32_t i = 0; i < now->via.map.size; i++) {
        const msgpack_object_kv *pair = &now->via.map.ptr[i];
        const char *key = msa_strndup(h->m, pair->key.via.str.ptr, pair->key.via.str.size);
        const value *before = value_get(kept, key);
        if (!before || !msgpack_object_equal(*before, pair->val))
            msa_fail(h->m, MSA_USAGE,
                     "the training that is to be resumed began with %s %s, and not with %s", key,
                     setting_text(h->m, h->zone, kept, key), setting_text(h->m, h->zone, now, key));
    }
}

const value *resume_state(const struct header *h, const value *settings)
{
    if (resume_checkpoint(h) < 1)
        return NULL;
    const value *state = find_state(h);
    if (!state || state->type != MSGPACK_OBJECT_MAP)
        msa_fail(h->m, MSA_USAGE,
                 "the training that is to be resumed has no %s as stage %d: is the line another?",
                 h->m->program, header_position(h) + 1);
    check_settings(h, value_get(state, "settings"), settings);
    return state;
}

static bool is_number(const value *v)
{
    return v && (v->type == MSGPACK_OBJECT_FLOAT32 || v->type == MSGPACK_OBJECT_FLOAT64 ||
                 v->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
                 v->type == MSGPACK_OBJECT_NEGATIVE_INTEGER);
}

double resume_number(const struct header *h, const value *state, const char *key)
{
    if (!is_number(value_get(state, key)))
        msa_fail(h->m, MSA_CORRUPT, "header: the state to be resumed has no number '%s'", key);
    return value_real(state, key, 0);
}
