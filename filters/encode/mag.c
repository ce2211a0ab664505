/* Which modalities a gate takes in, and what they say of each word. */
#include "filters/encode/mag.h"
#include "common/dataset/tensor_names.h"
#include "common/stage/trainable_frames.h"
#include "common/stage/trainable_lengths.h"

static const int order[GATE_SIDES] = {VISION, AUDIO};

/* --- parameters --- */

static bool arrives(const struct trainable *t, int modality)
{
    const char *only = ((const struct encode *)t->self)->settings->only;
    return trainable_arrives(t, modality_names[modality]) &&
           (!only || option_names(only, modality_names[modality]));
}

/* F; 0: the gate is not for this modality. */
static size_t width_of(struct trainable *t, const char *prefix, int modality)
{
    const char *name = modality_names[modality];
    if (!t->given)
        return arrives(t, modality) ? schema_floats(t->m, &t->arrived, name, 3)->shape[2] : 0;
    const struct safetensor *kept =
        trainable_given(t, msa_format(t->m, "%s.W_%c.weight", prefix, *name));
    return kept && kept->rank == 2 ? kept->shape[1] : 0;
}

static void check_width(struct trainable *t, const struct mag_side *side)
{
    size_t width = trainable_arrives(t, modality_names[side->modality])->shape[2];
    if (width != side->width)
        msa_fail(t->m, MSA_CORRUPT, "%s is for %zu features in a frame of '%s', but %zu arrive",
                 t->given->path, side->width, modality_names[side->modality], width);
}

static struct mag_side build_side(struct part *p, const char *prefix, int modality, size_t width)
{
    struct trainable *t = p->t;
    const char *name = modality_names[modality];
    struct mag_side side = {.modality = modality, .width = width, .arrives = arrives(t, modality)};
    if (!side.arrives)
        return side;
    const struct schema_entry *frames = schema_floats(t->m, &t->arrived, name, 3);
    check_width(t, &side);
    side.frames =
        trainable_frames(t, name, params_name(&t->params, prefix, name), frames->shape[1]);
    encode_drop_modality(p, modality);
    return side;
}

void mag_build(struct part *p, struct mag *mag, const char *bert, size_t dim, double beta)
{
    struct trainable *t = p->t;
    const char *prefix = params_name(&t->params, bert, "MAG"), *missing = "";
    char letters[GATE_SIDES];
    size_t widths[GATE_SIDES];
    int count = 0;
    for (int i = 0; i < GATE_SIDES; i++) {
        size_t width = width_of(t, prefix, order[i]);
        if (!width)
            continue;
        mag->sides[count] = build_side(p, prefix, order[i], width);
        if (!mag->sides[count].arrives)
            missing = msa_join(t->m, missing, ",", modality_names[order[i]]);
        letters[count] = *modality_names[order[i]];
        widths[count++] = width;
    }
    if (!count)
        msa_fail(t->m, MSA_FAILED, "--gate mag: no vision and no audio %s",
                 t->given ? msa_format(t->m, "that %s has parameters for", t->given->path)
                          : "to shift words by arrives");
    trainable_missing(t, "frames", missing);
    mag->gate = gate_layers(&t->params, prefix, dim, count, letters, widths);
    mag->gate.beta = (float)beta;
    mag->gate.dropout = encode_dropout(p, 0);
}

/* --- forward --- */

/* The words' means of frames, [rows,F], of words that are no padding: a mean of one each. */
static struct var *words_of(struct part *p, const struct mag_side *side,
                            const struct bert_batch *batch, const int32_t *spans, size_t words)
{
    struct trainable *t = p->t;
    if (!side->arrives)
        return tape_zeros(&t->tape, 2, (size_t[]){batch->rows, side->width});
    struct var *x = trainable_input(t, modality_names[side->modality]);
    x = op_words(&t->tape, frames_apply(&t->tape, &side->frames, x, NULL), words);
    return op_mean(&t->tape, x, batch->rows, spans);
}

/* [rows,2], on the device: where each token is among all words, with padding. */
static const int32_t *places(struct tape *t, const struct bert_batch *batch, size_t words)
{
    int32_t *spans = msa_calloc(t->m, 2 * batch->rows, sizeof *spans);
    for (size_t i = 0; i < batch->batch; i++)
        for (int32_t r = batch->spans[2 * i]; r < batch->spans[2 * i + 1]; r++) {
            spans[2 * r] = (int32_t)(i * words) + batch->place[r];
            spans[2 * r + 1] = spans[2 * r] + 1;
        }
    const int32_t *there = tape_upload(t, spans, 2 * batch->rows * sizeof *spans);
    msa_free(t->m, spans);
    return there;
}

struct var *mag_apply(struct part *p, const struct mag *mag, const struct bert_batch *batch,
                      size_t words, struct var *e)
{
    struct tape *tape = &p->t->tape;
    const int32_t *spans = places(tape, batch, words);
    struct var *x[GATE_SIDES];
    for (int i = 0; i < mag->gate.count; i++)
        x[i] = words_of(p, &mag->sides[i], batch, spans, words);
    return gate_apply(tape, &mag->gate, e, x);
}
