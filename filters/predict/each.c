/* Heads of single modalities. */
#include "common/dataset/tensor_names.h"
#include "filters/predict/predict.h"

/* P_m; 0: no head, as where no vector arrives that one could be made for. */
static size_t hidden_width(struct trainable *t, int modality, bool arrives)
{
    const char *key = msa_format(t->m, "each.%s", modality_names[modality]);
    if (!arrives && !trainable_noted(t, key))
        return 0;
    long given = predict_settings(t)->each[modality];
    return (size_t)trainable_optional_int(t, key, given, SCHEMA_MOST);
}

/* D_m, of what arrives, else of the parameters in FILE. */
static size_t vector_width(struct trainable *t, const char *vector, const char *layer)
{
    if (trainable_arrives(t, vector))
        return schema_floats(t->m, &t->arrived, vector, 2)->shape[1];
    const char *name = params_name(&t->params, layer, "weight");
    const struct safetensor *weight = trainable_given(t, name);
    if (!weight || weight->rank != 2)
        msa_fail(t->m, MSA_CORRUPT, "%s: no tensor '%s' of two dimensions", t->given->path, name);
    return weight->shape[1];
}

static void build_layers(struct trainable *t, struct each_head *h, int modality, size_t hidden)
{
    size_t widths[] = {h->width, hidden, hidden, 1};
    t->params.modality = modality;
    for (int i = 0; i < EACH_LAYERS; i++)
        h->layers[i] = linear_layer(&t->params, h->names[i], widths[i], widths[i + 1]);
    t->params.modality = -1;
}

static void add_outputs(struct trainable *t, int modality, size_t hidden)
{
    char name[TENSOR_NAME + 1];
    trainable_adds(t, name_vector(name, 'y', modality), 1, (size_t[]){0});
    trainable_adds(t, name_vector(name, 'f', modality), 2, (size_t[]){0, hidden});
}

static void build_one(struct trainable *t, struct each_head *h, int modality)
{
    char vector[TENSOR_NAME + 1];
    h->arrives = trainable_arrives(t, name_vector(vector, 'h', modality));
    size_t hidden = hidden_width(t, modality, h->arrives);
    if (!hidden)
        return;
    for (int i = 0; i < EACH_LAYERS; i++)
        h->names[i] = msa_format(t->m, "post_%s_layer_%d", mmsa_names[modality], i + 1);
    h->width = vector_width(t, vector, h->names[0]);
    h->dropout = (float)predict_settings(t)->dropout[modality];
    trainable_note(t, msa_format(t->m, "dropout.%s", modality_names[modality]),
                   real_text(t->m, predict_settings(t)->dropout[modality]));
    build_layers(t, h, modality, hidden);
    add_outputs(t, modality, hidden);
    if (h->arrives)
        trainable_reads(t, vector);
}

void each_build(struct part *p, struct each *e)
{
    struct trainable *t = p->t;
    bool any = false;
    const char *missing = "";
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++) {
        build_one(t, &e->heads[i], i);
        any = any || e->heads[i].width;
        if (e->heads[i].width && !e->heads[i].arrives)
            missing = msa_join(t->m, missing, ",", name_vector(name, 'h', i));
    }
    if (!any && option_given(t->m, "each"))
        msa_fail(t->m, MSA_FAILED, "--each predicts from h_*, and none arrives that it names");
    trainable_missing(t, "vectors", missing);
}

static void make_one(struct trainable *t, const struct each_head *h, int modality, size_t batch)
{
    struct tape *tape = &t->tape;
    char name[TENSOR_NAME + 1];
    struct var *x = h->arrives ? trainable_input(t, name_vector(name, 'h', modality))
                               : tape_zeros(tape, 2, (size_t[]){batch, h->width});
    x = op_dropout(tape, x, dropout_at(tape, h->dropout, h->names[0], "input"));
    struct var *f = op_relu(tape, linear_apply(tape, &h->layers[0], x), (struct dropout){0});
    struct var *z = op_relu(tape, linear_apply(tape, &h->layers[1], f), (struct dropout){0});
    struct var *y = linear_apply(tape, &h->layers[2], z);
    trainable_output(t, name_vector(name, 'f', modality), f);
    trainable_output(t, name_vector(name, 'y', modality), tape_view(tape, y, 1, &batch));
}

void each_make(struct part *p, const struct each *e, size_t batch)
{
    for (int i = 0; i < MODALITIES; i++)
        if (e->heads[i].width)
            make_one(p->t, &e->heads[i], i, batch);
}
