/* msa-predict: sentiment y [B], from features or from one vector (msa-model(7), Heads). The heads
 * are in filters/predict/. */
#include "filters/predict/predict.h"

static const struct variant *const heads[] = {&predict_joint.is, &predict_unimodal.is, NULL};

#define FIELD(name) offsetof(struct trainable_one, name)
static const struct option options[] = {
    {0, "head", NULL, OPTION_VARIANT, FIELD(model), "auto", 0, 0,
     .help = "predict from all s_* and d_*, or from the one h_* that arrives; auto: joint, and in "
             "evaluation what the parameters are for"},
    {0},
};
#undef FIELD

static const struct example examples[] = {
    {"... | msa-decompose -p decompose.safetensors | msa-predict -p predict.safetensors | "
     "msa-metrics",
     "predict and judge"},
    {"... | msa-encode --only text -p text.safetensors | msa-predict --head unimodal -p "
     "head.safetensors | msa-loss --tasks msr --regression mse | msa-backprop",
     "train an encoder on its own modality"},
    {0},
};

static const struct program program = {
    .name = "msa-predict",
    .summary = "predict sentiment from similarity and dissimilarity features, or from one vector",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct trainable_one),
    .options = options,
    .more = trainable_options,
    .variants = heads,
    .chosen_by = "head",
    .examples = examples,
    .see_also = "msa-decompose(1), msa-loss(1), msa-metrics(1), msa-stream(5), msa(7)",
    .run = trainable_run_one,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
