/* Parameters that are NaN or infinite: as files give them, and as training leaves them. */
#include "common/nn/device.h"
#include "common/nn/params_internal.h"
#include "common/stream/finite.h"
#include "common/stream/stats.h"
#include <stdio.h>

static bool finite_on_device(const struct params *p, const struct var *v, float *host)
{
    for (size_t at = 0, count; at < v->count; at += count) {
        count = safetensor_piece_size(v->count, at);
        struct tensor block = tensor_of("", F4, host, 1, &count);
        device_copy_out(p->m, p->device, host, v->data + at, count * sizeof *host);
        if (tensor_nonfinite(&block) < count)
            return false;
    }
    return true;
}

bool params_finite(const struct params *p)
{
    float *host = msa_calloc(p->m, SAFETENSOR_PIECE, sizeof *host);
    bool finite = true;
    for (int i = 0; i < p->count && finite; i++)
        finite = finite_on_device(p, &p->list[i]->var, host);
    msa_free(p->m, host);
    return finite;
}

/* What is not finite in the files that have given parameters. */
struct found {
    const char *file; /* the first such; NULL: all are */
    char first[512];  /* parameter, number and place */
    size_t count, all;
};

/* At a piece of a parameter's numbers, from number `first` on. */
static void look_at(struct found *n, const struct parameter *one, const float *floats, size_t first,
                    size_t count, const char *path)
{
    char place[128];
    struct tensor piece = tensor_of("", F4, floats, 1, &count),
                  whole = tensor_of("", F4, NULL, one->var.rank, one->var.shape);
    size_t at = tensor_nonfinite(&piece);
    n->all += count;
    if (at == count)
        return;
    if (!n->file)
        snprintf(n->first, sizeof n->first, "'%s' with %s at %s", one->name,
                 nonfinite_called(tensor_value(&piece, at)),
                 tensor_place_text(place, &whole, first + at));
    n->file = n->file ? n->file : path;
    n->count += stats_of(&piece).non_finite;
}

/* At what a file has given of a parameter, if anything. */
static void look_at_given(const struct params *p, struct found *n, const struct parameter *one)
{
    const struct safetensors *from;
    const struct safetensor *t = params_given(p, one, &from);
    float *host = t ? params_piece(p->m, t->count) : NULL;
    for (size_t at = 0, count; t && at < t->count; at += count) {
        count = safetensor_piece_size(t->count, at);
        safetensor_read(from, t, at, count, host);
        look_at(n, one, host, at, count, from->path);
    }
    msa_free(p->m, host);
}

void params_warn(const struct params *p)
{
    struct found n = {0};
    for (int i = 0; i < p->count; i++)
        look_at_given(p, &n, p->list[i]);
    if (n.count)
        msa_warn(p->m, "%s: %zu of %zu parameters are not finite, the first is %s", n.file, n.count,
                 n.all, n.first);
}
