/* Parameters that are NaN or infinite: as files give them, and as training leaves them. */
#include "common/nn/device.h"
#include "common/nn/params_internal.h"
#include "common/stream/finite.h"
#include "common/stream/stats.h"
#include <stdio.h>

enum { BLOCK = 1 << 18 }; /* floats that are copied from the device at once */

static bool finite_on_device(const struct params *p, const struct var *v, float *host)
{
    for (size_t at = 0; at < v->count; at += BLOCK) {
        size_t count = v->count - at < BLOCK ? v->count - at : BLOCK;
        struct tensor block = tensor_of("", F4, host, 1, &count);
        device_copy_out(p->m, p->device, host, v->data + at, count * sizeof *host);
        if (tensor_nonfinite(&block) < count)
            return false;
    }
    return true;
}

bool params_finite(const struct params *p)
{
    float *host = msa_calloc(p->m, BLOCK, sizeof *host);
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

static void look_at(struct found *n, const struct parameter *one, const float *floats,
                    const char *path)
{
    char place[128];
    struct tensor host = tensor_of("", F4, floats, one->var.rank, one->var.shape);
    size_t at = tensor_nonfinite(&host);
    n->all += host.count;
    if (at == host.count)
        return;
    if (!n->file)
        snprintf(n->first, sizeof n->first, "'%s' with %s at %s", one->name,
                 nonfinite_called(tensor_value(&host, at)), tensor_place_text(place, &host, at));
    n->file = n->file ? n->file : path;
    n->count += stats_of(&host).non_finite;
}

void params_warn(const struct params *p)
{
    struct found n = {0};
    for (int i = 0; i < p->count; i++) {
        const struct safetensors *from;
        const struct safetensor *t = params_given(p, p->list[i], &from);
        float *copy = NULL;
        if (t)
            look_at(&n, p->list[i], safetensor_floats(p->m, t, &copy), from->path);
        msa_free(p->m, copy);
    }
    if (n.count)
        msa_warn(p->m, "%s: %zu of %zu parameters are not finite, the first is %s", n.file, n.count,
                 n.all, n.first);
}
