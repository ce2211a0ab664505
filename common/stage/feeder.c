/* The beginning of a line.
 *
 * A training record is sent only while at most two have had no gradient yet. Records of validation
 * follow the last one without waiting: they are read while it is computed, and no stage takes one
 * before it has updated. A control waits for all gradients; after it nothing is sent before it has
 * come back. */
#include "common/stage/feeder.h"
#include "common/stream/finite.h"
#include <poll.h>
#include <string.h>

/* --- the way back --- */

static void take_gradient(struct source *s)
{
    struct frame f;
    struct record g;
    stage_await(&s->stage, FRAME_GRADIENT, &f);
    record_parse(s->m, &g, &f);
    if (!s->waiting-- || g.step != s->answered)
        frame_fail(s->m, &g.frame, NULL, "a gradient of step %jd but expected one of step %ld",
                   (intmax_t)g.step, s->answered);
    s->answered++;
    record_check_finite(&g, NULL, false);
    record_free(&g);
    if (s->replaces) /* not before the whole line stands, and before anything else of it goes */
        file_remove(s->m, s->state);
    s->replaces = false;
}

/* Instead of blocking on a write, polls both directions: gradients are taken while the pipe is
 * full.
 */
static void while_blocked(void *closure, int fd)
{
    struct source *s = closure;
    struct pollfd ends[2] = {{.fd = fd, .events = POLLOUT},
                             {.fd = back_fd(s->stage.next), .events = POLLIN}};
    poll(ends, 2, STAGE_PATIENCE);
    if (back_ready(s->stage.next))
        take_gradient(s);
}

/* --- records --- */

static void fill(struct source *s, struct record *r, enum split split, const uint32_t *index,
                 size_t count)
{
    record_new(s->m, r);
    if (s->watch)
        watch_fill(s->watch, r, split, index, count);
    else
        batcher_fill(&s->batcher, r, split, index, count);
}

static void send_record(struct source *s, struct record *r, long epoch, long step)
{
    r->epoch = epoch;
    r->step = step;
    record_check_finite(r, r, true);
    record_write(r, s->stage.out, FRAME_DATA);
    record_free(r);
}

static void send_batch(struct source *s, enum split split, long epoch, long step,
                       const uint32_t *index, size_t count)
{
    struct record r;
    fill(s, &r, split, index, count);
    send_record(s, &r, epoch, step);
}

/* To train on; with their companions, if they have such. */
static void send_to_train(struct source *s, long epoch, long step, const uint32_t *index,
                          size_t count)
{
    struct companions *c = &s->companions;
    struct record r;
    if (c->group > 1) {
        memcpy(s->indices, index, count * sizeof *index);
        companions_add(c, s->indices, count, step);
        index = s->indices;
    }
    fill(s, &r, TRAIN, index, count * c->group);
    r.train = true;
    if (c->group > 1)
        value_set(s->m, r.zone, &r.map, "group", value_of_int((int64_t)c->group));
    send_record(s, &r, epoch, step);
}

/* Samples of the batch that begins at `at` of n. */
static size_t batch_at(const struct source *s, size_t at, size_t n)
{
    return n - at < s->batch ? n - at : s->batch;
}

void source_send(struct source *s, enum split split, long epoch)
{
    size_t n = s->batcher.data->split[split].count;
    for (size_t i = 0; i < n; i++)
        s->indices[i] = (uint32_t)i;
    for (size_t at = 0; at < n; at += s->batch)
        send_batch(s, split, epoch, (long)(at / s->batch), s->indices + at, batch_at(s, at, n));
}

/* --- the commit (checkpoint.c tells what it decides) --- */

/* Are all rows in the checksum of a checkpoint? Yes, once the first epoch has ended. */
static bool rows_are_seen(const struct control *c)
{
    return value_int(&c->map, "epoch", 1) > 1 || value_bool(&c->map, "epoch_done", true);
}

/* What was trained on. */
static value data_value(struct source *s, struct control *c)
{
    bool whole = rows_are_seen(c);
    uint32_t crc = whole ? watch_rows(s->watch) : watch_places(s->watch);
    value data = value_map();
    value_set(s->m, c->zone, &data, "bytes", value_of_int((int64_t)watch_bytes(s->watch)));
    value_set(s->m, c->zone, &data, whole ? "rows_crc32" : "places_crc32", value_of_int(crc));
    return data;
}

