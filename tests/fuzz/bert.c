/* Fuzzes what stands beside the weights of a BERT: an input is a config.json, and an index of
 * several files. */
#include "common/formats/bert_checkpoint.h"
#include "common/formats/shards.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* What has been read is written, and read again as the same. */
static void read_config(struct msa *m)
{
    const struct fuzz *f = (const struct fuzz *)m;
    struct bert_config c = bert_config_parse(m, "input", (const char *)f->data, f->size);
    const char *text = bert_config_text(m, &c);
    struct bert_config again = bert_config_parse(m, "text", text, strlen(text));
    fuzz_expect(strcmp(text, bert_config_text(m, &again)) == 0, "a config that is read again");
}

/* No file but those beside the index, each once. */
static void read_index(struct msa *m)
{
    struct shards s = shards_read(m, ((const struct fuzz *)m)->path);
    size_t folder = (size_t)(strrchr(s.index, '/') + 1 - s.index);
    for (size_t i = 0; i < s.count; i++) {
        fuzz_expect(strncmp(s.paths[i], s.index, folder) == 0, "a file in the index's folder");
        fuzz_expect(!strchr(s.paths[i] + folder, '/'), "and in none below");
        fuzz_expect(!i || strcmp(s.paths[i - 1], s.paths[i]) < 0, "each file once");
    }
    shards_open(m, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz config = {0}, index = {0};
    fuzz_run(&config, data, size, read_config);
    fuzz_run_file(&index, data, size, read_index);
    return 0;
}
