/* Text by BERT. */
#include "common/stage/text_bert.h"
#include "common/dataset/tensor_names.h"
#include <string.h>

const char text_bert_name[] = "text_bert";

static const char prefix[] = "text_encoder.extractor";
static const char *const pools[] = {"pooler", "cls", "mean", "none"};

/* ---- Whether, and which ---- */

/* Parameters in evaluation are of the network that they have noted, and of no other. */
static void check_noted(struct trainable *t, const struct bert_config *config)
{
    const char *noted = trainable_noted(t, "bert"), *now = bert_config_text(t->m, config);
    if (noted && strcmp(noted, now) != 0)
        msa_fail(t->m, MSA_USAGE, "--bert: its config is %s but %s has %s", now, t->given->path,
                 noted);
}

static bool find_config(struct trainable *t, const struct text_bert_settings *s,
                        struct bert_config *config)
{
    if (s->bert) {
        struct bert_checkpoint found = bert_open(t->m, s->bert, prefix);
        trainable_initial(t, found.weights);
        check_noted(t, &found.config);
        *config = found.config;
        return true;
    }
    const char *noted = trainable_initial_note(t, "bert");
    if (noted)
        *config = bert_config_parse(t->m, "the parameters' note 'bert'", noted, strlen(noted));
    return noted != NULL;
}

void text_bert_refuse(struct msa *m, const struct text_bert_settings *s)
{
    if (s->bert || s->pool != POOL_AUTO)
        msa_fail(m, MSA_USAGE, "--%s is for text by BERT, but none is encoded here",
                 s->bert ? "bert" : "pool");
}

bool text_bert_wanted(struct trainable *t, const struct text_bert_settings *s,
                      struct bert_config *config)
{
    bool arrives = trainable_arrives(t, text_bert_name), noted = trainable_initial_note(t, "bert");
    bool asked = s->text == TEXT_BERT || (s->text == TEXT_AUTO && s->bert);
    if (!asked && (s->text == TEXT_FEATURES || !noted || !arrives))
        return false;
    if (!arrives)
        msa_fail(t->m, MSA_FAILED, "no 'text_bert' arrives (msa-tokenize makes it of texts)");
    if (!find_config(t, s, config))
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
static enum bert_pool find_pool(struct trainable *t, const struct text_bert_settings *s)
{
    const char *noted = trainable_initial_note(t, "pool");
    int kept = noted ? pool_named(noted) : POOL_POOLER,
        pool = s->pool == POOL_AUTO ? kept : s->pool;
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

static void check_tokens(const struct trainable *t)
{
    const struct schema_entry *entry = trainable_arrives(t, text_bert_name);
    char shape[128];
    if (entry->dtype != I8 || entry->rank != 3 || entry->shape[1] != 3 || entry->shape[2] < 1)
        msa_fail(t->m, MSA_CORRUPT, "header: 'text_bert' is %s %s but expected <i8 [*,3,*]",
                 dtype_names[entry->dtype], tensor_shape_text(shape, entry->rank, entry->shape));
}

struct text_bert text_bert_build(struct trainable *t, const struct text_bert_settings *s,
                                 const struct bert_config *config)
{
    enum bert_pool pool = find_pool(t, s);
    check_tokens(t);
    trainable_note(t, "bert", bert_config_text(t->m, config));
    trainable_note(t, "pool", pools[pool]);
    t->params.required = s->bert;
    struct text_bert b = {.bert = bert_layers(&t->params, prefix, config, pool),
                          .features = pool == POOL_NONE};
    t->params.required = NULL;
    return b;
}

void text_bert_declare(struct trainable *t, const struct text_bert *b)
{
    size_t tokens = trainable_arrives(t, text_bert_name)->shape[2], dim = b->bert.config.dim;
    char name[TENSOR_NAME + 1];
    if (b->features)
        trainable_declare(t, modality_names[TEXT], 3, (size_t[]){0, tokens, dim});
    else
        trainable_declare(t, name_vector(name, 'h', TEXT), 2, (size_t[]){0, dim});
}

/* ---- Forward ---- */

/* A record's vectors of tokens, each in its place; 0 elsewhere, as padding is. */
static void put_features(struct trainable *t, struct text_bert *b, const struct bert_batch *batch,
                         const struct var *vectors)
{
    size_t length = trainable_promised(t, text_bert_name)->shape[2], dim = b->bert.config.dim;
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

void text_bert_forward(struct trainable *t, struct text_bert *b)
{
    char name[TENSOR_NAME + 1];
    struct bert_batch batch =
        bert_read(t->m, &b->bert, &t->record->frame, trainable_promised(t, text_bert_name));
    struct var *h = bert_apply(&t->tape, &b->bert, &batch);
    if (b->features)
        put_features(t, b, &batch, h);
    else
        trainable_output(t, name_vector(name, 'h', TEXT), h);
    bert_batch_free(t->m, &batch);
}
