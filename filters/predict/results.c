/* What all heads make of their last vector. */
#include "filters/predict/predict.h"
#include <stdlib.h>
#include <string.h>

const struct predict_settings *predict_settings(const struct trainable *t)
{
    return t->m->settings;
}

float predict_hidden_dropout(struct trainable *t)
{
    double dropout = predict_settings(t)->dropout[DROPOUT_HIDDEN];
    trainable_note(t, "dropout.hidden", real_text(t->m, dropout));
    return (float)dropout;
}

const struct schema_entry *predict_reads_fused(struct trainable *t)
{
    if (!trainable_arrives(t, "f"))
        msa_fail(t->m, MSA_FAILED, "nothing to predict from: no f arrives (msa-fuse makes it)");
    trainable_reads(t, "f");
    return schema_floats(t->m, &t->arrived, "f", 2);
}

/* --- y --- */

enum { RANGE_MOST = 1000000000 };

/* "LO,HI": false where it is not two such numbers, the lower one first as float32 too. */
static bool read_range(const char *text, double *low, double *high)
{
    char *end;
    if (text[strspn(text, "+-.0123456789eE,")])
        return false;
    *low = strtod(text, &end);
    if (end == text || *end != ',')
        return false;
    text = end + 1;
    *high = strtod(text, &end);
    return end != text && !*end && *low >= -RANGE_MOST && (float)*low < (float)*high &&
           *high <= RANGE_MOST;
}

static void find_range(struct trainable *t, struct results *r)
{
    const char *given = predict_settings(t)->range, *text = given;
    double low, high;
    if (given && read_range(given, &low, &high)) /* "-3.0,3" and "-3,3" are the same */
        text = msa_format(t->m, "%s,%s", real_text(t->m, low), real_text(t->m, high));
    text = trainable_optional(t, "range", text);
    if (text && !read_range(text, &low, &high))
        msa_fail(t->m, given ? MSA_USAGE : MSA_CORRUPT,
                 "%s: '%s' is not LO,HI, two numbers from -%d to %d, the lower one first",
                 trainable_origin(t, "range", given), text, RANGE_MOST, RANGE_MOST);
    r->bounded = text;
    if (text)
        r->low = (float)low, r->high = (float)high;
}

static struct var *between(struct tape *t, struct var *z, float low, float high)
{
    return op_affine(t, op_sigmoid(t, z, (struct dropout){0}), high - low, low);
}

/* --- all --- */

static void build_classifier(struct trainable *t, struct results *r, size_t width)
{
    r->classes =
        (size_t)trainable_optional_int(t, "classes", predict_settings(t)->classes, MOST_CLASSES);
    if (!r->classes)
        return;
    r->classifier = linear_layer(&t->params, "classes", width, r->classes);
    trainable_adds(t, "logits", 2, (size_t[]){0, r->classes});
}

void results_build(struct part *p, struct results *r, size_t width)
{
    find_range(p->t, r);
    trainable_adds(p->t, "y", 1, (size_t[]){0});
    if (width)
        build_classifier(p->t, r, width);
    each_build(p, &r->each);
}

void results_make(struct part *p, const struct results *r, struct var *x, struct var *z)
{
    struct trainable *t = p->t;
    size_t batch = z->shape[0];
    struct var *y = r->bounded ? between(&t->tape, z, r->low, r->high) : z;
    trainable_output(t, "y", tape_view(&t->tape, y, 1, &batch));
    if (r->classes)
        trainable_output(t, "logits", linear_apply(&t->tape, &r->classifier, x));
    each_make(p, &r->each, batch);
}
