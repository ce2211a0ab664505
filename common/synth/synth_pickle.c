/* Data sets with planted sentiment, sample by sample, as pickles. */
#include "common/synth/synth_pickle.h"
#include "common/formats/pickle/write.h"

#include <string.h>

enum { ID_LENGTH = 28, ANNOTATION_LENGTH = 8 };

struct job {
    struct msa *m;
    const struct synth *synth;
    double *frames; /* memory for those of one sample, in the largest modality */
    int64_t *tokens;
    char *text; /* for the longest one of a sample */
    FILE *to;
};

static const char what[] = "the data set";

static void write_features(struct job *job, enum split split, enum modality modality)
{
    const struct synth *s = job->synth;
    size_t shape[] = {s->count[split], s->frames[modality], s->width[modality]};
    size_t n = shape[1] * shape[2];
    bool narrow = modality == TEXT;
    pickle_write_text(job->to, modality_names[modality]);
    pickle_write_array(job->to, narrow ? "f4" : "f8", 3, shape);
    for (size_t i = 0; i < s->count[split]; i++) {
        synth_frames(s, split, modality, i, job->frames);
        for (size_t k = 0; narrow && k < n; k++)
            fwrite(&(float){(float)job->frames[k]}, sizeof(float), 1, job->to);
        if (!narrow)
            fwrite(job->frames, sizeof(double), n, job->to);
        msa_written(job->m, job->to, what);
    }
    pickle_write_array_end(job->to);
}

static void write_tokens(struct job *job, enum split split)
{
    const struct synth *s = job->synth;
    size_t shape[] = {s->count[split], 3, synth_tokens_most(s)};
    pickle_write_text(job->to, "text_bert");
    pickle_write_array(job->to, "i8", 3, shape);
    for (size_t i = 0; i < s->count[split]; i++) {
        synth_tokens(s, split, i, job->tokens);
        fwrite(job->tokens, sizeof *job->tokens, 3 * shape[2], job->to);
        msa_written(job->m, job->to, what);
    }
    pickle_write_array_end(job->to);
}

static void write_lengths(struct job *job, enum split split, enum modality modality)
{
    pickle_write_text(job->to, length_names[modality]);
    pickle_write_list(job->to);
    for (size_t i = 0; i < job->synth->count[split]; i++)
        pickle_write_int(job->to, (int32_t)synth_length(job->synth, split, modality, i));
    pickle_write_list_end(job->to);
}

static void write_labels(struct job *job, enum split split, int label)
{
    pickle_write_text(job->to, label_keys[label]);
    pickle_write_array(job->to, "f4", 1, &job->synth->count[split]);
    for (size_t i = 0; i < job->synth->count[split]; i++) {
        double labels[LABELS];
        synth_labels(job->synth, split, i, labels);
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

static void describe_words(const struct synth *s, enum split split, size_t i, char *text,
                           size_t size)
{
    (void)size;
    synth_sentence(s, split, i, text);
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
    char dtype[32];
    snprintf(dtype, sizeof dtype, "U%zu", length);
    pickle_write_text(job->to, key);
    pickle_write_array(job->to, dtype, 1, &job->synth->count[split]);
    for (size_t i = 0; i < job->synth->count[split]; i++) {
        memset(job->text, 0, length + 1);
        describe(job->synth, split, i, job->text, length + 1);
        for (size_t k = 0; k < length; k++)
            fwrite(&(uint32_t){(uint8_t)job->text[k]}, sizeof(uint32_t), 1, job->to);
    }
    pickle_write_array_end(job->to);
}

static void write_split(struct job *job, enum split split)
{
    pickle_write_text(job->to, split_names[split]);
    pickle_write_dict(job->to);
    for (enum modality modality = 0; modality < MODALITIES; modality++)
        write_features(job, split, modality);
    write_tokens(job, split);
    write_lengths(job, split, VISION);
    write_lengths(job, split, AUDIO);
    for (int label = job->synth->family == FAMILY_SIMS ? 0 : LABEL_JOINT; label < LABELS; label++)
        write_labels(job, split, label);
    write_texts(job, split, "raw_text", synth_sentence_most(job->synth), describe_words);
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
    msa_flush(job->m, job->to, what);
}

void synth_pickle_write(struct msa *m, const struct synth *s, FILE *to)
{
    size_t frames = 0, text = synth_sentence_most(s);
    for (int modality = 0; modality < MODALITIES; modality++)
        if (s->frames[modality] * s->width[modality] > frames)
            frames = s->frames[modality] * s->width[modality];
    struct job job = {
        .m = m,
        .synth = s,
        .frames = msa_calloc(m, frames, sizeof(double)),
        .tokens = msa_calloc(m, 3 * synth_tokens_most(s), sizeof(int64_t)),
        .text = msa_alloc(m, (text > ID_LENGTH ? text : ID_LENGTH) + 1),
        .to = to,
    };
    write_set(&job);
}
