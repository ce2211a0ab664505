/* f [B,D] -> linear layers with an activation between them -> sentiment y [B] (msa-model(7),
 * Heads). */
#include "common/run/utf8.h"
#include "filters/predict/predict.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_HIDDEN = 8, NAME_MOST = 128 /* bytes */ };

struct settings {
    const char *hidden, *names; /* NULL: not given */
    int activation;
};

struct head {
    int hidden; /* layers before the last one */
    const char *names[MOST_HIDDEN + 1];
    struct linear_layer layers[MOST_HIDDEN + 1];
    int activation;
    float dropout;
    struct results results;
};

enum { RELU }; /* what is usual */
static struct var *(*const activations[])(struct tape *t, struct var *x,
                                          struct dropout drop) = {op_relu, op_tanh, op_gelu};
static const char activation_words[] = "relu|tanh|gelu|auto"; /* in that order */

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "hidden", "N,...", OPTION_TEXT, FIELD(hidden), NULL, 0, 0,
     .help = "widths of the layers before the last one: one as wide as f unless given; evaluation "
             "takes them from the parameters"},
    {0, "activation", activation_words, OPTION_CHOICE, FIELD(activation), "auto", 0, 0,
     .help = "what follows each of these; auto: relu, and in evaluation what the parameters are "
             "for"},
    {0, "names", "NAME,...", OPTION_TEXT, FIELD(names), NULL, 0, 0,
     .help = "what all layers are called in files: post_fusion_layer_2, post_fusion_layer_3 and so "
             "on unless given; evaluation takes them from the parameters"},
    {0},
};
#undef FIELD

/* --- options --- */

/* "128,64": how many there are, at most MOST_HIDDEN; 0: it is no such list. */
static int read_widths(const char *text, size_t widths[MOST_HIDDEN])
{
    for (int count = 0; count < MOST_HIDDEN;) {
        size_t digits = strspn(text, "0123456789");
        widths[count++] = digits && digits < 6 ? strtoul(text, NULL, 10) : 0;
        if (widths[count - 1] < 1 || widths[count - 1] > SCHEMA_MOST)
            return 0;
        if (!text[digits])
            return count;
        if (text[digits] != ',')
            return 0;
        text += digits + 1;
    }
    return 0;
}

static void find_widths(struct part *p, struct head *h, size_t usual, size_t widths[MOST_HIDDEN])
{
    const struct settings *s = p->settings;
    const char *text = trainable_text(p->t, "hidden", s->hidden, msa_format(p->t->m, "%zu", usual));
    h->hidden = read_widths(text, widths);
    if (!h->hidden)
        msa_fail(p->t->m, s->hidden ? MSA_USAGE : MSA_CORRUPT,
                 "%s: '%s' is not 1 to %d widths from 1 to %d",
                 trainable_origin(p->t, "hidden", s->hidden), text, MOST_HIDDEN, SCHEMA_MOST);
}

static const char *usual_names(struct msa *m, int layers)
{
    const char *all = "post_fusion_layer_2";
    for (int i = 1; i < layers; i++)
        all = msa_format(m, "%s,post_fusion_layer_%d", all, i + 2);
    return all;
}

static void find_names(struct part *p, struct head *h)
{
    const struct settings *s = p->settings;
    struct msa *m = p->t->m;
    int layers = h->hidden + 1, count = 0;
    const char *text = trainable_text(p->t, "names", s->names, usual_names(m, layers));
    bool good = true;
    for (char *rest = msa_strndup(m, text, strlen(text)); rest; count++) {
        const char *name = strsep(&rest, ",");
        size_t length = strlen(name);
        good =
            good && count < layers && length && length <= NAME_MOST && utf8_printable(name, length);
        if (good)
            h->names[count] = name;
    }
    if (!good || count != layers)
        msa_fail(m, s->names ? MSA_USAGE : MSA_CORRUPT,
                 "%s: '%.64s' is not %d names, of 1 to %d bytes each, for %d layers",
                 trainable_origin(p->t, "names", s->names), text, layers, NAME_MOST, layers);
}

/* --- the network --- */

static void build(struct part *p)
{
    struct head *h = p->self;
    struct trainable *t = p->t;
    size_t widths[MOST_HIDDEN], in = predict_reads_fused(t)->shape[1];
    find_widths(p, h, in, widths);
    h->activation = trainable_choice(t, "activation", activation_words,
                                     ((const struct settings *)p->settings)->activation, RELU);
    find_names(p, h);
    for (int i = 0; i <= h->hidden; i++) {
        size_t out = i < h->hidden ? widths[i] : 1;
        h->layers[i] = linear_layer(&t->params, h->names[i], in, out);
        in = out;
    }
    h->dropout = predict_hidden_dropout(t);
    results_build(p, &h->results, widths[h->hidden - 1]);
}

static void forward(struct part *p)
{
    const struct head *h = p->self;
    struct tape *t = &p->t->tape;
    struct var *x = trainable_input(p->t, "f");
    for (int i = 0; i < h->hidden; i++)
        x = activations[h->activation](t, linear_apply(t, &h->layers[i], x),
                                       dropout_at(t, h->dropout, h->names[i], "hidden"));
    results_make(p, &h->results, x, linear_apply(t, &h->layers[h->hidden], x));
}

const struct model predict_mlp = {
    .is = {.name = "mlp",
           .summary = "sentiment from one vector of all modalities, by a multilayer perceptron",
           .reads = "f [B,D]",
           .adds = "y [B]",
           .options = options,
           .settings_size = sizeof(struct settings)},
    .size = sizeof(struct head),
    .build = build,
    .forward = forward};
