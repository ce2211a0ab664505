/* msa-encode: each modality's frames [B,L,F], or text's tokens [B,3,L] -> one vector [B,D]
 * (msa-model(7), Encoders, Text). The networks are in filters/encode/. */
#include "filters/encode/encode.h"
#include "common/dataset/tensor_names.h"
#include "common/run/utf8.h"
#include "common/stage/trainable_lengths.h"
#include <stdio.h>
#include <string.h>

static const struct variant *const networks[] = {&encode_transformer.is, &encode_bert.is,
                                                 &encode_dnn.is,         &encode_lstm.is,
                                                 &encode_bilstm.is,      NULL};

#define FIELD(name) offsetof(struct encode_settings, name)
static const struct option options[] = {
    {0, "only", "LIST", OPTION_TEXT, FIELD(only), NULL, 0, 0,
     .help = "encode these modalities alone, of text,vision,audio; the others pass; evaluation "
             "takes it from the parameters"},
    {0, "net", NULL, OPTION_VARIANT, FIELD(net), NULL, 0, 0,
     .help =
         "the network that encodes: transformer unless given, but text as --text says; evaluation "
         "takes it from the parameters",
     .keys = MODALITY_KEYS},
    {0, "text", "features|bert|auto", OPTION_CHOICE, FIELD(text), "auto", 0, 0,
     .help =
         "what text is encoded from: its features per token, or token ids by BERT; auto: by BERT "
         "with --bert, and with parameters that are of one"},
    {0, "names", "PREFIX", OPTION_TEXT, FIELD(names), NULL, 0, 0,
     .help = "prefix of the names of parameters, where files from elsewhere have another; "
             "evaluation takes it from the parameters",
     .keys = MODALITY_KEYS},
    {0, "dim", "N", OPTION_INT, FIELD(dim), NULL, 1, MOST_DIM,
     .help = "width D of the vectors: BERT's or 768 unless given; evaluation takes it from the "
             "parameters"},
    {0, "hidden", "N", OPTION_INT, FIELD(hidden), NULL, 1, MOST_DIM,
     .help = "width of a network's layers: 128, for audio 32 of CH-SIMS and 16 of MOSI, of bilstm "
             "that of a frame, unless given; evaluation takes it from the parameters",
     .keys = MODALITY_KEYS},
    {0, "lengths", LENGTHS_WORDS, OPTION_CHOICE, FIELD(lengths), "auto", 0, 0,
     .help = LENGTHS_HELP},
    {0, "dropout", "P", OPTION_REAL, FIELD(dropout), "0.5", 0, 0.999,
     .help = "dropout probability in training; of dnn, lstm, bilstm and the gate of bert 0 unless "
             "given",
     .keys = MODALITY_KEYS},
    {0, "keep", NULL, OPTION_FLAG, FIELD(keep), NULL, 0, 0,
     .help = "leave what is encoded in the records, beside the vectors made of it"},
    {0},
};
#undef FIELD

/* --- what networks share --- */

/* A note of one modality, "net.text". */
static const char *note_key(char key[64], const char *note, int modality)
{
    snprintf(key, 64, "%s.%s", note, modality_names[modality]);
    return key;
}

/* What is to be said of a modality: as an option says, else as files with initial values have noted
 * (NULL: they have not), else as usual. */
static const char *decide(struct trainable *t, const char *option, int modality, const char *given,
                          const char *noted, const char *usual)
{
    if (t->given && given && noted && strcmp(given, noted) != 0)
        msa_fail(t->m, MSA_USAGE, "--%s %s=%s given but %s has %s", option,
                 modality_names[modality], given, t->given->path, noted);
    return given ? given : noted ? noted : usual;
}

/* The prefix of another network's parameters is of no use. */
const char *encode_prefix(struct trainable *t, const struct model *model, int modality,
                          const char *usual)
{
    const struct encode *e = t->self;
    char key[64];
    const char *net = trainable_initial_note(t, note_key(key, "net", modality)), *noted = NULL;
    if (net && strcmp(net, model->is.name) == 0)
        noted = trainable_initial_note(t, note_key(key, "names", modality));
    const char *prefix = decide(t, "names", modality, e->settings->names[modality], noted, usual);
    size_t length = strlen(prefix);
    if (length > ENCODE_PREFIX || !utf8_printable(prefix, length))
        msa_fail(t->m, e->settings->names[modality] ? MSA_USAGE : MSA_CORRUPT,
                 "--names: a prefix of %zu bytes for %s but expected at most %d, printable", length,
                 modality_names[modality], ENCODE_PREFIX);
    trainable_note(t, note_key(key, "names", modality), prefix);
    return prefix;
}

