/* msa-load: a data set as a stream of records; in training also the beginning and the end of the
 * way back, and the commit.
 *
 * Training: each epoch its records in an order drawn from the seed, then validation, then a control
 * (checkpoint). A record is sent only while at most two have had no gradient yet; after a control
 * nothing is sent before it has come back. */
#include "common/cli/option.h"
#include "common/cli/progress.h"
#include "common/data/batch.h"
#include "common/data/info.h"
#include "common/data/order.h"
#include "common/stage.h"
#include "common/stream/checkpoint.h"
#include "common/stream/finite.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { AHEAD = 2 };
enum { SPLIT_ALL = SPLITS };
enum { FAMILY_AUTO = FAMILIES };

struct settings {
    bool train, no_shuffle, standardize, resume, info, json;
    int split, family, non_finite;
    long epochs, batch, seed, validate_every;
    double fraction;
    const char *drop, *state;
};

struct load {
    struct msa *m;
    const struct settings *settings;
    struct dataset *data;
    struct batcher batcher;
    struct stage stage;
    struct progress progress;
    struct order order;
    uint32_t *indices; /* room for a split in its own order */
    long waiting;      /* training records sent whose gradient has not come */
    long answered;     /* training records whose gradient has come */
    long step;         /* training steps done */
    long checkpoint;   /* the last that was sent */
    bool stop;
    bool replaces;          /* the commit of an earlier training is to go */
    struct commit *resumed; /* what the training goes on from; NULL: it begins */
    struct header *lasting; /* the header of commits */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "split", "train|valid|test|all", OPTION_CHOICE, FIELD(split), "all", 0, 0,
     "samples to load, in the order of the data set (without --train)"},
    {0, "train", NULL, OPTION_FLAG, FIELD(train), NULL, 0, 0,
     "make a training stream: epochs of the train split, each followed by the valid split and a "
     "checkpoint"},
    {0, "epochs", "N", OPTION_INT, FIELD(epochs), "50", 1, 1e9, "epochs of training"},
    {0, "batch", "N", OPTION_INT, FIELD(batch), "32", 1, 1e6, "samples per record"},
    {0, "seed", "N", OPTION_INT, FIELD(seed), "1", 0, 9e15,
     "seed of everything random in the line: initial values, dropout, shuffling, --fraction"},
    {0, "no-shuffle", NULL, OPTION_FLAG, FIELD(no_shuffle), NULL, 0, 0,
     "train in the order of the data set"},
    {0, "validate-every", "STEPS", OPTION_INT, FIELD(validate_every), NULL, 1, 1e15,
     "validate and make a checkpoint every so many steps too, not only after each epoch"},
    {0, "fraction", "F", OPTION_REAL, FIELD(fraction), "1", 1e-9, 1,
     "train on this share of the train split, drawn from the seed"},
    {0, "standardize", NULL, OPTION_FLAG, FIELD(standardize), NULL, 0, 0,
     "put mean and deviation of each feature into the header, for msa-encode to apply"},
    {0, "drop", "LIST", OPTION_TEXT, FIELD(drop), NULL, 0, 0,
     "leave these modalities out, of text,vision,audio"},
    {0, "family", "sims|mosi|auto", OPTION_CHOICE, FIELD(family), "auto", 0, 0,
     "how labels are read and judged; auto: sims when there are unimodal labels"},
    {0, "non-finite", "zero|keep|fail", OPTION_CHOICE, FIELD(non_finite), "zero", 0, 0,
     "what becomes of values that are not finite (minus infinity in audio is always 0)"},
    {0, "state", "FILE", OPTION_TEXT, FIELD(state), NULL, 0, 0,
     "commit each checkpoint to FILE, a stream that msa-dump shows"},
    {0, "resume", NULL, OPTION_FLAG, FIELD(resume), NULL, 0, 0,
     "go on from the checkpoint that --state FILE commits; from the beginning if there is none"},
    {0, "info", NULL, OPTION_FLAG, FIELD(info), NULL, 0, 0,
     "say what is in the data set, or in the split that --split names, and load nothing"},
    {0, "json", NULL, OPTION_FLAG, FIELD(json), NULL, 0, 0, "print --info as one JSON object"},
    {0},
};
#undef FIELD

/* --- the way back --- */

