/* BERT checkpoints. */
#include "common/formats/bert_checkpoint.h"
#include "common/run/content.h"
#include "common/run/json.h"
#include "common/run/line_reader.h"
#include "common/run/text.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CONFIG_MAX = 1 << 20, MOST_DIM = 65536, MOST_WORDS = 1 << 24 };

/* ---- Config ---- */

/* Sizes and rates by the names that config.json has for them; `usual` is what a file means that
 * does not say (0: it must). */
static const struct size_key {
    const char *name;
    size_t offset, most, usual;
} sizes[] = {
    {"hidden_size", offsetof(struct bert_config, dim), MOST_DIM, 0},
    {"num_hidden_layers", offsetof(struct bert_config, layers), BERT_LAYERS, 0},
    {"num_attention_heads", offsetof(struct bert_config, heads), MOST_DIM, 0},
    {"intermediate_size", offsetof(struct bert_config, wide), MOST_DIM, 0},
    {"vocab_size", offsetof(struct bert_config, words), MOST_WORDS, 0},
    {"max_position_embeddings", offsetof(struct bert_config, positions), MOST_WORDS, 512},
    {"type_vocab_size", offsetof(struct bert_config, types), MOST_DIM, 2},
};
static const struct rate_key {
    const char *name;
    size_t offset;
    double usual;
} rates[] = {
    {"layer_norm_eps", offsetof(struct bert_config, eps), 1e-12},
    {"hidden_dropout_prob", offsetof(struct bert_config, hidden), .1},
    {"attention_probs_dropout_prob", offsetof(struct bert_config, attention), .1},
};
enum { SIZES = sizeof sizes / sizeof *sizes, RATES = sizeof rates / sizeof *rates };

static size_t *size_in(struct bert_config *c, int i)
{
    return (void *)((char *)c + sizes[i].offset);
}

static double *rate_in(struct bert_config *c, int i)
{
    return (void *)((char *)c + rates[i].offset);
}

static size_t read_size(struct msa *m, const char *from, const json_t *config,
                        const struct size_key *key)
{
    const json_t *found = json_object_get(config, key->name);
    json_int_t number = found ? json_integer_value(found) : (json_int_t)key->usual;
    if (number < 1 || number > (json_int_t)key->most)
        msa_fail(m, MSA_CORRUPT, "%s: '%s' is %s but expected a number from 1 to %zu", from,
                 key->name, found ? json_text(m, found) : "missing", key->most);
    return (size_t)number;
}

static double read_rate(struct msa *m, const char *from, const json_t *config,
                        const struct rate_key *key)
{
    const json_t *found = json_object_get(config, key->name);
    double number = found ? json_number_value(found) : key->usual;
    if ((found && !json_is_number(found)) || number < 0 || number >= 1)
        msa_fail(m, MSA_CORRUPT, "%s: '%s' is %s but expected a number from 0 to below 1", from,
                 key->name, json_text(m, found));
    return number;
}

/* A word that says what kind of network it is, where the file says it. */
static void expect_word(struct msa *m, const char *from, const json_t *config, const char *name,
                        const char *expected)
{
    const json_t *found = json_object_get(config, name);
    const char *word = json_string_value(found);
    if (found && (!word || strcmp(word, expected) != 0))
        msa_fail(m, MSA_CORRUPT, "%s: '%s' is %s but expected \"%s\"", from, name,
                 json_text(m, found), expected);
}

struct bert_config bert_config_parse(struct msa *m, const char *from, const char *text,
                                     size_t length)
{
    struct bert_config c = {0};
    struct json json = {0};
    if (length <= CONFIG_MAX)
        json = json_read(m, text, length);
    const json_t *config = json.value;
    if (!json_is_object(config))
        msa_fail(m, MSA_CORRUPT, "%s: no JSON object of at most 1 MiB", from);
    expect_word(m, from, config, "model_type", "bert");
    expect_word(m, from, config, "hidden_act", "gelu");
    expect_word(m, from, config, "position_embedding_type", "absolute");
    for (int i = 0; i < SIZES; i++)
        *size_in(&c, i) = read_size(m, from, config, &sizes[i]);
    for (int i = 0; i < RATES; i++)
        *rate_in(&c, i) = read_rate(m, from, config, &rates[i]);
    if (c.dim % c.heads)
        msa_fail(m, MSA_CORRUPT,
                 "%s: 'hidden_size' %zu is no multiple of 'num_attention_heads' %zu", from, c.dim,
                 c.heads);
    json_free(m, &json);
    return c;
}

char *bert_config_text(struct msa *m, const struct bert_config *config)
{
    struct bert_config c = *config;
    json_t **object = json_holder(m);
    *object = json_pack("{s:s, s:s}", "model_type", "bert", "hidden_act", "gelu");
    bool failed = !*object;
    for (int i = 0; i < SIZES; i++)
        failed |= json_object_set_new(*object, sizes[i].name,
                                      json_integer((json_int_t)*size_in(&c, i))) != 0;
    for (int i = 0; i < RATES; i++)
        failed |= json_object_set_new(*object, rates[i].name, json_real(*rate_in(&c, i))) != 0;
    char *text = json_text(m, failed ? NULL : *object);
    msa_free(m, object);
    return text;
}

/* ---- Checkpoint ---- */

/* "bert.encoder.layer.0.output.LayerNorm.gamma" ->
 * "PREFIX.encoder.layer.0.output.LayerNorm.weight" */
static char *new_name(struct msa *m, const char *old, const char *prefix)
{
    static const char model[] = "bert.", gamma[] = ".gamma", beta[] = ".beta";
    const char *name = old + (strncmp(old, model, strlen(model)) == 0 ? strlen(model) : 0);
    size_t length = strlen(name);
    const char *end = text_ends(name, gamma) ? ".weight" : text_ends(name, beta) ? ".bias" : "";
    if (*end)
        length = (size_t)(strrchr(name, '.') - name);
    return msa_format(m, "%s.%.*s%s", prefix, (int)length, name, end);
}

const char bert_files[] = "config.json,model.safetensors";

static struct bert_config read_config(struct msa *m, const char *path)
{
    struct mapping map = file_map(m, path);
    size_t length = map.size < CONFIG_MAX + 1 ? map.size : CONFIG_MAX + 1;
    char *copy = msa_strndup(m, (const char *)map.bytes, length);
    file_unmap(map);
    size_t mark = lines_mark(m, path, copy, length);
    struct bert_config c = bert_config_parse(m, path, copy + mark, length - mark);
    msa_free(m, copy);
    return c;
}

static bool is_folder(struct msa *m, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        msa_fail_errno(m, "cannot read '%s'", path);
    return S_ISDIR(status.st_mode);
}

struct bert_checkpoint bert_open(struct msa *m, const char *path, const char *prefix)
{
    struct bert_checkpoint b;
    bool folder = is_folder(m, path);
    const char *weights = folder ? msa_format(m, "%s/model.safetensors", path) : path;
    if (!folder)
        content_expect(m, path, CONTENT_SAFETENSORS,
                       "a BERT: a folder with config.json and model.safetensors, or that file");
    const char *slash = strrchr(weights, '/');
    int length = slash ? (int)(slash + 1 - weights) : 0;
    b.config = read_config(m, msa_format(m, "%.*sconfig.json", length, weights));
    b.weights = safetensors_open_foreign(m, weights);
    for (size_t i = 0; i < b.weights->count; i++)
        b.weights->tensors[i].name = new_name(m, b.weights->tensors[i].name, prefix);
    safetensors_sort(m, b.weights);
    return b;
}
