/* Names in data sets. The table is what msa-load(1), Names, says. */
#include "common/dataset/naming.h"
#include "common/run/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KNOWN = 8, BOTH = NAME_PICKLE | NAME_STREAM };

/* A name that is known, and where it is read; or another word for such a one. */
static const struct {
    const char *name;
    int flags;
    const char *means;
} table[] = {
    {"train", KNOWN | NAME_SPLIT, NULL},
    {"valid", KNOWN | NAME_SPLIT, NULL},
    {"test", KNOWN | NAME_SPLIT, NULL},
    {"text", KNOWN | BOTH, NULL},
    {"vision", KNOWN | BOTH, NULL},
    {"audio", KNOWN | BOTH, NULL},
    {"text_bert", KNOWN | BOTH, NULL},
    {"text_lengths", KNOWN | BOTH, NULL},
    {"vision_lengths", KNOWN | BOTH, NULL},
    {"audio_lengths", KNOWN | BOTH, NULL},
    {"id", KNOWN | NAME_PICKLE, NULL},
    {"raw_text", KNOWN | NAME_PICKLE, NULL},
    {"regression_labels", KNOWN | NAME_PICKLE, NULL},
    {"regression_labels_T", KNOWN | NAME_PICKLE, NULL},
    {"regression_labels_V", KNOWN | NAME_PICKLE, NULL},
    {"regression_labels_A", KNOWN | NAME_PICKLE, NULL},
    {"label", KNOWN | NAME_STREAM, NULL},
    {"label_text", KNOWN | NAME_STREAM, NULL},
    {"label_vision", KNOWN | NAME_STREAM, NULL},
    {"label_audio", KNOWN | NAME_STREAM, NULL},
    {"h_text", KNOWN | NAME_STREAM, NULL},
    {"h_vision", KNOWN | NAME_STREAM, NULL},
    {"h_audio", KNOWN | NAME_STREAM, NULL},
    {"s_text", KNOWN | NAME_STREAM, NULL},
    {"s_vision", KNOWN | NAME_STREAM, NULL},
    {"s_audio", KNOWN | NAME_STREAM, NULL},
    {"d_text", KNOWN | NAME_STREAM, NULL},
    {"d_vision", KNOWN | NAME_STREAM, NULL},
    {"d_audio", KNOWN | NAME_STREAM, NULL},
    {"y", KNOWN | NAME_STREAM, NULL},
    {"logits", KNOWN | NAME_STREAM, NULL},
    {"u", KNOWN | NAME_STREAM, NULL},
    {"annotations", KNOWN, NULL},
    {"annotations_T", KNOWN, NULL},
    {"annotations_V", KNOWN, NULL},
    {"annotations_A", KNOWN, NULL},
    {"classification_labels", KNOWN, NULL},
    {"classification_labels_T", KNOWN, NULL},
    {"classification_labels_V", KNOWN, NULL},
    {"classification_labels_A", KNOWN, NULL},
    {"label_T", KNOWN, NULL},
    {"label_V", KNOWN, NULL},
    {"label_A", KNOWN, NULL},
    {"mode", KNOWN, NULL},
    {"index", KNOWN, NULL},
    {"align", KNOWN, NULL},
    {"config", KNOWN, NULL},
    {"training", 0, "train"},
    {"val", 0, "valid"},
    {"validation", 0, "valid"},
    {"validate", 0, "valid"},
    {"dev", 0, "valid"},
    {"devel", 0, "valid"},
    {"development", 0, "valid"},
    {"testing", 0, "test"},
    {"eval", 0, "test"},
    {"evaluation", 0, "test"},
    {"language", 0, "text"},
    {"linguistic", 0, "text"},
    {"words", 0, "text"},
    {"word_embeddings", 0, "text"},
    {"glove", 0, "text"},
    {"text_features", 0, "text"},
    {"visual", 0, "vision"},
    {"video", 0, "vision"},
    {"visual_features", 0, "vision"},
    {"vision_features", 0, "vision"},
    {"video_features", 0, "vision"},
    {"facet", 0, "vision"},
    {"openface", 0, "vision"},
    {"acoustic", 0, "audio"},
    {"acoustic_features", 0, "audio"},
    {"audio_features", 0, "audio"},
    {"speech", 0, "audio"},
    {"covarep", 0, "audio"},
    {"opensmile", 0, "audio"},
    {"bert", 0, "text_bert"},
    {"bert_text", 0, "text_bert"},
    {"labels", 0, "regression_labels"},
    {"regression_label", 0, "regression_labels"},
    {"label", 0, "regression_labels"},
    {"labels", 0, "label"},
};
enum { NAMES = sizeof table / sizeof *table };

