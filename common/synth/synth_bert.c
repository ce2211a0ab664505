/* A small BERT, untrained but for its words' meaning. */
#include "common/synth/synth_bert.h"
#include "common/formats/bert_checkpoint.h"
#include "common/run/output_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

enum { DIM = 32, LAYERS = 2, HEADS = 4, WIDE = 128, POSITIONS = 512, TYPES = 2 };
enum { TENSORS_MOST = 7 + 16 * LAYERS };
static const char network_file[] = "model.safetensors", what[] = "a BERT of msa-synth's";
static const double embedded = .3, placed = .02; /* deviations of embeddings: of words, of places */

struct weights {
    struct msa *m;
    uint64_t seed;
    size_t count;
    struct safetensor tensors[TENSORS_MOST];
};

/* A tensor named PREFIX.NAME, [rows,cols], or [cols] where rows is 0: zeros, for the caller to
 * fill. */
static float *add(struct weights *w, const char *prefix, const char *name, size_t rows, size_t cols)
{
    size_t count = (rows ? rows : 1) * cols;
    float *data = msa_calloc(w->m, count, sizeof *data);
    struct safetensor *t = &w->tensors[w->count++];
    *t = (struct safetensor){.name = msa_format(w->m, "%s.%s", prefix, name),
                             .rank = rows ? 2 : 1,
                             .shape = {rows ? rows : cols, cols},
                             .count = count,
                             .data = data};
    return data;
}

/* A table or matrix of normal numbers. */
static float *add_normal(struct weights *w, const char *prefix, const char *name, size_t rows,
                         size_t cols, double deviation)
{
    float *data = add(w, prefix, name, rows, cols);
    struct random r = random_stream(w->seed, w->tensors[w->count - 1].name, 0);
    for (size_t i = 0; i < rows * cols; i++)
        data[i] = (float)(deviation * synth_normal(&r));
    return data;
}

static void add_linear(struct weights *w, const char *prefix, const char *name, size_t from,
                       size_t to)
{
    char *full = msa_format(w->m, "%s.%s", prefix, name);
    add_normal(w, full, "weight", to, from, 1 / sqrt((double)from));
    add(w, full, "bias", 0, to);
}

static void add_norm(struct weights *w, const char *prefix)
{
    char *full = msa_format(w->m, "%s.LayerNorm", prefix);
    float *weight = add(w, full, "weight", 0, DIM);
    for (size_t d = 0; d < DIM; d++)
        weight[d] = 1;
    add(w, full, "bias", 0, DIM);
}

static void add_layer(struct weights *w, int layer)
{
    char *prefix = msa_format(w->m, "encoder.layer.%d", layer);
    char *attention = msa_format(w->m, "%s.attention.output", prefix);
    add_linear(w, prefix, "attention.self.query", DIM, DIM);
    add_linear(w, prefix, "attention.self.key", DIM, DIM);
    add_linear(w, prefix, "attention.self.value", DIM, DIM);
    add_linear(w, attention, "dense", DIM, DIM);
    add_norm(w, attention);
    add_linear(w, prefix, "intermediate.dense", DIM, WIDE);
    add_linear(w, prefix, "output.dense", WIDE, DIM);
    add_norm(w, msa_format(w->m, "%s.output", prefix));
}

/* Valence lies along the first axis of the embeddings, calm along the second. */
static void add_words(struct weights *w)
{
    float *words =
        add_normal(w, "embeddings", "word_embeddings.weight", synth_word_count(), DIM, embedded);
    for (size_t id = 0; id < synth_word_count(); id++) {
        words[id * DIM] += (float)synth_valence(id);
        words[id * DIM + 1] += synth_word_calm(id);
    }
}

static void write_weights(struct msa *m, const struct synth *s, const struct bert_config *config,
                          const char *path)
{
    const char *const metadata[][2] = {{"format", "pt"}, {"program", m->program}};
    struct weights w = {.m = m, .seed = s->seed};
    add_words(&w);
    add_normal(&w, "embeddings", "position_embeddings.weight", config->positions, DIM, placed);
    add_normal(&w, "embeddings", "token_type_embeddings.weight", TYPES, DIM, placed);
    add_norm(&w, "embeddings");
    for (int layer = 0; layer < LAYERS; layer++)
        add_layer(&w, layer);
    add_linear(&w, "pooler", "dense", DIM, DIM);
    safetensors_write(m, path, w.tensors, w.count, metadata, 2);
}

static void write_vocabulary(struct msa *m, const char *path)
{
    struct file *f = file_create(m, path);
    for (size_t id = 0; id < synth_word_count(); id++)
        fprintf(file_stream(m, f), "%s\n", synth_word(id));
    file_commit(m, f);
}

static void write_config(struct msa *m, const struct bert_config *config, const char *path)
{
    struct file *f = file_create(m, path);
    fprintf(file_stream(m, f), "%s\n", bert_config_text(m, config));
    file_commit(m, f);
}

/* The files of a folder belong together: its network says who made them. */
static bool is_ours(struct msa *m, int fd, const char *path)
{
    char *network = file_beside(m, path, network_file);
    int at = open(network, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (at < 0 && errno != ENOENT)
        msa_fail_errno(m, "cannot read '%s'", network);
    int *held = file_hold(m, at);
    char *program = *held < 0 ? NULL : safetensors_note(m, *held, network, "program");
    bool ours = program && strcmp(program, m->program) == 0;
    (void)fd;
    msa_free(m, program);
    msa_free(m, held);
    msa_free(m, network);
    return ours;
}

void synth_bert_write(struct msa *m, const struct synth *s, const char *folder)
{
    size_t tokens = synth_tokens_most(s);
    struct bert_config config = {.dim = DIM,
                                 .layers = LAYERS,
                                 .heads = HEADS,
                                 .wide = WIDE,
                                 .words = synth_word_count(),
                                 .positions = tokens > POSITIONS ? tokens : POSITIONS,
                                 .types = TYPES,
                                 .eps = 1e-12,
                                 .hidden = .1,
                                 .attention = .1};
    static const struct written text = {.what = what, .content = CONTENT_OTHER, .like = is_ours},
                                network = {
                                    .what = what, .content = CONTENT_SAFETENSORS, .like = is_ours};
    const char *vocabulary = msa_format(m, "%s/vocab.txt", folder),
               *about = msa_format(m, "%s/config.json", folder),
               *weights = msa_format(m, "%s/%s", folder, network_file);
    output_check(m, vocabulary, &text);
    output_check(m, about, &text);
    output_check(m, weights, &network);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        msa_fail_errno(m, "cannot make '%s'", folder);
    write_weights(m, s, &config, weights); /* first: it says whose the others are */
    write_vocabulary(m, vocabulary);
    write_config(m, &config, about);
}
