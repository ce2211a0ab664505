/* What the tasks of msa-loss share: each is a loss of a batch, a number, and in training its
 * gradients with respect to the tensors that it reads (msa-model(7), Losses). A new one is a file;
 * its name is here and in filters/loss.c. */
#ifndef MSA_LOSS_H
#define MSA_LOSS_H

#include "common/dataset/dataset.h"
#include "common/metrics/tasks.h"
#include "common/nn/ops/ops.h"
#include "common/run/option.h"
#include "common/stage/stage.h"

struct loss;

struct task {
    struct variant is;  /* comes first: it is what the program lists */
    const char *weight; /* a number, unless --weights says another */
    bool labels;        /* it learns from labels */
    /* It is one for each modality, called NAME_MODALITY; by NAME alone it is those of them that
     * have something to compute, of which there must be one. */
    bool by_modality;
    size_t size; /* of its own state, zeroed: `self` */
    /* Looks at the header. Fails the run where something that it needs does not arrive; false:
     * there is nothing to compute, of which a warning has said why unless it is by_modality. */
    bool (*begin)(struct loss *l, void *self);
    /* Of the current record, [1]; NULL: this one has nothing to learn from. */
    struct var *(*compute)(struct loss *l, void *self);
    /* What its losses to come depend on besides the header, in a map of its own: as in struct
     * stage_ops, two levels less deep. NULL: nothing. */
    void (*save)(struct loss *l, void *self, struct control *c, value *state);
    void (*restore)(struct loss *l, void *self, const value *state);
};
extern const struct task loss_msr, loss_msc, loss_uni, loss_cl, loss_each;
extern const struct task loss_diff, loss_cmd, loss_recon;

/* Options that are no single task's. */
extern const struct option loss_options[];
struct loss_settings {
    const char *tasks, *weights; /* weights: the tasks' own, where none were given */
    int regression;              /* enum regression */
    double phi;
};

enum { LOSS_TASKS = TASKS_MOST, LOSS_OPERANDS = 32 };

/* A tensor of the record that a task's loss depends on. */
struct operand {
    const char *name;
    struct var *var;
    struct host_copy gradient; /* until the frame is written */
};

/* A task at work. */
struct loss_part {
    const struct task *task;
    const char *name; /* the task's, or NAME_MODALITY */
    int modality;     /* of one by modality; else -1 */
    bool named;       /* --tasks has that name */
    void *self;
    double weight;
    bool computed;
    int operand_count; /* of the current record */
    struct operand operands[LOSS_OPERANDS];
    struct host_copy number;
};

struct loss {
    struct msa *m;
    struct loss_settings *settings;
    struct stage *stage;
    struct tape tape;
    struct record *record;  /* the current one */
    struct loss_part *part; /* that begins, or is computed */
    int count;
    struct loss_part parts[LOSS_TASKS];
};

/* The run function of a program whose variants are tasks, LOSS_TASKS at most, with loss_options. */
void loss_run(struct msa *m);

/* The options of a task's own. */
const void *loss_settings(const struct loss *l);
/* For begin(): what a tensor is like that must arrive as float32 of that rank; NULL where none
 * does. */
const struct schema_entry *loss_arrives(const struct loss *l, const char *name, int rank);
/* The same for one that the task cannot do without: fails the run. */
const struct schema_entry *loss_needs(const struct loss *l, const char *name, int rank);
/* For compute(): a tensor of the record as an operand; a gradient with respect to it goes back if
 * one is wanted. Taken twice it is the same one. */
struct var *loss_operand(struct loss *l, const char *name);
/* A tensor of the record that arrives as float32 [B], finite. */
const float *loss_numbers(struct loss *l, const char *name);
/* A label of the batch, float32 [B], finite; a modality without one has the joint label, and fails
 * the run where there is none. */
const float *loss_label(struct loss *l, int label);
/* `count` 4-byte numbers of the host on the device, for this step. */
void *loss_upload(struct loss *l, const void *host, size_t count);

#endif
