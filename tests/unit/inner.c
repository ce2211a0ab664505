/* Tensors inside a stage, which no stream shows, as PyTorch has them in golden folders' first
 * batch, inner0.safetensors: what goes from MISA's first LSTMs to its second ones, and from
 * MAG-BERT's gate to BERT's layers, and what MulT's convolutions and transformers make. */
#include "common/dataset/dataset.h"
#include "common/nn/layers/bert.h"
#include "common/nn/layers/conv.h"
#include "common/nn/layers/gate.h"
#include "common/nn/layers/looking.h"
#include "common/nn/layers/lstm.h"
#include "common/nn/layers/norm.h"
#include "tests/unit/devices.h"

#define MISA "tests/golden/models/misa/"
#define MAG  "tests/golden/models/mag-bert/"
#define MULT "tests/golden/models/mult/"

enum { BATCH = 5, MASK = 1 };
static const double tolerance = 1e-5; /* of a tensor's largest number */

/* The first training samples' numbers of a tensor [N,a,b]. */
static void *first_batch(struct msa *m, struct dataset *d, const char *name, size_t shape[3])
{
    int tensor = dataset_find(d, name);
    const struct schema_entry *e = schema_find(&d->schema, name);
    size_t bytes = dataset_bytes(d, tensor);
    char *all = msa_calloc(m, BATCH, bytes);
    for (size_t i = 0; i < BATCH; i++)
        dataset_read(d, TRAIN, tensor, i, NON_FINITE_FAIL, all + i * bytes);
    shape[0] = BATCH, shape[1] = e->shape[1], shape[2] = e->shape[2];
    return all;
}

/* Ones in the mask of each text. */
static void count_tokens(struct msa *m, struct dataset *d, int32_t tokens[BATCH])
{
    size_t shape[3];
    const int64_t *text = first_batch(m, d, "text_bert", shape);
    for (size_t i = 0; i < BATCH; i++) {
        tokens[i] = 0;
        for (size_t t = 0; t < shape[2]; t++)
            tokens[i] += (int32_t)text[(i * shape[1] + MASK) * shape[2] + t];
    }
}

/* The first frames of each sample, so many; its first is at first[i] among the rows of x. Behind
 * them PyTorch has what comes of padding. */
static void compare(struct tape *t, const struct safetensor *want, const struct var *x,
                    const int32_t first[BATCH], const int32_t tokens[BATCH])
{
    float *got = msa_calloc(t->m, x->count, sizeof *got);
    size_t width = x->shape[x->rank - 1], length = want->shape[1];
    double most = 0;
    device_copy_out(t->m, t->device, got, x->data, x->count * sizeof *got);
    for (size_t i = 0; i < want->count; i++)
        most = fmax(most, fabs((double)((const float *)want->data)[i]));
    for (size_t i = 0; i < BATCH; i++)
        for (size_t j = 0; j < (size_t)tokens[i] * width; j++) {
            double one = (double)got[(size_t)first[i] * width + j];
            double other = (double)((const float *)want->data)[i * length * width + j];
            if (!(fabs(one - other) <= tolerance * most))
                fail_msg("%s, %s, sample %zu [%zu]: %.9g but expected %.9g", t->device->name,
                         want->name, i, j, one, other);
        }
}

/* --- MISA */

static void one_modality(struct msa *m, struct device *device, struct dataset *d, int modality)
{
    const char letter[] = {modality_names[modality][0], '\0'};
    struct params params = params_new(m, device, 1, NULL);
    struct tape t = tape_new(m, device, 1);
    int32_t tokens[BATCH], first[BATCH];
    size_t shape[3];
    const float *frames = first_batch(m, d, modality_names[modality], shape);
    struct tensor host = tensor_of("x", F4, frames, 3, shape);
    params_source(&params, safetensors_open(m, MISA "encode.init.safetensors"), false);
    struct bilstm_layer rnn =
        bilstm_layer(&params, msa_format(m, "%srnn1", letter), "_l0", shape[2], shape[2]);
    const char *name = msa_format(m, "%slayer_norm", letter);
    struct norm_layer norm = norm_layer(&params, name, LSTM_DIRECTIONS * shape[2]);
    tape_reset(&t, false, 0);
    count_tokens(m, d, tokens);
    struct lengths lengths = op_lengths(&t, BATCH, shape[1], tokens);
    struct var *last[LSTM_DIRECTIONS], *x = tape_input(&t, &host, false);
    x = bilstm_apply(&t, &rnn, x, &lengths, last);
    x = op_norm(&t, x, NULL, norm.gain, norm.bias, NORM_EPS, (struct dropout){0});
    struct safetensors *inner = safetensors_open(m, MISA "inner0.safetensors");
    for (size_t i = 0; i < BATCH; i++)
        first[i] = (int32_t)(i * shape[1]);
    compare(&t, safetensors_find(inner, name), x, first, tokens);
}

