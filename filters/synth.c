/* msa-synth: writes a data set with planted sentiment (common/data/synth.h) in the layout of a real
 * one (msa-model(7), Data), sample by sample. */
#include "common/data/synth.h"
#include "common/cli/file.h"
#include "common/cli/option.h"
#include "common/data/pickle_write.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { ID_LENGTH = 28, TEXT_LENGTH = 40, ANNOTATION_LENGTH = 8 };

static const char frames_default[] = "text=10,vision=12,audio=16";
static const char width_default[] = "text=16,vision=12,audio=8";

struct settings {
    const char *samples, *frames, *width;
    int family;
    long seed;
    double noise;
};

struct job {
    struct msa *m;
    struct synth synth;
    double *sample; /* memory for one of the largest modality */
    FILE *to;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "samples", "TRAIN,VALID,TEST", OPTION_TEXT, FIELD(samples), "600,150,150",
     .help = "samples in each split"},
    {0, "family", "sims|mosi", OPTION_CHOICE, FIELD(family), "sims",
     .help = "labels like those of CH-SIMS (-1 to 1, one for each modality too) or MOSI (-3 to 3)"},
    {0, "seed", "N", OPTION_INT, FIELD(seed), "1", 0, 9007199254740992.,
     "what the random numbers follow from"},
    {0, "frames", "LIST", OPTION_TEXT, FIELD(frames), frames_default,
     .help = "frames of each modality"},
    {0, "width", "LIST", OPTION_TEXT, FIELD(width), width_default,
     .help = "features in a frame of each modality"},
    {0, "noise", "X", OPTION_REAL, FIELD(noise), "0.5", 0, 1000,
     "deviation of the noise in the frames"},
    {0},
};
#undef FIELD

