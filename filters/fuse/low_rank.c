/* h_* -> f [B,D] by a tensor of weights of low rank: LMF (msa-model(7), Fusion). */
#include "filters/fuse/fuse.h"
#include "filters/fuse/modalities.h"

enum { MOST_RANK = 1024 };

struct settings {
    long rank; /* 0: not given */
    bool learn;
};

struct low_rank {
    struct fused vectors;
    size_t rank, dim;                /* R, D */
    struct var *factors[MODALITIES]; /* [R,width+1,D], in the order of `vectors` */
    struct var *weights, *bias;      /* [1,R], [1,D] */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "rank", "N", OPTION_INT, FIELD(rank), NULL, 1, MOST_RANK,
     .help = "how many products are added up: 4 unless given; evaluation takes it from the "
             "parameters"},
    {0, "learn-weights", NULL, OPTION_FLAG, FIELD(learn), NULL, 0, 0,
     .help = "train fusion_weights and fusion_bias too, which otherwise keep their initial values"},
    {0},
};
#undef FIELD

static struct var *add_factor(struct trainable *t, const struct fused_one *one, size_t rank,
                              size_t dim)
{
    size_t shape[] = {rank, one->width + 1, dim};
    const char *name = msa_format(t->m, "%s_factor", mmsa_names[one->modality]);
    t->params.modality = one->modality;
    struct var *factor = params_add(&t->params, name, init_xavier_normal(3, shape), 3, shape);
    t->params.modality = -1;
    return factor;
}

static void build(struct part *p)
{
    const struct settings *s = p->settings;
    struct low_rank *l = p->self;
    struct trainable *t = p->t;
    l->vectors = fuse_vectors(t);
    l->rank = (size_t)trainable_int(t, "rank", s->rank, 4, MOST_RANK);
    l->dim = fuse_adds(t, 1);
    for (int i = 0; i < l->vectors.count; i++)
        l->factors[i] = add_factor(t, &l->vectors.of[i], l->rank, l->dim);
    size_t weights[] = {1, l->rank}, bias[] = {1, l->dim};
    l->weights = params_add_if(&t->params, s->learn, "fusion_weights",
                               init_xavier_normal(2, weights), 2, weights);
    l->bias = params_add_if(&t->params, s->learn, "fusion_bias", init_constant(0), 2, bias);
    trainable_note(t, "learn-weights", s->learn ? "yes" : "no");
}

/* h [B,width] -> [R,B,width+1]: a 1 in front, R times. */
static struct var *repeat(struct tape *t, size_t rank, struct var *h)
{
    size_t batch = h->shape[0], one = 1 + h->shape[1];
    struct var *ones = op_affine(t, tape_zeros(t, 2, (size_t[]){batch, 1}), 1, 1);
    struct var *row = op_concat(t, 2, (struct var *[]){ones, h});
    struct var *x[MOST_RANK];
    for (size_t r = 0; r < rank; r++)
        x[r] = tape_view(t, row, 2, (size_t[]){1, batch * one});
    return tape_view(t, op_concat(t, (int)rank, x), 3, (size_t[]){rank, batch, one});
}

static void forward(struct part *p)
{
    const struct low_rank *l = p->self;
    struct tape *tape = &p->t->tape;
    struct var *taken[MODALITIES], *product = NULL;
    fuse_take(p->t, &l->vectors, taken);
    for (int i = 0; i < l->vectors.count; i++) {
        struct var *z = op_matmul(tape, repeat(tape, l->rank, taken[i]), l->factors[i], false,
                                  false); /* [R,B,D] */
        product = product ? op_multiply(tape, product, z, BROADCAST_NONE) : z;
    }
    size_t batch = taken[0]->shape[0];
    struct var *each = tape_view(tape, product, 2, (size_t[]){l->rank, batch * l->dim});
    struct var *sum = op_matmul(tape, l->weights, each, false, false);
    sum = tape_view(tape, sum, 2, (size_t[]){batch, l->dim});
    trainable_output(p->t, "f", op_add(tape, sum, l->bias, BROADCAST_ROW));
}

const struct model fuse_low_rank = {
    .is = {.name = "low-rank",
           .summary = "the product of all vectors, by weights of low rank: LMF's fusion",
           .reads = "h_MODALITY [B,D]",
           .adds = "f [B,D], D being 1 unless --out says otherwise",
           .options = options,
           .settings_size = sizeof(struct settings),
           .takes = "order,out"},
    .size = sizeof(struct low_rank),
    .build = build,
    .forward = forward};
