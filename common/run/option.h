/* Options: one table per program drives parsing (option.c: the command line, option_value.c:
 * values, number.c, option_words.c, option_variant.c: those of variants), --help and the man page's
 * OPTIONS (help.c), and completion (completion.c); program.c is main() of all programs. */
#ifndef MSA_OPTION_H
#define MSA_OPTION_H

#include "common/run/run.h"

struct written;

/* What an option's value is, and the type of the field it fills in; with `keys`, of its items. */
enum option_kind {
    OPTION_FLAG,    /* no value; bool */
    OPTION_TEXT,    /* const char *, not empty */
    OPTION_WORDS,   /* const char *, words separated by commas; may be empty, and help says so */
    OPTION_INT,     /* long, decimal, whole, min..max */
    OPTION_REAL,    /* double, finite, min..max */
    OPTION_CHOICE,  /* int: index into `arg`, which reads "a|b|c" */
    OPTION_LIST,    /* struct option_list: repeatable, each value kept in order, none empty */
    OPTION_DEVICE,  /* const char *, a device's name */
    OPTION_VARIANT, /* const struct variant *: one of the program's, by its name; NULL: "auto" */
    /* From here on names of files, which outputs are compared with (common/run/output_rules.h): */
    OPTION_READS,      /* const char *: a file that is read, or a folder of them */
    OPTION_READS_LIST, /* struct option_list, as OPTION_LIST */
    OPTION_WRITES,     /* const char *: a file that is written */
    OPTION_PARAMETERS, /* const char *: a file that is read, or written in training, when the
                          program says so itself (output_check) */
    OPTION_FOLDER /* const char *: one that files are written into, of which the program says */
};

struct option_list {
    int count;
    const char **values;
};

struct option {
    char letter;      /* 0: none */
    const char *name; /* without the dashes */
    const char *arg;  /* how help names the value: "FILE", "N", "a|b|c"; NULL for a flag, and for a
                         variant */
    enum option_kind kind;
    size_t offset; /* of the field in the program's settings */
    const char
        *initial;    /* the value when not given, parsed like a given one; NULL: field stays zero */
    double min, max; /* OPTION_INT and OPTION_REAL; both 0: unbounded */
    const char *help; /* one sentence, no capital, no full stop; mdoc-safe plain text */
    /* "text|vision|audio": there may be a value for each, "text=1,audio=2", or one for all; the
     * field is an array of the kind's type, in this order, at most OPTION_KEYS; NULL: one value */
    const char *keys;
    /* Trainings that were begun before there was this option are those with its initial value:
     * where it has that, it is left out of the settings of a state (resume_settings). */
    bool added;
    const struct written *written; /* OPTION_WRITES: what it may take the place of */
    /* OPTION_READS: calls see for each file that is read where the value is the name of several, as
     * a folder is; NULL: the file itself */
    void (*files)(struct msa *m, const char *path, void (*see)(struct msa *m, const char *path));
};
enum { OPTION_KEYS = 31, OPTION_ARG = 512 /* bytes */ };

/* One of several ways in which a program can do what it does: a network, a head, a loss. Its own
 * options stand with it; those that it shares with others are the program's. An option that no
 * chosen variant takes is refused (options_check_taken). */
struct variant {
    const char *name;             /* "transformer" */
    const char *summary;          /* "frames through a transformer, whose outputs are averaged" */
    const char *reads, *adds;     /* tensors: "vision [B,L,F]", "h_vision [B,D]" */
    const struct option *options; /* its own; may be NULL */
    size_t settings_size;         /* of what these fill in (variant_settings) */
    /* Names of the program's options that not all variants take, comma-separated; NULL: none */
    const char *takes;
};

struct example {
    const char *line; /* a command line */
    const char *what; /* what it does */
};

/* What a program is. Tables end with a zeroed entry. */
struct program {
    const char *name; /* "msa-encode" */
    const char
        *summary; /* "encode each modality's frames into one vector", as in the man page's NAME */
    const char *operands; /* "[FILE]", as in the man page's SYNOPSIS; "" when there are none */
    int min_operands, max_operands;
    size_t settings_size;
    const struct option *options; /* its own */
    const struct option *more; /* those it shares with its kind (trainable stages); may be NULL */
    const struct example *examples;
    const char *see_also;      /* "msa-load(1), msa(7)" */
    void (*run)(struct msa *); /* after parsing; settings and operands are in struct msa */
    void (*at_fail)(
        struct msa *); /* see struct msa; told of bad options too, m->stream is NULL then */
    const struct written *(*output)(
        const struct msa *); /* what -o FILE is, by the options given; NULL: a stream */
    const struct variant *const *variants; /* NULL-terminated; NULL: it is always the same */
    const char *chosen_by;                 /* the option that names them: "net" */
    bool by_operand; /* the first operand names one instead, and chosen_by is what notes call it */
    const char *untold; /* options (comma-separated) that the stream's header does not tell: how a
                           run was begun is no part of it; NULL: it tells all */
    bool on_cpu; /* --device auto is the CPU even where there is a GPU, which is no faster at what
                    the program computes (msa-gpu(7), Which stages) */
};

/* The options that every program has; their fields are in struct msa_common. */
extern const struct option common_options[];

