/* msa-load: a data set as a stream of records; in training also the beginning and the end of the
 * way back, and the commit. */
#include "common/dataset/tensor_names.h"
#include "common/inspect/info.h"
#include "common/run/output_rules.h"
#include "common/stage/feeder.h"
#include <stdio.h>
#include <string.h>

enum { SPLIT_ALL = SPLITS };
enum { FAMILY_AUTO = FAMILIES };

struct settings {
    bool train, check, no_shuffle, standardize, resume, info, json;
    int split, label, family, non_finite;
    long epochs, batch, seed, validate_every, group;
    int draw; /* enum draw */
    double fraction;
    const char *drop, *mean, *state;
    struct option_list renamed, like;
};

struct load {
    struct msa *m;
    const struct settings *settings;
    struct naming *naming;
    int family; /* that was given, here or to a run before; or FAMILY_AUTO */
    struct dataset *data;
    struct source source;
};

static bool resumes(const struct msa *m)
{
    return ((const struct settings *)m->settings)->resume;
}

/* What is to be resumed is judged when it is read. */
static bool may_be_commit(struct msa *m, int fd, const char *path)
{
    return resumes(m) || commit_resembles(m, fd, path);
}

static const struct written written_commit = {
    .what = "a commit", .content = CONTENT_STREAM, .like = may_be_commit, .goes_on = resumes};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "split", "train|valid|test|all", OPTION_CHOICE, FIELD(split), "all", 0, 0,
     .help = "samples to load, in the order of the data set (without --train)"},
    {0, "train", NULL, OPTION_FLAG, FIELD(train), NULL, 0, 0,
     .help = "make a training stream: epochs of the train split, each followed by the valid split "
             "and a checkpoint"},
    {0, "check", NULL, OPTION_FLAG, FIELD(check), NULL, 0, 0,
     .help = "with --train: train nothing, but send one sample down the line, so that programs say "
             "what is wrong with their options"},
    {0, "epochs", "N", OPTION_INT, FIELD(epochs), "50", 1, 1e9, .help = "epochs of training"},
    {0, "batch", "N", OPTION_INT, FIELD(batch), "32", 1, 5e5, .help = "samples per record"},
    {0, "seed", "N", OPTION_INT, FIELD(seed), "1", 0, 9e15,
     .help =
         "seed of everything random in the line: initial values, dropout, shuffling, --fraction"},
    {0, "no-shuffle", NULL, OPTION_FLAG, FIELD(no_shuffle), NULL, 0, 0,
     .help = "train in the order of the data set"},
    {0, "validate-every", "STEPS", OPTION_INT, FIELD(validate_every), NULL, 1, 1e15,
     .help = "validate and make a checkpoint every so many steps too, not only after each epoch"},
    {0, "group", "N", OPTION_INT, FIELD(group), "1", 1, 31, .added = true,
     .help = "train on each sample together with N - 1 companions, as msa-companions finds them: a "
             "third of them alike, opposite and deceptive each"},
    {0, "draw", "first|random", OPTION_CHOICE, FIELD(draw), "random", 0, 0, .added = true,
     .help = "which companions of those that have been found"},
    {0, "fraction", "F", OPTION_REAL, FIELD(fraction), "1", 1e-9, 1,
     .help = "train on this share of the train split, drawn from the seed"},
    {0, "standardize", NULL, OPTION_FLAG, FIELD(standardize), NULL, 0, 0,
     .help = "put mean and deviation of each feature into the header, for msa-encode to apply"},
    {0, "drop", "LIST", OPTION_TEXT, FIELD(drop), NULL, 0, 0,
     .help = "leave these modalities out, of text,vision,audio"},
    {0, "mean", "LIST", OPTION_TEXT, FIELD(mean), NULL, 0, 0, .added = true,
     .help = "of these modalities, of text,vision,audio, give the mean of all frames alone"},
    {0, "rename", "OLD=NEW", OPTION_LIST, FIELD(renamed), NULL, 0, 0,
     .help = "read what the data set calls OLD, a key or a split, as NEW; repeatable"},
    {0, "like", "FILE", OPTION_READS_LIST, FIELD(like), NULL, 0, 0,
     .help = "take --family, and --rename where there are such names, from the commit or stream "
             "that an earlier run left; repeatable"},
    {0, "label", "text|vision|audio|joint", OPTION_CHOICE, FIELD(label), "joint", 0, 0,
     .help =
         "labels to learn and judge by; the joint ones where the set has none of that modality"},
    {0, "family", "sims|mosi|auto", OPTION_CHOICE, FIELD(family), "auto", 0, 0,
     .help = "how labels are read and judged; auto: sims when there are unimodal labels"},
    {0, "non-finite", "zero|keep|fail", OPTION_CHOICE, FIELD(non_finite), "zero", 0, 0,
     .help = "what becomes of values that are not finite (minus infinity in audio is always 0)"},
    {0, "state", "FILE", OPTION_WRITES, FIELD(state), NULL, 0, 0,
     .help = "commit each checkpoint to FILE, a stream that msa-dump shows",
     .written = &written_commit},
    {0, "resume", NULL, OPTION_FLAG, FIELD(resume), NULL, 0, 0,
     .help = "go on from the checkpoint that --state FILE commits; from the beginning if there is "
             "none"},
    {0, "info", NULL, OPTION_FLAG, FIELD(info), NULL, 0, 0,
     .help = "say what is in the data set, or in the split that --split names, and load nothing"},
    {0, "json", NULL, OPTION_FLAG, FIELD(json), NULL, 0, 0,
     .help = "print --info as one JSON object"},
    {0},
};
#undef FIELD

