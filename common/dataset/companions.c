/* Companions of the samples that are trained on. */
#include "common/dataset/companions.h"
#include "common/run/random.h"
#include "common/stream/resume.h"
#include "common/stream/tensor_codec.h"
#include <string.h>

/* Are these places in the survey, with -1 behind the last of each list alone? */
static bool are_places(const struct companions *c)
{
    size_t count = c->order->count * COMPANION_LISTS * c->longest;
    for (size_t i = 0; i < count; i++) {
        bool behind = i % c->longest && c->lists[i - 1] < 0;
        if (c->lists[i] < -1 || c->lists[i] >= (int64_t)c->order->count ||
            (behind && c->lists[i] >= 0))
            return false;
    }
    return true;
}

static void find_places(struct companions *c)
{
    size_t count = c->order->count;
    c->place = msa_calloc(c->m, count ? c->order->taken[count - 1] + 1 : 1, sizeof *c->place);
    for (size_t i = 0; i < count; i++)
        c->place[c->order->taken[i]] = (uint32_t)i;
}

/* `from`: what has them, for the line that says what is wrong. */
static void take_lists(struct companions *c, const value *map, const char *from)
{
    static const char key[] = "companions";
    const value *v = value_get(map, key);
    struct tensor t;
    char text[256];
    const char *wrong = v ? value_tensor(v, key, sizeof key - 1, &t, text) : "there are none";
    if (wrong)
        msa_fail(c->m, MSA_CORRUPT, "%s: '%s': %s", from, key, wrong);
    if (t.dtype != I8 || t.rank != 3 || t.shape[0] != c->order->count ||
        t.shape[1] != COMPANION_LISTS || !t.shape[2])
        msa_fail(c->m, MSA_CORRUPT, "%s: '%s' is %s %s but expected <i8 [%zu,%d,n]", from, key,
                 dtype_names[t.dtype], tensor_shape_text(text, t.rank, t.shape), c->order->count,
                 COMPANION_LISTS);
    c->longest = t.shape[2];
    c->lists = msa_realloc(c->m, c->lists, t.count * sizeof *c->lists);
    memcpy(c->lists, t.data, t.count * sizeof *c->lists);
    if (!are_places(c))
        msa_fail(c->m, MSA_CORRUPT, "%s: '%s' are no places from 0 to %zu, each list ending in -1",
                 from, key, c->order->count - 1);
    if (!c->place)
        find_places(c);
}

void companions_take(struct companions *c, const struct control *survey, int64_t epoch)
{
    int64_t every = value_int(&survey->map, "every", 0);
    take_lists(c, &survey->map, "the answer to the survey");
    if (every < 1 || every > INT32_MAX)
        msa_fail(c->m, MSA_CORRUPT, "the answer to the survey: 'every' is no number of epochs");
    c->next = epoch + every;
}

void companions_restore(struct companions *c, const value *state)
{
    take_lists(c, state, "header: the state to be resumed");
    c->next = resume_int(c->m, state, "survey");
}

void companions_save(const struct companions *c, struct control *checkpoint, value *state)
{
    size_t shape[] = {c->order->count, COMPANION_LISTS, c->longest};
    struct tensor t = tensor_of("companions", I8, c->lists, 3, shape);
    value_set(c->m, checkpoint->zone, state, "companions",
              value_of_tensor(c->m, checkpoint->zone, &t));
    value_set(c->m, checkpoint->zone, state, "survey", value_of_int(c->next));
}

/* A list's length. */
static size_t length_of(const struct companions *c, const int64_t *list)
{
    size_t n = 0;
    while (n < c->longest && list[n] >= 0)
        n++;
    return n;
}

/* `wanted` of a list, into `to`: a list that is too short goes round, and in place of one that is
 * empty there is the sample itself. */
static void draw_from(const struct companions *c, struct random *r, const int64_t *list,
                      uint32_t sample, size_t wanted, uint32_t *to)
{
    size_t n = length_of(c, list);
    uint32_t *at = msa_calloc(c->m, n + 1, sizeof *at);
    for (size_t i = 0; i < n; i++)
        at[i] = (uint32_t)i;
    if (c->draw == DRAW_RANDOM && n)
        random_order(r, at, (uint32_t)n);
    for (size_t i = 0; i < wanted; i++)
        to[i] = n ? c->order->taken[list[at[i % n]]] : sample;
    msa_free(c->m, at);
}

void companions_add(struct companions *c, uint32_t *samples, size_t count, long step)
{
    struct random r = random_stream(c->order->seed, "companions", (uint32_t)step);
    size_t each = (c->group - 1) / COMPANION_LISTS;
    uint32_t *to = samples + count;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < COMPANION_LISTS; k++, to += each) {
            size_t list = c->place[samples[i]] * COMPANION_LISTS + k;
            draw_from(c, &r, c->lists + list * c->longest, samples[i], each, to);
        }
}
