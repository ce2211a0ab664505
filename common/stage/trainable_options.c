/* Options of all trainable stages. */
#include "common/stage/trainable.h"

#define FIELD(name) offsetof(struct trainable_settings, name)
const struct option trainable_options[] = {
    {'p', "params", "FILE", OPTION_PARAMETERS, FIELD(params), NULL, 0, 0,
     .help = "parameters: written in training (the best checkpoint as FILE, the last two as FILE.N "
             "with the optimizer's state), read in evaluation"},
    {0, "init", "FILE", OPTION_READS_LIST, FIELD(init), NULL, 0, 0,
     .help = "initial values by name; repeatable, the last one wins; what no file gives is drawn "
             "from the "
             "seed"},
    {'f', "force", NULL, OPTION_FLAG, FIELD(force), NULL, 0, 0,
     .help = "train even if the parameter file exists already, and replace it"},
    {0, "freeze", "GLOB[@N]", OPTION_LIST, FIELD(freeze), NULL, 0, 0,
     .help =
         "do not train parameters whose names match this shell pattern, or with GLOB@N not for the "
         "first N epochs; repeatable"},
    {0, "lr-scale", "X,...", OPTION_TEXT, FIELD(lr_scale), "1", 0, 0,
     .help =
         "multiply the learning rate of the line by X in this stage; MODALITY=X and PATTERN=X are "
         "for the parameters of a modality, and of names that a pattern with * matches; of several "
         "the last counts"},
    {0, "decay", "X,...", OPTION_TEXT, FIELD(decay), NULL, 0, 0,
     .help = "weight decay of this stage, in place of the line's; in the same ways"},
    {0},
};
#undef FIELD
