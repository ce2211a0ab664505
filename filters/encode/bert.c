/* Tokens of a text [B,3,L] -> one vector [B,D] by BERT, or a vector for each token, text [B,L,D]
 * (msa-model(7), Text). */
#include "common/dataset/tensor_names.h"
#include "filters/encode/mag.h"
#include <stdlib.h>
#include <string.h>

static const char *const pools[] = {"pooler", "cls", "mean", "none"};
enum { POOL_AUTO = POOL_NONE + 1 };

const char encode_tokens[] = "text_bert";

enum gate_kind { GATE_NONE, GATE_MAG };
static const char gate_words[] = "none|mag"; /* in that order */
static const double BETA_MOST = 1e6;

struct settings {
    int pool; /* enum bert_pool or POOL_AUTO */
    const char *bert;
    int gate; /* enum gate_kind */
    double beta;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "bert", "DIR", OPTION_READS, FIELD(bert), NULL, 0, 0,
     .help =
         "a BERT as Hugging Face writes it, which gives initial values: a folder with config.json "
         "and model.safetensors, in one file or several, or the latter beside the former",
     .files = bert_each_file},
    {0, "pool", "pooler|cls|mean|none|auto", OPTION_CHOICE, FIELD(pool), "auto", 0, 0,
     .help = "the vector that BERT makes of a text: by its pooler, of the first token, or the mean "
             "over "
             "all; none leaves one a token, as features text (not in training); auto: pooler; "
             "evaluation takes it from the parameters"},
    {0, "gate", gate_words, OPTION_CHOICE, FIELD(gate), "none", 0, 0,
     .help = "mag: vision and audio, as many of them as arrive, shift the words' vectors inside "
             "BERT, which makes f then; evaluation takes it from the parameters"},
    {0, "beta", "X", OPTION_REAL, FIELD(beta), "1", 0, BETA_MOST,
     .help = "of --gate mag: the longest shift, in lengths of the word's vector; evaluation takes "
             "it from the parameters"},
    {0},
};
#undef FIELD

struct text_bert {
    struct bert bert;
    struct mag mag; /* with --gate mag alone */
    bool features;  /* a vector for each token: --pool none */
    struct host_copy vectors;
    float *made; /* of the current record */
};

/* ---- Whether, and which ---- */

static const struct settings *settings_of(const struct trainable *t)
{
    return variant_settings(t->m, &encode_bert.is);
}

/* Parameters in evaluation are of the network that they have noted, and of no other. */
static void check_noted(struct trainable *t, const struct bert_config *config)
{
    const char *noted = trainable_noted(t, "bert"), *now = bert_config_text(t->m, config);
    if (noted && strcmp(noted, now) != 0)
        msa_fail(t->m, MSA_USAGE, "--bert: its config is %s but %s has %s", now, t->given->path,
                 noted);
}

static const char *prefix_of(struct trainable *t)
{
    return encode_prefix(t, &encode_bert, TEXT, "text_encoder.extractor");
}

static bool find_config(struct trainable *t, const char *path, struct bert_config *config)
{
    if (path) {
        struct bert_checkpoint found = bert_open(t->m, path, prefix_of(t));
        for (size_t i = 0; i < found.count; i++)
            trainable_initial(t, found.weights[i]);
        check_noted(t, &found.config);
        *config = found.config;
        return true;
    }
    const char *noted = trainable_initial_note(t, "bert");
    if (noted)
        *config = bert_config_parse(t->m, "the parameters' note 'bert'", noted, strlen(noted));
    return noted != NULL;
}

/* With --text auto, --net says; then --bert, or parameters that are of one. */
static bool asked(struct trainable *t)
{
    const struct encode_settings *s = ((const struct encode *)t->self)->settings;
    if (s->text != TEXT_AUTO)
        return s->text == TEXT_BERT;
    if (s->net[TEXT])
        return s->net[TEXT] == &encode_bert.is;
    return settings_of(t)->bert ||
           (trainable_initial_note(t, "bert") && trainable_arrives(t, encode_tokens));
}

/* Does BERT take the other modalities in? */
static bool is_gated(struct trainable *t)
{
    bool given = settings_of(t)->gate == GATE_MAG;
    const char *gate = trainable_optional(t, "gate", given ? "mag" : NULL);
    if (gate && strcmp(gate, "mag") != 0)
        msa_fail(t->m, MSA_CORRUPT, "%s is '%.32s' but expected mag",
                 trainable_origin(t, "gate", given), gate);
    if (!gate && option_given(t->m, "beta"))
        msa_fail(t->m, MSA_USAGE, "--beta is for --gate mag");
    return gate;
}

