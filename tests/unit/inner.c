/* Tensors inside a stage, which no stream shows, as PyTorch has them in golden folders' first
 * batch, inner0.safetensors: what goes from MISA's first LSTMs to its second ones. */
#include "common/dataset/dataset.h"
#include "common/nn/layers/lstm.h"
#include "common/nn/layers/norm.h"
#include "tests/unit/devices.h"

#define GOLDEN "tests/golden/models/misa/"

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

/* The frames that count; PyTorch has put zeros through the norm behind them. */
static void compare(struct tape *t, const struct safetensor *want, const struct var *x,
                    const int32_t tokens[BATCH])
{
    float *got = msa_calloc(t->m, x->count, sizeof *got);
    size_t width = x->shape[2], length = want->shape[1];
    double most = 0;
    device_copy_out(t->m, t->device, got, x->data, x->count * sizeof *got);
    for (size_t i = 0; i < want->count; i++)
        most = fmax(most, fabs((double)((const float *)want->data)[i]));
    for (size_t i = 0; i < BATCH; i++)
        for (size_t j = 0; j < (size_t)tokens[i] * width; j++) {
            double one = (double)got[i * x->shape[1] * width + j];
            double other = (double)((const float *)want->data)[i * length * width + j];
            if (!(fabs(one - other) <= tolerance * most))
                fail_msg("%s, %s, sample %zu [%zu]: %.9g but expected %.9g", t->device->name,
                         want->name, i, j, one, other);
        }
}

static void one_modality(struct msa *m, struct device *device, struct dataset *d, int modality)
{
    const char letter[] = {modality_names[modality][0], '\0'};
    struct params params = params_new(m, device, 1, NULL);
    struct tape t = tape_new(m, device, 1);
    int32_t tokens[BATCH];
    size_t shape[3];
    const float *frames = first_batch(m, d, modality_names[modality], shape);
    struct tensor host = tensor_of("x", F4, frames, 3, shape);
    params_source(&params, safetensors_open(m, GOLDEN "encode.init.safetensors"), false);
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
    struct safetensors *inner = safetensors_open(m, GOLDEN "inner0.safetensors");
    compare(&t, safetensors_find(inner, name), x, tokens);
}

static void both(struct msa *m)
{
    struct device *device = device_open(m, m->settings, 2);
    struct dataset *d = dataset_open(m, GOLDEN "data.pkl", NULL);
    one_modality(m, device, d, VISION);
    one_modality(m, device, d, AUDIO);
}

static void misa_has_frames_between_lstms(void **state)
{
    (void)state;
    run_on_devices(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(misa_has_frames_between_lstms)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