/* --- what was said of the data set --- */

/* What an earlier run was told, by the header of the commit or stream that it left. */
static void recall(struct load *l, const char *path)
{
    struct frame f;
    struct reader *in = commit_open(l->m, path);
    reader_next(in, &f);
    const char *family = value_text(f.zone, f.map, "family");
    naming_recall(l->naming, f.map);
    if (l->family == FAMILY_AUTO && value_bool(f.map, "family_given", false))
        l->family = (int)family_named(l->m, family ? family : "");
    frame_free(&f);
    reader_close(in);
}

/* A training that is resumed knows it. */
static void take_names(struct load *l)
{
    const struct settings *s = l->settings;
    l->family = s->family;
    l->naming = naming_new(l->m);
    for (int i = 0; i < s->renamed.count; i++)
        naming_give(l->naming, s->renamed.values[i]);
    if (s->resume && file_exists(s->state))
        recall(l, s->state);
    for (int i = 0; i < s->like.count; i++)
        recall(l, s->like.values[i]);
}

static bool is_sent(const struct settings *s, int split)
{
    return s->train ? split != TEST : s->split == SPLIT_ALL || s->split == split;
}

/* --- header --- */

static struct header *make_header(struct load *l)
{
    struct header *h = l->data->header;
    const struct settings *s = l->settings;
    bool given = l->family != FAMILY_AUTO;
    int family = given ? l->family : dataset_family(l->data);
    h->train = s->train;
    h->surveyed = s->train && s->group > 1;
    h->seed = (uint64_t)s->seed;
    if (family >= 0 && (given || !h->family[0])) {
        snprintf(h->family, sizeof h->family, "%s", family_names[family]);
        h->range = family_range((enum family)family);
    }
    if (given)
        value_set(l->m, h->zone, &h->map, "family_given", value_of_bool(true));
    h->epochs = s->train ? s->epochs : 0;
    h->steps = s->train ? source_steps(&l->source) : 0;
    if (s->train)
        value_set(l->m, h->zone, &h->map, "checkpoints",
                  value_of_int(source_checkpoints(&l->source, s->epochs)));
    if (h->surveyed)
        value_set(l->m, h->zone, &h->map, "group", value_of_int(s->group));
    value_set(l->m, h->zone, &h->map, "samples", batcher_samples(&l->source.batcher, h->zone));
    value names;
    if (naming_value(l->naming, h->zone, &names))
        value_set(l->m, h->zone, &h->map, "rename", names);
    batcher_schema(&l->source.batcher, &h->schema);
    if (s->standardize)
        value_set(l->m, h->zone, &h->map, "standardize",
                  batcher_standardization(&l->source.batcher, h->zone));
    return h;
}