/* Everything downstream has been saved: from now on the training is at this checkpoint. */
static void commit(struct source *s, struct control *c)
{
    value state = value_map();
    const char *training = training_of(s->lasting);
    mark_check(s->m, &s->committed);
    value_set(s->m, c->zone, &state, "settings", s->settings);
    value_set(s->m, c->zone, &state, "data", data_value(s, c));
    value_set(s->m, c->zone, &state, "training", value_str(s->m, c->zone, training));
    if (s->companions.group > 1)
        companions_save(&s->companions, c, &state);
    control_add_state(s->m, c, s->stage.position, state);
    value_set(s->m, c->zone, &c->map, "format", value_of_int(COMMIT_FORMAT));
    commit_write(s->m, s->state, &(struct commit){s->lasting, *c});
    s->committed = mark_of(s->m, s->state);
}

/* Settings that are the same make the same identity. */
static void check_training(struct source *s, const struct header *h, const value *state)
{
    const char *training = resume_training(s->m, state);
    if (strcmp(training, training_of(h)) != 0 ||
        strcmp(training, training_of(s->resumed->header)) != 0)
        msa_fail(s->m, MSA_USAGE, "%s is the commit of another training: %s but expected %s",
                 s->state, training, training_of(h));
}

static void check_data(struct source *s, const value *state)
{
    const value *data = resume_map(s->m, state, "data");
    bool whole = rows_are_seen(&s->resumed->control);
    uint32_t expected = resume_crc32(s->m, data, whole ? "rows_crc32" : "places_crc32");
    uint32_t found = whole ? watch_rows(s->watch) : watch_places(s->watch);
    int64_t bytes = resume_int(s->m, data, "bytes");
    if (found != expected)
        msa_fail(s->m, MSA_USAGE,
                 "%s (%ju bytes, CRC-32 of its %s %08x) is not what the training that is to be "
                 "resumed began with (%jd bytes, %08x)",
                 s->batcher.data->path, (uintmax_t)watch_bytes(s->watch),
                 whole ? "train and valid rows" : "bytes", found, (intmax_t)bytes, expected);
}

/* Where the training goes on; all stages learn it from the header. */
static void resume(struct source *s, struct header *h)
{
    s->resumed = commit_read(s->m, s->state);
    resume_put(h, s->resumed);
    const value *state = resume_state(h, &s->settings);
    if (!s->resumed)
        return;
    check_training(s, h, state);
    check_data(s, state);
    if (s->companions.group > 1)
        companions_restore(&s->companions, state);
    s->committed = mark_of(s->m, s->state);
    const value *at = &s->resumed->control.map;
    s->step = s->answered = (long)value_int(at, "step", 0);
    s->checkpoint = (long)value_int(at, "checkpoint", 0);
    s->stop = value_bool(at, "stop", false);
    bool ended = s->stop || s->step == header_training_steps(s->resumed->header);
    msa_say(s->m, "%s checkpoint %ld, step %ld",
            ended ? "nothing is left to do: the training has ended with" : "going on from",
            s->checkpoint, s->step);
}

void source_claim_state(struct source *s, struct header *h, bool resumed)
{
    value_set(s->m, h->zone, &h->map, "commit", value_str(s->m, h->zone, s->state));
    file_claim(s->m, s->state);
    file_check(s->m, s->state);
    if (resumed)
        resume(s, h);
    else
        s->replaces = file_is_regular(s->m, s->state);
}

/* --- training --- */

static void checkpoint(struct source *s, long epoch, bool epoch_done)
{
    struct control c = control_new(s->m);
    value_set(s->m, c.zone, &c.map, "epoch", value_of_int(epoch));
    value_set(s->m, c.zone, &c.map, "step", value_of_int(s->step));
    value_set(s->m, c.zone, &c.map, "checkpoint", value_of_int(++s->checkpoint));
    value_set(s->m, c.zone, &c.map, "epoch_done", value_of_bool(epoch_done));
    control_write(&c, s->stage.out, FRAME_CONTROL);
    control_free(&c);
    c = stage_await_control(&s->stage);
    s->stop = value_bool(&c.map, "stop", false);
    if (s->state)
        commit(s, &c);
    control_free(&c);
}

