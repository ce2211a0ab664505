/* A trainable stage: networks with their parameters and forward passes. All else is shared and
 * here: options (trainable_options.c), initial values, the tape, gradients in and out, updates,
 * checkpoints.
 *
 * A network is a struct model, one file. When the header has come the program chooses which are at
 * work, one or one for each modality; build() of each looks at the schema, says what goes in and
 * what comes out, and makes parameters; forward() makes outputs of the inputs of a record. Where
 * there turn out to be no parameters the stage has no files; it takes part in everything else. */
#ifndef MSA_TRAINABLE_H
#define MSA_TRAINABLE_H

#include "common/dataset/dataset.h"
#include "common/nn/ops/ops.h"
#include "common/nn/params.h"
#include "common/run/option.h"
#include "common/stage/parameter_checkpoints.h"
#include "common/stage/stage.h"

/* -p --init -f --freeze --lr-scale --decay: the first member of the settings of every trainable
 * program. */
struct trainable_settings {
    const char *params;           /* -p FILE */
    struct option_list init;      /* --init FILE … */
    bool force;                   /* -f */
    struct option_list freeze;    /* --freeze GLOB … */
    const char *lr_scale, *decay; /* as shares_parse reads them; decay may be NULL */
};
extern const struct option trainable_options[]; /* for struct program's `more` */

struct trainable;
struct part;

struct model {
    struct variant is; /* comes first: it is what the program lists */
    size_t size;       /* of a part's own state, zeroed: part->self */
    /* Declares inputs and outputs, makes parameters, and notes each of its options
     * (trainable_note, trainable_int): what is noted, a resumed training must have the same of. */
    void (*build)(struct part *p);
    /* Computes the outputs of the current record. Its inputs are on the device already. A
     * modality's part computes in a lane of its own (tape_lane), beside the others; nothing can be
     * copied to or from the host there (tape_upload fails the run). A model that needs to copy
     * calls tape_lane(tape, 0) first, as BERT does for its tokens. */
    void (*forward)(struct part *p);
    /* State besides the parameters, in a map of its own: as in struct stage_ops, two levels less
     * deep; restore() is called once the parameters have been restored. NULL: it has none. */
    void (*save)(struct part *p, struct control *c, value *state);
    void (*restore)(struct part *p, const value *state);
};

/* A model at work. */
struct part {
    struct trainable *t;
    const struct model *model;
    const void *settings; /* of the model's own options */
    void *self;
    int modality; /* that it is for; -1: all. Parts for different modalities are independent. */
};

enum { TRAINABLE_NOTES = 48, TRAINABLE_ENDS = RECORD_TENSORS, TRAINABLE_PARTS = MODALITIES };

/* A tensor that goes in or comes out. */
struct trainable_end {
    char name[TENSOR_NAME + 1];
    int rank; /* of an output, as declared */
    size_t shape[VAR_RANK];
    char (*columns)[TENSOR_NAME + 1]; /* of an output; NULL: not said */
    bool frames;                      /* an input that trainable_frames has declared */
    struct var *var;                  /* of the current record */
    struct host_copy host;            /* until the frame is written */
};

/* Of a modality's frames, those that count (trainable_lengths.h). */
struct trainable_lengths {
    bool counted;                      /* they are asked for */
    bool cut;                          /* frames that count in no sample are left out */
    const struct schema_entry *frames; /* NULL: none arrive */
    const struct schema_entry *says;   /* how many count, or frames up to padding; NULL: all do */
    size_t longest;                    /* of the current record, the most that count, where cut */
    struct lengths now;                /* of the current record */
};

struct trainable {
    struct msa *m;
    const struct trainable_settings *settings;
    void (*choose)(struct trainable *t);
    void *self; /* the program's own */
    int part_count;
    struct part parts[TRAINABLE_PARTS];
    struct stage *stage;
    struct schema arrived; /* the schema as it came, before this stage changed it */
    struct device *device;
    struct shares rates, decays; /* as options have them */
    struct params params;
    struct tape tape;
    struct safetensors *given; /* -p FILE in evaluation; NULL in training */
    struct parameter_checkpoints checkpoints;
    int note_count;
    const char *notes[TRAINABLE_NOTES][2];
    struct record *record; /* the current one */
    int input_count, output_count, drop_count;
    struct trainable_end inputs[TRAINABLE_ENDS], outputs[TRAINABLE_ENDS];
    const char *drops[TRAINABLE_ENDS]; /* names of tensors that go no further */
    struct trainable_lengths lengths[MODALITIES];
};

/* The run function of a trainable program; `self` is its own. */
void trainable_run(struct msa *m, void (*choose)(struct trainable *t), void *self);