bool encode_bert_wanted(struct trainable *t, struct bert_config *config)
{
    bool gated = is_gated(t);
    if (gated && !trainable_arrives(t, encode_tokens))
        msa_fail(t->m, MSA_FAILED,
                 "%s--gate mag%s shifts words of text, and no 'text_bert' arrives",
                 t->given ? msa_format(t->m, "%s is for ", t->given->path) : "",
                 t->given ? ", which" : "");
    if (!asked(t))
        return false;
    ((struct encode *)t->self)->gated = gated;
    if (!trainable_arrives(t, encode_tokens))
        msa_fail(t->m, MSA_FAILED, "no 'text_bert' arrives (msa-tokenize makes it of texts)");
    if (!find_config(t, settings_of(t)->bert, config))
        msa_fail(t->m, MSA_USAGE, "--text bert needs --bert DIR, or parameters that are of one");
    return true;
}

/* ---- Parameters ---- */

/* POOL_AUTO: there is none of that name. */
static int pool_named(const char *name)
{
    int pool = 0;
    while (pool < POOL_AUTO && strcmp(name, pools[pool]) != 0)
        pool++;
    return pool;
}

/* As --pool says, else as the parameters have noted. Those of an evaluation may leave the pool out,
 * but have no other. */
static enum bert_pool find_pool(struct trainable *t, int given)
{
    const char *noted = trainable_initial_note(t, "pool");
    int kept = noted ? pool_named(noted) : POOL_POOLER, pool = given == POOL_AUTO ? kept : given;
    if (kept == POOL_AUTO)
        msa_fail(t->m, MSA_CORRUPT, "the parameters' note 'pool' is '%.32s' but expected a pool",
                 noted);
    if (t->given && trainable_noted(t, "pool") && pool != kept && pool != POOL_NONE)
        msa_fail(t->m, MSA_USAGE, "--pool: %s given but %s has %s", pools[pool], t->given->path,
                 noted);
    if (pool == POOL_NONE && t->stage->header->train)
        msa_fail(t->m, MSA_USAGE, "--pool none makes features to keep, and does not train");
    return (enum bert_pool)pool;
}

/* Many a BERT comes without a pooler, and one that is drawn is none of its own. */
static void expect_pooler(struct trainable *t, const char *bert)
{
    const char *name = msa_format(t->m, "%s.pooler.dense.weight", prefix_of(t));
    for (int i = 0; i < t->params.source_count; i++)
        if (safetensors_find(t->params.sources[i], name))
            return;
    msa_fail(t->m, MSA_CORRUPT,
             "%s: no tensor '%s': this BERT has no pooler, and needs --pool cls or --pool mean",
             bert, name);
}

static void check_tokens(const struct trainable *t)
{
    const struct schema_entry *entry = trainable_arrives(t, encode_tokens);
    char shape[128];
    if (entry->dtype != I8 || entry->rank != 3 || entry->shape[1] != 3 || entry->shape[2] < 1)
        msa_fail(t->m, MSA_CORRUPT, "header: 'text_bert' is %s %s but expected <i8 [*,3,*]",
                 dtype_names[entry->dtype], tensor_shape_text(shape, entry->rank, entry->shape));
}

/* BERT's dropout is its configuration's; that of the option is the gate's. */
static void check_dropout(const struct trainable *t)
{
    uint32_t given = option_given(t->m, "dropout");
    if (given == UINT32_MAX ? t->part_count == 1 : given >> TEXT & 1)
        msa_fail(t->m, MSA_USAGE,
                 "--dropout: BERT's is that of its config.json; without --gate there is no other");
}

static double find_beta(struct trainable *t, double given)
{
    bool said = option_given(t->m, "beta");
    const char *text = trainable_text(t, "beta", said ? real_text(t->m, given) : NULL, "1");
    char *end;
    double beta = strtod(text, &end);
    if (end == text || *end || !(beta >= 0 && beta <= BETA_MOST))
        msa_fail(t->m, MSA_CORRUPT, "%s is '%.32s' but expected a number from 0 to %g",
                 trainable_origin(t, "beta", said), text, BETA_MOST);
    return beta;
}

