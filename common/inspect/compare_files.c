/* Comparing files. */
#include "common/inspect/compare_files.h"
#include "common/formats/safetensors.h"
#include "common/run/option.h"
#include <string.h>

/* A parameter, as a tensor of a stream; what was converted for it is to be freed. */
struct shown {
    struct tensor tensor;
    float *copy;
};

/* NULL stays NULL. The name is the spot's: those of parameters may be longer than those of a
 * stream. */
static const struct tensor *as_tensor(struct msa *m, struct shown *to, const struct safetensor *s)
{
    to->copy = NULL;
    if (s)
        to->tensor = tensor_of("", F4, safetensor_floats(m, s, &to->copy), s->rank, s->shape);
    return s ? &to->tensor : NULL;
}

static void compare_parameter(struct compare *c, struct msa *m, const struct safetensor *a,
                              const struct safetensor *b)
{
    struct shown x, y;
    struct spot at = {.kind = ""};
    const char *name = a ? a->name : b->name;
    snprintf(at.path, sizeof at.path, "tensor '%s'", name);
    if (!compare_wants(c, name))
        return;
    compare_tensors(c, &at, as_tensor(m, &x, a), as_tensor(m, &y, b));
    msa_free(m, x.copy);
    msa_free(m, y.copy);
}

static void compare_metadata(struct compare *c, const char *key, const char *a, const char *b)
{
    struct spot at = {.kind = "metadata"};
    if (option_names("training,line", key)) /* whose settings are here too */
        return;
    at.noted =
        strcmp(key, "version") == 0 || strcmp(key, "device") == 0 || strcmp(key, "threads") == 0;
    snprintf(at.path, sizeof at.path, "%s", key);
    compare_texts(c, &at, a, b);
}

static void compare_all_metadata(struct compare *c, const struct safetensors *x,
                                 const struct safetensors *y)
{
    for (size_t i = 0; i < x->metadata_count; i++)
        compare_metadata(c, x->metadata[i][0], x->metadata[i][1],
                         safetensors_metadata(y, x->metadata[i][0]));
    for (size_t i = 0; i < y->metadata_count; i++)
        if (!safetensors_metadata(x, y->metadata[i][0]))
            compare_metadata(c, y->metadata[i][0], NULL, y->metadata[i][1]);
}

static void compare_params(struct compare *c, struct msa *m, const char *a, const char *b)
{
    struct safetensors *x = safetensors_open(m, a), *y = safetensors_open(m, b);
    if (compare_chosen(c)->records)
        msa_fail(m, MSA_USAGE, "'%s' is a parameter file: there are no records to compare", a);
    if (compare_wants(c, NULL))
        compare_all_metadata(c, x, y);
    for (size_t i = 0; i < x->count; i++)
        compare_parameter(c, m, &x->tensors[i], safetensors_find(y, x->tensors[i].name));
    for (size_t i = 0; i < y->count; i++)
        if (!safetensors_find(x, y->tensors[i].name))
            compare_parameter(c, m, NULL, &y->tensors[i]);
    safetensors_close(m, x);
    safetensors_close(m, y);
}

/* A parameter file and another, which is a stream, unless the reader says what else it is. */
static _Noreturn void fail_unlike(struct msa *m, const char *params, const char *other)
{
    struct frame f;
    reader_next(reader_open_path(m, other), &f);
    msa_fail(m, MSA_USAGE, "'%s' is a parameter file but '%s' is a stream: nothing to compare",
             params, other);
}

static void compare_paths(struct compare *c, struct msa *m, const char *a, const char *b)
{
    if (strcmp(a, "-") == 0 && strcmp(b, "-") == 0)
        msa_fail(m, MSA_USAGE, "stdin cannot be compared with itself");
    struct reader *x = reader_open_path(m, a), *y = reader_open_path(m, b);
    compare_streams(c, m, x, y);
    reader_close(x);
    reader_close(y);
}

void compare_files(struct compare *c, struct msa *m, const char *a, const char *b)
{
    bool params = safetensors_resembles(m, a);
    if (params != safetensors_resembles(m, b))
        fail_unlike(m, params ? a : b, params ? b : a);
    if (params)
        compare_params(c, m, a, b);
    else
        compare_paths(c, m, a, b);
    compare_check_met(c);
}
