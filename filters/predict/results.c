/* What all heads make of their last vector. */
#include "filters/predict/predict.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct predict_settings *predict_settings(const struct trainable *t)
{
    return t->m->settings;
}

const struct schema_entry *predict_reads_fused(struct trainable *t)
{
    if (!trainable_arrives(t, "f"))
        msa_fail(t->m, MSA_FAILED, "nothing to predict from: no f arrives (msa-fuse makes it)");
    trainable_reads(t, "f");
    return schema_floats(t->m, &t->arrived, "f", 2);
}

/* --- y --- */

/* "LO,HI": false where it is not two numbers, the lower one first. */
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
    return end != text && !*end && isfinite(*low) && isfinite(*high) && *low < *high;
}

static void find_range(struct trainable *t, struct results *o)
{
    const char *given = predict_settings(t)->range, *text = given;
    double low, high;
    if (given && read_range(given, &low, &high))
        text = msa_format(t->m, "%s,%s", real_text(t->m, low), real_text(t->m, high));
    text = trainable_optional(t, "range", text);
    if (text && !read_range(text, &low, &high))
        msa_fail(t->m, given ? MSA_USAGE : MSA_CORRUPT,
                 "--range: '%s' is not LO,HI, two numbers of which the first is lower", text);
    o->bounded = text;
    if (text)
        o->low = (float)low, o->high = (float)high;
}

static struct var *between(struct tape *t, struct var *z, float low, float high)
{
    return op_affine(t, op_sigmoid(t, z, (struct dropout){0}), high - low, low);
}

/* --- all --- */

static void build_classifier(struct trainable *t, struct results *o, size_t width)
{
    o->classes =
        (size_t)trainable_optional_int(t, "classes", predict_settings(t)->classes, MOST_CLASSES);
    if (!o->classes)
        return;
    o->classifier = linear_layer(&t->params, "classes", width, o->classes);
    trainable_adds(t, "logits", 2, (size_t[]){0, o->classes});
}

void results_build(struct part *p, struct results *o, size_t width)
{
    find_range(p->t, o);
    trainable_adds(p->t, "y", 1, (size_t[]){0});
    if (width)
        build_classifier(p->t, o, width);
    each_build(p, &o->each);
}

void results_make(struct part *p, const struct results *o, struct var *x, struct var *z)
{
    struct trainable *t = p->t;
    size_t batch = z->shape[0];
    struct var *y = o->bounded ? between(&t->tape, z, o->low, o->high) : z;
    trainable_output(t, "y", tape_view(&t->tape, y, 1, &batch));
    if (o->classes)
        trainable_output(t, "logits", linear_apply(&t->tape, &o->classifier, x));
    each_make(p, &o->each, batch);
}
