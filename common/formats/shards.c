/* Weights in several safetensors files. */
#include "common/formats/shards.h"
#include "common/run/file.h"
#include "common/run/sorted.h"
#include "common/run/text.h"

#include <stdlib.h>
#include <string.h>

bool shards_named(const char *path)
{
    return text_ends(path, ".safetensors.index.json");
}

/* The path of a tensor's file. */
static const char *path_of(struct msa *m, const char *index, const char *tensor, const json_t *file)
{
    const char *name = json_string_value(file);
    if (!name || strchr(name, '/') || !text_ends(name, ".safetensors"))
        msa_fail(m, MSA_CORRUPT,
                 "%s: tensor '%.160s' is in %.160s but expected a .safetensors file beside the "
                 "index",
                 index, tensor, json_text(m, file));
    return file_beside(m, index, name);
}

struct shards shards_read(struct msa *m, const char *index)
{
    struct shards s = {.index = index};
    const char *tensor;
    json_t *file, *map = json_object_get(json_read_file(m, index).value, "weight_map");
    size_t paths = 0;
    if (!json_object_size(map))
        msa_fail(m, MSA_CORRUPT, "%s: no 'weight_map' that says which tensor is in which file",
                 index);
    s.weight_map = map;
    s.paths = msa_calloc(m, json_object_size(map), sizeof *s.paths);
    json_object_foreach(map, tensor, file)
    {
        s.paths[paths++] = path_of(m, index, tensor, file);
    }
    s.count = sorted_texts(s.paths, paths);
    return s;
}

/* Where its path is among all. */
static size_t shard_of(struct msa *m, const struct shards *s, const char *tensor,
                       const json_t *file)
{
    const char *path = path_of(m, s->index, tensor, file);
    const char **found = bsearch(&path, s->paths, s->count, sizeof *s->paths, sorted_compare);
    return (size_t)(found - s->paths);
}

struct safetensors **shards_open(struct msa *m, const struct shards *s)
{
    struct safetensors **files = msa_calloc(m, s->count, sizeof(struct safetensors *));
    const char *tensor;
    json_t *file, *map = (json_t *)s->weight_map;
    json_object_foreach(map, tensor, file)
    {
        size_t i = shard_of(m, s, tensor, file);
        if (!files[i] && !file_exists(s->paths[i]))
            msa_fail(m, MSA_FAILED, "%s: tensor '%.160s' is in '%s', which is not there", s->index,
                     tensor, s->paths[i]);
        if (!files[i])
            files[i] = safetensors_open_foreign(m, s->paths[i]);
        if (!safetensors_names(files[i], tensor))
            msa_fail(m, MSA_CORRUPT, "%s: no tensor '%.160s', which '%s' says is there",
                     s->paths[i], tensor, s->index);
    }
    return files;
}
