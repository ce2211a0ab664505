/* msa-load: a data set as a stream of records; in training also the beginning and the end of the
 * way back, and the commit. */
#include "common/cli/option.h"
#include "common/data/info.h"
#include "common/data/names.h"
#include "common/source.h"
#include <stdio.h>
#include <string.h>

enum { SPLIT_ALL = SPLITS };
enum { FAMILY_AUTO = FAMILIES };

struct settings {
    bool train, check, no_shuffle, standardize, resume, info, json;
    int split, label, family, non_finite;
    long epochs, batch, seed, validate_every;
    double fraction;
    const char *drop, *state;
};

struct load {
    struct msa *m;
    const struct settings *settings;
    struct dataset *data;
    struct source source;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "split", "train|valid|test|all", OPTION_CHOICE, FIELD(split), "all", 0, 0,
     "samples to load, in the order of the data set (without --train)"},
    {0, "train", NULL, OPTION_FLAG, FIELD(train), NULL, 0, 0,
     "make a training stream: epochs of the train split, each followed by the valid split and a "
     "checkpoint"},
    {0, "check", NULL, OPTION_FLAG, FIELD(check), NULL, 0, 0,
     "with --train: train nothing, but send one sample down the line, so that programs say what "
     "is wrong with their options"},
    {0, "epochs", "N", OPTION_INT, FIELD(epochs), "50", 1, 1e9, "epochs of training"},
    {0, "batch", "N", OPTION_INT, FIELD(batch), "32", 1, 5e5, "samples per record"},
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
    {0, "label", "text|vision|audio|joint", OPTION_CHOICE, FIELD(label), "joint", 0, 0,
     "labels to learn and judge by; the joint ones where the set has none of that modality"},
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

/* --- header --- */

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
    h->steps = s->train ? source_steps(&l->source) : 0;
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
    value v = resume_settings(l->m, zone, options,
                              "seed,epochs,batch,validate-every,no-shuffle,fraction,standardize,"
                              "non-finite,drop,label");
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
    if (!s->train &&
        (s->check || s->no_shuffle || s->validate_every || s->fraction < 1 || s->state))
        msa_fail(l->m, MSA_USAGE,
                 "--check, --no-shuffle, --validate-every, --fraction and --state go with --train");
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

static void prepare_batches(struct load *l)
{
    const char *drop = l->settings->drop;
    bool dropped[MODALITIES] = {false};
    if (drop)
        option_subset(l->m, "drop", drop, modality_names, MODALITIES);
    for (int i = 0; i < MODALITIES; i++)
        dropped[i] = drop && option_names(drop, modality_names[i]);
    l->source.batcher =
        batcher_new(l->m, l->data, dropped, (enum non_finite)l->settings->non_finite,
                    (size_t)l->settings->batch);
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
    struct header *h = make_header(l);
    if (!s->train)
        return h;
    source->settings = settings_value(l, h);
    source->watch = watch_new(&source->batcher, &source->order);
    training_put(h, training_text(l->m, training_crc(&source->settings), 0));
    if (s->state)
        source_claim_state(source, h, s->resume);
    return h;
}

/* To people, or to a file: no stream is made. */
static void show_info(struct load *l)
{
    const struct settings *s = l->settings;
    const char *path = l->m->common.output;
    struct info *info = info_of(l->data, s->split == SPLIT_ALL ? -1 : s->split,
                                s->family == FAMILY_AUTO ? -1 : s->family);
    bool named = path && strcmp(path, "-") != 0;
    if (named)
        file_spare_operands(l->m, path);
    struct file *file = named ? file_create(l->m, path) : NULL;
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
