/* msa-predict: sentiment y [B], from features or from one vector (msa-model(7), Heads). The heads
 * are in filters/predict/. */
#include "filters/predict/predict.h"
#include "filters/dmmsa/features.h"

static const struct variant *const heads[] = {&predict_joint.is,
                                              &predict_unimodal.is,
                                              &predict_mlp.is,
                                              &predict_none.is,
                                              &predict_linear.is,
                                              &predict_residual.is,
                                              NULL};

#define FIELD(name) offsetof(struct predict_settings, name)
static const struct option options[] = {
    {0, "head", NULL, OPTION_VARIANT, FIELD(one.model), "auto", 0, 0,
     .help = "predict from all s_* and d_*, from the one h_* that arrives, or from f; auto: mlp "
             "where f arrives and no s_* and d_*, else joint, and in evaluation what the "
             "parameters are for"},
    {0, "classes", "C", OPTION_INT, FIELD(classes), NULL, 0, MOST_CLASSES,
     .help = "classes of the classifier: 2, 3, 5 or, for MOSI and MOSEI, 7; 0 is no classifier; "
             "joint has 3 unless given, others have none; evaluation takes it from the "
             "parameters"},
    {0, "range", "LO,HI", OPTION_TEXT, FIELD(range), NULL, 0, 0,
     .help = "keep y between these, by a sigmoid; evaluation takes it from the parameters"},
    {0, "each", "N", OPTION_INT, FIELD(each), NULL, 1, SCHEMA_MOST,
     .help = "predict from each h_* that arrives too, by a head with layers of width N; evaluation "
             "takes these from the parameters",
     .keys = MODALITY_KEYS},
    {0, "dropout", "P", OPTION_REAL, FIELD(dropout), NULL, 0, 0.999,
     .help = "dropout probability in training: in front of the heads of --each, behind the "
             "activations of --head mlp and residual, and on f in front of --head linear; 0 unless "
             "given",
     .keys = PREDICT_DROPOUT_KEYS},
    {0},
};
#undef FIELD

/* What predicts where neither options nor parameters say it. */
static const struct variant *usual_head(const struct trainable *t)
{
    struct features features = features_find(t->m, &t->arrived);
    return trainable_arrives(t, "f") && !features.count ? &predict_mlp.is : &predict_joint.is;
}

/* What is not trained here has no dropout. */
static void check_dropout(const struct trainable *t)
{
    uint32_t given = option_given(t->m, "dropout"), hidden = UINT32_C(1) << DROPOUT_HIDDEN;
    const struct model *head = t->parts[0].model;
    bool inside = head == &predict_mlp || head == &predict_linear || head == &predict_residual;
    uint32_t used = inside ? hidden : 0;
    used |= option_given(t->m, "each") & (hidden - 1);
    if (t->stage->header->train && (given == UINT32_MAX ? !used : given & ~used))
        msa_fail(t->m, MSA_USAGE,
                 "--dropout: hidden is for --head mlp, linear and residual, and text, vision and "
                 "audio are for --each");
}

static void choose(struct trainable *t)
{
    const struct variant *given = predict_settings(t)->one.model;
    trainable_choose(t, given || t->given ? given : usual_head(t));
    check_dropout(t);
}

static void run(struct msa *m)
{
    trainable_run(m, choose, NULL);
}

static const struct example examples[] = {
    {"... | msa-decompose -p decompose.safetensors | msa-predict -p predict.safetensors | "
     "msa-metrics",
     "predict and judge"},
    {"... | msa-encode --only text -p text.safetensors | msa-predict --head unimodal -p "
     "head.safetensors | msa-loss --tasks msr --regression mse | msa-backprop",
     "train an encoder on its own modality"},
    {"msa-load --train data.pkl | msa-encode -p encode.safetensors | msa-fuse concat -p "
     "fuse.safetensors | msa-predict --head mlp --hidden 64 --each 32 -p predict.safetensors | "
     "msa-loss --tasks msr,each | msa-backprop",
     "train on one vector of all modalities, and on each one's own label beside it"},
    {0},
};

static const struct program program = {
    .name = "msa-predict",
    .summary = "predict sentiment from features, or from one vector",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct predict_settings),
    .options = options,
    .more = trainable_options,
    .variants = heads,
    .chosen_by = "head",
    .examples = examples,
    .see_also = "msa-decompose(1), msa-fuse(1), msa-loss(1), msa-metrics(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
