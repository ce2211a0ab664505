/* BERT, with Hugging Face's parameter names. */
#include "common/nn/layers/bert.h"
#include <assert.h>
#include <string.h>

static_assert((int)BERT_LAYERS <= (int)TRANSFORMER_LAYERS,
              "a BERT has no more layers than a stack");

enum { IDS, MASK, SEGMENTS, ROWS }; /* of a sample of text_bert */

/* ---- Parameters ---- */

/* Of weights where no checkpoint gives them: uniform, of Hugging Face's deviation, .02. */
static struct init weight_init(void)
{
    return init_uniform(.034641016F);
}

static struct var *table(struct params *p, const char *prefix, const char *name, size_t rows,
                         size_t dim)
{
    return params_add(p, msa_format(p->m, "%s.embeddings.%s.weight", prefix, name), weight_init(),
                      2, (size_t[]){rows, dim});
}

static struct linear_layer dense(struct params *p, const char *prefix, const char *name, size_t in,
                                 size_t out)
{
    return (struct linear_layer){
        params_add(p, msa_format(p->m, "%s.%s.weight", prefix, name), weight_init(), 2,
                   (size_t[]){out, in}),
        params_add(p, msa_format(p->m, "%s.%s.bias", prefix, name), init_constant(0), 1, &out)};
}

/* Query, key and value as one layer, [3 dim,dim]. */
static struct linear_layer joint(struct params *p, const char *prefix, size_t dim)
{
    static const char *const parts[] = {"query", "key", "value"};
    const char *weights[3], *biases[3];
    for (int i = 0; i < 3; i++) {
        weights[i] = msa_format(p->m, "%s.attention.self.%s.weight", prefix, parts[i]);
        biases[i] = msa_format(p->m, "%s.attention.self.%s.bias", prefix, parts[i]);
    }
    return (struct linear_layer){
        params_stack(p, 3, weights, weight_init(), 2, (size_t[]){dim, dim}),
        params_stack(p, 3, biases, init_constant(0), 1, &dim)};
}

static struct transformer_layer layer(struct params *p, const char *prefix,
                                      const struct bert_config *c)
{
    return (struct transformer_layer){
        .name = prefix,
        .qkv = joint(p, prefix, c->dim),
        .out = dense(p, prefix, "attention.output.dense", c->dim, c->dim),
        .norm1 = norm_layer(p, params_name(p, prefix, "attention.output.LayerNorm"), c->dim),
        .linear1 = dense(p, prefix, "intermediate.dense", c->dim, c->wide),
        .linear2 = dense(p, prefix, "output.dense", c->wide, c->dim),
        .norm2 = norm_layer(p, params_name(p, prefix, "output.LayerNorm"), c->dim)};
}

struct bert bert_layers(struct params *p, const char *prefix, const struct bert_config *config,
                        enum bert_pool pool)
{
    struct bert b = {
        .name = msa_strndup(p->m, prefix, strlen(prefix)),
        .config = *config,
        .pool = pool,
        .words = table(p, prefix, "word_embeddings", config->words, config->dim),
        .positions = table(p, prefix, "position_embeddings", config->positions, config->dim),
        .types = table(p, prefix, "token_type_embeddings", config->types, config->dim),
        .norm = norm_layer(p, params_name(p, prefix, "embeddings.LayerNorm"), config->dim),
        .stack = {.heads = config->heads,
                  .eps = (float)config->eps,
                  .attention = (float)config->attention,
                  .hidden = (float)config->hidden,
                  .count = config->layers}};
    for (size_t i = 0; i < config->layers; i++)
        b.stack.layers[i] = layer(p, msa_format(p->m, "%s.encoder.layer.%zu", prefix, i), config);
    if (pool == POOL_POOLER)
        b.pooler = dense(p, prefix, "pooler.dense", config->dim, config->dim);
    return b;
}

/* ---- A batch ---- */

static int64_t number_at(const struct tensor *tokens, size_t sample, int row, size_t token)
{
    int64_t number;
    size_t at = (sample * ROWS + (size_t)row) * tokens->shape[2] + token;
    memcpy(&number, (const uint8_t *)tokens->data + at * sizeof number, sizeof number);
    return number;
}

