/* Reads the command line into the fields that the tables of options name. */
#define option long_option /* getopt's struct has the name of ours */
#include <getopt.h>
#undef option

#include "common/run/option.h"

#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct msa_common, name)
#define HELP_FORMS  "mdoc|names|variants|bash|zsh"

enum { HELP, VERSION }; /* the first two: they have no field, they print and end */

const struct option common_options[] = {
    [HELP] = {'h', "help", .help = "print this help and exit"},
    [VERSION] = {0, "version", .help = "print the version and exit"},
    {'q', "quiet", NULL, OPTION_FLAG, FIELD(quiet), .help = "print no warnings"},
    {'v', "verbose", NULL, OPTION_FLAG, FIELD(verbose), .help = "say what is being done"},
    {'o', "output", "FILE", OPTION_WRITES, FIELD(output),
     .help = "write to FILE; - is standard output, as is leaving the option out"},
    {'z', "gzip", NULL, OPTION_FLAG, FIELD(gzip), .help = "compress the stream that is written"},
    {0, "device", "auto|cpu[:LEVEL]|cuda[:N]", OPTION_DEVICE, FIELD(device), "auto",
     .help = "where to compute; auto is a GPU if one is found"},
    {0, "precision", "f32|tf32|bf16", OPTION_CHOICE, FIELD(precision), "f32",
     .help = "how exact the factors of linear layers are taken; sums are f32 always"},
    {0, "threads", "N", OPTION_INT, FIELD(threads), "0", 0, 4096,
     .help = "threads to compute with; 0 is as many as the machine has"},
    {0, "progress", "auto|always|never", OPTION_CHOICE, FIELD(progress), "auto",
     .help = "show progress on standard error; auto is on a terminal and in the foreground"},
    {0, "check-finite", NULL, OPTION_FLAG, FIELD(check_finite),
     .help = "fail at the first NaN or infinity that is read or written, and say where it is"},
    {0, "max-frame", "BYTES", OPTION_INT, FIELD(max_frame), "1073741824", 1, UINT32_MAX,
     .help = "refuse to read a frame with a body larger than this"},
    {0, "wait", "SECONDS", OPTION_INT, FIELD(wait), "60", 1, 1000000,
     .help =
         "how long to wait in training for the next program to give gradients back, once it has "
         "read the header"},
    {0, "no-crc", NULL, OPTION_FLAG, FIELD(no_crc), .help = "write frames without checksums"},
    {0}};

/* An option of any table, and the field that it fills in. */
struct slot {
    const struct option *option;
    void *field;
};

/* What getopt_long wants to know of the slots; a long option is told by LONG + its index. */
enum { LONG = 256 };
struct grammar {
    struct slot *slots;
    int count;
    char *letters;
    struct long_option *names; /* ends with a zeroed entry */
};

static size_t table_length(const struct option *table)
{
    size_t length = 0;
    while (table && table[length].name)
        length++;
    return length;
}

static void grammar_add(struct grammar *g, const struct option_table *table)
{
    for (const struct option *o = table->options; o && o->name; o++) {
        bool valued = o->kind != OPTION_FLAG;
        if (o->letter) {
            size_t end = strlen(g->letters);
            g->letters[end] = o->letter;
            g->letters[end + 1] = valued ? ':' : '\0';
        }
        int argument = valued ? required_argument : no_argument;
        if (o == &common_options[HELP])
            argument = optional_argument; /* its form */
        g->names[g->count] = (struct long_option){o->name, argument, NULL, LONG + g->count};
        g->slots[g->count++] = (struct slot){o, (char *)table->fields + o->offset};
    }
}

static struct grammar grammar_make(struct msa *m, const struct program *program)
{
    struct option_table tables[OPTION_TABLES];
    int count = option_tables(program, m, tables);
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += table_length(tables[i].options);
    struct grammar g = {.slots = msa_calloc(m, length, sizeof *g.slots),
                        .letters = msa_alloc(m, 2 * length + 3),
                        .names = msa_calloc(m, length + 1, sizeof *g.names)};
    /* Operands come as option 1, where they stand; a missing value as ':'. */
    strcpy(g.letters, "-:");
    for (int i = 0; i < count; i++)
        grammar_add(&g, &tables[i]);
    return g;
}

static _Noreturn void refuse_name(struct msa *m, const char *typed)
{
    msa_fail(m, MSA_USAGE, "unknown option '%.*s' (see %s --help)", (int)strcspn(typed, "="), typed,
             m->program);
}

/* getopt_long takes any prefix of a name; a script that does so breaks when an option is added. */
static void check_whole_name(struct msa *m, const char *typed, const char *name)
{
    if (strcspn(typed, "=") != strlen(name) + 2)
        refuse_name(m, typed);
}

/* After getopt_long has returned '?' or ':'. */
static _Noreturn void refuse(struct msa *m, const struct grammar *g, bool no_value)
{
    const char *typed = m->argv[optind - 1];
    char letter[] = {'-', (char)optopt, '\0'};
    if (optopt >= LONG)
        check_whole_name(m, typed, g->names[optopt - LONG].name);
    else if (optopt)
        typed = letter;
    if (no_value)
        msa_fail(m, MSA_USAGE, "option '%s' needs a value (see %s --help)", typed, m->program);
    if (optopt >= LONG)
        msa_fail(m, MSA_USAGE, "option '--%s' takes no value (see %s --help)",
                 g->names[optopt - LONG].name, m->program);
    refuse_name(m, typed);
}

