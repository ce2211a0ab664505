/* msa-tokenize: what was said (raw_text) as BERT takes it (text_bert); of records, or of lines of
 * text, of which it makes records. Forward only. */
#include "common/dataset/dataset.h"
#include "common/run/line_reader.h"
#include "common/run/option.h"
#include "common/run/utf8.h"
#include "common/stage/stage.h"
#include "common/text/agreement.h"

#include <stdio.h>

enum { FAMILY_UNKNOWN = FAMILIES, BATCH = 32 };

struct settings {
    const char *vocab;
    long length, batch, compare;
    bool cased, lines;
    int family;
};

struct tokenize {
    struct msa *m;
    const struct settings *settings;
    struct tokenizer tokenizer;
    struct stage source; /* with --lines */
    int64_t *ids;        /* of a record, until it is written */
    size_t room;         /* samples that fit there */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "vocab", "FILE", OPTION_READS, FIELD(vocab), NULL, 0, 0,
     .help = "the vocabulary, a token a line, as BERT's vocab.txt"},
    {0, "length", "L", OPTION_INT, FIELD(length), "50", 2, SCHEMA_MOST,
     .help = "tokens of a sample: more are cut off, fewer are padded"},
    {0, "cased", NULL, OPTION_FLAG, FIELD(cased), NULL, 0, 0,
     .help = "keep upper case and accents, for a vocabulary that has them"},
    {0, "lines", NULL, OPTION_FLAG, FIELD(lines), NULL, 0, 0,
     .help = "read text, each line of it a sample, instead of records"},
    {0, "compare", "N", OPTION_INT, FIELD(compare), NULL, 1, 1e9,
     .help = "make nothing, but warn when the text_bert that the first N samples have is mostly "
             "not what "
             "the vocabulary gives"},
    {0, "batch", "N", OPTION_INT, FIELD(batch), "32", 1, 5e5,
     .help = "samples per record, with --lines"},
    {0, "family", "sims|mosi|unknown", OPTION_CHOICE, FIELD(family), "unknown", 0, 0,
     .help = "what the header says of the labels that are predicted, with --lines"},
    {0},
};
#undef FIELD

/* --- a record --- */

static void add_to_schema(const struct tokenize *t, struct header *h)
{
    size_t shape[] = {0, 3, t->tokenizer.length};
    schema_add(t->m, &h->schema, "text_bert", I8, 3, shape, false);
}

/* Room for the ids of so many samples, which a frame must have too. */
static void make_room(struct tokenize *t, size_t samples)
{
    size_t row = 3 * t->tokenizer.length * sizeof *t->ids;
    if (samples > frame_limit(t->m) / row)
        msa_fail(t->m, MSA_FAILED,
                 "a record of %zu samples, %ld tokens each, is larger than --max-frame", samples,
                 t->settings->length);
    if (samples > t->room) {
        t->ids = msa_realloc(t->m, t->ids, samples * row);
        t->room = samples;
    }
}

static void put_ids(struct tokenize *t, struct record *r)
{
    const value *text = value_get(&r->map, record_texts[RECORD_RAW_TEXT]);
    size_t shape[] = {r->samples, 3, t->tokenizer.length};
    make_room(t, r->samples);
    for (size_t i = 0; i < r->samples; i++) {
        const msgpack_object_str *said = &text->via.array.ptr[i].via.str;
        tokenizer_row(&t->tokenizer, said->ptr, said->size, t->ids + i * shape[1] * shape[2]);
    }
    record_put(t->m, r, tensor_of("text_bert", I8, t->ids, 3, shape));
}

/* --- of records --- */

static void on_header(struct stage *s)
{
    add_to_schema(s->self, s->header);
}

static void on_record(struct stage *s, struct record *r)
{
    if (!value_get(&r->map, record_texts[RECORD_RAW_TEXT]))
        msa_fail(s->m, MSA_FAILED, "frame %u: no 'raw_text' arrives: the data set has none",
                 (unsigned)r->frame.seq);
    put_ids(s->self, r);
}

/* --- of lines --- */

static struct header *make_header(const struct tokenize *t)
{
    struct header *h = header_new(t->m);
    int family = t->settings->family;
    if (family != FAMILY_UNKNOWN) {
        snprintf(h->family, sizeof h->family, "%s", family_names[family]);
        h->range = family_range((enum family)family);
    }
    add_to_schema(t, h);
    return h;
}

/* The id of the line read last: FILE:NUMBER, of standard input its number alone. */
static value line_id(const struct tokenize *t, const struct lines *in, msgpack_zone *zone)
{
    bool named = in->stream != stdin;
    char *text = msa_format(t->m, "%s%s%zu", named ? in->path : "", named ? ":" : "", in->number);
    value id = value_str(t->m, zone, text);
    msa_free(t->m, text);
    return id;
}

