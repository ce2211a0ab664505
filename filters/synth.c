/* msa-synth: writes a data set with planted sentiment (common/synth/synth.h) in the layout of a
 * real one (msa-model(7), Data), and a BERT for what is said in it. */
#include "common/formats/pickle/pickle.h"
#include "common/run/output_rules.h"
#include "common/synth/synth_bert.h"
#include "common/synth/synth_pickle.h"

#include <string.h>
#include <unistd.h>

static const char frames_default[] = "text=10,vision=12,audio=16";
static const char width_default[] = "text=16,vision=12,audio=8";

struct settings {
    const char *samples, *frames, *width, *bert;
    int family;
    long seed;
    double noise, calm;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "samples", "TRAIN,VALID,TEST", OPTION_TEXT, FIELD(samples), "600,150,150",
     .help = "samples in each split"},
    {0, "family", "sims|mosi", OPTION_CHOICE, FIELD(family), "sims",
     .help = "labels like those of CH-SIMS (-1 to 1, one for each modality too) or MOSI (-3 to 3)"},
    {0, "seed", "N", OPTION_INT, FIELD(seed), "1", 0, 9007199254740992.,
     .help = "what the random numbers follow from"},
    {0, "frames", "LIST", OPTION_TEXT, FIELD(frames), frames_default,
     .help = "frames of each modality"},
    {0, "width", "LIST", OPTION_TEXT, FIELD(width), width_default,
     .help = "features in a frame of each modality"},
    {0, "noise", "X", OPTION_REAL, FIELD(noise), "0.5", 0, 1000,
     .help = "deviation of the noise in the frames"},
    {0, "calm", "X", OPTION_REAL, FIELD(calm), "0", 0, 1,
     .help = "share of samples with a joint label of 0, whatever their modalities show"},
    {0, "bert", "DIR", OPTION_FOLDER, FIELD(bert),
     .help = "write a small BERT for the words of the set too, into this folder: config.json, "
             "model.safetensors and vocab.txt"},
    {0},
};
#undef FIELD

static const struct written *output(const struct msa *m)
{
    static const struct written pickle = {.what = "a pickle", .content = CONTENT_PICKLE};
    (void)m;
    return &pickle;
}

static const struct example examples[] = {
    {"msa-synth -o demo.pkl", "a small set of 600, 150 and 150 samples"},
    {"msa-synth --bert bert -o demo.pkl", "the same, and a BERT that knows its words"},
    {"msa-synth --family mosi --samples 1284,229,686 -o large.pkl", "as many samples as MOSI has"},
    {0},
};

/* ---- Options ---- */

static void read_samples(struct msa *m, const char *text, size_t count[SPLITS])
{
    const char *at = text;
    for (int split = 0; split < SPLITS; split++) {
        size_t length = strcspn(at, ",");
        char *number = msa_strndup(m, at, length);
        if ((at[length] == ',') != (split + 1 < SPLITS))
            msa_fail(m, MSA_USAGE, "--samples: '%s' is not three numbers", text);
        count[split] = (size_t)option_int(m, "samples", number, 0, 10000000);
        at += length + 1;
    }
}

/* Sizes of the modalities, and the option that gives them. */
struct sizes {
    const char *option;
    size_t *of;
};

static void set_size(struct msa *m, void *closure, const char *key, const char *text)
{
    const struct sizes *sizes = closure;
    for (int modality = 0; modality < MODALITIES; modality++)
        if (strcmp(key, modality_names[modality]) == 0) {
            sizes->of[modality] = (size_t)option_int(m, sizes->option, text, 1, 1 << 20);
            return;
        }
    msa_fail(m, MSA_USAGE, "--%s: '%s' is not text, vision or audio", sizes->option, key);
}

/* What is not given is as by default. */
static void read_sizes(struct msa *m, const char *option, const char *initial, const char *given,
                       size_t *of)
{
    struct sizes sizes = {option, of};
    option_pairs(m, option, initial, &sizes, set_size);
    option_pairs(m, option, given, &sizes, set_size);
}

/* Two lists of lengths have a value for each sample; there is room for what is around them. */
enum { SAMPLES_MOST = (PICKLE_VALUES - PICKLE_VALUES / 64) / 2 };

/* msa-load has to read it. */
static void check_readable(struct msa *m, const struct synth *s)
{
    size_t samples = s->count[TRAIN] + s->count[VALID] + s->count[TEST];
    if (samples == 0 || samples > SAMPLES_MOST)
        msa_fail(m, MSA_USAGE, "--samples: %zu in all, but expected 1 to %d", samples,
                 SAMPLES_MOST);
    size_t most = synth_sentence_most(s);
    if (most > PICKLE_LETTERS)
        msa_fail(m, MSA_USAGE,
                 "--frames: 'text=%zu' makes texts of up to %zu letters, and at most %d are read",
                 s->frames[TEXT], most, PICKLE_LETTERS);
}

static struct synth read_settings(struct msa *m)
{
    const struct settings *settings = m->settings;
    struct synth s = {.family = (enum family)settings->family,
                      .seed = (uint64_t)settings->seed,
                      .noise = settings->noise,
                      .calm = settings->calm};
    read_samples(m, settings->samples, s.count);
    read_sizes(m, "frames", frames_default, settings->frames, s.frames);
    read_sizes(m, "width", width_default, settings->width, s.width);
    check_readable(m, &s);
    synth_prepare(m, &s);
    return s;
}

/* ---- Run ---- */

static void run(struct msa *m)
{
    const struct settings *settings = m->settings;
    bool to_stdout = !m->common.output || strcmp(m->common.output, "-") == 0;
    if (to_stdout && isatty(STDOUT_FILENO))
        msa_fail(m, MSA_USAGE, "a pickle is not written to a terminal");
    struct synth s = read_settings(m);
    if (settings->bert)
        synth_bert_write(m, &s, settings->bert);
    struct file *f = to_stdout ? NULL : file_create(m, m->common.output);
    synth_pickle_write(m, &s, f ? file_stream(m, f) : stdout);
    if (f)
        file_commit(m, f);
}

int main(int argc, char **argv)
{
    static const struct program program = {
        .name = "msa-synth",
        .summary = "make a data set with planted sentiment",
        .operands = "",
        .settings_size = sizeof(struct settings),
        .options = options,
        .examples = examples,
        .see_also = "msa-encode(1), msa-load(1), msa-tokenize(1), msa(7)",
        .output = output,
        .run = run,
    };
    return program_main(&program, argc, argv);
}
