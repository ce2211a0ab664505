/* A trainable stage: its parameters and its forward pass. All else is shared and here: options,
 * starting values, the tape, gradients in and out, updates, checkpoints.
 *
 * A program gives a struct model: build() looks at the schema, declares outputs and makes
 * parameters; forward() takes inputs from the record and gives outputs. */
#ifndef MSA_TRAINABLE_H
#define MSA_TRAINABLE_H

#include "common/nn/params.h"
#include "common/run/option.h"
#include "common/stage/parameter_checkpoints.h"
#include "common/stage/stage.h"

/* -p --init -f --freeze --lr-scale: the first member of the settings of every trainable program. */
struct trainable_settings {
    const char *params;        /* -p FILE */
    struct option_list init;   /* --init FILE … */
    bool force;                /* -f */
    struct option_list freeze; /* --freeze GLOB … */
    double lr_scale;
};
extern const struct option trainable_options[]; /* for struct program's `more` */

struct trainable;

struct model {
    void (*build)(struct trainable *t);
    void (*forward)(struct trainable *t);
    /* State besides the parameters, in a map of its own: as in struct stage_ops; restore() is
     * called once the parameters have been restored. NULL: it has none. */
    void (*save)(struct trainable *t, struct control *c, value *state);
    void (*restore)(struct trainable *t, const value *state);
};

enum { TRAINABLE_NOTES = 48, TRAINABLE_ENDS = 32 };

/* A tensor of the record at hand that went in or came out. */
struct trainable_end {
    char name[TENSOR_NAME + 1];
    struct var *var;
    struct host_copy host; /* until the frame is written */
};

struct trainable {
    struct msa *m;
    const struct trainable_settings *settings;
    const struct model *model;
    void *self; /* the program's own, for build and forward */
    struct stage *stage;
    struct schema arrived; /* the schema as it came, before this stage changed it */
    struct device *device;
    struct params params;
    struct tape tape;
    struct safetensors *given; /* -p FILE in evaluation; NULL in training */
    struct parameter_checkpoints checkpoints;
    int note_count;
    const char *notes[TRAINABLE_NOTES][2];
    struct record *record; /* at hand */
    int input_count, output_count;
    struct trainable_end inputs[TRAINABLE_ENDS], outputs[TRAINABLE_ENDS];
};

/* The run function of a trainable program. */
void trainable_run(struct msa *m, const struct model *model, void *self);

/* For build(): what the tensor of that name is like as it arrives; NULL when no such one does. */
const struct schema_entry *trainable_arrives(const struct trainable *t, const char *name);
/* Declares an output [B, shape…] (dimension 0 is given as 0); it wants a gradient if anything is
 * trained here or an input wants one. Call it when all parameters have been made. */
void trainable_declare(struct trainable *t, const char *name, int rank, const size_t *shape);
/* Options that determine the parameters, from 1 to `most`, are kept with them. It is `given`, else
 * what the files with initial values have noted, else `usual`; and is noted. In evaluation one
 * that is given but differs from FILE's fails the run with MSA_USAGE; a file's that is none,
 * always, with MSA_CORRUPT. */
long trainable_int(struct trainable *t, const char *key, long given, long usual, long most);
/* A note on how the numbers came about, which evaluation need not know; a second one of that key
 * replaces it. */
void trainable_note(struct trainable *t, const char *key, const char *value);
/* In evaluation: what the file has noted; NULL in training, or when it has not. */
const char *trainable_noted(const struct trainable *t, const char *key);
/* What the last file with initial values, in evaluation FILE, has noted; NULL: none has. */
const char *trainable_initial_note(const struct trainable *t, const char *key);
/* For build(), before parameters are made: one more file with initial values, which those that
 * options name go before. */
void trainable_initial(struct trainable *t, struct safetensors *file);
/* In evaluation: a tensor of the file by name; NULL in training, or when it has none. */
const struct safetensor *trainable_given(const struct trainable *t, const char *name);

/* For forward(): a tensor that arrives, F4, uploaded; fails the run with MSA_CORRUPT when this
 * record's is not as the schema promised. */
struct var *trainable_input(struct trainable *t, const char *name);
/* The same for a tensor of another dtype or rank, which stays where it is. */
const struct tensor *trainable_promised(const struct trainable *t, const char *name);
/* Gives the record a tensor. */
void trainable_output(struct trainable *t, const char *name, struct var *var);
/* Takes an input out of the record and the schema (call with the record at hand: in forward();
 * without: in build()). */
void trainable_drop(struct trainable *t, const char *name);

#endif
