/* msa-fuse: all modalities, h_* [B,D] or their frames -> one vector f [B,D] (msa-model(7), Fusion).
 * The variants are in filters/fuse/. */
#include "filters/fuse/fuse.h"
#include "filters/fuse/modalities.h"

static const struct variant *const variants[] = {
    &fuse_concat.is, &fuse_tensor.is, &fuse_low_rank.is, &fuse_memory.is, &fuse_attention.is, NULL};

#define FIELD(name) offsetof(struct fuse_settings, name)
static const struct option options[] = {
    {0, "order", "LIST", OPTION_TEXT, FIELD(order), NULL, 0, 0,
     .help = "which vectors are fused, in this order: of audio,vision,text those that arrive "
             "unless given; evaluation takes it from the parameters"},
    {0, "out", "N", OPTION_INT, FIELD(out), NULL, 1, FUSE_MOST,
     .help = "width D of f: 128 unless given, of tensor 32, of low-rank 1; evaluation takes it "
             "from the parameters"},
    {0, "heads", "N", OPTION_INT, FIELD(heads), NULL, 1, FUSE_HEADS,
     .help = "attention heads: 2 unless given; evaluation takes it from the parameters"},
    {0, "dropout", "P", OPTION_REAL, FIELD(dropout), "0", 0, 0.999,
     .help = "dropout probability in training", .keys = FUSE_PLACES},
    {0},
};
#undef FIELD

static void choose(struct trainable *t)
{
    trainable_choose(t, t->m->named);
}

static void run(struct msa *m)
{
    fuse_check_order(m, ((const struct fuse_settings *)m->settings)->order);
    trainable_run(m, choose, NULL);
}

static const struct example examples[] = {
    {"msa-load --train data.pkl | msa-encode -p encode.safetensors | msa-fuse concat -p "
     "fuse.safetensors | msa-predict --head mlp -p predict.safetensors | msa-loss --tasks msr "
     "--regression l1 | msa-backprop",
     "train a line that joins the modalities' vectors"},
    {"... | msa-fuse tensor --order audio,text --out 16 --dropout 0.4 -p fuse.safetensors | ...",
     "fuse two modalities by the products of their numbers"},
    {0},
};

static const struct program program = {
    .name = "msa-fuse",
    .summary = "make one vector of all modalities",
    .operands = "HOW [FILE]",
    .min_operands = 1,
    .max_operands = 2,
    .settings_size = sizeof(struct fuse_settings),
    .options = options,
    .more = trainable_options,
    .variants = variants,
    .chosen_by = "how",
    .by_operand = true,
    .examples = examples,
    .see_also = "msa-encode(1), msa-decompose(1), msa-predict(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