/* One number, where all are the same. */
static const char *dropout_text(struct msa *m, const double dropout[MODALITIES])
{
    if (dropout[TEXT] == dropout[VISION] && dropout[TEXT] == dropout[AUDIO])
        return real_text(m, dropout[TEXT]);
    return msa_format(m, "text=%s,vision=%s,audio=%s", real_text(m, dropout[TEXT]),
                      real_text(m, dropout[VISION]), real_text(m, dropout[AUDIO]));
}

float encode_dropout(struct part *p, double usual)
{
    struct encode *e = p->t->self;
    bool given = option_given(p->t->m, "dropout") >> p->modality & 1;
    e->dropout[p->modality] = given ? e->settings->dropout[p->modality] : usual;
    trainable_note(p->t, "dropout", dropout_text(p->t->m, e->dropout));
    return (float)e->dropout[p->modality];
}

void encode_adds(struct part *p, size_t dim)
{
    char name[TENSOR_NAME + 1];
    trainable_adds(p->t, name_vector(name, 'h', p->modality), 2, (size_t[]){0, dim});
}

void encode_drop(struct part *p, const char *name)
{
    if (!((const struct encode *)p->t->self)->settings->keep)
        trainable_drop(p->t, name);
}

void encode_drop_modality(struct part *p, int modality)
{
    if (!((const struct encode *)p->t->self)->settings->keep)
        trainable_drop_modality(p->t, modality);
}

/* --- which networks --- */

/* The network that files with initial values note for frames; NULL: none, or BERT. */
static const char *noted_network(const struct trainable *t, int modality)
{
    char key[64];
    const char *noted = trainable_initial_note(t, note_key(key, "net", modality));
    return noted && strcmp(noted, encode_bert.is.name) != 0 ? noted : NULL;
}

/* The network that encodes frames. */
static const struct model *network_of(struct trainable *t, int modality)
{
    const struct variant *given = ((const struct encode *)t->self)->settings->net[modality];
    const char *name = decide(t, "net", modality, given ? given->name : NULL,
                              noted_network(t, modality), encode_transformer.is.name);
    const struct variant *named = variant_named(t->m, name);
    if (!named)
        msa_fail(t->m, MSA_CORRUPT, "the parameters are of the network '%.32s', which is not known",
                 name);
    return (const struct model *)named;
}

/* Are evaluation's parameters for frames of this modality? Version 0.1.0 did not note networks. */
static bool has_parameters(const struct trainable *t, int modality)
{
    char key[64];
    return !t->given || noted_network(t, modality) ||
           (!trainable_noted(t, note_key(key, "net", modality)) &&
            encode_transformer_given(t, modality));
}

/* Are its frames to be encoded? */
static bool wants_frames(const struct trainable *t, int modality)
{
    const char *only = ((const struct encode *)t->self)->settings->only;
    return trainable_arrives(t, modality_names[modality]) &&
           (only ? option_names(only, modality_names[modality]) : has_parameters(t, modality));
}

/* Vectors that stages before have made may be all that there is. */
static void check_any(const struct trainable *t)
{
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES && !t->part_count; i++)
        if (trainable_arrives(t, name_vector(name, 'h', i)))
            return;
    if (!t->part_count)
        msa_fail(t->m, MSA_FAILED, "nothing to encode: no text, vision or audio arrives%s%s",
                 ((const struct encode *)t->self)->settings->only ? " of those that --only names"
                                                                  : "",
                 t->given ? msa_format(t->m, " that %s has parameters for%s", t->given->path,
                                       params_stranger(&t->params, t->given))
                          : "");
}

/* What text goes through is said by --text, by --net, and in evaluation by the parameters. */
static void check_text(const struct trainable *t, const struct encode_settings *s)
{
    const struct variant *net = s->net[TEXT];
    const char *noted = trainable_noted(t, "net.text");
    if (net && noted && strcmp(net->name, noted) != 0)
        msa_fail(t->m, MSA_USAGE, "--net text=%s given but %s has %s", net->name, t->given->path,
                 noted);
    if (s->text == TEXT_BERT && s->only && !option_names(s->only, modality_names[TEXT]))
        msa_fail(t->m, MSA_USAGE, "--text bert, but --only %s leaves text out", s->only);
    if (s->text != TEXT_AUTO && net && (net == &encode_bert.is) != (s->text == TEXT_BERT))
        msa_fail(t->m, MSA_USAGE, "--text %s, but --net text=%s",
                 s->text == TEXT_BERT ? "bert" : "features", net->name);
}