/* All numbers of x [B,L,D], or, with `turned`, those of [B,D,L]. */
static void compare_all(struct tape *t, const struct safetensors *inner, const char *name,
                        const struct var *x, bool turned)
{
    const struct safetensor *want = safetensors_find(inner, name);
    size_t length = x->shape[1], width = x->shape[2];
    float *got = msa_calloc(t->m, x->count, sizeof *got);
    device_copy_out(t->m, t->device, got, x->data, x->count * sizeof *got);
    assert_int_equal(x->count, want->count);
    for (size_t i = 0; i < x->count; i++) {
        size_t b = i / width / length, l = i / width % length, j = i % width;
        size_t at = turned ? (b * width + j) * length + l : i;
        double other = (double)((const float *)want->data)[at];
        if (!(fabs((double)got[i] - other) <= tolerance))
            fail_msg("%s, %s [%zu]: %.9g but expected %.9g", t->device->name, name, i,
                     (double)got[i], other);
    }
}

/* MulT's sizes. */
enum { DIM = 4, HEADS = 2, LAYERS = 2, MEMORY_LAYERS = 3 };
static const char letters[] = "lav";

struct mult {
    struct params params;
    struct tape t;
    const struct safetensors *inner;
    struct var *x[MODALITIES];
};

/* sqrt(width) x through the transformer of that name, which looks at sqrt(width) keys, or itself.
 */
static struct var *look(struct mult *n, const char *name, size_t layers, struct var *x,
                        struct var *keys)
{
    struct tape *t = &n->t;
    size_t queries = x->shape[1], rows = keys ? keys->shape[1] : queries, width = x->shape[2];
    const struct transformer shape = {.heads = HEADS, .count = layers};
    struct looking l = looking_layers(&n->params, name, width, &shape);
    float scale = sqrtf((float)width);
    struct attended to = {.queries = {BATCH, queries, NULL, NULL},
                          .rows = {BATCH, rows, NULL, NULL},
                          .masked = true,
                          .offset = rows > queries ? rows - queries : queries - rows};
    to.keys = to.values = keys ? op_affine(t, keys, scale, 0) : NULL;
    x = looking_apply(t, &l, op_affine(t, x, scale, 0), &to);
    compare_all(t, n->inner, name, x, false);
    return x;
}

static void convolve(struct mult *n, struct dataset *d, int i)
{
    static const int modalities[] = {TEXT, AUDIO, VISION};
    static const size_t kernels[] = {3, 1, 2};
    size_t shape[3];
    struct msa *m = n->t.m;
    const char *prefix = msa_format(m, "proj_%c", letters[i]);
    struct tensor host =
        tensor_of("x", F4, first_batch(m, d, modality_names[modalities[i]], shape), 3, shape);
    struct conv_layer conv = conv_layer(&n->params, prefix, shape[2], DIM, kernels[i]);
    n->x[i] = conv_apply(&n->t, &conv, tape_input(&n->t, &host, false));
    compare_all(&n->t, n->inner, prefix, n->x[i], true);
}