/* What a training that is resumed must have in common with what it was. */
static value settings_value(struct load *l, const struct header *h)
{
    const struct dataset_split *split = l->data->split;
    msgpack_zone *zone = h->zone;
    value v = resume_settings(l->m, zone,
                              "seed,epochs,batch,validate-every,no-shuffle,fraction,standardize,"
                              "non-finite,drop,mean,label,group,draw");
    const char *names = naming_text(l->naming);
    if (names)
        value_set(l->m, zone, &v, "rename", value_str(l->m, zone, names));
    value_set(l->m, zone, &v, "family", value_str(l->m, zone, h->family));
    value_set(l->m, zone, &v, "train samples", value_of_int((int64_t)split[TRAIN].count));
    value_set(l->m, zone, &v, "valid samples", value_of_int((int64_t)split[VALID].count));
    value_set(l->m, zone, &v, "CRC-32 of train ids and labels",
              value_of_int(dataset_crc(l->data, TRAIN)));
    value_set(l->m, zone, &v, "CRC-32 of valid ids and labels",
              value_of_int(dataset_crc(l->data, VALID)));
    return v;
}

static void evaluate(struct load *l)
{
    for (int i = 0; i < SPLITS; i++)
        if (l->settings->split == SPLIT_ALL || l->settings->split == i)
            source_send(&l->source, (enum split)i, 0);
    dataset_warn_of_zeroed(l->data);
}

/* --- the program --- */

static void check_options(const struct load *l)
{
    const struct settings *s = l->settings;
    if (s->train && s->split != SPLIT_ALL)
        msa_fail(l->m, MSA_USAGE, "--train takes the train and valid splits: leave --split out");
    if (!s->train && (s->check || s->no_shuffle || s->validate_every || s->fraction < 1 ||
                      s->state || s->group > 1))
        msa_fail(l->m, MSA_USAGE,
                 "--check, --no-shuffle, --validate-every, --fraction, --state and --group go with "
                 "--train");
    if ((s->group - 1) % COMPANION_LISTS)
        msa_fail(l->m, MSA_USAGE, "--group: %ld but expected 1, 4, 7 and so on", s->group);
    if (s->resume && !s->state)
        msa_fail(l->m, MSA_USAGE, "--resume needs --state FILE, what it goes on from");
    if (s->json && !s->info)
        msa_fail(l->m, MSA_USAGE, "--json goes with --info");
    if (s->info && s->train)
        msa_fail(l->m, MSA_USAGE, "--info loads nothing: leave --train out");
}

/* Nothing is there by the name that is needed: by another, perhaps, one that is read `where`.
 * `others`: what is there instead, for the line. */
static _Noreturn void lacking(struct load *l, const char *what, const char *name, int where,
                              const char *others)
{
    const char *remedy = l->data->format->remedy(l->data, where);
    if (!remedy[0])
        l->data->format->warn(l->data);
    msa_fail(l->m, MSA_CORRUPT, "%s: no %s '%s'%s%s", l->data->path, what, name, others, remedy);
}

static void check_there(struct load *l)
{
    const struct settings *s = l->settings;
    int wanted = s->train ? TRAIN : s->split;
    char others[SPLITS_TEXT];
    if (wanted != SPLIT_ALL && !l->data->split[wanted].count)
        lacking(l, "samples in split", split_names[wanted], NAME_SPLIT,
                dataset_splits(l->data, ", only in ", others));
    if (s->train && l->data->labels[LABEL_JOINT] < 0)
        lacking(l, "labels to train on:", l->data->format->label_key, NAME_ANY, "");
}

/* What is trained will be tested. */
static bool is_checked(const struct settings *s, int split)
{
    return s->check || is_sent(s, split);
}

static void check_splits(struct load *l)
{
    for (int i = 0; i < SPLITS; i++)
        if (is_checked(l->settings, i))
            dataset_check(l->data, (enum split)i);
}

