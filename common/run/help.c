/* The options in words: for people (--help), for man pages (--help=mdoc), for scripts
 * and tests (--help=names, --help=variants), for shells (--help=bash, --help=zsh). */
#include "common/run/option.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { INDENT = 29, COLUMNS = 80 };

void options_each(const struct program *program,
                  void (*print)(const struct program *program, const struct option *o))
{
    struct option_table tables[OPTION_TABLES];
    int count = option_tables(program, NULL, tables);
    for (int i = 0; i < count; i++)
        for (const struct option *o = tables[i].options; o && o->name; o++)
            print(program, o);
}

/* Prints words, the lines broken before COLUMNS and indented; `column` is how far the first line
 * has got. */
static void print_words(const char *text, int column, int indent)
{
    for (int length; *text; text += length + (text[length] == ' ')) {
        length = (int)strcspn(text, " ");
        bool fits = column + 1 + length <= COLUMNS || *text == '.'; /* no macro of mdoc's */
        if (column > indent && fits)
            column += printf(" ");
        else if (column > indent)
            column = printf("\n%*s", indent, "") - 1;
        column += printf("%.*s", length, text);
    }
    printf("\n");
}

/* What help adds: words of a list may be none, and a value may be for each key. */
static const char *addition(const struct option *o, char text[128])
{
    text[0] = '\0';
    if (o->kind == OPTION_WORDS)
        strcpy(text, "; may be empty");
    else if (o->keys)
        snprintf(text, 128, "; for all, or for each of %s (%.*s=...,...)", o->keys,
                 (int)strcspn(o->keys, "|"), o->keys);
    return text;
}

static void print_option(const struct program *program, const struct option *o)
{
    char letter[] = {'-', o->letter, ',', ' ', '\0'}, text[512], more[128], value[OPTION_ARG];
    const char *arg = option_arg(program, o, value);
    int column = printf("  %4s--%s", o->letter ? letter : "", o->name);
    if (arg)
        column += printf(" %s", arg);
    if (column > INDENT - 2) {
        printf("\n");
        column = 0;
    }
    printf("%*s", INDENT - column, "");
    snprintf(text, sizeof text, o->initial ? "%s%s (default: %s)" : "%s%s", o->help,
             addition(o, more), o->initial);
    print_words(text, INDENT, INDENT);
}

static void print_table(const struct program *program, const struct option *table)
{
    for (; table && table->name; table++)
        print_option(program, table);
}

/* "--dim, --dropout": the options of others that a variant takes. */
static const char *taken(const struct variant *v, char text[1024])
{
    size_t used = 0;
    for (const char *word = v->takes; *word;) {
        int length = (int)strcspn(word, ",");
        used +=
            (size_t)snprintf(text + used, 1024 - used, "%s--%.*s", used ? ", " : "", length, word);
        word += length + (word[length] == ',');
    }
    return text;
}

/* "--net transformer: what it does; reads X, adds Y; takes --dim, --dropout too" */
static void print_variant(const struct program *program, const struct variant *v)
{
    char text[2048], options[1024];
    snprintf(text, sizeof text,
             v->takes ? "%s; reads %s, adds %s; takes %s too" : "%s; reads %s, adds %s", v->summary,
             v->reads, v->adds, v->takes ? taken(v, options) : "");
    if (program->by_operand)
        printf("\n%s %s:\n  ", program->name, v->name);
    else
        printf("\n--%s %s:\n  ", program->chosen_by, v->name);
    print_words(text, 1, 2);
    print_table(program, v->options);
}

static void print_help(const struct program *program)
{
    bool operands = program->operands && *program->operands;
    printf("usage: %s [options]%s%s\n\n%s\n", program->name, operands ? " " : "",
           operands ? program->operands : "", program->summary);
    if (program->options || program->more)
        printf("\noptions:\n");
    print_table(program, program->options);
    print_table(program, program->more);
    for (const struct variant *const *v = program->variants; v && *v; v++)
        print_variant(program, *v);
    printf("\ncommon options:\n");
    print_table(program, common_options);
    if (program->examples && program->examples->line)
        printf("\nexamples:\n");
    for (const struct example *e = program->examples; e && e->line; e++)
        printf("  %s\n      %s\n", e->line, e->what);
    if (program->see_also)
        printf("\nsee also: %s\n", program->see_also);
}

static void print_mdoc(const struct program *program, const struct option *o)
{
    char value[OPTION_ARG], text[512];
    const char *arg = option_arg(program, o, value);
    printf(".It ");
    if (o->letter && arg)
        printf("Fl %c Ar %s , ", o->letter, arg);
    else if (o->letter)
        printf("Fl %c , ", o->letter);
    printf("Fl -%s", o->name);
    if (arg)
        printf(" Ar %s", arg);
    snprintf(text, sizeof text, "%c%s.", toupper((unsigned char)o->help[0]), o->help + 1);
    printf("\n");
    print_words(text, 0, 0);
    if (o->kind == OPTION_WORDS)
        printf("It may be empty.\n");
    if (o->keys)
        printf("One value is for all; there may be one for each of %s\n.Pq Ar %.*s Ns = Ns Ar ... "
               ", Ns "
               "Ar ... .\n",
               o->keys, (int)strcspn(o->keys, "|"), o->keys);
    if (o->initial)
        printf("The default is %s.\n", o->initial);
}

static void print_mdoc_table(const struct program *program, const struct option *table)
{
    printf(".Bl -tag -width Ds\n");
    for (; table && table->name; table++)
        print_mdoc(program, table);
    printf(".El\n");
}

static void print_mdoc_variant(const struct program *program, const struct variant *v)
{
    char text[1024];
    if (program->by_operand)
        printf(".Ss Nm Cm %s\n", v->name);
    else
        printf(".Ss Fl -%s Ar %s\n", program->chosen_by, v->name);
    snprintf(text, sizeof text, "%c%s.", toupper((unsigned char)v->summary[0]), v->summary + 1);
    print_words(text, 0, 0);
    snprintf(text, sizeof text, "Reads %s, adds %s.", v->reads, v->adds);
    print_words(text, 0, 0);
    if (v->takes)
        printf("Takes %s too.\n", taken(v, text));
    if (v->options)
        print_mdoc_table(program, v->options);
}

static void print_mdoc_all(const struct program *program)
{
    printf(".Bl -tag -width Ds\n");
    const struct option *tables[] = {program->options, program->more, common_options};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct option *o = tables[i]; o && o->name; o++)
            print_mdoc(program, o);
    printf(".El\n");
    for (const struct variant *const *v = program->variants; v && *v; v++)
        print_mdoc_variant(program, *v);
}

static void print_name(const struct program *program, const struct option *o)
{
    (void)program;
    printf("--%s\n", o->name);
}

void options_help(const struct program *program, const char *form)
{
    if (!form) {
        print_help(program);
    } else if (strcmp(form, "mdoc") == 0) {
        print_mdoc_all(program);
    } else if (strcmp(form, "names") == 0) {
        options_each(program, print_name);
    } else if (strcmp(form, "variants") == 0) {
        for (const struct variant *const *v = program->variants; v && *v; v++)
            printf("%s\n", (*v)->name);
    } else {
        options_complete(program, form);
    }
}