static void take_gradient(struct load *l)
{
    struct frame f;
    struct record g;
    stage_await(&l->stage, FRAME_GRADIENT, &f);
    record_parse(l->m, &g, back_reader(l->stage.next), &f);
    if (!l->waiting-- || g.step != l->answered)
        frame_fail(l->m, &g.frame, NULL, "a gradient of step %jd but expected one of step %ld",
                   (intmax_t)g.step, l->answered);
    l->answered++;
    record_check_finite(&g, NULL, false);
    record_free(&g);
    if (l->replaces) /* not before the whole line stands */
        unlink(l->settings->state);
    l->replaces = false;
}

/* Whoever would block looks at all its ends: gradients are taken while the pipe is full. */
static void while_blocked(void *closure, int fd)
{
    struct load *l = closure;
    struct pollfd ends[2] = {{.fd = fd, .events = POLLOUT},
                             {.fd = back_fd(l->stage.next), .events = POLLIN}};
    poll(ends, 2, STAGE_PATIENCE);
    if (back_ready(l->stage.next))
        take_gradient(l);
}

/* --- header --- */

static long steps_per_epoch(const struct load *l)
{
    return (long)((l->order.count + (size_t)l->settings->batch - 1) / (size_t)l->settings->batch);
}

static struct header *make_header(struct load *l)
{
    struct header *h = l->data->header;
    const struct settings *s = l->settings;
    bool given = s->family != FAMILY_AUTO;
    int family = given ? s->family : dataset_family(l->data);
    h->train = s->train;
    h->seed = (uint64_t)s->seed;
    if (family >= 0 && (given || !h->family[0])) {
        snprintf(h->family, sizeof h->family, "%s", family_names[family]);
        h->range = family_range((enum family)family);
    }
    h->epochs = s->train ? s->epochs : 0;
    h->steps = s->train ? steps_per_epoch(l) : 0;
    batcher_schema(&l->batcher, &h->schema);
    if (s->standardize)
        value_set(l->m, h->zone, &h->map, "standardize",
                  batcher_standardization(&l->batcher, h->zone));
    return h;
}

/* --- records --- */

static void send_batch(struct load *l, enum split split, bool train, long epoch, long step,
                       const uint32_t *index, size_t count)
{
    struct record r;
    record_new(l->m, &r);
    r.epoch = epoch;
    r.step = step;
    r.train = train;
    batcher_fill(&l->batcher, &r, split, index, count);
    record_check_finite(&r, &r, true);
    record_write(&r, l->stage.out, FRAME_DATA);
    record_free(&r);
}

/* A split in its own order. */
static void send_split(struct load *l, enum split split, long epoch)
{
    size_t n = l->data->split[split].count, size = (size_t)l->settings->batch;
    for (size_t i = 0; i < n; i++)
        l->indices[i] = (uint32_t)i;
    for (size_t at = 0; at < n; at += size)
        send_batch(l, split, false, epoch, (long)(at / size), l->indices + at,
                   n - at < size ? n - at : size);
}

static void warn_of_zeroed(struct load *l)
{
    if (l->data->zeroed)
        msa_warn(l->m, "%s: %zu values were not finite and became 0", l->data->path,
                 l->data->zeroed);
    l->data->zeroed = 0;
}

/* --- training --- */

/* --- checkpoints --- */

/* What a training that is resumed must have in common with what it was. */
static value settings_value(struct load *l, const struct header *h, msgpack_zone *zone)
{
    const struct settings *s = l->settings;
    const struct dataset_split *split = l->data->split;
    value v = value_map();
    value_set(l->m, zone, &v, "seed", value_of_int(s->seed));
    value_set(l->m, zone, &v, "epochs", value_of_int(s->epochs));
    value_set(l->m, zone, &v, "batch", value_of_int(s->batch));
    value_set(l->m, zone, &v, "validate-every", value_of_int(s->validate_every));
    value_set(l->m, zone, &v, "no-shuffle", value_of_bool(s->no_shuffle));
    value_set(l->m, zone, &v, "fraction", value_of_real(s->fraction));
    value_set(l->m, zone, &v, "standardize", value_of_bool(s->standardize));
    value_set(l->m, zone, &v, "non-finite", value_of_int(s->non_finite));
    value_set(l->m, zone, &v, "drop", value_str(l->m, zone, s->drop ? s->drop : ""));
    value_set(l->m, zone, &v, "family", value_str(l->m, zone, h->family));
    value_set(l->m, zone, &v, "train samples", value_of_int((int64_t)split[TRAIN].count));
    value_set(l->m, zone, &v, "valid samples", value_of_int((int64_t)split[VALID].count));
    return v;
}

/* The only commit: everything downstream has saved. */
static void commit(struct load *l, struct control *c)
{
    value state = value_map();
    value_set(l->m, c->zone, &state, "settings", settings_value(l, l->stage.header, c->zone));
    control_add_state(l->m, c, l->stage.position, state);
    commit_write(l->m, l->settings->state, &(struct commit){l->lasting, *c});
}

