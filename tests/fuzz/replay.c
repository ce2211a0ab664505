/* Feeds a fuzz target the inputs that are kept for it, or those that are named: a test of its own,
 * with the compiler and the sanitizers of all others. */
#include "common/run/mapping.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room)
{
    (void)data;
    (void)room;
    return size;
}

struct input {
    struct msa m; /* first: its address is that of both */
    const char *path;
};

static void replay(struct msa *m)
{
    struct mapping map = mapping_of(m, ((struct input *)m)->path);
    LLVMFuzzerTestOneInput(map.bytes, map.size);
    mapping_close(m, map);
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    char folder[256];
    struct dirent **entries = NULL;
    FILE *to = fdopen(dup(STDOUT_FILENO), "w"); /* a target may close stdout */
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", basename(argv[0]));
    int count = argc > 1 ? argc - 1 : scandir(folder, &entries, visible, alphasort);
    int failures = count <= 0;
    fprintf(to, "1..%d\n", count);
    for (int i = 0; i < count; i++) {
        char path[512];
        struct input input = {.m.program = "replay", .path = path};
        if (argc > 1)
            snprintf(path, sizeof path, "%s", argv[i + 1]);
        else
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        bool ok = msa_run(&input.m, replay) == MSA_OK;
        fprintf(to, "%s %d - %s\n", ok ? "ok" : "not ok", i + 1, path);
        fflush(to);
        failures += !ok;
    }
    while (argc == 1 && count > 0)
        free(entries[--count]);
    free(entries);
    fclose(to);
    return failures > 0;
}
