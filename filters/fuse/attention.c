/* d_* and s_* [B,N] of all modalities, attending to one another -> f [B,D], all of them side by
 * side: MISA's (msa-model(7), Fusion). */
#include "common/nn/layers/transformer.h"
#include "filters/fuse/fuse.h"
#include "filters/fuse/modalities.h"

enum { DISSIMILARITY, SIMILARITY, KINDS };

struct settings {
    long inner; /* 0: not given */
};

struct attention_fusion {
    struct fused kinds[KINDS]; /* of the same modalities, all of one width */
    struct transformer stack;  /* one layer */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "inner", "N", OPTION_INT, FIELD(inner), NULL, 1, FUSE_MOST,
     .help = "width of the layer's feed-forward: 2048 unless given; evaluation takes it from the "
             "parameters"},
    {0},
};
#undef FIELD

static bool has(const struct fused *all, int modality)
{
    int i = 0;
    while (i < all->count && all->of[i].modality != modality)
        i++;
    return i < all->count;
}

/* Features of both kinds must be of the same modalities, and all of one width. */
static void check_features(const struct trainable *t, const struct fused kinds[KINDS])
{
    const struct fused_one *first = &kinds[DISSIMILARITY].of[0];
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < kinds[kind].count; i++) {
            const struct fused_one *one = &kinds[kind].of[i];
            if (!has(&kinds[KINDS - 1 - kind], one->modality))
                msa_fail(t->m, MSA_FAILED, "'%s' arrives without '%c_%s'", one->name,
                         kind == DISSIMILARITY ? 's' : 'd', modality_names[one->modality]);
            if (one->width != first->width)
                msa_fail(t->m, MSA_CORRUPT, "header: '%s' is of width %zu but '%s' of %zu",
                         one->name, one->width, first->name, first->width);
        }
}

static void build(struct part *p)
{
    static const char layer[] = "transformer_encoder.layers.0", order[] = "text,vision,audio";
    const struct settings *s = p->settings;
    struct attention_fusion *a = p->self;
    struct trainable *t = p->t;
    a->kinds[DISSIMILARITY] = fuse_features(t, 'd', order);
    a->kinds[SIMILARITY] = fuse_features(t, 's', order);
    check_features(t, a->kinds);
    size_t dim = a->kinds[DISSIMILARITY].of[0].width;
    long given = ((const struct fuse_settings *)t->settings)->heads;
    size_t heads = (size_t)trainable_int(t, "heads", given, 2, FUSE_HEADS);
    size_t inner = (size_t)trainable_int(t, "inner", s->inner, 2048, FUSE_MOST);
    if (dim % heads)
        msa_fail(t->m, MSA_USAGE, "--heads %zu: features are of width %zu, which is no multiple",
                 heads, dim);
    float rate = fuse_dropout(t);
    a->stack = (struct transformer){.heads = heads,
                                    .eps = NORM_EPS,
                                    .attention = rate,
                                    .hidden = rate,
                                    .inner = rate,
                                    .activation = ACTIVATION_RELU,
                                    .count = 1,
                                    .layers = {transformer_layer(&t->params, layer, dim, inner)}};
    trainable_adds(t, "f", 2,
                   (size_t[]){0, a->kinds[DISSIMILARITY].width + a->kinds[SIMILARITY].width});
}

static void forward(struct part *p)
{
    const struct attention_fusion *a = p->self;
    struct trainable *t = p->t;
    struct var *taken[KINDS * MODALITIES];
    size_t each = (size_t)a->kinds[DISSIMILARITY].count, rows = KINDS * each;
    for (int kind = 0; kind < KINDS; kind++)
        fuse_take(t, &a->kinds[kind], taken + (size_t)kind * each);
    struct var *x = op_concat(&t->tape, (int)rows, taken);
    size_t batch = x->shape[0], width = x->shape[1];
    x = tape_view(&t->tape, x, 2, (size_t[]){batch * rows, width / rows});
    x = transformer_apply(&t->tape, &a->stack, x, (struct sequences){batch, rows, NULL, NULL});
    trainable_output(t, "f", tape_view(&t->tape, x, 2, (size_t[]){batch, width}));
}

const struct model fuse_attention = {
    .is = {.name = "attention",
           .summary = "what modalities share, and what each has for itself, attending to one "
                      "another: MISA's fusion",
           .reads = "s_MODALITY and d_MODALITY [B,N]",
           .adds = "f [B,D], D being all of these widths",
           .options = options,
           .settings_size = sizeof(struct settings),
           .takes = "order,heads,dropout"},
    .size = sizeof(struct attention_fusion),
    .build = build,
    .forward = forward};