/* How a training was begun is not part of it: a resumed one leaves the same commit. */
static void forget_option(struct msa *m, const char *option)
{
    char **kept = msa_calloc(m, (size_t)m->argc + 1, sizeof *kept);
    int count = 0;
    for (int i = 0; i < m->argc; i++)
        if (strcmp(m->argv[i], option) != 0)
            kept[count++] = m->argv[i];
    m->argv = kept;
    m->argc = count;
}

/* Where the training goes on; all stages learn it from the header. */
static void resume(struct load *l, struct header *h)
{
    l->resumed = commit_read(l->m, l->settings->state);
    resume_put(h, l->resumed);
    forget_option(l->m, "--resume");
    value settings = settings_value(l, h, h->zone);
    resume_state(h, &settings);
    if (!l->resumed)
        return;
    const value *at = &l->resumed->control.map;
    l->step = l->answered = (long)value_int(at, "step", 0);
    l->checkpoint = (long)value_int(at, "checkpoint", 0);
    l->stop = value_bool(at, "stop", false);
    msa_say(l->m, "going on from checkpoint %ld, step %ld", l->checkpoint, l->step);
}

static void prepare_state(struct load *l, struct header *h)
{
    if (!l->settings->state)
        return;
    file_claim(l->m, l->settings->state);
    file_check(l->m, l->settings->state);
    if (l->settings->resume)
        resume(l, h);
    else
        l->replaces = file_exists(l->settings->state);
}

static void checkpoint(struct load *l, long epoch, bool epoch_done)
{
    struct control c = control_new(l->m);
    value_set(l->m, c.zone, &c.map, "epoch", value_of_int(epoch));
    value_set(l->m, c.zone, &c.map, "step", value_of_int(l->step));
    value_set(l->m, c.zone, &c.map, "checkpoint", value_of_int(++l->checkpoint));
    value_set(l->m, c.zone, &c.map, "epoch_done", value_of_bool(epoch_done));
    control_write(&c, l->stage.out, FRAME_CONTROL);
    control_free(&c);
    c = stage_await_control(&l->stage);
    l->stop = value_bool(&c.map, "stop", false);
    if (l->settings->state)
        commit(l, &c);
    control_free(&c);
}

static void validate(struct load *l, long epoch, bool epoch_done)
{
    while (l->waiting)
        take_gradient(l);
    progress_clear(&l->progress); /* msa-metrics has rows to show */
    send_split(l, VALID, epoch);
    checkpoint(l, epoch, epoch_done);
}

/* An epoch from sample `at` of its order. */
static void train_epoch(struct load *l, long epoch, size_t at)
{
    size_t size = (size_t)l->settings->batch, n = l->order.count;
    const uint32_t *samples = order_of(&l->order, epoch);
    for (; at < n && !l->stop; at += size) {
        while (l->waiting >= AHEAD)
            take_gradient(l);
        send_batch(l, TRAIN, true, epoch, l->step++, samples + at, n - at < size ? n - at : size);
        l->waiting++;
        bool done = at + size >= n;
        progress_show(&l->progress, false, "epoch %ld/%ld  step %zu/%ld", epoch,
                      l->settings->epochs, at / size + 1, l->stage.header->steps);
        long every = l->settings->validate_every;
        if (done || (every && l->step % every == 0))
            validate(l, epoch, done);
    }
}

static void train(struct load *l)
{
    long steps = l->stage.header->steps, epoch = l->step / steps + 1;
    size_t at = (size_t)(l->step % steps) * (size_t)l->settings->batch;
    writer_on_wait(l->stage.out, while_blocked, l);
    for (; epoch <= l->settings->epochs && !l->stop; epoch++, at = 0) {
        train_epoch(l, epoch, at);
        warn_of_zeroed(l);
    }
}

static void evaluate(struct load *l)
{
    for (int i = 0; i < SPLITS; i++)
        if (l->settings->split == SPLIT_ALL || l->settings->split == i)
            send_split(l, (enum split)i, 0);
    warn_of_zeroed(l);
}

/* --- the program --- */