/* Labels of another family are cut off, or all of one class. */
static void warn_of_labels(struct load *l, int family)
{
    struct outside all = {0};
    for (int i = 0; family >= 0 && i < SPLITS; i++)
        if (is_checked(l->settings, i))
            all = outside_both(
                all, dataset_outside(l->data, (enum split)i, family_range((enum family)family)));
    outside_warn(&all, l->m, l->data->path, (enum family)family);
}

static void prepare_batches(struct load *l)
{
    const char *drop = l->settings->drop, *mean = l->settings->mean;
    bool dropped[MODALITIES] = {false};
    if (drop)
        option_subset(l->m, "drop", drop, modality_names, MODALITIES);
    if (mean)
        option_subset(l->m, "mean", mean, modality_names, MODALITIES);
    for (int i = 0; i < MODALITIES; i++)
        dropped[i] = drop && option_names(drop, modality_names[i]);
    l->source.batcher =
        batcher_new(l->m, l->data, dropped, (enum non_finite)l->settings->non_finite,
                    (size_t)l->settings->batch, (size_t)l->settings->group);
    for (int i = 0; i < MODALITIES; i++)
        if (mean && option_names(mean, modality_names[i]))
            batcher_average(&l->source.batcher, (enum modality)i);
    if (l->settings->label != LABEL_JOINT &&
        !batcher_relabel(&l->source.batcher, (enum modality)l->settings->label))
        msa_say(l->m, "%s has no labels of %s: the joint ones stay", l->data->path,
                modality_names[l->settings->label]);
    if (!batcher_has_features(&l->source.batcher))
        msa_fail(l->m, MSA_USAGE, "--drop: no features are left of %s", l->data->path);
}

static struct header *prepare(struct load *l)
{
    const struct settings *s = l->settings;
    struct source *source = &l->source;
    source->m = l->m;
    source->batch = (size_t)s->batch;
    source->validate_every = s->validate_every;
    source->state = s->state;
    prepare_batches(l);
    source->order = order_new(l->m, l->data->split[TRAIN].count, s->fraction, (uint64_t)s->seed,
                              !s->no_shuffle);
    source->companions = (struct companions){
        .m = l->m, .group = (size_t)s->group, .draw = (enum draw)s->draw, .order = &source->order};
    struct header *h = make_header(l);
    warn_of_labels(l, h->family[0] ? (int)family_named(l->m, h->family) : -1);
    if (!s->train)
        return h;
    source->settings = settings_value(l, h);
    source->watch = watch_new(&source->batcher, &source->order);
    char text[TRAINING_TEXT];
    training_put(h, training_text(text, training_crc(&source->settings), 0));
    if (s->state)
        source_claim_state(source, h, s->resume);
    return h;
}

/* To people, or to a file: no stream is made. */
static void show_info(struct load *l)
{
    const struct settings *s = l->settings;
    struct info *info = info_of(l->data, s->split == SPLIT_ALL ? -1 : s->split,
                                l->family == FAMILY_AUTO ? -1 : l->family);
    warn_of_labels(l, info->family);
    info_print(info, s->json);
    dataset_close(l->data);
}

static void run(struct msa *m)
{
    struct load *l = msa_alloc(m, sizeof *l);
    l->m = m;
    l->settings = m->settings;
    check_options(l);
    take_names(l);
    l->data = dataset_open(m, m->operands[0], l->naming);
    if (!l->settings->info)
        check_there(l);
    l->data->format->warn(l->data);
    if (l->settings->info) {
        show_info(l);
        return;
    }
    check_splits(l);
    source_open(&l->source, prepare(l));
    if (l->settings->check)
        source_check(&l->source);
    else if (l->settings->train)
        source_train(&l->source);
    else
        evaluate(l);
    stage_end(&l->source.stage);
    dataset_close(l->data);
}

/* With --info nobody behind reads a stream. */
static void at_fail(struct msa *m)
{
    const struct settings *s = m->settings;
    if (!s || !s->info)
        stage_at_fail(m);
}

static const struct written *output(const struct msa *m)
{
    return ((const struct settings *)m->settings)->info ? &written_report : &written_stream;
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
    .output = output,
    .untold = "like,progress,quiet,resume,verbose", /* what --like told is in the header itself */
    .run = run,
    .at_fail = at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
