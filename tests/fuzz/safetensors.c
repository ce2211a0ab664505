/* Fuzzes safetensors files: opened, and every number of them looked at. */
#include "common/formats/safetensors.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { PREFIX = 8 };

static void read_file(struct msa *m)
{
    struct safetensors *s = safetensors_open(m, ((struct fuzz *)m)->path);
    volatile float sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct safetensor *t = safetensors_find(s, s->tensors[i].name);
        fuzz_expect(t == &s->tensors[i], "each name stands once");
        float *copy;
        const float *floats = safetensor_floats(m, t, &copy);
        for (size_t k = 0; k < t->count; k++)
            sum += floats[k];
        msa_free(m, copy);
    }
    for (size_t i = 0; i < s->metadata_count; i++)
        fuzz_expect(safetensors_metadata(s, s->metadata[i][0]) == s->metadata[i][1],
                    "each note stands once");
    safetensors_close(m, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {0};
    fuzz_run_file(&f, data, size, read_file);
    return 0;
}

/* Mostly the header's text is changed, and its length put right. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    uint64_t length = 0;
    if (size >= PREFIX)
        memcpy(&length, data, sizeof length);
    if (size < PREFIX || length > size - PREFIX || room > 1 << 20 || seed % 4 == 0)
        return LLVMFuzzerMutate(data, size, room);
    uint8_t *rest = data + PREFIX + length, tail[1 << 12];
    size_t rest_size = size - PREFIX - length;
    size_t kept = rest_size < sizeof tail ? rest_size : sizeof tail;
    memcpy(tail, rest, kept);
    length = LLVMFuzzerMutate(data + PREFIX, length, room - PREFIX - kept);
    memcpy(data, &length, sizeof length);
    memcpy(data + PREFIX + length, tail, kept);
    return PREFIX + length + kept;
}