static int32_t row_of_table(struct msa *m, const struct frame *frame, const struct tensor *tokens,
                            size_t sample, int row, size_t token, size_t rows)
{
    int64_t number = number_at(tokens, sample, row, token);
    if (number < 0 || (uint64_t)number >= rows)
        frame_fail(m, frame, tokens->name,
                   "sample %zu, token %zu: %s %jd but expected one from 0 to %zu", sample, token,
                   row == IDS ? "id" : "type", (intmax_t)number, rows - 1);
    return (int32_t)number;
}

/* Appends a token, where the network has rows for it. */
static void take_token(struct msa *m, const struct bert *b, const struct frame *frame,
                       const struct tensor *tokens, struct bert_batch *r, size_t i, size_t token)
{
    const struct bert_config *c = &b->config;
    if (token >= c->positions)
        frame_fail(m, frame, tokens->name,
                   "sample %zu has a token %zu but the network has %zu positions", i, token,
                   c->positions);
    r->word[r->rows] = row_of_table(m, frame, tokens, i, IDS, token, c->words);
    r->type[r->rows] = row_of_table(m, frame, tokens, i, SEGMENTS, token, c->types);
    r->place[r->rows++] = (int32_t)token;
}

struct bert_batch bert_read(struct msa *m, const struct bert *b, const struct frame *frame,
                            const struct tensor *tokens)
{
    size_t length = tokens->shape[2], most = tokens->shape[0] * length;
    struct bert_batch r = {.batch = tokens->shape[0],
                           .word = msa_calloc(m, most, sizeof *r.word),
                           .place = msa_calloc(m, most, sizeof *r.place),
                           .type = msa_calloc(m, most, sizeof *r.type),
                           .spans = msa_calloc(m, 2 * tokens->shape[0], sizeof *r.spans)};
    for (size_t i = 0; i < r.batch; i++) {
        size_t first = r.rows;
        for (size_t token = 0; token < length; token++)
            if (number_at(tokens, i, MASK, token))
                take_token(m, b, frame, tokens, &r, i, token);
        if (r.rows == first)
            take_token(m, b, frame, tokens, &r, i, 0);
        r.spans[2 * i] = (int32_t)first;
        r.spans[2 * i + 1] = (int32_t)r.rows;
        r.longest = r.rows - first > r.longest ? r.rows - first : r.longest;
    }
    return r;
}

void bert_batch_free(struct msa *m, struct bert_batch *batch)
{
    msa_free(m, batch->word);
    msa_free(m, batch->place);
    msa_free(m, batch->type);
    msa_free(m, batch->spans);
}

/* ---- Forward ---- */

static const int32_t *upload(struct tape *t, const int32_t *numbers, size_t count)
{
    return tape_upload(t, numbers, count * sizeof *numbers);
}

/* The vector of each sample's first token: a mean over that alone. */
static struct var *first_tokens(struct tape *t, struct var *x, const struct bert_batch *batch)
{
    int32_t *firsts = msa_calloc(t->m, 2 * batch->batch, sizeof *firsts);
    for (size_t i = 0; i < batch->batch; i++) {
        firsts[2 * i] = batch->spans[2 * i];
        firsts[2 * i + 1] = batch->spans[2 * i] + 1;
    }
    const int32_t *spans = upload(t, firsts, 2 * batch->batch);
    msa_free(t->m, firsts);
    return op_mean(t, x, batch->batch, spans);
}

struct var *bert_embed(struct tape *t, const struct bert *b, const struct bert_batch *batch)
{
    struct tokens tokens = {batch->rows, upload(t, batch->word, batch->rows),
                            upload(t, batch->place, batch->rows),
                            upload(t, batch->type, batch->rows)};
    struct var *x = op_embedding(t, tokens, b->words, b->positions, b->types);
    x = op_norm(t, x, NULL, b->norm.gain, b->norm.bias, b->stack.eps, (struct dropout){0});
    return op_dropout(t, x, dropout_at(t, b->stack.hidden, b->name, "embeddings.dropout"));
}

struct var *bert_apply(struct tape *t, const struct bert *b, const struct bert_batch *batch,
                       struct var *x)
{
    struct sequences samples = {batch->batch, batch->longest, NULL,
                                upload(t, batch->spans, 2 * batch->batch)};
    x = transformer_apply(t, &b->stack, x, samples);
    switch (b->pool) {
    case POOL_NONE:
        return x;
    case POOL_MEAN:
        return op_mean(t, x, batch->batch, samples.spans);
    case POOL_CLS:
        return first_tokens(t, x, batch);
    default:
        return op_tanh(t, linear_apply(t, &b->pooler, first_tokens(t, x, batch)),
                       (struct dropout){0});
    }
}
