/* The options in words: for people (--help), for man pages (--help=mdoc), for scripts
 * (--help=names), for shells (--help=bash, --help=zsh). */
#include "common/run/option.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { INDENT = 29, COLUMNS = 80 };

void options_each(const struct program *program, void (*print)(const struct option *))
{
    struct option_table tables[OPTION_TABLES];
    int count = option_tables(program, NULL, tables);
    for (int i = 0; i < count; i++)
        for (const struct option *o = tables[i].options; o && o->name; o++)
            print(o);
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

static void print_option(const struct option *o)
{
    char letter[] = {'-', o->letter, ',', ' ', '\0'}, text[512];
    int column = printf("  %4s--%s", o->letter ? letter : "", o->name);
    if (o->arg)
        column += printf(" %s", o->arg);
    if (column > INDENT - 2) {
        printf("\n");
        column = 0;
    }
    printf("%*s", INDENT - column, "");
    snprintf(text, sizeof text, o->initial ? "%s%s (default: %s)" : "%s%s", o->help,
             o->kind == OPTION_WORDS ? "; may be empty" : "", o->initial);
    print_words(text, INDENT, INDENT);
}

static void print_table(const struct option *table)
{
    for (; table && table->name; table++)
        print_option(table);
}

/* "--net transformer: what it does (reads X, adds Y); takes --dim, --dropout too" */
static void print_variant(const struct program *program, const struct variant *v)
{
    char text[512];
    snprintf(text, sizeof text, "%s (reads %s; adds %s)%s%s", v->summary, v->reads, v->adds,
             v->takes ? "; takes too: " : "", v->takes ? v->takes : "");
    printf("\n--%s %s:\n  ", program->chosen_by, v->name);
    print_words(text, 1, 2);
    print_table(v->options);
}

static void print_help(const struct program *program)
{
    bool operands = program->operands && *program->operands;
    printf("usage: %s [options]%s%s\n\n%s\n", program->name, operands ? " " : "",
           operands ? program->operands : "", program->summary);
    if (program->options || program->more)
        printf("\noptions:\n");
    print_table(program->options);
    print_table(program->more);
    for (const struct variant *const *v = program->variants; v && *v; v++)
        print_variant(program, *v);
    printf("\ncommon options:\n");
    print_table(common_options);
    if (program->examples && program->examples->line)
        printf("\nexamples:\n");
    for (const struct example *e = program->examples; e && e->line; e++)
        printf("  %s\n      %s\n", e->line, e->what);
    if (program->see_also)
        printf("\nsee also: %s\n", program->see_also);
}

static void print_mdoc(const struct option *o)
{
    printf(".It ");
    if (o->letter && o->arg)
        printf("Fl %c Ar %s , ", o->letter, o->arg);
    else if (o->letter)
        printf("Fl %c , ", o->letter);
    printf("Fl -%s", o->name);
    if (o->arg)
        printf(" Ar %s", o->arg);
    char text[512];
    snprintf(text, sizeof text, "%c%s.", toupper((unsigned char)o->help[0]), o->help + 1);
    printf("\n");
    print_words(text, 0, 0);
    if (o->kind == OPTION_WORDS)
        printf("It may be empty.\n");
    if (o->initial)
        printf("The default is %s.\n", o->initial);
}

static void print_mdoc_table(const struct option *table)
{
    printf(".Bl -tag -width Ds\n");
    for (; table && table->name; table++)
        print_mdoc(table);
    printf(".El\n");
}

static void print_mdoc_variant(const struct program *program, const struct variant *v)
{
    printf(".Ss Fl -%s Ar %s\n", program->chosen_by, v->name);
    print_words(v->summary, 0, 0);
    printf("Reads %s; adds %s.\n", v->reads, v->adds);
    if (v->takes)
        printf("Takes, of the options above, %s.\n", v->takes);
    if (v->options)
        print_mdoc_table(v->options);
}

static void print_mdoc_all(const struct program *program)
{
    printf(".Bl -tag -width Ds\n");
    const struct option *tables[] = {program->options, program->more, common_options};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct option *o = tables[i]; o && o->name; o++)
            print_mdoc(o);
    printf(".El\n");
    for (const struct variant *const *v = program->variants; v && *v; v++)
        print_mdoc_variant(program, *v);
}

static void print_name(const struct option *o)
{
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
    } else {
        options_complete(program, form);
    }
}