/* ---- Known names ---- */

static int flags_of(const char *name)
{
    for (size_t i = 0; i < NAMES; i++)
        if (table[i].flags && strcmp(table[i].name, name) == 0)
            return table[i].flags;
    return 0;
}

bool naming_known(const char *name, int where)
{
    int flags = flags_of(name);
    return flags & where || (flags == KNOWN && where != NAME_SPLIT);
}

static const char *likely(const char *plain, int where)
{
    for (size_t i = 0; i < NAMES; i++) {
        const char *means = table[i].means ? table[i].means : table[i].name;
        if (strcasecmp(table[i].name, plain) == 0 && flags_of(means) & where)
            return means;
    }
    return NULL;
}

/* "visual_lengths" is vision_lengths: what counts a modality's frames goes by its name. */
static const char *likely_lengths(const char *plain, int where)
{
    static const char end[] = "_lengths";
    char name[2 * (BODY_KEY + 1)];
    size_t length = strlen(plain), stem = length < strlen(end) ? 0 : length - strlen(end);
    if (strcasecmp(plain + stem, end) != 0)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)stem, plain);
    const char *means = likely(name, where);
    snprintf(name, sizeof name, "%s%s", means ? means : "", end);
    return likely(name, where);
}

/* "h_visual" is h_vision: a modality's name after what a stream puts before it. */
static const char *likely_in_stream(const char *plain)
{
    const char *end = strchr(plain, '_'), *means = end ? likely(end + 1, NAME_STREAM) : NULL;
    char whole[2 * (BODY_KEY + 1)];
    snprintf(whole, sizeof whole, "%.*s_%s", end ? (int)(end - plain) : 0, plain,
             means ? means : "");
    return means ? likely(whole, NAME_STREAM) : NULL;
}

const char *naming_likely(const char *name, int where)
{
    char plain[BODY_KEY + 1];
    snprintf(plain, sizeof plain, "%s", name + strspn(name, " "));
    for (size_t length = strlen(plain); length && plain[length - 1] == ' ';)
        plain[--length] = '\0';
    for (char *at = plain; (at = strpbrk(at, " -."));)
        *at = '_';
    const char *means = likely(plain, where);
    if (!means)
        means = likely_lengths(plain, where);
    return means || !(where & NAME_STREAM) ? means : likely_in_stream(plain);
}

