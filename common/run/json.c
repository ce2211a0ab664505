/* JSON values, owned and as text. */
#include "common/run/json.h"

#include <stdlib.h>

static void release(void *memory)
{
    json_decref(*(json_t **)memory);
}

json_t **json_holder(struct msa *m)
{
    json_t **holder = msa_alloc(m, sizeof *holder);
    msa_at_free(holder, release);
    return holder;
}

/* Has jansson been refused memory? It tells its allocator nothing of whose call it is, and when it
 * reads, it drops a byte and tells nobody. */
static _Thread_local bool refused;

static void *take(size_t bytes)
{
    void *memory = malloc(bytes);
    refused |= !memory;
    return memory;
}

json_t **json_read(struct msa *m, const char *text, size_t length, json_error_t *error)
{
    json_t **holder = json_holder(m);
    json_set_alloc_funcs(take, free);
    refused = false;
    *holder = json_loadb(text, length, JSON_REJECT_DUPLICATES, error);
    if (refused)
        msa_fail(m, MSA_FAILED, "out of memory for JSON");
    return holder;
}

/* Into memory of its full size: json_dumps, which grows its own, drops what it finds no memory
 * for. */
char *json_text(struct msa *m, const json_t *value)
{
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = msa_alloc(m, size + 1);
    if (!size || json_dumpb(value, text, size, JSON_COMPACT | JSON_ENCODE_ANY) != size)
        msa_fail(m, MSA_FAILED, "out of memory for JSON");
    return text;
}