/* The next lines; none at the end of the file. */
static void take_lines(const struct tokenize *t, struct lines *in, struct record *r)
{
    size_t most = (size_t)t->settings->batch, length;
    value id = value_nils(t->m, r->zone, most), text = value_nils(t->m, r->zone, most);
    for (char *line; r->samples < most && (line = lines_next(in, &length)); r->samples++) {
        char *said = utf8_said(t->m, line, length);
        id.via.array.ptr[r->samples] = line_id(t, in, r->zone);
        text.via.array.ptr[r->samples] = value_str(t->m, r->zone, said);
        msa_free(t->m, said);
    }
    id.via.array.size = text.via.array.size = (uint32_t)r->samples;
    value_set(t->m, r->zone, &r->map, record_texts[RECORD_ID], id);
    value_set(t->m, r->zone, &r->map, record_texts[RECORD_RAW_TEXT], text);
}

/* One record, unless the file has ended. */
static bool send_lines(struct tokenize *t, struct lines *in, long step)
{
    struct record r;
    record_new(t->m, &r);
    r.step = step;
    snprintf(r.split, sizeof r.split, "%s", split_names[TEST]);
    take_lines(t, in, &r);
    bool any = r.samples > 0;
    if (any) {
        put_ids(t, &r);
        record_write(&r, t->source.out, FRAME_DATA);
    }
    record_free(&r);
    return any;
}

static void run_lines(struct tokenize *t)
{
    struct lines *in = lines_open(t->m, t->m->operand_count ? t->m->operands[0] : "-");
    stage_open_source(&t->source, t->m, make_header(t));
    for (long step = 0; send_lines(t, in, step);)
        step++;
    if (!in->number)
        msa_fail(t->m, MSA_CORRUPT, "%s: no samples: there is no line in it", in->path);
    stage_end(&t->source);
}

/* --- comparing --- */

static void tell(const struct tokenize *t, const struct agreement *a)
{
    if (2 * a->differing > a->compared)
        msa_warn(
            t->m,
            "%zu of %zu samples have a text_bert that %s does not give, as if it were of another "
            "vocabulary: %s (msa-tokenize makes it anew)",
            a->differing, a->compared, t->settings->vocab, a->first);
    else
        msa_say(t->m, "%zu of %zu samples have another text_bert than %s gives", a->differing,
                a->compared, t->settings->vocab);
}

/* Reads no more than it needs. */
static void run_compare(struct tokenize *t)
{
    struct agreement a = {0};
    struct reader *in = stage_open_input(t->m);
    size_t most = (size_t)t->settings->compare;
    struct frame f;
    while (a.compared < most && reader_next(in, &f)) {
        struct record r;
        if (f.kind == FRAME_ERROR)
            frame_fail_other(t->m, &f);
        if (f.kind != FRAME_DATA) {
            frame_free(&f);
            continue;
        }
        record_parse(t->m, &r, &f);
        agreement_add(&a, t->tokenizer, &r, most);
        record_free(&r);
    }
    reader_close(in);
    tell(t, &a);
}

/* --- the program --- */

static void check_options(const struct tokenize *t)
{
    const struct settings *s = t->settings;
    if (!s->vocab)
        msa_fail(t->m, MSA_USAGE, "--vocab FILE is missing: the vocabulary");
    if (!s->lines && (s->batch != BATCH || s->family != FAMILY_UNKNOWN))
        msa_fail(t->m, MSA_USAGE, "--batch and --family go with --lines");
    if (s->compare && (s->lines || t->m->common.output))
        msa_fail(t->m, MSA_USAGE,
                 "--compare reads records and writes none: leave --lines and -o out");
}

static void run(struct msa *m)
{
    static const struct stage_ops ops = {.header = on_header, .record = on_record};
    struct tokenize *t = msa_alloc(m, sizeof *t);
    t->m = m;
    t->settings = m->settings;
    check_options(t);
    t->tokenizer = (struct tokenizer){.vocab = vocab_open(m, t->settings->vocab),
                                      .length = (size_t)t->settings->length,
                                      .cased = t->settings->cased};
    if (t->settings->lines)
        run_lines(t);
    else if (t->settings->compare)
        run_compare(t);
    else
        stage_run(m, &ops, t);
}

/* With --compare no stream is written. */
static void at_fail(struct msa *m)
{
    const struct settings *s = m->settings;
    if (!s || !s->compare)
        stage_at_fail(m);
}

static const struct example examples[] = {
    {"msa-load --split test data.pkl | msa-tokenize --vocab vocab.txt --length 39 | ...",
     "the tokens of a data set whose text_bert is of another vocabulary, or missing"},
    {"msa-load data.pkl | msa-tokenize --vocab vocab.txt --compare 20",
     "whether a data set's text_bert is of a vocabulary"},
    {"echo 'I loved it.' | msa-tokenize --lines --vocab vocab.txt | msa-dump --values",
     "the tokens of a sentence"},
    {0},
};

static const struct program program = {
    .name = "msa-tokenize",
    .summary = "make tokens for BERT of what was said",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-load(1), msa-encode(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
