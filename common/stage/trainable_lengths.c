/* Frames that count. */
#include "common/stage/trainable_lengths.h"
#include "common/stream/stats.h"
#include <string.h>

static const char tokens_name[] = "text_bert";
enum { MASK = 1, ROWS = 3 /* of tokens: ids, mask, segments */ };

/* --- what says it --- */

/* The tensor that says how many frames are a sample's own: that of its lengths, text's tokens, or
 * the frames themselves; NULL: none of them arrives. */
static const struct schema_entry *who_says(const struct trainable *t, int modality)
{
    const struct schema_entry *lengths = trainable_arrives(t, length_names[modality]),
                              *tokens = modality == TEXT ? trainable_arrives(t, tokens_name) : NULL;
    const struct schema_entry *says = lengths ? lengths : tokens;
    char shape[128];
    bool fits =
        !says || (dtype_whole(says->dtype) &&
                  (says == lengths ? says->rank == 1 : says->rank == 3 && says->shape[1] == ROWS));
    if (!fits)
        msa_fail(t->m, MSA_CORRUPT, "header: '%s' is %s %s but expected integers %s", says->name,
                 dtype_names[says->dtype], tensor_shape_text(shape, says->rank, says->shape),
                 says == lengths ? "[*]" : "[*,3,*]");
    return says ? says : schema_floats(t->m, &t->arrived, modality_names[modality], 3);
}

/* Notes the option, and has the frames counted; frames NULL: none arrive. */
static void count(struct trainable *t, int modality, const struct schema_entry *frames, int given)
{
    int kind = trainable_choice(t, "lengths", LENGTHS_WORDS, given, LENGTHS_ALL);
    struct trainable_lengths *l = &t->lengths[modality];
    *l = (struct trainable_lengths){.counted = true, .frames = frames};
    if (kind == LENGTHS_TEXT && frames)
        l->says = who_says(t, TEXT);
    if (kind != LENGTHS_ALL && frames && !l->says)
        l->says = who_says(t, modality);
}

struct sequence trainable_sequence(struct trainable *t, int modality, const char *prefix, int given)
{
    const char *name = modality_names[modality];
    const struct schema_entry *frames = schema_floats(t->m, &t->arrived, name, 3);
    count(t, modality, frames, given);
    return (struct sequence){.modality = modality,
                             .width = frames->shape[2],
                             .frames = trainable_frames(t, name, prefix, frames->shape[1])};
}

struct sequence trainable_no_sequence(struct trainable *t, int modality, size_t width, int given)
{
    count(t, modality, NULL, given);
    return (struct sequence){.modality = modality, .width = width, .missing = true};
}

void trainable_cut(struct trainable *t, int modality)
{
    t->lengths[modality].cut = true;
}

void trainable_drop_modality(struct trainable *t, int modality)
{
    const char *names[] = {modality_names[modality], length_names[modality], tokens_name};
    for (int i = 0; i < 2 + (modality == TEXT); i++)
        if (trainable_arrives(t, names[i]))
            trainable_drop(t, names[i]);
}

/* --- counting --- */

/* As MODALITY_lengths says. */
static size_t said_length(const struct trainable *t, const struct tensor *lengths, size_t sample,
                          size_t most)
{
    int64_t length = 0;
    if (!tensor_whole(lengths, sample, &length) || length < 0 || (uint64_t)length > most)
        frame_fail(t->m, &t->record->frame, lengths->name,
                   "sample %zu: %.0f frames but expected 0 to %zu", sample,
                   tensor_value(lengths, sample), most);
    return (size_t)length;
}

/* Tokens whose mask is not 0. */
static size_t masked_length(const struct tensor *tokens, size_t sample)
{
    size_t length = tokens->shape[2], count = 0;
    for (size_t i = 0; i < length; i++)
        count += tensor_value(tokens, (sample * ROWS + MASK) * length + i) != 0;
    return count;
}

/* Up to the last frame that is no padding; `frame` has room for one. */
static size_t found_length(const struct tensor *frames, size_t sample, float *frame)
{
    size_t length = frames->shape[1], width = frames->shape[2], bytes = width * sizeof *frame;
    const uint8_t *first = (const uint8_t *)frames->data + sample * length * bytes;
    bool padding = true;
    while (length > 0 && padding) {
        length--;
        memcpy(frame, first + length * bytes, bytes); /* it may be aligned to nothing */
        padding = frame_is_padding(frame, width, length == 0);
    }
    return length + 1;
}

/* own[B]: one frame at least, and as many as there are at most, of which a text may have more. */
static void count_own(struct trainable *t, const struct trainable_lengths *l, int32_t *own)
{
    const struct tensor *says = record_promised(t->record, l->says);
    bool lengths = says->rank == 1, frames = l->says->dtype == F4;
    size_t most = l->frames->shape[1];
    size_t text = strcmp(says->name, length_names[TEXT]) == 0 ? INT32_MAX : most;
    float *frame = frames ? msa_calloc(t->m, says->shape[2], sizeof *frame) : NULL;
    for (size_t i = 0; i < t->record->samples; i++) {
        size_t length = lengths  ? said_length(t, says, i, text)
                        : frames ? found_length(says, i, frame)
                                 : masked_length(says, i);
        own[i] = (int32_t)(!length ? 1 : length < most ? length : most);
    }
    msa_free(t->m, frame);
}

static void read_one(struct trainable *t, struct trainable_lengths *l)
{
    size_t batch = t->record->samples, length = l->frames ? l->frames->shape[1] : 1;
    int32_t *own = l->says ? msa_calloc(t->m, batch, sizeof *own) : NULL;
    if (own)
        count_own(t, l, own);
    if (own && l->cut) {
        length = 1;
        for (size_t i = 0; i < batch; i++)
            length = (size_t)own[i] > length ? (size_t)own[i] : length;
    }
    l->longest = length;
    l->now = op_lengths(&t->tape, batch, length, own);
    msa_free(t->m, own);
}

void trainable_lengths_read(struct trainable *t)
{
    for (int i = 0; i < MODALITIES; i++)
        if (t->lengths[i].counted)
            read_one(t, &t->lengths[i]);
}

/* --- what networks get --- */

/* [B,L,F] -> [B,length,F] */
static struct var *first_frames(struct tape *t, struct var *x, size_t length)
{
    size_t batch = x->shape[0], width = x->shape[2];
    struct var *rows = tape_view(t, x, 2, (size_t[]){batch, x->shape[1] * width});
    rows = op_columns(t, (struct columns){rows, 0}, length * width);
    return tape_view(t, rows, 3, (size_t[]){batch, length, width});
}

struct var *sequence_frames(struct trainable *t, const struct sequence *s)
{
    const struct trainable_lengths *l = &t->lengths[s->modality];
    if (s->missing)
        return tape_zeros(&t->tape, 3, (size_t[]){t->record->samples, 1, s->width});
    struct var *x =
        frames_apply(&t->tape, &s->frames, trainable_input(t, modality_names[s->modality]), NULL);
    return l->cut && l->longest < x->shape[1] ? first_frames(&t->tape, x, l->longest) : x;
}

const struct lengths *sequence_lengths(const struct trainable *t, const struct sequence *s)
{
    return &t->lengths[s->modality].now;
}
