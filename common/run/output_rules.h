/* What a program may write over: none of its inputs, nothing that another output of it goes to, and
 * no file of the user's that is another thing than what it writes. Regular files are meant that are
 * opened by name; what is written as it is (struct target) is not looked at. */
#ifndef MSA_OUTPUT_RULES_H
#define MSA_OUTPUT_RULES_H

#include "common/run/content.h"
#include "common/run/option.h"
#include "common/run/target.h"

/* A kind of output. It may take the place of an empty file, and of: */
struct written {
    const char *what;     /* "a log" */
    enum content content; /* what is known by its first bytes only if it is this */
    /* and only a table that begins with these columns, with tabs between them; NULL: anything */
    const char *head;
    const char *column; /* and has this one among the others; NULL: whatever they are */
    bool (*like)(struct msa *m, int fd,
                 const char *path); /* and only where it says so of the open file; NULL: anything */
    bool (*goes_on)(const struct msa *m); /* with what an option reads; NULL: it never does */
    bool parameters;                      /* of -p */
    bool dash; /* "-" stands for where it goes unless a file is named; else that is refused */
};

extern const struct written written_stream, written_report;

/* Looks at what the options and operands name, before anything is opened. Fails the run with
 * MSA_USAGE: "cannot write 'PATH': REASON". */
void outputs_check(struct msa *m);
/* The same for one output more, which those to come are compared with too. */
void output_check(struct msa *m, const char *path, const struct written *kind);
/* The same for one of many, which those to come are not compared with. */
void output_check_one(struct msa *m, const char *path, const struct written *kind);
/* Another program of the line writes this: no output of this one goes there too. Fails the run as
 * output_check. */
void output_of_another(struct msa *m, const char *path);
/* No input may be called as a checkpoint of the parameter file at `path`, no other output as that
 * or as one of its checkpoints: these come and go. */
void output_check_checkpoints(struct msa *m, const char *path);

#endif
