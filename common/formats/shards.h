/* Weights in several safetensors files, "shards", beside an index that says which tensor is in
 * which, as Hugging Face writes them: {"weight_map": {"TENSOR": "FILE"}}. */
#ifndef MSA_SHARDS_H
#define MSA_SHARDS_H

#include "common/formats/safetensors.h"
#include "common/run/json.h"

struct shards {
    const char *index; /* its path */
    size_t count;
    const char **paths;       /* of the files, beside the index; in order, each once */
    const json_t *weight_map; /* each tensor's file */
};

/* Is it called as an index is? */
bool shards_named(const char *path);
/* Reads an index, and no file that it names. Such a name ends with .safetensors and has no folder:
 * no index leads elsewhere. Fails the run with MSA_CORRUPT: "FILE: tensor 'NAME' is in "../x" but
 * expected a .safetensors file beside the index". Owned by the run. */
struct shards shards_read(struct msa *m, const char *index);
/* Opens its files (safetensors_open_foreign): [count], in the order of the paths. Fails the run
 * where one of them is not there, and with MSA_CORRUPT where a tensor is not in the file that the
 * index names. Owned by the run. */
struct safetensors **shards_open(struct msa *m, const struct shards *s);

#endif
