/* The options for a shell that completes what is typed: --help=bash, --help=zsh. Values of the form
 * "a|b|c" complete to these words, files and folders to names of files, others to nothing. */
#include "common/run/option.h"

#include <stdio.h>
#include <string.h>

static bool names_files(const struct option *o)
{
    return o->kind >= OPTION_READS;
}

/* The words of "a|b|c[:N]", apart by spaces: "a b c"; nothing for a value of another form. */
static void print_words(const char *arg)
{
    if (!strchr(arg, '|'))
        return;
    for (const char *space = ""; *arg; space = " ") {
        printf("%s%.*s", space, (int)strcspn(arg, "|["), arg);
        arg += strcspn(arg, "|");
        arg += *arg == '|';
    }
}

/* The program's name as that of a shell function. */
static void print_function(const char *program)
{
    for (putchar('_'); *program; program++)
        putchar(*program == '-' ? '_' : *program);
}

/* --- bash --- */

/* A branch for an option with a value, when that is what is completed. */
static void bash_value(const struct program *program, const struct option *o)
{
    char value[OPTION_ARG];
    const char *arg = option_arg(program, o, value);
    if (!arg)
        return;
    printf("    ");
    if (o->letter)
        printf("-%c | ", o->letter);
    printf("--%s) ", o->name);
    if (names_files(o)) {
        printf("return ;;\n");
        return;
    }
    printf("words='");
    print_words(arg);
    printf("' ;;\n");
}

static void bash_name(const struct program *program, const struct option *o)
{
    (void)program;
    printf(" --%s", o->name);
}

/* Operands are names of files, but the first one of a variant where it is asked for. */
static void bash_words(const struct program *program)
{
    char names[OPTION_ARG];
    if (program->by_operand)
        printf(
            "        [[ $word == -* || \" ${COMP_WORDS[*]:1:COMP_CWORD-1} \" != *' '@(%s)' '* ]] "
            "|| return\n",
            variant_names(program, "|", names));
    else if (*program->operands)
        printf("        [[ $word == -* ]] || return\n");
    printf("        words='");
    options_each(program, bash_name);
    printf("'\n");
    if (program->by_operand)
        printf("        [[ $word == -* ]] || words='%s'\n", variant_names(program, " ", names));
}

/* Where the function gives no words, bash completes names of files (-o default), unless it was told
 * not to (compopt +o default). */
static void print_bash(const struct program *program)
{
    printf("# Completion of %s for bash, made by %s --help=bash.\n", program->name, program->name);
    print_function(program->name);
    printf("()\n{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words\n"
           "    COMPREPLY=()\n"
           "    if [[ $word == = ]]; then # bash takes --NAME=VALUE for three words\n"
           "        word=''\n"
           "    elif [[ $before == = ]]; then\n"
           "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
           "    fi\n"
           "    case $before in\n");
    options_each(program, bash_value);
    printf("    *)\n");
    bash_words(program);
    printf("        ;;\n"
           "    esac\n"
           "    compopt +o default\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "}\n"
           "complete -o default -F ");
    print_function(program->name);
    printf(" %s\n", program->name);
}

/* --- zsh --- */

/* Text within single quotes, and within the brackets or colons of a specification of _arguments. */
static void print_quoted(const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            putchar('\\');
        printf(*text == '\'' ? "'\\''" : "%c", *text);
    }
}

static void zsh_option(const struct program *program, const struct option *o)
{
    char value[OPTION_ARG];
    const char *arg = option_arg(program, o, value);
    const char *given = o->kind == OPTION_FLAG ? "" : "=";
    printf(" \\\n        ");
    if (o->kind == OPTION_LIST || o->kind == OPTION_READS_LIST)
        printf("'*'");
    else if (o->letter)
        printf("'(-%c --%s)'", o->letter, o->name);
    if (o->letter)
        printf("{-%c%s,--%s%s}", o->letter, *given ? "+" : "", o->name, given);
    else
        printf("--%s%s", o->name, given);
    printf("'[");
    print_quoted(o->help, "[]\\");
    printf("]");
    if (arg) {
        printf(":");
        print_quoted(arg, ":\\");
        printf(names_files(o) ? ":_files" : ":(");
        if (!names_files(o)) {
            print_words(arg);
            printf(")");
        }
    }
    printf("'");
}

static void print_zsh(const struct program *program)
{
    char names[OPTION_ARG];
    printf("#compdef %s\n# Completion of %s for zsh, made by %s --help=zsh.\n", program->name,
           program->name, program->name);
    print_function(program->name);
    printf("()\n{\n    _arguments -s -S");
    options_each(program, zsh_option);
    if (program->by_operand)
        printf(" \\\n        '1:how:(%s)'", variant_names(program, " ", names));
    if (*program->operands)
        printf(" \\\n        '*:file:_files'");
    printf("\n}\n# A file of $fpath is the function itself; one that is sourced says what it is "
           "for.\n"
           "if [[ ${funcstack[1]} == _%s ]]; then\n    ",
           program->name);
    print_function(program->name);
    printf(" \"$@\"\nelse\n    compdef ");
    print_function(program->name);
    printf(" %s\nfi\n", program->name);
}

void options_complete(const struct program *program, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        print_bash(program);
    else
        print_zsh(program);
}