char *naming_remedy(struct msa *m, const char *from, const char *to)
{
    static const char bare[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.,:@%+/-";
    if (!from[strspn(from, bare)])
        return msa_format(m, "--rename %s=%s", from, to);
    char *rest = msa_strndup(m, from, strlen(from));
    const char *quoted = strsep(&rest, "'");
    while (rest)
        quoted = msa_format(m, "%s'\\''%s", quoted, strsep(&rest, "'"));
    return msa_format(m, "--rename '%s=%s'", quoted, to);
}

/* ---- Making ---- */

struct naming *naming_new(struct msa *m)
{
    struct naming *n = msa_alloc(m, sizeof *n);
    n->m = m;
    n->count = 0;
    return n;
}

/* By the file's name; NULL: it is not there. */
static struct renaming *find(struct naming *n, const char *from)
{
    for (int i = 0; i < n->count; i++)
        if (strcmp(n->all[i].from, from) == 0)
            return &n->all[i];
    return NULL;
}

/* Splits "OLD=NEW"; false: it is not of this form. Only OLD may contain '='. */
static bool split(struct msa *m, const char *pair, struct renaming *r)
{
    const char *sign = strrchr(pair, '=');
    if (!sign || sign == pair || !sign[1] || strlen(pair) > BODY_KEY ||
        !utf8_printable(pair, strlen(pair)))
        return false;
    *r = (struct renaming){.from = msa_strndup(m, pair, (size_t)(sign - pair)),
                           .to = msa_strndup(m, sign + 1, strlen(sign + 1))};
    return true;
}

/* Sorted by name, so that equal sets give equal headers. */
static void add(struct naming *n, struct renaming r)
{
    int at = n->count;
    if (n->count == RENAMINGS)
        msa_fail(n->m, MSA_USAGE, "more than %d renamings", RENAMINGS);
    for (; at > 0 && strcmp(n->all[at - 1].from, r.from) > 0; at--)
        n->all[at] = n->all[at - 1];
    n->all[at] = r;
    n->count++;
}

void naming_give(struct naming *n, const char *pair)
{
    struct renaming r;
    if (!split(n->m, pair, &r))
        msa_fail(n->m, MSA_USAGE, "--rename: '%s' is not OLD=NEW", pair);
    if (!(flags_of(r.to) & ~KNOWN))
        msa_fail(n->m, MSA_USAGE, "--rename %s: '%s' is no name that is read (msa-load(1), Names)",
                 pair, r.to);
    if (strcmp(r.from, r.to) == 0)
        msa_fail(n->m, MSA_USAGE, "--rename %s: both names are the same", pair);
    for (int i = 0; i < n->count; i++)
        if (strcmp(n->all[i].from, r.from) == 0 || strcmp(n->all[i].to, r.to) == 0)
            msa_fail(n->m, MSA_USAGE, "--rename %s: --rename %s=%s is given too", pair,
                     n->all[i].from, n->all[i].to);
    r.given = true;
    add(n, r);
}

/* ---- Told by an earlier run ---- */

static void recall(struct naming *n, const char *pair)
{
    struct renaming r, *known;
    if (!split(n->m, pair, &r) || !(flags_of(r.to) & ~KNOWN))
        return;
    known = find(n, r.from);
    r.told = true;
    if (!known && n->count < RENAMINGS)
        add(n, r);
    else if (known && strcmp(known->to, r.to) == 0)
        known->told = true;
}

void naming_recall(struct naming *n, const value *header)
{
    const value *names = value_get(header, "rename");
    for (uint32_t i = 0; names && names->type == MSGPACK_OBJECT_ARRAY && i < names->via.array.size;
         i++) {
        const msgpack_object *item = &names->via.array.ptr[i];
        if (item->type != MSGPACK_OBJECT_STR)
            continue;
        char *pair = msa_strndup(n->m, item->via.str.ptr, item->via.str.size);
        recall(n, pair);
        msa_free(n->m, pair);
    }
}

/* ---- Asking ---- */

struct renaming *naming_to(struct naming *n, const char *path, const char *known,
                           naming_has_fn *has, const void *of)
{
    struct renaming *found = NULL;
    bool own = has(of, known);
    for (int i = 0; i < n->count; i++) {
        struct renaming *r = &n->all[i];
        if (strcmp(r->to, known) != 0 || !has(of, r->from))
            continue;
        if (own && r->given)
            naming_conflict(n, path, r);
        if (!own && (!found || r->given))
            found = r;
    }
    if (found)
        found->done = true;
    return found;
}

const char *naming_of(struct naming *n, const char *name)
{
    const struct renaming *r = find(n, name);
    return r && r->done ? r->to : name;
}

struct renaming *naming_from(struct naming *n, const char *name, int where)
{
    struct renaming *r = find(n, name);
    return r && flags_of(r->to) & where ? r : NULL;
}

void naming_check(const struct naming *n, const char *path, int where)
{
    for (int i = 0; i < n->count; i++) {
        const struct renaming *r = &n->all[i];
        if (!r->given || r->done || r->told)
            continue;
        if (!(flags_of(r->to) & (where | NAME_SPLIT)))
            msa_fail(n->m, MSA_USAGE, "--rename %s=%s: '%s' is not read from a %s", r->from, r->to,
                     r->to, where == NAME_STREAM ? "stream" : "pickle");
        msa_fail(n->m, MSA_USAGE, "--rename %s=%s: there is no '%s' in %s", r->from, r->to, r->from,
                 path);
    }
}

void naming_conflict(const struct naming *n, const char *path, const struct renaming *r)
{
    msa_fail(n->m, MSA_USAGE, "--rename %s=%s: %s has '%s' too", r->from, r->to, path, r->to);
}

/* ---- Telling ---- */

bool naming_value(const struct naming *n, msgpack_zone *zone, value *names)
{
    *names = value_nils(n->m, zone, (size_t)n->count);
    for (int i = 0; i < n->count; i++) {
        char *pair = msa_format(n->m, "%s=%s", n->all[i].from, n->all[i].to);
        names->via.array.ptr[i] = value_str(n->m, zone, pair);
        msa_free(n->m, pair);
    }
    return n->count > 0;
}

char *naming_text(const struct naming *n)
{
    char *text = NULL;
    for (int i = 0; i < n->count; i++) {
        char *longer = msa_format(n->m, "%s%s%s=%s", text ? text : "", text ? "," : "",
                                  n->all[i].from, n->all[i].to);
        msa_free(n->m, text);
        text = longer;
    }
    return text;
}