/* The tables of a program: its own, those of its kind, its variants', and those that all have; and
 * what they fill in, where a run has parsed them. Returns their number. */
enum { VARIANTS_MOST = 24, OPTION_TABLES = VARIANTS_MOST + 3 };
struct option_table {
    const struct option *options;  /* may be NULL */
    void *fields;                  /* NULL without a run */
    const struct variant *variant; /* whose it is; NULL: the program's */
};
int option_tables(const struct program *program, struct msa *m,
                  struct option_table tables[OPTION_TABLES]);

/* main() of every program: parses, runs, prints the error line (if the status is not a silent one),
 * returns the exit status. `--help` and `--version` go to stdout and return 0. Reading options
 * fails with MSA_USAGE. */
int program_main(const struct program *program, int argc, char **argv);

/* Parses argv into m->common, m->settings, m->operands, m->given and settings of variants; fails
 * the run on a bad option. An operand that names a variant is m->named, and none of m->operands.
 * Returns false when --help or --version was asked for and printed. The
 * caller's array is not changed; m->argv becomes one without the options that are not told
 * (program->untold). */
bool options_parse(struct msa *m, const struct program *program);

/* For which keys the command line gave this option of the program's or its variants', a bit each;
 * all bits: a value for all, or one of an option without keys; 0: it did not. */
uint32_t option_given(struct msa *m, const char *name);

/* Prints on stdout: form NULL is --help, "mdoc" the list in the OPTIONS section of the man page,
 * "names" one "--name" a line, "variants" the name of one a line, "bash" and "zsh" the shell's
 * commands for completion. Errors of writing are left to the caller. */
void options_help(const struct program *program, const char *form);
/* The last two of these forms. */
void options_complete(const struct program *program, const char *shell);
/* Calls print for each option of the program, of all its tables. */
void options_each(const struct program *program,
                  void (*print)(const struct program *program, const struct option *o));
/* How help names the value of an option: its arg, of a variant the names there are; NULL: a flag.
 */
const char *option_arg(const struct program *program, const struct option *o,
                       char text[OPTION_ARG]);

/* For the parser: the names of all variants, as "a SEPARATOR b", in text[OPTION_ARG]. Returns text.
 */
char *variant_names(const struct program *program, const char *separator, char text[OPTION_ARG]);
/* The variant of this name of the run's program; NULL: there is none. */
const struct variant *variant_named(const struct msa *m, const char *name);
/* The settings of a variant of this run's program. */
const void *variant_settings(const struct msa *m, const struct variant *v);
/* Fails the run with MSA_USAGE unless every word of a comma-separated list is the name of a
 * variant. */
void option_variants(struct msa *m, const char *option, const char *list);
/* Says which variants are chosen: chosen[count], in the order of the keys of options that have as
 * many; NULL: none. Fails the run with MSA_USAGE where an option was given that is for variants,
 * but not for these: "--heads is for transformer, not for dnn", or none is chosen. A value for a
 * key without a variant does nothing beside one that has one: the key may be a modality that this
 * line lacks. */
void options_check_taken(struct msa *m, const struct variant *const *chosen, int count);
/* Is this variant of the run's program among them? */
bool variant_chosen(const struct msa *m, const struct variant *v);

/* How many values an option has, one or one for each key; and where the i-th of them is. */
int option_items(const struct option *o);
void *option_item(const struct option *o, void *field, int i);
/* For the parser: fills in the field of an option; `text` is NULL for a flag. Returns the keys that
 * it was given for, a bit each; all bits: one value for all. */
uint32_t option_set(struct msa *m, const struct option *o, void *field, const char *text);

/* "text=1,vision=2": calls set(m, closure, key, value) for each pair; fails the run with MSA_USAGE,
 * naming the option (here and below without dashes). key and value belong to the run. */
void option_pairs(struct msa *m, const char *option, const char *text, void *closure,
                  void (*set)(struct msa *m, void *closure, const char *key, const char *value));
/* Strict numbers: the whole text, in range, else MSA_USAGE "--NAME: 'TEXT' is not a number from MIN
 * to MAX". */
long option_int(struct msa *m, const char *option, const char *text, double min, double max);
double option_real(struct msa *m, const char *option, const char *text, double min, double max);
/* A number in as few digits as give the same one when it is read; owned by the run. */
const char *real_text(struct msa *m, double number);
/* Where `word` stands among the words of `list`; -1: it does not. */
int option_index(const char *list, char separator, const char *word);
/* Word i of a choice's `arg`, "a|b|c"; owned by the run. */
const char *option_word(struct msa *m, const char *arg, int i);
/* Is `word` one of the comma-separated words of `list`? */
bool option_names(const char *list, const char *word);
enum { OPTION_TOLD = 63 };
/* Is `word` in `list`? If so, sets its bit in *met. */
bool option_meets(const char *list, const char *word, uint64_t *met);
/* The words of the list whose bits are not set, in quotes, of its first OPTION_TOLD; NULL: none. */
const char *option_unmet(struct msa *m, const char *list, uint64_t met);
/* Fails the run with MSA_USAGE unless every word of a comma-separated list is
 * one of names[count]. */
void option_subset(struct msa *m, const char *option, const char *list, const char *const *names,
                   int count);

#endif
