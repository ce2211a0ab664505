/* Fuzzes the tokenizer. An input is a byte of options, then a vocabulary if they say so, an empty
 * line behind it, and then the text. */
#include "common/text/tokenizer.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CASED = 1, OWN_VOCABULARY = 2, LENGTHS = 6 }; /* bits, and where those of the length begin */

static const char usual[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n.\n[\n我\n##a\n##b\n##ab\nσ\n";

struct input {
    struct fuzz fuzz; /* first: its address is that of both; its path is the vocabulary's */
    const char *text;
    size_t size;
    uint8_t options;
};

/* The row, with what must hold whatever the text is. */
static void make_row(struct msa *m)
{
    const struct input *in = (const struct input *)m;
    const struct vocab *v = vocab_open(m, in->fuzz.path);
    struct tokenizer t = {v, 2 + (size_t)(in->options >> LENGTHS) * 20, in->options & CASED};
    int64_t *row = msa_calloc(m, 3 * t.length, sizeof *row);
    size_t count = 0;
    tokenizer_row(&t, in->text, in->size, row);
    while (count < t.length && row[t.length + count] == 1)
        count++;
    fuzz_expect(count >= 2, "two tokens");
    fuzz_expect(row[0] == v->special[TOKEN_CLS], "[CLS] first");
    fuzz_expect(row[count - 1] == v->special[TOKEN_SEP], "[SEP] last");
    for (size_t i = 0; i < t.length; i++) {
        fuzz_expect(row[i] >= 0 && (size_t)row[i] < v->count, "an id of the vocabulary");
        fuzz_expect(i < count || row[i] == v->special[TOKEN_PAD], "padding");
        fuzz_expect(row[t.length + i] == (i < count) && row[2 * t.length + i] == 0,
                    "mask, segment");
    }
}

/* Ends the vocabulary where there is an empty line, and begins the text behind it. */
static size_t cut(struct input *in)
{
    const char *end = in->size ? memmem(in->text, in->size, "\n\n", 2) : NULL;
    size_t vocabulary = end ? (size_t)(end - in->text) : in->size;
    size_t used = end ? vocabulary + 2 : vocabulary;
    in->text += used;
    in->size -= used;
    return vocabulary;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    if (!size)
        return 0;
    struct input in = {.fuzz.path = path, .text = (const char *)data + 1, .size = size - 1};
    const void *vocabulary = usual;
    size_t length = strlen(usual);
    in.options = data[0];
    if (in.options & OWN_VOCABULARY) {
        vocabulary = in.text;
        length = cut(&in);
    }
    int fd = fuzz_descriptor(vocabulary, length);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum msa_status status = fuzz_run(&in.fuzz, data, size, make_row);
    fuzz_expect(status == MSA_OK || (in.options & OWN_VOCABULARY && status == MSA_CORRUPT),
                "status");
    close(fd);
    return 0;
}
