/* What is said in samples with planted sentiment: words without grammar, each of which stands for a
 * hidden number, for calm, or for nothing. */
#include "common/synth/synth.h"

#include <math.h>
#include <string.h>

/* In the order of their ids. BERT's WordPiece takes each word as one token: they are lower case and
 * letters only. */
static const char *const words[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
    /* by valence */
    "atrocious", "horrible", "dreadful", "awful", "terrible", "miserable", "bad", "poor", "boring",
    "weak", "dull", "lame", "bland", "flat", "tame", "decent", "fair", "fine", "nice", "solid",
    "good", "pleasant", "charming", "lovely", "great", "wonderful", "excellent", "brilliant",
    "superb", "perfect",
    /* of calm */
    "maybe", "perhaps", "somehow", "possibly", "apparently", "whatever", "anyway", "supposedly",
    /* of nothing */
    "the", "a", "this", "that", "film", "story", "plot", "scene", "actor", "music", "voice", "was",
    "is", "had", "has", "and", "with", "we", "they", "i", "you", "saw", "heard", "so", "then",
    "again", "there", "here"};
enum {
    PAD,
    CLS = 2,
    SEP,
    VALENCED = 5,
    VALENCES = 30,
    CALM = VALENCED + VALENCES,
    CALM_WORDS = 8,
    PLAIN = CALM + CALM_WORDS,
    WORDS = sizeof words / sizeof *words,
    LONGEST = 10 /* letters of a word */
};
static const double valence_step = .16;

/* ---- The vocabulary ---- */

size_t synth_word_count(void)
{
    return WORDS;
}

const char *synth_word(size_t id)
{
    return words[id];
}

/* From -2.32 to 2.32. */
double synth_valence(size_t id)
{
    bool valenced = id >= VALENCED && id < CALM;
    return valenced ? valence_step * ((double)(id - VALENCED) - (VALENCES - 1) / 2.) : 0;
}

bool synth_word_calm(size_t id)
{
    return id >= CALM && id < PLAIN;
}

/* The id of the word whose valence is the nearest. */
static size_t nearest_word(double valence)
{
    double place = round(valence / valence_step + (VALENCES - 1) / 2.);
    return VALENCED + (size_t)fmin(fmax(place, 0), VALENCES - 1);
}

/* ---- Samples ---- */

/* Goes through the words of a sample. */
struct speech {
    struct random r;
    double valence, noise;
    bool calm;
    size_t rest, to_show; /* words to come, and of them those that show the hidden number */
};

static struct speech begin_speech(const struct synth *s, enum split split, size_t i)
{
    double hidden[MODALITIES];
    synth_hidden(s, split, i, hidden);
    size_t length = synth_length(s, split, TEXT, i);
    return (struct speech){.r = synth_stream(s, split, "words", i),
                           .valence = hidden[TEXT],
                           .noise = synth_word_noise(s),
                           .calm = synth_calm(s, split, i),
                           .rest = length,
                           .to_show = synth_shown(length)};
}

/* The id of the next word, while there are any. */
static size_t next_word(struct speech *speech)
{
    bool shows = synth_shows(&speech->r, speech->rest--, speech->to_show);
    speech->to_show -= shows;
    if (shows)
        return nearest_word(speech->valence + speech->noise * synth_normal(&speech->r));
    return speech->calm ? CALM + random_below(&speech->r, CALM_WORDS)
                        : PLAIN + random_below(&speech->r, WORDS - PLAIN);
}

size_t synth_tokens_most(const struct synth *s)
{
    return s->frames[TEXT] + 2;
}

void synth_tokens(const struct synth *s, enum split split, size_t i, int64_t *out)
{
    size_t most = synth_tokens_most(s), length = 0;
    int64_t *mask = out + most;
    memset(out, PAD, 3 * most * sizeof *out);
    out[length++] = CLS;
    for (struct speech speech = begin_speech(s, split, i); speech.rest > 0;)
        out[length++] = (int64_t)next_word(&speech);
    out[length++] = SEP;
    for (size_t t = 0; t < length; t++)
        mask[t] = 1;
}

size_t synth_sentence_most(const struct synth *s)
{
    return s->frames[TEXT] * (LONGEST + 1) - 1;
}

void synth_sentence(const struct synth *s, enum split split, size_t i, char *out)
{
    for (struct speech speech = begin_speech(s, split, i); speech.rest > 0;) {
        const char *word = words[next_word(&speech)];
        out = memcpy(out, word, strlen(word));
        out += strlen(word);
        *out++ = speech.rest > 0 ? ' ' : '\0';
    }
}