/* --- the program --- */

/* What BERT takes in has no network of its own. */
static void check_gated(const struct trainable *t, int modality)
{
    const struct variant *net = ((const struct encode *)t->self)->settings->net[modality];
    if (net)
        msa_fail(t->m, MSA_USAGE, "--net %s=%s, but --gate takes %s into BERT",
                 modality_names[modality], net->name, modality_names[modality]);
}

/* By which networks modalities are encoded; NULL: they pass, or are BERT's. */
static void choose_models(struct trainable *t, bool bert, const struct model *models[MODALITIES])
{
    for (int i = 0; i < MODALITIES; i++) {
        models[i] = NULL;
        if (bert && i == TEXT)
            models[i] = &encode_bert;
        else if (((const struct encode *)t->self)->gated)
            check_gated(t, i);
        else if (wants_frames(t, i))
            models[i] = network_of(t, i);
    }
}

/* Do all have a width of their own? */
static bool lack_dim(const struct model *const models[MODALITIES])
{
    bool any = false, takes = false;
    for (int i = 0; i < MODALITIES; i++) {
        any = any || models[i];
        takes =
            takes || (models[i] && models[i]->is.takes && option_names(models[i]->is.takes, "dim"));
    }
    return any && !takes;
}

/* D of the networks without a width of their own; `bert`: text goes through BERT, which says it. */
static size_t find_dim(struct trainable *t, const struct encode *e, bool bert)
{
    size_t dim = (size_t)trainable_int(t, "dim", e->settings->dim, bert ? (long)e->config.dim : 768,
                                       MOST_DIM);
    if (bert && dim != e->config.dim)
        msa_fail(t->m, MSA_USAGE, "--dim %zu, but BERT's vectors are of width %zu", dim,
                 e->config.dim);
    return dim;
}

static void choose(struct trainable *t)
{
    struct encode *e = t->self;
    const struct model *models[MODALITIES];
    const char *only = e->settings->only, *all = "";
    char key[64];
    check_text(t, e->settings);
    bool bert =
        (!only || option_names(only, modality_names[TEXT])) && encode_bert_wanted(t, &e->config);
    choose_models(t, bert, models);
    if (!lack_dim(models))
        e->dim = find_dim(t, e, bert);
    for (int i = 0; i < MODALITIES; i++) {
        if (!models[i])
            continue;
        trainable_note(t, note_key(key, "net", i), models[i]->is.name);
        trainable_part(t, models[i], i);
        all = msa_join(t->m, all, ",", modality_names[i]);
    }
    check_any(t);
    trainable_check_options(t);
    trainable_note(t, "modalities", all);
    trainable_note(t, "dropout", dropout_text(t->m, e->dropout));
}

static void run(struct msa *m)
{
    struct encode *e = msa_alloc(m, sizeof *e);
    e->settings = m->settings;
    memcpy(e->dropout, e->settings->dropout, sizeof e->dropout);
    if (e->settings->only)
        option_subset(m, "only", e->settings->only, modality_names, MODALITIES);
    trainable_run(m, choose, e);
}

static const struct example examples[] = {
    {"msa-load --train data.pkl | msa-encode -p encode.safetensors | ...",
     "train encoders of the family's usual size"},
    {"msa-load --split test data.pkl | msa-encode -p encode.safetensors | msa-dump",
     "look at the vectors of the test split"},
    {"msa-load --train data.pkl | msa-encode --only text -p text.safetensors | ...",
     "the same line with text alone"},
    {"msa-load data.pkl | msa-encode --only text --bert minilm --pool mean -z -o text.msa.gz",
     "what a BERT makes of the texts, computed once for all trainings on text.msa.gz"},
    {"msa-load --train --mean vision,audio data.pkl | msa-encode --net text=lstm,vision=dnn,"
     "audio=dnn --hidden 64 -p encode.safetensors | ...",
     "train the encoders of the small models, in width 64"},
    {0},
};

static const struct program program = {
    .name = "msa-encode",
    .summary = "encode the frames of each modality into one vector",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct encode_settings),
    .options = options,
    .more = trainable_options,
    .variants = networks,
    .chosen_by = "net",
    .examples = examples,
    .see_also = "msa-load(1), msa-decompose(1), msa-fuse(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