static void validate(struct source *s, long epoch, bool epoch_done)
{
    progress_clear(&s->progress); /* msa-metrics has rows to show */
    source_send(s, VALID, epoch);
    while (s->waiting)
        take_gradient(s);
    watch_look(s->watch);
    checkpoint(s, epoch, epoch_done);
}

/* In front of an epoch: what is trained on goes by once, in the order of the data set, by the
 * parameters as they are, and what has been found of it comes back. */
static void survey(struct source *s, long epoch)
{
    const struct order *o = &s->order;
    struct control c = control_new(s->m);
    for (size_t at = 0; at < o->count; at += s->batch) {
        struct record r;
        fill(s, &r, TRAIN, o->taken + at, batch_at(s, at, o->count));
        strcpy(r.split, "survey");
        send_record(s, &r, epoch, (long)(at / s->batch));
    }
    value_set(s->m, c.zone, &c.map, "epoch", value_of_int(epoch));
    value_set(s->m, c.zone, &c.map, "step", value_of_int(s->step));
    value_set(s->m, c.zone, &c.map, "survey", value_of_bool(true));
    control_write(&c, s->stage.out, FRAME_CONTROL);
    control_free(&c);
    c = stage_await_control(&s->stage);
    companions_take(&s->companions, &c, epoch);
    control_free(&c);
}

/* An epoch from sample `at` of its order. */
static void train_epoch(struct source *s, long epoch, size_t at)
{
    size_t n = s->order.count;
    const uint32_t *samples = order_of(&s->order, epoch);
    for (; at < n && !s->stop; at += s->batch) {
        while (s->waiting >= STAGE_AHEAD)
            take_gradient(s);
        send_to_train(s, epoch, s->step++, samples + at, batch_at(s, at, n));
        s->waiting++;
        if (epoch == 1 && s->validate_every)
            watch_places(s->watch);
        bool done = at + s->batch >= n;
        progress_show(&s->progress, false, "epoch %ld/%ld  step %zu/%ld", epoch,
                      s->stage.header->epochs, at / s->batch + 1, s->stage.header->steps);
        if (done || (s->validate_every && s->step % s->validate_every == 0))
            validate(s, epoch, done);
    }
}

void source_train(struct source *s)
{
    const struct header *h = s->stage.header;
    long epoch = s->step / h->steps + 1;
    size_t at = (size_t)(s->step % h->steps) * s->batch;
    writer_on_wait(s->stage.out, while_blocked, s);
    for (bool told = false; epoch <= h->epochs && !s->stop; epoch++, at = 0) {
        if (s->companions.group > 1 && epoch >= s->companions.next)
            survey(s, epoch);
        train_epoch(s, epoch, at);
        if (!told) /* the same values are read in each epoch */
            dataset_warn_of_zeroed(s->batcher.data);
        told = true;
    }
    mark_check(s->m, &s->committed);
}

void source_check(struct source *s)
{
    enum split split = s->batcher.data->split[VALID].count ? VALID : TRAIN;
    send_batch(s, split, 1, 0, (uint32_t[]){0}, 1);
}

/* --- the whole --- */

static long common_divisor(long a, long b)
{
    return b ? common_divisor(b, a % b) : a;
}

/* After each epoch and every so many steps, but one where both are. */
long source_checkpoints(const struct source *s, long epochs)
{
    long each = source_steps(s), every = s->validate_every, steps;
    if (!every || __builtin_mul_overflow(each, epochs, &steps))
        return epochs;
    return epochs + steps / every - epochs / (every / common_divisor(each, every));
}

long source_steps(const struct source *s)
{
    return (long)((s->order.count + s->batch - 1) / s->batch);
}

void source_open(struct source *s, struct header *h)
{
    size_t most = dataset_largest(s->batcher.data), grouped = s->batcher.size;
    s->indices = msa_calloc(s->m, (most > grouped ? most : grouped) + 1, sizeof *s->indices);
    stage_open_source(&s->stage, s->m, h);
    s->lasting = s->resumed ? s->resumed->header : commit_header(h);
    s->progress = progress_start(s->m);
}
