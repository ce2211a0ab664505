/* msa-decompose: h_* -> similarity s_* and dissimilarity d_* (msa-model(7), Decomposition). The
 * networks are in filters/decompose/. */
#include "filters/decompose/decompose.h"

static const struct variant *const networks[] = {&decompose_projectors.is, &decompose_shared.is,
                                                 NULL};

#define FIELD(name) offsetof(struct trainable_one, name)
static const struct option options[] = {
    {0, "how", NULL, OPTION_VARIANT, FIELD(model), "auto", 0, 0,
     .help = "the network that decomposes: projectors unless given; evaluation takes it from the "
             "parameters"},
    {0},
};
#undef FIELD

static const struct example examples[] = {
    {"... | msa-encode -p encode.safetensors | msa-decompose -p decompose.safetensors | ...",
     "train, or evaluate, the projectors"},
    {"... | msa-decompose --how shared --dim 64 -p decompose.safetensors | msa-fuse attention -p "
     "fuse.safetensors | ...",
     "MISA's features and their fusion"},
    {0},
};

static const struct program program = {
    .name = "msa-decompose",
    .summary = "split each modality's vector into similarity and dissimilarity features",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct trainable_one),
    .options = options,
    .more = trainable_options,
    .variants = networks,
    .chosen_by = "how",
    .examples = examples,
    .see_also = "msa-encode(1), msa-predict(1), msa-stream(5), msa(7)",
    .run = trainable_run_one,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
