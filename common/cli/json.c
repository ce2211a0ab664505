/* JSON values, owned and as text. */
#include "common/cli/json.h"

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