static void mult(struct msa *m)
{
    struct device *device = device_open(m, m->settings, 2);
    struct dataset *d = dataset_open(m, MULT "data.pkl", NULL);
    struct mult n = {.params = params_new(m, device, 1, NULL),
                     .t = tape_new(m, device, 1),
                     .inner = safetensors_open(m, MULT "inner0.safetensors")};
    params_source(&n.params, safetensors_open(m, MULT "fuse.init.safetensors"), false);
    tape_reset(&n.t, false, 0);
    for (int i = 0; i < MODALITIES; i++)
        convolve(&n, d, i);
    for (int q = 0; q < MODALITIES; q++) {
        struct var *seen[MODALITIES];
        int others = 0;
        for (int k = 0; k < MODALITIES; k++)
            if (k != q)
                seen[others++] = look(&n, msa_format(m, "trans_%c_with_%c", letters[q], letters[k]),
                                      LAYERS, n.x[q], n.x[k]);
        look(&n, msa_format(m, "trans_%c_mem", letters[q]), MEMORY_LAYERS,
             op_concat(&n.t, others, seen), NULL);
    }
}

static void both(struct msa *m)
{
    struct device *device = device_open(m, m->settings, 2);
    struct dataset *d = dataset_open(m, MISA "data.pkl", NULL);
    one_modality(m, device, d, VISION);
    one_modality(m, device, d, AUDIO);
}

static void misa_has_frames_between_lstms(void **state)
{
    (void)state;
    run_on_devices(both);
}

static void mult_has_frames_between_transformers(void **state)
{
    (void)state;
    run_on_devices(mult);
}

/* --- MAG-BERT */

static struct var *frames_of(struct tape *t, struct dataset *d, int modality)
{
    size_t shape[3];
    const float *frames = first_batch(t->m, d, modality_names[modality], shape);
    struct tensor host = tensor_of("x", F4, frames, 3, shape);
    return tape_input(t, &host, false);
}

/* Rows of a padded [B,words,F] at the tokens' places. */
static struct var *at_tokens(struct tape *t, const struct bert_batch *batch, struct var *x,
                             size_t words)
{
    int32_t *spans = msa_calloc(t->m, 2 * batch->rows, sizeof *spans);
    for (size_t i = 0; i < batch->batch; i++)
        for (int32_t r = batch->spans[2 * i]; r < batch->spans[2 * i + 1]; r++) {
            spans[2 * r] = (int32_t)(i * words) + batch->place[r];
            spans[2 * r + 1] = spans[2 * r] + 1;
        }
    return op_mean(t, op_words(t, x, words), batch->rows,
                   tape_upload(t, spans, 2 * batch->rows * sizeof *spans));
}

static void gate(struct msa *m)
{
    struct device *device = device_open(m, m->settings, 2);
    struct dataset *d = dataset_open(m, MAG "data.pkl", NULL);
    struct bert_config config = bert_open(m, MAG "bert", "model.bert").config;
    struct params params = params_new(m, device, 1, NULL);
    struct tape t = tape_new(m, device, 1);
    struct frame frame = {0};
    size_t shape[3];
    const void *numbers = first_batch(m, d, "text_bert", shape);
    struct tensor text = tensor_of("text_bert", I8, numbers, 3, shape);
    params_source(&params, safetensors_open(m, MAG "encode.init.safetensors"), false);
    tape_reset(&t, false, 0);
    struct bert bert = bert_layers(&params, "model.bert", &config, POOL_POOLER);
    struct bert_batch batch = bert_read(m, &bert, &frame, &text);
    struct var *vision = frames_of(&t, d, VISION), *audio = frames_of(&t, d, AUDIO);
    struct gate gate = gate_layers(&params, "model.bert.MAG", config.dim, 2, "va",
                                   (size_t[]){vision->shape[2], audio->shape[2]});
    gate.beta = .4F;
    struct var *x[] = {at_tokens(&t, &batch, vision, shape[2]),
                       at_tokens(&t, &batch, audio, shape[2])};
    struct var *y = gate_apply(&t, &gate, bert_embed(&t, &bert, &batch), x);
    int32_t tokens[BATCH], first[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        first[i] = batch.spans[2 * i];
        tokens[i] = batch.spans[2 * i + 1] - first[i];
    }
    struct safetensors *inner = safetensors_open(m, MAG "inner0.safetensors");
    compare(&t, safetensors_find(inner, "model.bert.MAG"), y, first, tokens);
}

static void mag_shifts_words_between_embeddings_and_layers(void **state)
{
    (void)state;
    run_on_devices(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misa_has_frames_between_lstms),
        cmocka_unit_test(mag_shifts_words_between_embeddings_and_layers),
        cmocka_unit_test(mult_has_frames_between_transformers)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
