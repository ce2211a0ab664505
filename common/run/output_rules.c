/* Outputs. */
#include "common/run/output_rules.h"
#include "common/run/file.h"
#include "common/run/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A file that the program reads or writes. */
struct end {
    struct end *next;
    struct target target;
    bool parameters; /* of -p */
    bool operand;    /* no program goes on with that */
};
struct outputs {
    struct end *read, *written;
    struct end *either; /* read or written: only the header of the stream tells */
    bool stream;        /* one is written, to a file or standard output */
};

const struct written written_stream = {.what = "a stream", .content = CONTENT_STREAM},
                     written_report = {.what = "a report", .content = CONTENT_OTHER, .dash = true};

static struct outputs *outputs_of(struct msa *m)
{
    if (!m->outputs)
        m->outputs = msa_alloc(m, sizeof *m->outputs);
    return m->outputs;
}

static void add(struct msa *m, struct end **list, struct target target)
{
    struct end *end = msa_alloc(m, sizeof *end);
    *end = (struct end){.next = *list, .target = target};
    *list = end;
}

/* ---- Inputs ---- */

static struct target target_of_stdin(struct msa *m)
{
    struct target t = target_of(m, "/dev/stdin");
    t.exists = fstat(STDIN_FILENO, &t.status) == 0;
    return t;
}

static void add_read(struct msa *m, const char *path)
{
    struct target t = strcmp(path, "-") == 0 ? target_of_stdin(m) : target_of(m, path);
    t.plain = t.exists && S_ISREG(t.status.st_mode); /* whatever it is called */
    add(m, &outputs_of(m)->read, t);
}

static void add_operands(struct msa *m)
{
    for (int i = 0; i < m->operand_count; i++)
        add_read(m, m->operands[i]);
    if (!m->operand_count && *m->of->operands)
        add_read(m, "-");
    for (struct end *e = outputs_of(m)->read; e; e = e->next)
        e->operand = true;
}

/* ---- Rules ---- */

/* Is it one of the columns in this line, which ends with a tab or a newline? */
static bool has_column(const char *line, const char *column)
{
    size_t length = strlen(column);
    for (; *line; line += strcspn(line, "\t\n") + 1)
        if (strncmp(line, column, length) == 0 && strchr("\t\n", line[length]))
            return true;
    return false;
}

/* Are these the first columns, and the other among the rest, as far as the first line is there? */
static bool has_head(struct msa *m, int fd, const char *path, const struct written *kind)
{
    char line[LOG_HEAD + 1] = "";
    size_t length = strlen(kind->head),
           size = content_start(m, fd, path, (uint8_t *)line, LOG_HEAD);
    char *end = memchr(line, '\n', size);
    if (memcmp(line, kind->head, size < length ? size : length) != 0)
        return false;
    if (!end)
        return size < LOG_HEAD && (size <= length || line[length] == '\t');
    end[1] = '\0';
    return (line[length] == '\t' || line[length] == '\n') &&
           (!kind->column || has_column(line, kind->column));
}

static bool may_replace(struct msa *m, int fd, const char *path, enum content content,
                        const struct written *kind)
{
    if (content == CONTENT_NONE)
        return true;
    if (content != kind->content && content != CONTENT_OTHER)
        return false;
    return (!kind->head || has_head(m, fd, path, kind)) && (!kind->like || kind->like(m, fd, path));
}

static void check_content(struct msa *m, const struct target *t, const struct written *kind)
{
    int fd = t->exists ? open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0 && t->exists && errno != ENOENT)
        msa_fail_errno(m, "cannot write '%s': cannot see what is there", t->given);
    if (fd < 0)
        return;
    int *held = file_hold(m, fd);
    struct content_kind found = content_of(m, fd, t->given);
    if (!may_replace(m, fd, t->given, found.content, kind))
        msa_fail(m, MSA_USAGE, "cannot write '%s': %s may not replace %s%s", t->given, kind->what,
                 found.text,
                 found.content == kind->content && found.content != CONTENT_OTHER
                     ? " of another kind"
                     : "");
    msa_free(m, held);
}

static void check(struct msa *m, const struct target *t, const struct written *kind)
{
    const struct outputs *o = outputs_of(m);
    if (!t->plain)
        return;
    for (const struct end *e = o->read; e; e = e->next)
        if (target_same(&e->target, t) && (e->operand || !(kind->goes_on && kind->goes_on(m))))
            msa_fail(m, MSA_USAGE, "cannot write '%s': it is what is being read", t->given);
    for (const struct end *e = o->written; e; e = e->next)
        if (target_same(&e->target, t))
            msa_fail(m, MSA_USAGE, "cannot write '%s': another output goes there too", t->given);
    for (const struct end *e = o->either; e; e = e->next)
        if (!kind->parameters && target_same(&e->target, t))
            msa_fail(m, MSA_USAGE, "cannot write '%s': it is the file of the parameters", t->given);
    check_content(m, t, kind);
    target_expect_writable(m, t);
}

