/* Fuzzes command lines: an input is arguments, a line each. */
#include "common/run/option.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

enum { ARGUMENTS = 64 };

struct settings {
    bool flag;
    const char *text;
    long whole, any;
    double real;
    int choice;
    struct option_list list;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {'f', "flag", NULL, OPTION_FLAG, FIELD(flag), .help = "a flag"},
    {'t', "text", "TEXT", OPTION_TEXT, FIELD(text), .help = "a text"},
    {'n', "number", "N", OPTION_INT, FIELD(whole), "3", 1, 1e6, .help = "a number"},
    {0, "any", "N", OPTION_INT, FIELD(any), .help = "any number"},
    {'x', "real", "X", OPTION_REAL, FIELD(real), "0.5", 0, 0.999, .help = "a real number"},
    {0, "choice", "one|two|three", OPTION_CHOICE, FIELD(choice), "two", .help = "a word"},
    {0},
};
static const struct option more[] = {
    {'l', "list", "FILE", OPTION_LIST, FIELD(list), .help = "words"},
    {0},
};
#undef FIELD

static const struct program program = {
    .name = "msa-fuzz",
    .summary = "try options",
    .operands = "[FILE]",
    .max_operands = 2,
    .settings_size = sizeof(struct settings),
    .options = options,
    .more = more,
    .see_also = "msa(7)",
};

static void set_pair(struct msa *m, void *closure, const char *key, const char *text)
{
    static const char *const names[] = {"text", "vision", "audio"};
    option_subset(m, "pairs", key, names, 3);
    *(double *)closure += option_real(m, "pairs", text, -1, 1e9);
}

/* The texts once more, as what programs read further. */
static void read_texts(struct msa *m, const struct settings *s)
{
    static const char *const names[] = {"msr", "msc"};
    double sum = 0;
    for (int i = 0; i < s->list.count; i++)
        option_pairs(m, "pairs", s->list.values[i], &sum, set_pair);
    if (s->text)
        option_subset(m, "text", s->text, names, 2);
}

static void parse(struct msa *m)
{
    struct fuzz *f = (struct fuzz *)m;
    char *rest = msa_alloc(m, f->size + 1), *name = msa_strndup(m, "msa-fuzz", 8);
    char **argv = msa_calloc(m, ARGUMENTS + 2, sizeof *argv);
    if (f->size)
        memcpy(rest, f->data, f->size);
    argv[0] = name;
    m->argc = 1;
    m->argv = argv;
    while (rest && m->argc <= ARGUMENTS)
        argv[m->argc++] = strsep(&rest, "\n");
    if (!options_parse(m, &program))
        return;
    const struct settings *s = m->settings;
    fuzz_expect(s->whole >= 1 && s->whole <= 1000000, "a number in its range");
    fuzz_expect(s->real >= 0 && s->real <= 0.999, "a real number in its range");
    fuzz_expect(s->choice >= 0 && s->choice < 3, "one of the words");
    fuzz_expect(m->operand_count <= program.max_operands, "no more operands than there may be");
    fuzz_expect(m->common.threads >= 0 && m->common.max_frame >= 1, "common options in range");
    read_texts(m, s);
}

/* What --help prints is not to be seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool silent = false;
    struct fuzz f = {0};
    silent = silent || freopen("/dev/null", "w", stdout);
    fuzz_expect(silent, "/dev/null");
    enum msa_status status = fuzz_run(&f, data, size, parse);
    fuzz_expect(status == MSA_OK || status == MSA_USAGE, "usage is the only failure");
    return 0;
}
