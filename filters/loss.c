/* msa-loss: the losses of tasks, and in training their gradients. The tasks are in filters/loss/.
 *
 * Forward only, and easily replaced: for task K and tensor NAME it writes NAME@K, the gradient of
 * K's loss with respect to NAME; msa-backprop weights and adds them. */
#include "filters/loss/loss.h"

/* In the order in which they are computed. */
static const struct variant *const tasks[] = {&loss_msr.is, &loss_msc.is,   &loss_uni.is,
                                              &loss_cl.is,  &loss_each.is,  &loss_diff.is,
                                              &loss_cmd.is, &loss_recon.is, NULL};
/* Of them one is by modality. */
_Static_assert(sizeof tasks / sizeof *tasks - 2 + MODALITIES <= LOSS_TASKS, "room for all tasks");

static const struct example examples[] = {
    {"... | msa-predict -p predict.safetensors | msa-loss | msa-gdwg | msa-metrics | msa-backprop",
     "the four tasks, weighted by msa-gdwg"},
    {"... | msa-loss --tasks msr,msc,uni | msa-backprop",
     "an ablation: without the contrastive task"},
    {"... | msa-loss --weights uni=.01,cl=.1 --regression mse | msa-backprop",
     "fixed weights, in a line without msa-gdwg"},
    {"... | msa-predict --each 32 -p predict.safetensors | msa-loss --tasks msr,each --weights "
     "each=.5 | msa-backprop",
     "sentiment of each modality beside that of all"},
    {"... | msa-loss --tasks msr,diff,cmd,recon --regression mse --weights diff=.3,recon=.8 | "
     "msa-backprop",
     "MISA's losses, behind msa-decompose --how shared"},
    {0},
};

static const struct program program = {
    .name = "msa-loss",
    .summary = "compute the losses of the tasks, and their gradients",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct loss_settings),
    .options = loss_options,
    .variants = tasks,
    .chosen_by = "tasks",
    .examples = examples,
    .see_also = "msa-predict(1), msa-gdwg(1), msa-backprop(1), msa-stream(5), msa(7)",
    .run = loss_run,
    .at_fail = stage_at_fail,
    .on_cpu = true,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