/* The slot of the option that getopt_long has just returned. */
static struct slot *slot_of(struct msa *m, const struct grammar *g, int code)
{
    if (code < LONG) {
        int i = 0;
        while (g->slots[i].option->letter != code)
            i++;
        return &g->slots[i];
    }
    bool apart = optarg && optarg == m->argv[optind - 1];
    check_whole_name(m, m->argv[optind - (apart ? 2 : 1)], g->names[code - LONG].name);
    return &g->slots[code - LONG];
}

/* Returns false when the option was one that prints and ends. */
static bool take(struct msa *m, const struct program *program, const struct grammar *g,
                 const struct slot *slot, const char *text)
{
    if (slot->option == &common_options[HELP]) {
        if (text && option_index(HELP_FORMS, '|', text) < 0)
            msa_fail(m, MSA_USAGE, "--help: '%s' is none of " HELP_FORMS, text);
        options_help(program, text);
        return false;
    }
    if (slot->option == &common_options[VERSION]) {
        printf("%s %s\n", m->program, MSA_VERSION);
        return false;
    }
    m->given[slot - g->slots] |= option_set(m, slot->option, slot->field, text);
    return true;
}

/* The command line as it is told: without some options, which may share a word with others (-qz).
 */
struct told {
    const char *untold; /* their names, comma-separated; NULL: none */
    char **words;       /* [argc + 1]; NULL: left out */
};

static struct told told_make(struct msa *m, const struct program *program)
{
    struct told t = {program->untold, msa_calloc(m, (size_t)m->argc + 1, sizeof *t.words)};
    for (int i = 0; i < m->argc; i++)
        t.words[i] = m->argv[i];
    return t;
}

/* An option that was found in word `at`; what follows it begins in word `end`. */
static void told_see(struct msa *m, struct told *t, const struct option *o, int at, int end)
{
    char *word = t->words[at];
    if (!t->untold || !option_names(t->untold, o->name))
        return;
    if (word[1] != '-' && strlen(word) > 2) { /* flags of one letter come before a value */
        char *letter = strchr(word + 1, o->letter);
        t->words[at] = msa_format(m, "%.*s%s", (int)(letter - word), word, letter + 1);
        return;
    }
    for (; at < end; at++)
        t->words[at] = NULL;
}

static void told_take(struct msa *m, const struct told *t)
{
    int count = 0;
    for (int i = 0; i < m->argc; i++)
        if (t->words[i])
            t->words[count++] = t->words[i];
    t->words[count] = NULL;
    m->argc = count;
    m->argv = t->words;
}

static void check_operands(struct msa *m, const struct program *program)
{
    if (m->operand_count > program->max_operands)
        msa_fail(m, MSA_USAGE, "unexpected operand '%s' (see %s --help)",
                 m->operands[program->max_operands], m->program);
    if (m->operand_count < program->min_operands)
        msa_fail(m, MSA_USAGE, "too few operands: expected %s (see %s --help)", program->operands,
                 m->program);
    for (int i = 0; i < m->operand_count; i++)
        if (!*m->operands[i])
            msa_fail(m, MSA_USAGE, "operand %d is empty, but expected %s", i + 1,
                     program->operands);
}

/* The variant that the first operand names; others are as if it were not there. */
static void take_variant(struct msa *m)
{
    char names[OPTION_ARG];
    const char *name = m->operands[0];
    m->named = variant_named(m, name);
    if (!m->named)
        msa_fail(m, MSA_USAGE, "'%s' is none of %s", name, variant_names(m->of, ", ", names));
    m->operands++;
    m->operand_count--;
}

/* Room for what options fill in. */
static void settings_make(struct msa *m, const struct program *program)
{
    int count = 0;
    m->common = (struct msa_common){0};
    m->of = program;
    m->chosen = 0;
    m->named = NULL;
    m->settings = msa_alloc(m, program->settings_size);
    while (program->variants && program->variants[count])
        count++;
    m->variants = msa_calloc(m, (size_t)count + 1, sizeof *m->variants);
    for (int i = 0; i < count; i++)
        m->variants[i] = msa_alloc(m, program->variants[i]->settings_size);
    m->operands = msa_calloc(m, (size_t)m->argc + 1, sizeof *m->operands);
    m->operand_count = 0;
}

/* Options that were not given have their initial values; so have the keys that were not, which is
 * why those come first. */
static void settings_initial(struct msa *m, const struct grammar *g, bool by_key)
{
    for (int i = 0; i < g->count; i++) {
        const struct option *o = g->slots[i].option;
        if (o->initial && !m->given[i] && by_key == (o->keys != NULL))
            option_set(m, o, g->slots[i].field, o->initial);
    }
}

bool options_parse(struct msa *m, const struct program *program)
{
    settings_make(m, program);
    struct grammar g = grammar_make(m, program);
    struct told told = told_make(m, program);
    m->given = msa_calloc(m, (size_t)g.count + 1, sizeof *m->given);
    settings_initial(m, &g, true);
    optind = 0; /* starts getopt anew, whatever was read before */
    opterr = 0;
    for (int at = 1, code; (code = getopt_long(m->argc, m->argv, g.letters, g.names, NULL)) != -1;
         at = optind) {
        if (code == 1) {
            m->operands[m->operand_count++] = optarg;
            continue;
        }
        if (code == '?' || code == ':')
            refuse(m, &g, code == ':');
        struct slot *slot = slot_of(m, &g, code);
        if (!take(m, program, &g, slot, optarg))
            return false;
        told_see(m, &told, slot->option, at, optind);
    }
    while (optind < m->argc) /* after "--" */
        m->operands[m->operand_count++] = m->argv[optind++];
    settings_initial(m, &g, false);
    check_operands(m, program);
    if (program->by_operand)
        take_variant(m);
    told_take(m, &told);
    return true;
}
