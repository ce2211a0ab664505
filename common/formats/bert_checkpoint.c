/* BERT checkpoints. */
#include "common/formats/bert_checkpoint.h"
#include "common/formats/shards.h"
#include "common/run/content.h"
#include "common/run/file.h"
#include "common/run/json.h"
#include "common/run/text.h"
#include <stdio.h>
#include <string.h>

enum { MOST_DIM = 65536, MOST_WORDS = 1 << 24 };

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

/* What says what kind of network it is, where the file says it, and what it says of BERT; others
 * would be computed as BERT in silence. */
static const struct kind_key {
    const char *name, *expected; /* as JSON */
} kinds[] = {
    {"model_type", "\"bert\""},
    {"hidden_act", "\"gelu\""},
    {"position_embedding_type", "\"absolute\""},
    {"is_decoder", "false"}, /* no token looks at later ones */
    {"add_cross_attention", "false"},
    {"pruned_heads", "{}"},
    {"quantization_config", "null"},
};

static void expect_kind(struct msa *m, const char *from, const json_t *config,
                        const struct kind_key *key)
{
    const json_t *found = json_object_get(config, key->name);
    if (found && strcmp(json_text(m, found), key->expected) != 0)
        msa_fail(m, MSA_CORRUPT, "%s: '%s' is %s but expected %s", from, key->name,
                 json_text(m, found), key->expected);
}

/* Old files have no model_type, but may name the network that was trained: "BertForMaskedLM". */
static void expect_architecture(struct msa *m, const char *from, const json_t *config)
{
    const json_t *found = json_object_get(config, "architectures");
    const char *first = json_string_value(json_array_get(found, 0));
    if (first && !json_object_get(config, "model_type") && strncmp(first, "Bert", 4) != 0)
        msa_fail(m, MSA_CORRUPT, "%s: 'architectures' is %s but expected one of BERT", from,
                 json_text(m, found));
}

static struct bert_config config_of(struct msa *m, const char *from, const json_t *config)
{
    struct bert_config c = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        expect_kind(m, from, config, &kinds[i]);
    expect_architecture(m, from, config);
    for (int i = 0; i < SIZES; i++)
        *size_in(&c, i) = read_size(m, from, config, &sizes[i]);
    for (int i = 0; i < RATES; i++)
        *rate_in(&c, i) = read_rate(m, from, config, &rates[i]);
    if (c.dim % c.heads)
        msa_fail(m, MSA_CORRUPT,
                 "%s: 'hidden_size' %zu is no multiple of 'num_attention_heads' %zu", from, c.dim,
                 c.heads);
    return c;
}

struct bert_config bert_config_parse(struct msa *m, const char *from, const char *text,
                                     size_t length)
{
    struct json json = json_read_object(m, from, text, length);
    struct bert_config c = config_of(m, from, json.value);
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

/* Weights of BERT in other formats, as they are called. */
static const struct {
    const char *file, *what;
} others[] = {
    {"pytorch_model.bin", "PyTorch's pickled weights"},
    {"pytorch_model.bin.index.json", "PyTorch's pickled weights"},
    {"tf_model.h5", "TensorFlow's weights"},
    {"bert_model.ckpt.index", "TensorFlow's weights"},
    {"model.ckpt.index", "TensorFlow's weights"},
    {"flax_model.msgpack", "Flax's weights"},
};
enum { OTHERS = sizeof others / sizeof *others };

static _Noreturn void fail_other(struct msa *m, const char *path, const char *what)
{
    msa_fail(m, MSA_CORRUPT,
             "%s: %s, which are not read: msa-encode(1), Text by BERT, says how they become "
             "model.safetensors",
             path, what);
}

static const char *weights_in(struct msa *m, const char *folder)
{
    const char *whole = msa_format(m, "%s/model.safetensors", folder),
               *index = msa_format(m, "%s/model.safetensors.index.json", folder);
    if (file_exists(whole))
        return whole;
    if (file_exists(index))
        return index;
    for (int i = 0; i < OTHERS; i++) {
        const char *other = msa_format(m, "%s/%s", folder, others[i].file);
        if (file_exists(other))
            fail_other(m, other, others[i].what);
    }
    return whole;
}

/* The file of weights, or the index of several, that a path stands for. */
static const char *weights_of(struct msa *m, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!file_exists(path))
        msa_fail_errno(m, "cannot read '%s'", path);
    if (file_is_folder(path))
        return weights_in(m, path);
    for (int i = 0; i < OTHERS; i++)
        if (strcmp(name, others[i].file) == 0)
            fail_other(m, path, others[i].what);
    if (!shards_named(path))
        content_expect(m, path, CONTENT_SAFETENSORS,
                       "a BERT: a folder with config.json and model.safetensors, or that file");
    return path;
}

void bert_each_file(struct msa *m, const char *path, void (*see)(struct msa *m, const char *path))
{
    const char *weights = weights_of(m, path);
    see(m, file_beside(m, weights, "config.json"));
    see(m, weights);
    if (!shards_named(weights) || !file_exists(weights))
        return;
    struct shards s = shards_read(m, weights);
    for (size_t i = 0; i < s.count; i++)
        see(m, s.paths[i]);
}

/* Each tensor is in one file alone, by its new name too. */
static void expect_once(struct msa *m, const struct bert_checkpoint *b)
{
    for (size_t i = 0; i < b->count; i++)
        for (size_t k = 0; k < b->weights[i]->count; k++)
            for (size_t j = 0; j < i; j++)
                if (safetensors_names(b->weights[j], b->weights[i]->tensors[k].name))
                    msa_fail(m, MSA_CORRUPT, "%s: tensor '%s' is in '%s' too", b->weights[i]->path,
                             b->weights[i]->tensors[k].name, b->weights[j]->path);
}

static void rename_all(struct msa *m, struct safetensors *s, const char *prefix)
{
    for (size_t i = 0; i < s->count; i++)
        s->tensors[i].name = new_name(m, s->tensors[i].name, prefix);
    safetensors_sort(m, s);
}

static void open_weights(struct msa *m, struct bert_checkpoint *b, const char *path)
{
    if (shards_named(path)) {
        struct shards s = shards_read(m, path);
        b->count = s.count;
        b->weights = shards_open(m, &s);
        return;
    }
    b->count = 1;
    b->weights = msa_alloc(m, sizeof(struct safetensors *));
    b->weights[0] = safetensors_open_foreign(m, path);
}

struct bert_checkpoint bert_open(struct msa *m, const char *path, const char *prefix)
{
    struct bert_checkpoint b;
    const char *weights = weights_of(m, path), *config = file_beside(m, weights, "config.json");
    struct json json = json_read_file(m, config);
    b.config = config_of(m, config, json.value);
    json_free(m, &json);
    open_weights(m, &b, weights);
    for (size_t i = 0; i < b.count; i++)
        rename_all(m, b.weights[i], prefix);
    expect_once(m, &b);
    return b;
}
