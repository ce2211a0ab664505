/* Frames: whether they are standardized, and by which numbers. */
#include "common/stage/trainable_frames.h"
#include "common/stream/tensor_codec.h"
#include <string.h>

/* The map that the header of a training has of this input; NULL: none. */
static const value *told(const struct trainable *t, const char *name)
{
    const struct header *h = t->stage->header;
    return h->train ? value_get(value_get(&h->map, "standardize"), name) : NULL;
}

/* mean or scale [F], of the header; NULL: it is not there. */
static const float *header_numbers(struct trainable *t, const struct schema_entry *frames,
                                   const char *what)
{
    const value *v = value_get(told(t, frames->name), what);
    struct tensor *host = msa_alloc(t->m, sizeof *host);
    char wrong[256];
    const char *bad = v ? value_tensor(v, what, strlen(what), host, wrong) : NULL;
    if (bad || (v && (host->dtype != F4 || host->count != frames->shape[2])))
        msa_fail(t->m, MSA_CORRUPT, "header: standardize of '%s': %s", frames->name,
                 bad ? bad : "not one float32 a feature");
    return v ? host->data : NULL;
}

/* The same, in evaluation of FILE, whose shape is looked at when the buffer is made. */
static const float *numbers(struct trainable *t, const struct schema_entry *frames,
                            const char *prefix, const char *what)
{
    const struct safetensor *kept =
        trainable_given(t, msa_format(t->m, "%s.standardize.%s", prefix, what));
    return kept ? kept->data : header_numbers(t, frames, what);
}

struct frames trainable_frames(struct trainable *t, const char *name, const char *prefix,
                               size_t most)
{
    const struct schema_entry *frames = schema_floats(t->m, &t->arrived, name, 3);
    const float *mean = numbers(t, frames, prefix, "mean"),
                *scale = numbers(t, frames, prefix, "scale");
    if (!mean != !scale || (!mean && told(t, name)))
        msa_fail(t->m, MSA_CORRUPT, "standardize of '%s': %s missing", name,
                 mean || scale ? "one of mean and scale is" : "mean and scale are");
    if (frames->shape[1] > most)
        msa_fail(t->m, MSA_CORRUPT, "header: %zu frames of '%s' but at most %zu are expected",
                 frames->shape[1], name, most);
    if (frames->gradient && (mean || frames->shape[1] < most))
        msa_fail(t->m, MSA_FAILED, "%s of '%s': no gradient goes back through it",
                 mean ? "standardize" : "padding", name);
    trainable_reads(t, name)->frames = true;
    return frames_layer(&t->params, prefix, most, frames->shape[2], mean, scale);
}

void trainable_check_frames(const struct trainable *t)
{
    for (int i = 0; i < t->input_count; i++)
        if (!t->inputs[i].frames && told(t, t->inputs[i].name))
            msa_fail(t->m, MSA_USAGE,
                     "'%s' is to be standardized (msa-load --standardize), which its network here "
                     "does not do",
                     t->inputs[i].name);
}