static void check_options(const struct load *l)
{
    const struct settings *s = l->settings;
    if (s->train && s->split != SPLIT_ALL)
        msa_fail(l->m, MSA_USAGE, "--train takes the train and valid splits: leave --split out");
    if (!s->train && (s->no_shuffle || s->validate_every || s->fraction < 1 || s->state))
        msa_fail(l->m, MSA_USAGE,
                 "--no-shuffle, --validate-every, --fraction and --state go with --train");
    if (s->resume && !s->state)
        msa_fail(l->m, MSA_USAGE, "--resume needs --state FILE, what it goes on from");
    if (s->json && !s->info)
        msa_fail(l->m, MSA_USAGE, "--json goes with --info");
    if (s->info && s->train)
        msa_fail(l->m, MSA_USAGE, "--info loads nothing: leave --train out");
}

static void check_splits(struct load *l)
{
    const struct settings *s = l->settings;
    int wanted = s->train ? TRAIN : s->split;
    if (wanted != SPLIT_ALL && !l->data->split[wanted].count)
        msa_fail(l->m, MSA_CORRUPT, "%s: no samples in split '%s'", l->data->path,
                 split_names[wanted]);
    if (s->train && l->data->labels[LABEL_JOINT] < 0)
        msa_fail(l->m, MSA_CORRUPT, "%s: no labels to train on ('%s')", l->data->path,
                 l->data->format->label_key);
    for (int i = 0; i < SPLITS; i++)
        if (s->train ? i != TEST : s->split == SPLIT_ALL || s->split == i)
            dataset_check(l->data, (enum split)i);
}

static size_t largest_split(const struct load *l)
{
    size_t most = 0;
    for (int i = 0; i < SPLITS; i++)
        most = l->data->split[i].count > most ? l->data->split[i].count : most;
    return most;
}

static void prepare_batches(struct load *l)
{
    size_t batch = (size_t)l->settings->batch, most = largest_split(l);
    const char *drop = l->settings->drop;
    bool dropped[MODALITIES] = {false};
    if (drop)
        option_subset(l->m, "drop", drop, modality_names, MODALITIES);
    for (int i = 0; i < MODALITIES; i++)
        dropped[i] = drop && option_names(drop, modality_names[i]);
    l->batcher = batcher_new(l->m, l->data, dropped, (enum non_finite)l->settings->non_finite,
                             batch < most ? batch : most);
    if (!batcher_has_features(&l->batcher))
        msa_fail(l->m, MSA_USAGE, "--drop: no features are left of %s", l->data->path);
}

static void prepare_order(struct load *l)
{
    const struct settings *s = l->settings;
    l->indices = msa_calloc(l->m, largest_split(l) + 1, sizeof *l->indices);
    l->order = order_new(l->m, l->data->split[TRAIN].count, s->fraction, (uint64_t)s->seed,
                         !s->no_shuffle);
}

/* To people, or to a file: no stream is made. */
static void show_info(struct load *l)
{
    const struct settings *s = l->settings;
    const char *path = l->m->common.output;
    struct info *info = info_of(l->data, s->split == SPLIT_ALL ? -1 : s->split,
                                s->family == FAMILY_AUTO ? -1 : s->family);
    struct file *file = path && strcmp(path, "-") != 0 ? file_create(l->m, path) : NULL;
    FILE *to = file ? file_stream(l->m, file) : stdout;
    if (s->json)
        info_json(info, to);
    else
        info_text(info, to);
    if (file)
        file_commit(l->m, file);
    dataset_close(l->data);
}

static void run(struct msa *m)
{
    struct load *l = msa_alloc(m, sizeof *l);
    l->m = m;
    l->settings = m->settings;
    check_options(l);
    l->data = dataset_open(m, m->operands[0]);
    if (l->settings->info) {
        show_info(l);
        return;
    }
    check_splits(l);
    prepare_batches(l);
    prepare_order(l);
    struct header *h = make_header(l);
    prepare_state(l, h);
    stage_open_source(&l->stage, m, h);
    l->lasting = l->resumed ? l->resumed->header : commit_header(h);
    l->progress = progress_start(m);
    if (l->settings->train)
        train(l);
    else
        evaluate(l);
    stage_end(&l->stage);
    dataset_close(l->data);
}

/* With --info nobody behind reads a stream. */
static void at_fail(struct msa *m)
{
    const struct settings *s = m->settings;
    if (!s || !s->info)
        stage_at_fail(m);
}

static const struct example examples[] = {
    {"msa-load --info data.pkl", "what is in a data set"},
    {"msa-load --split test data.pkl | msa-dump", "look at the test split"},
    {"msa-load --train --epochs 50 --batch 32 --state run/state.msa data.pkl | ...",
     "the beginning of a training line"},
    {0},
};

static const struct program program = {
    .name = "msa-load",
    .summary = "load a data set as a stream of records",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-encode(1), msa-synth(1), msa-dump(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