static const struct example examples[] = {
    {"msa-synth -o demo.pkl", "a small set of 600, 150 and 150 samples"},
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

static void read_settings(struct job *job)
{
    const struct settings *settings = job->m->settings;
    struct synth *s = &job->synth;
    size_t most = 0;
    s->family = (enum family)settings->family;
    s->seed = (uint64_t)settings->seed;
    s->noise = settings->noise;
    read_samples(job->m, settings->samples, s->count);
    read_sizes(job->m, "frames", frames_default, settings->frames, s->frames);
    read_sizes(job->m, "width", width_default, settings->width, s->width);
    for (int modality = 0; modality < MODALITIES; modality++)
        if (s->frames[modality] * s->width[modality] > most)
            most = s->frames[modality] * s->width[modality];
    job->sample = msa_calloc(job->m, most, sizeof *job->sample);
    synth_prepare(job->m, s);
}

/* ---- Writing ---- */

/* Fails the run as soon as nothing can be written any more. */
static void check_written(struct job *job)
{
    if (!ferror(job->to))
        return;
    if (errno == EPIPE)
        msa_fail(job->m, MSA_CLOSED, "the output is closed");
    msa_fail_errno(job->m, "cannot write the data set");
}

static void write_features(struct job *job, enum split split, enum modality modality)
{
    const struct synth *s = &job->synth;
    size_t shape[] = {s->count[split], s->frames[modality], s->width[modality]};
    size_t n = shape[1] * shape[2];
    bool narrow = modality == TEXT;
    pickle_write_text(job->to, modality_names[modality]);
    pickle_write_array(job->to, narrow ? "f4" : "f8", 3, shape);
    for (size_t i = 0; i < s->count[split]; i++) {
        synth_frames(s, split, modality, i, job->sample);
        for (size_t k = 0; narrow && k < n; k++)
            fwrite(&(float){(float)job->sample[k]}, sizeof(float), 1, job->to);
        if (!narrow)
            fwrite(job->sample, sizeof(double), n, job->to);
        check_written(job);
    }
    pickle_write_array_end(job->to);
}

static void write_lengths(struct job *job, enum split split, enum modality modality)
{
    char key[32];
    snprintf(key, sizeof key, "%s_lengths", modality_names[modality]);
    pickle_write_text(job->to, key);
    pickle_write_list(job->to);
    for (size_t i = 0; i < job->synth.count[split]; i++)
        pickle_write_int(job->to, (int32_t)synth_length(&job->synth, split, modality, i));
    pickle_write_list_end(job->to);
}

static void write_labels(struct job *job, enum split split, int label)
{
    pickle_write_text(job->to, label_keys[label]);
    pickle_write_array(job->to, "f4", 1, &job->synth.count[split]);
    for (size_t i = 0; i < job->synth.count[split]; i++) {
        double labels[LABELS];
        synth_labels(&job->synth, split, i, labels);
        fwrite(&(float){(float)labels[label]}, sizeof(float), 1, job->to);
    }
    pickle_write_array_end(job->to);
}

/* What is said of sample i, in ASCII. */
typedef void describe_fn(const struct synth *s, enum split split, size_t i, char *text,
                         size_t size);

static void describe_id(const struct synth *s, enum split split, size_t i, char *text, size_t size)
{
    (void)s;
    snprintf(text, size, "%s_%04zu$_$%04zu", split_names[split], i / 10, i % 10);
}

static void describe_text(const struct synth *s, enum split split, size_t i, char *text,
                          size_t size)
{
    (void)s;
    snprintf(text, size, "made-up sample %zu of %s", i, split_names[split]);
}

static void describe_sentiment(const struct synth *s, enum split split, size_t i, char *text,
                               size_t size)
{
    double labels[LABELS];
    synth_labels(s, split, i, labels);
    double joint = labels[LABEL_JOINT];
    snprintf(text, size, "%s", joint < 0 ? "Negative" : joint > 0 ? "Positive" : "Neutral");
}

static void write_texts(struct job *job, enum split split, const char *key, size_t length,
                        describe_fn *describe)
{
    char dtype[16], text[64];
    snprintf(dtype, sizeof dtype, "U%zu", length);
    pickle_write_text(job->to, key);
    pickle_write_array(job->to, dtype, 1, &job->synth.count[split]);
    for (size_t i = 0; i < job->synth.count[split]; i++) {
        uint32_t ucs4[64] = {0};
        describe(&job->synth, split, i, text, length + 1);
        for (size_t k = 0; text[k]; k++)
            ucs4[k] = (uint8_t)text[k];
        fwrite(ucs4, sizeof *ucs4, length, job->to);
    }
    pickle_write_array_end(job->to);
}

static void write_split(struct job *job, enum split split)
{
    pickle_write_text(job->to, split_names[split]);
    pickle_write_dict(job->to);
    for (enum modality modality = 0; modality < MODALITIES; modality++)
        write_features(job, split, modality);
    write_lengths(job, split, VISION);
    write_lengths(job, split, AUDIO);
    for (int label = job->synth.family == FAMILY_SIMS ? 0 : LABEL_JOINT; label < LABELS; label++)
        write_labels(job, split, label);
    write_texts(job, split, "raw_text", TEXT_LENGTH, describe_text);
    write_texts(job, split, "id", ID_LENGTH, describe_id);
    write_texts(job, split, "annotations", ANNOTATION_LENGTH, describe_sentiment);
    pickle_write_dict_end(job->to);
}

static void write_set(struct job *job)
{
    pickle_write_begin(job->to);
    pickle_write_dict(job->to);
    for (enum split split = 0; split < SPLITS; split++)
        write_split(job, split);
    pickle_write_dict_end(job->to);
    pickle_write_end(job->to);
    fflush(job->to);
    check_written(job);
}

static void run(struct msa *m)
{
    struct job job = {.m = m};
    bool to_stdout = !m->common.output || strcmp(m->common.output, "-") == 0;
    if (m->common.gzip)
        msa_fail(m, MSA_USAGE, "--gzip: what reads a pickle maps it, so it is not compressed");
    if (to_stdout && isatty(STDOUT_FILENO))
        msa_fail(m, MSA_USAGE, "a pickle is not written to a terminal");
    read_settings(&job);
    struct file *f = to_stdout ? NULL : file_create(m, m->common.output);
    job.to = f ? file_stream(m, f) : stdout;
    write_set(&job);
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
        .see_also = "msa-load(1), msa(7)",
        .run = run,
    };
    return program_main(&program, argc, argv);
}