/* Features that BERT makes take the place of those that arrive. */
static void declare(struct part *p, const struct text_bert *b)
{
    struct trainable *t = p->t;
    size_t tokens = trainable_arrives(t, encode_tokens)->shape[2], dim = b->bert.config.dim;
    if (!b->features) {
        if (b->mag.gate.count)
            trainable_adds(t, "f", 2, (size_t[]){0, dim});
        else
            encode_adds(p, dim);
        encode_drop_modality(p, TEXT);
        return;
    }
    schema_add(t->m, &t->stage->header->schema, modality_names[TEXT], F4, 3,
               (size_t[]){0, tokens, dim}, false);
    encode_drop(p, encode_tokens);
}

static void build(struct part *p)
{
    struct trainable *t = p->t;
    struct text_bert *b = p->self;
    const struct settings *s = p->settings;
    const struct encode *e = t->self;
    const struct bert_config *config = &e->config;
    enum bert_pool pool = find_pool(t, s->pool);
    if (p->modality != TEXT)
        msa_fail(t->m, MSA_USAGE, "--net: bert is for text, not for %s",
                 modality_names[p->modality]);
    check_tokens(t);
    if (s->bert && pool == POOL_POOLER)
        expect_pooler(t, s->bert);
    trainable_note(t, "bert", bert_config_text(t->m, config));
    trainable_note(t, "pool", pools[pool]);
    t->params.required = s->bert;
    b->bert = bert_layers(&t->params, prefix_of(t), config, pool);
    b->features = pool == POOL_NONE;
    t->params.required = NULL;
    if (e->gated)
        mag_build(p, &b->mag, b->bert.name, config->dim, find_beta(t, s->beta));
    else
        check_dropout(t);
    declare(p, b);
}

/* ---- Forward ---- */

/* A record's vectors of tokens, each in its place; 0 elsewhere, as padding is. */
static void put_features(struct trainable *t, struct text_bert *b, const struct bert_batch *batch,
                         const struct var *vectors)
{
    size_t length = trainable_promised(t, encode_tokens)->shape[2], dim = b->bert.config.dim;
    size_t shape[] = {batch->batch, length, dim}, bytes = dim * sizeof(float);
    const float *from = tape_copy_out(&t->tape, &b->vectors, vectors->data, vectors->count);
    tape_wait(&t->tape);
    b->made = msa_realloc(t->m, b->made, batch->batch * length * bytes);
    memset(b->made, 0, batch->batch * length * bytes);
    for (size_t i = 0; i < batch->batch; i++)
        for (int32_t r = batch->spans[2 * i]; r < batch->spans[2 * i + 1]; r++)
            memcpy(b->made + (i * length + (size_t)batch->place[r]) * dim, from + (size_t)r * dim,
                   bytes);
    record_put(t->m, t->record, tensor_of(modality_names[TEXT], F4, b->made, 3, shape));
}

/* In lane 0, where copies are made: the tokens are the host's. */
static void forward(struct part *p)
{
    struct trainable *t = p->t;
    struct text_bert *b = p->self;
    char name[TENSOR_NAME + 1];
    tape_lane(&t->tape, 0);
    struct bert_batch batch =
        bert_read(t->m, &b->bert, &t->record->frame, trainable_promised(t, encode_tokens));
    bool gated = b->mag.gate.count;
    struct var *x = bert_embed(&t->tape, &b->bert, &batch);
    if (gated)
        x = mag_apply(p, &b->mag, &batch, trainable_promised(t, encode_tokens)->shape[2], x);
    struct var *h = bert_apply(&t->tape, &b->bert, &batch, x);
    if (b->features)
        put_features(t, b, &batch, h);
    else if (gated)
        trainable_output(t, "f", h);
    else
        trainable_output(t, name_vector(name, 'h', TEXT), h);
    bert_batch_free(t->m, &batch);
}

const struct model encode_bert = {.is = {.name = "bert",
                                         .summary = "tokens of a text through BERT",
                                         .reads = "text_bert [B,3,L], with --gate vision and "
                                                  "audio [B,L,F] too",
                                         .adds = "h_text [B,D], with --gate f [B,D]",
                                         .options = options,
                                         .settings_size = sizeof(struct settings),
                                         .takes = "dim,dropout"},
                                  .size = sizeof(struct text_bert),
                                  .build = build,
                                  .forward = forward};
