/* Frames of sequences: which are a sample's own, sequences one behind the other, step by step, and
 * as many frames as another sequence has. */
#include "common/nn/ops/ops_internal.h"

/* The rows of a padded matrix from `first` to before `end`, of the sample that begins at `at`. */
static void put_span(int32_t *span, size_t at, size_t first, size_t end)
{
    span[0] = (int32_t)(at + first);
    span[1] = (int32_t)(at + end);
}

static size_t own_count(struct tape *t, int32_t own, size_t length)
{
    if (own < 0 || (size_t)own > length)
        msa_fail(t->m, MSA_FAILED, "a sample of %jd frames, but there are %zu", (intmax_t)own,
                 length);
    return (size_t)own;
}

struct lengths op_lengths(struct tape *t, size_t batch, size_t length, const int32_t *own)
{
    int32_t *host = msa_calloc(t->m, 7 * batch, sizeof *host);
    int32_t *all = host + batch, *first = all + 2 * batch, *last = first + 2 * batch;
    for (size_t b = 0; b < batch; b++) {
        size_t count = own ? own_count(t, own[b], length) : length, least = count ? count : 1;
        host[b] = (int32_t)count;
        put_span(all + 2 * b, b * length, 0, least);
        put_span(first + 2 * b, b * length, 0, 1);
        put_span(last + 2 * b, b * length, least - 1, least);
    }
    const int32_t *there = tape_upload(t, host, 7 * batch * sizeof *host);
    msa_free(t->m, host);
    return (struct lengths){there, there + batch, there + 3 * batch, there + 5 * batch};
}

/* [B,L,D], or [B,D], which is one. */
static size_t frames_of(const struct var *x)
{
    return x->rank == 3 ? x->shape[1] : 1;
}

struct var *op_concat_frames(struct tape *t, int count, struct var *const *parts)
{
    struct var **flat = msa_calloc(t->m, (size_t)count, sizeof(struct var *));
    size_t batch = parts[0]->shape[0], dim = last_of(parts[0]), frames = 0;
    for (int i = 0; i < count; i++) {
        frames += frames_of(parts[i]);
        flat[i] = tape_view(t, parts[i], 2, (size_t[]){batch, frames_of(parts[i]) * dim});
    }
    struct var *y = op_concat(t, count, flat);
    msa_free(t->m, flat);
    return tape_view(t, y, 3, (size_t[]){batch, frames, dim});
}

/* Each row is the mean of one. */
struct var *op_turn(struct tape *t, struct var *x)
{
    size_t batch = x->shape[0], length = x->shape[1];
    int32_t *spans = msa_calloc(t->m, 2 * batch * length, sizeof *spans);
    for (size_t l = 0; l < length; l++)
        for (size_t b = 0; b < batch; b++)
            put_span(spans + 2 * (l * batch + b), b * length + l, 0, 1);
    struct var *y =
        op_mean(t, x, batch * length, tape_upload(t, spans, 2 * batch * length * sizeof *spans));
    msa_free(t->m, spans);
    return tape_view(t, y, 3, (size_t[]){length, batch, x->shape[2]});
}

/* x [B,L,D] followed by its last frame so many times */
static struct var *repeat_last(struct tape *t, struct var *x, size_t times)
{
    size_t batch = x->shape[0];
    struct var **parts = msa_calloc(t->m, 1 + times, sizeof(struct var *));
    parts[0] = x;
    struct var *last =
        op_mean(t, x, batch, op_lengths(t, batch, x->shape[1], NULL).last); /* of one frame */
    for (size_t i = 1; i <= times; i++)
        parts[i] = last;
    struct var *y = op_concat_frames(t, (int)(1 + times), parts);
    msa_free(t->m, parts);
    return y;
}

struct var *op_words(struct tape *t, struct var *x, size_t words)
{
    size_t batch = x->shape[0], frames = x->shape[1], dim = x->shape[2];
    size_t each = (frames + words - 1) / words;
    if (frames == words)
        return x;
    if (each * words > frames)
        x = repeat_last(t, x, each * words - frames);
    return tape_view(t, op_mean(t, x, batch * words, NULL), 3, (size_t[]){batch, words, dim});
}
