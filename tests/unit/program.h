/* A program with an option of each kind, for tests of what reads the table. */
#ifndef MSA_TEST_PROGRAM_H
#define MSA_TEST_PROGRAM_H

#include "common/run/option.h"

#include <stdio.h>
#include <string.h>

struct settings {
    bool keep;
    const char *parameters, *skip;
    long dim, seed;
    double rate, free;
    int mode;
    struct option_list init, freeze;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct option own[] = {
    {'k', "keep", NULL, OPTION_FLAG, FIELD(keep), .help = "keep what is consumed"},
    {0, "dim", "N", OPTION_INT, FIELD(dim), "32", 1, 8, .help = "width of the output"},
    {0, "seed", "N", OPTION_INT, FIELD(seed),
     .help = "where random numbers start, so that a run can be repeated, at a rate of .5 or so"},
    {0, "rate", "P", OPTION_REAL, FIELD(rate), ".5", 0, 1, .help = "part that is dropped"},
    {0, "free", "X", OPTION_REAL, FIELD(free), .help = "any number"},
    {'m', "mode", "fast|slow|off", OPTION_CHOICE, FIELD(mode), "slow", .help = "how it is done"},
    {0}};

static const struct option shared[] = {
    {'p', "parameters", "FILE", OPTION_TEXT, FIELD(parameters), "p.st", .help = "what is trained"},
    {0, "skip", "LIST", OPTION_WORDS, FIELD(skip), "bias", .help = "what is left out"},
    {0, "init", "FILE", OPTION_LIST, FIELD(init), .help = "values to start from, by name"},
    {0, "freeze", "GLOB", OPTION_LIST, FIELD(freeze), "none", .help = "what stays as it is"},
    {0}};

static const struct example examples[] = {{"msa-test -k in.msa", "tests and keeps"}, {0}};

static void work(struct msa *m)
{
    if (strcmp(m->operands[0], "fail") == 0)
        msa_fail(m, MSA_CORRUPT, "frame 17, tensor '%s': no good", "a\nb");
    if (strcmp(m->operands[0], "other") == 0)
        msa_fail(m, MSA_OTHER, "somebody else has said it");
    if (strcmp(m->operands[0], "false") == 0)
        m->status = MSA_FAILED;
    msa_say(m, "working");
    msa_warn(m, "odd");
    printf("worked\n");
}

static const struct program program = {"msa-test",
                                       "test a thing or two",
                                       "FILE [FILE]",
                                       1,
                                       2,
                                       sizeof(struct settings),
                                       own,
                                       shared,
                                       examples,
                                       "msa-load(1), msa(7)",
                                       work,
                                       NULL,
                                       NULL,
                                       NULL,
                                       "keep,init",
                                       true};

#define ARGV(...)                                                                                  \
    (char *[])                                                                                     \
    {                                                                                              \
        "msa-test", __VA_ARGS__, NULL                                                              \
    }

#endif