void output_check_one(struct msa *m, const char *path, const struct written *kind)
{
    struct target t = target_of(m, path);
    check(m, &t, kind);
    target_free(m, &t);
}

void output_check(struct msa *m, const char *path, const struct written *kind)
{
    struct target t = target_of(m, path);
    check(m, &t, kind);
    add(m, &outputs_of(m)->written, t);
    outputs_of(m)->written->parameters = kind->parameters;
}

void output_of_another(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    for (const struct end *e = outputs_of(m)->written; e; e = e->next)
        if (target_same(&e->target, &t))
            msa_fail(m, MSA_USAGE, "cannot write '%s': another program of the line writes it",
                     e->target.given);
    add(m, &outputs_of(m)->written, t);
}

void output_check_checkpoints(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    const struct outputs *o = outputs_of(m);
    for (const struct end *e = o->read; e; e = e->next)
        if (target_is_checkpoint(&e->target, &t))
            msa_fail(m, MSA_USAGE,
                     "cannot write '%s': '%s', which is being read, has the name of "
                     "a checkpoint of it",
                     path, e->target.given);
    for (const struct end *e = o->written; e; e = e->next)
        if (target_is_checkpoint(&e->target, &t) || (target_same(&e->target, &t) && !e->parameters))
            msa_fail(m, MSA_USAGE,
                     "cannot write '%s': it has the name of parameters, '%s', or of "
                     "a checkpoint of them",
                     e->target.given, path);
    target_free(m, &t);
}

/* ---- Options ---- */

/* Calls see for each value that an option may have. */
static void each_option(struct msa *m,
                        void (*see)(struct msa *m, const struct option *o, const void *field))
{
    struct option_table tables[OPTION_TABLES];
    int count = option_tables(m->of, m, tables);
    for (int i = 0; i < count; i++)
        for (const struct option *o = tables[i].options; o && o->name; o++)
            for (int k = 0; k < option_items(o); k++)
                see(m, o, option_item(o, (char *)tables[i].fields + o->offset, k));
}

static void see_read(struct msa *m, const struct option *o, const void *field)
{
    const struct option_list *list = field;
    bool one = o->kind == OPTION_READS || o->kind == OPTION_PARAMETERS;
    const char *path = one ? *(const char *const *)field : NULL;
    if (path && o->kind == OPTION_PARAMETERS)
        add(m, &outputs_of(m)->either, target_of(m, path));
    else if (path && o->files)
        o->files(m, path, add_read);
    else if (path)
        add_read(m, path);
    for (int i = 0; o->kind == OPTION_READS_LIST && i < list->count; i++)
        add_read(m, list->values[i]);
}

/* What -o is, the program says. */
static void see_written(struct msa *m, const struct option *o, const void *field)
{
    const char *path = o->kind == OPTION_WRITES ? *(const char *const *)field : NULL;
    const struct written *kind = o->written      ? o->written
                                 : m->of->output ? m->of->output(m)
                                                 : &written_stream;
    if (o->kind == OPTION_WRITES && kind == &written_stream && (path || !o->written))
        outputs_of(m)->stream = true;
    if (path && strcmp(path, "-") != 0)
        output_check(m, path, kind);
}

/* -o and reports know "-"; elsewhere it would be the name of a file. */
static void see_dash(struct msa *m, const struct option *o, const void *field)
{
    bool names = o->kind == OPTION_PARAMETERS || o->kind == OPTION_FOLDER ||
                 (o->written && !o->written->dash);
    const char *path = names ? *(const char *const *)field : NULL;
    if (path && strcmp(path, "-") == 0)
        msa_fail(m, MSA_USAGE, "--%s: '-' is no file here (./- is one of that name)", o->name);
}

/* Nothing but streams is compressed. */
static void check_gzip(struct msa *m)
{
    if (m->common.gzip && !outputs_of(m)->stream)
        msa_fail(m, MSA_USAGE, "--gzip: no stream is written, and nothing else is compressed");
}

void outputs_check(struct msa *m)
{
    each_option(m, see_dash);
    add_operands(m);
    each_option(m, see_read);
    each_option(m, see_written);
    check_gzip(m);
}
