/* The loop that all stages share: header, records, controls and the end, forward and back
 * (msa-stream(5), "The way back").
 *
 * A stage gives functions for what it does to a header, a record, a gradient; everything else is
 * here: it reads frames, passes on what it does not know, joins the way back in a training line,
 * waits for the gradient of each training record before it takes the next, saves and resumes
 * (checkpoint.h), and tells both sides when it fails (stage_fail.c). */
#ifndef MSA_STAGE_H
#define MSA_STAGE_H

#include "common/run/file.h"
#include "common/run/log.h"
#include "common/stream/control.h"
#include "common/stream/gradient_channel.h"

enum {
    STAGE_PATIENCE = 1000, /* ms: how long to wait at most before looking at the way back */
    STAGE_AHEAD = 2,       /* training records that a source has sent and has no gradient of */
    STAGE_DEPTH = BODY_DEPTH - 3 /* of a state: in a header it stands below `resume` and `state` */
};

struct stage;

/* What a stage does; a function that is NULL does nothing. */
struct stage_ops {
    /* Has parameters or state, or transforms tensors: joins the way back of a training line. */
    bool joins;
    /* Does it pass the stream on? NULL: yes. Asked when the header has been read. */
    bool (*passes)(const struct stage *s);
    /* Sees and changes s->header, before it is written. */
    void (*header)(struct stage *s);
    /* The whole line works: msa-load has taken a gradient, and has deleted the commit of an earlier
     * training. What that training has left may not be touched before. */
    void (*stands)(struct stage *s);
    /* Changes a record, before it is written. */
    void (*record)(struct stage *s, struct record *r);
    /* The line turns round here: makes the gradient of a training record. */
    void (*turn)(struct stage *s, const struct record *r, struct record *g);
    /* Changes the gradient of the last training record, before it is sent back. */
    void (*gradient)(struct stage *s, struct record *g);
    /* After the gradient has been sent back: updates parameters. */
    void (*update)(struct stage *s, const struct record *g);
    /* Takes a record of a survey, which goes no further. NULL: they are as other records. */
    void (*survey)(struct stage *s, const struct record *r);
    /* Answers a survey, by its control, which turns round here. */
    void (*answer)(struct stage *s, struct control *c);
    /* Changes a control on its way down. */
    void (*control)(struct stage *s, struct control *c);
    /* Changes a control on its way back, before anything is saved. */
    void (*control_back)(struct stage *s, struct control *c);
    /* msa-load has committed the checkpoint: what came before it is no longer needed. */
    void (*committed)(struct stage *s);
    /* The stream has ended well, on both ways. */
    void (*end)(struct stage *s);
    /* Sees each frame as it was read, forward or on the way back, before anything is
     * done with it. */
    void (*see)(struct stage *s, const struct frame *f, bool back);

    /* What it gives to a checkpoint, and takes from it when the training is resumed (checkpoint.h).
     *
     * Options of the program (comma-separated names) that determine its numbers: a resumed training
     * must have the same. NULL: there are none. */
    const char *settings;
    /* They also identify the training to the stages after this one (training_add_settings). */
    bool identifies;
    /* The option that names a log, which grows with the training: s->log. NULL: there is none. */
    const char *log;
    /* Adds to the map `state` all else that its numbers to come depend on, as of the last record,
     * tensors too (value_of_tensor), and brings files that belong to it to the disk. What is put
     * there must live until the control has been written, as c->zone does. The keys settings, log
     * and log_crc32 are taken. Maps and arrays in one another are STAGE_DEPTH at most (the state
     * itself is the first), as a header holds no more when the training is resumed. */
    void (*save)(struct stage *s, struct control *c, value *state);
    /* Goes on from what save() has put there. Called after header(), before the header is written.
     * resume_int() and so on (stream/resume.h) read `state`, and fail the run where it is wrong. */
    void (*restore)(struct stage *s, const value *state);
};

struct stage {
    struct msa *m;
    const struct stage_ops *ops;
    void *self; /* the program's own */
    struct header *header;
    int position;            /* in the header's pipeline, from 1 */
    int records;             /* to train on that came, until the line stands */
    value settings;          /* in training, those that ops->settings names; else a nil */
    int unheard;             /* that came after gradients could no longer be given back */
    bool stands;             /* the whole line does */
    bool checkpointed;       /* a checkpoint went back, and is not known to be committed */
    struct reader *in;       /* NULL: a source */
    struct writer *out;      /* NULL: the line ends here */
    struct file *file;       /* -o; NULL: stdout, or written in place */
    struct log *log;         /* that ops->log names, from after header() until end(); NULL: none */
    struct back *next;       /* gradients come from here; NULL: none do */
    struct writer *previous; /* and go there; NULL: nobody takes them */
};

/* Runs a stage from the first frame of its input (the operand, or stdin) to the end. */
void stage_run(struct msa *m, const struct stage_ops *ops, void *self);

/* For a source: opens the output, and the way back when the header says `train`; signs and writes
 * the header. */
void stage_open_source(struct stage *s, struct msa *m, struct header *header);
/* For a source: ends the stream, and waits for the end on the way back. */
void stage_end(struct stage *s);
/* The next frame of the way back, which must be of that kind. */
void stage_await(struct stage *s, enum frame_kind kind, struct frame *f);
/* The control that comes back next. */
struct control stage_await_control(struct stage *s);
/* The stream that the program reads: its operand, or stdin. */
struct reader *stage_open_input(struct msa *m);

/* Does its stream go to stdout; once the header has been read, does it pass that on? */
bool stage_to_stdout(const struct msa *m);
bool stage_passes(const struct stage *s);

/* at_fail of every program that may write a stream to stdout: tells the stages on
 * both sides, once. */
void stage_at_fail(struct msa *m);
/* The same for a program whose stdout may be for people: before a header has told, nothing goes
 * there. */
void stage_at_fail_last(struct msa *m);

#endif