/* For choose(): puts a model to work, for one modality or, -1, for all. */
struct part *trainable_part(struct trainable *t, const struct model *model, int modality);
/* For choose(), when all have been put to work: fails the run with MSA_USAGE where an option was
 * given that none of them takes. */
void trainable_check_options(struct trainable *t);
/* For choose() of a stage that is one model: the one that the option program->chosen_by, or an
 * operand, names, else in evaluation the one that FILE has noted under that name, else the
 * program's first; noted. In evaluation one that is given but differs from what FILE has noted
 * fails the run with MSA_USAGE. */
void trainable_choose(struct trainable *t, const struct variant *given);

/* The settings and the run function of a program that is one model. */
struct trainable_one {
    struct trainable_settings trainable;
    const struct variant *model; /* NULL: not given */
};
void trainable_run_one(struct msa *m);

/* For choose() and build(): what the tensor of that name is like as it arrives; NULL when no such
 * one does. */
const struct schema_entry *trainable_arrives(const struct trainable *t, const char *name);
/* Declares an input, one that arrives as F4, and returns it. Two parts may have the same one, but
 * not where a gradient with respect to it is wanted: that fails the run. A modality's frames are
 * declared by trainable_frames (trainable_frames.h), so that they are standardized where they are
 * to be: elsewhere that is an error. */
struct trainable_end *trainable_reads(struct trainable *t, const char *name);
/* Declares an output [B, shape…] (dimension 0 is given as 0); a gradient with respect to it is
 * wanted if anything is trained here, or one with respect to any tensor that arrives is. */
void trainable_adds(struct trainable *t, const char *name, int rank, const size_t *shape);
/* What the columns of an output, dimension 1, are; referenced. */
void trainable_columns(struct trainable *t, const char *name, char (*columns)[TENSOR_NAME + 1]);
/* Options that determine the parameters, from 1 to `most`, are kept with them. It is `given`, else
 * what the files with initial values have noted, else `usual`; and is noted. In evaluation one
 * that is given but differs from FILE's fails the run with MSA_USAGE; an invalid value in a
 * file always does, with MSA_CORRUPT. */
long trainable_int(struct trainable *t, const char *key, long given, long usual, long most);
/* The same of an option that is a choice of `words`, "all|own|auto", of which the last stands for
 * what is not given: indices of them; noted as its word. */
int trainable_choice(struct trainable *t, const char *key, const char *words, int given, int usual);
/* The same for a text; which ones are valid is for the caller to see, who names it as
 * trainable_origin does: "--hidden" where it was `given`, else "FILE: 'hidden'". */
const char *trainable_text(struct trainable *t, const char *key, const char *given,
                           const char *usual);
const char *trainable_origin(const struct trainable *t, const char *key, bool given);
/* The same for options that networks may be without: in training they have what is given, in
 * evaluation what files have noted; NULL, or 0: nothing. One that FILE has not noted is refused in
 * evaluation, but where FILE, from elsewhere, says nothing of a program. */
const char *trainable_optional(struct trainable *t, const char *key, const char *given);
long trainable_optional_int(struct trainable *t, const char *key, long given, long most);
/* A note on how the numbers came about, which evaluation need not know; a second one of that key
 * replaces it. */
void trainable_note(struct trainable *t, const char *key, const char *value);
/* In evaluation: what the file has noted; NULL in training, or when it has not. */
const char *trainable_noted(const struct trainable *t, const char *key);
/* What the last file with initial values, in evaluation FILE, has noted; NULL: none has. Files of
 * other programs do not count, nor do those of another variant than the one that
 * trainable_choose has chosen. */
const char *trainable_initial_note(const struct trainable *t, const char *key);
/* For choose() and build(), before parameters are made: one more file with initial values, which
 * those that options name go before. */
void trainable_initial(struct trainable *t, struct safetensors *file);
/* For build() in evaluation: warns that of what FILE is made for, "vectors", these do not arrive, a
 * list of their names; "" for none. The network takes zeros for them. */
void trainable_missing(struct trainable *t, const char *what, const char *missing);
/* In evaluation: a tensor of the file by name; NULL in training, or when it has none. */
const struct safetensor *trainable_given(const struct trainable *t, const char *name);

/* For build(): a tensor that has been made use of goes no further: it leaves the schema, and each
 * record after forward(). */
void trainable_drop(struct trainable *t, const char *name);

/* For forward(): a declared input of the current record; that has failed the run with MSA_CORRUPT
 * when it is not as the schema promised. */
struct var *trainable_input(struct trainable *t, const char *name);
/* A tensor of another dtype or rank that arrives, which stays on the host; fails likewise. */
const struct tensor *trainable_promised(const struct trainable *t, const char *name);
/* Gives the record a declared output. */
void trainable_output(struct trainable *t, const char *name, struct var *var);

#endif
