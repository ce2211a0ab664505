/* Tensors inside a stage, which no stream shows, as PyTorch has them in golden folders' first
 * batch, inner0.safetensors: what goes from MISA's first LSTMs to its second ones, and from
 * MAG-BERT's gate to BERT's layers. */
#include "common/dataset/dataset.h"
#include "common/nn/layers/bert.h"
#include "common/nn/layers/gate.h"
#include "common/nn/layers/lstm.h"
#include "common/nn/layers/norm.h"
#include "tests/unit/devices.h"

#define MISA "tests/golden/models/misa/"
#define MAG  "tests/golden/models/mag-bert/"

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
        cmocka_unit_test(mag_shifts_words_between_embeddings_and_layers)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
