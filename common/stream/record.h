/* The three frames with a fixed shape: header H, record D and gradient G. What they do not know
 * passes through. header.c has headers. */
#ifndef MSA_RECORD_H
#define MSA_RECORD_H

#include "common/stream/reader.h"
#include "common/stream/tensor.h"
#include "common/stream/value.h"
#include "common/stream/writer.h"

/* One entry of the header's schema: what a tensor of every record is like. Dimension 0 is the
 * batch, 0 in `shape`. */
struct schema_entry {
    char name[TENSOR_NAME + 1];
    enum dtype dtype;
    int rank;
    size_t shape[TENSOR_RANK];
    bool gradient;                    /* a gradient with respect to it is wanted */
    char (*columns)[TENSOR_NAME + 1]; /* [shape[1]]: what each column is; NULL: not said */
};

enum { SCHEMA_MOST = 65536 };

struct schema {
    int count;
    struct schema_entry entries[RECORD_TENSORS];
};

const struct schema_entry *schema_find(const struct schema *s, const char *name);
/* The same for a tensor that must be float32 of that rank, with something in each sample and no
 * more than SCHEMA_MOST in a dimension, as whoever makes parameters by it needs; else fails the run
 * with MSA_CORRUPT: "header: 'audio' is <f8 [0,50] but expected <f4 of rank 3, dimensions from 1 to
 * 65536". */
const struct schema_entry *schema_floats(struct msa *m, const struct schema *s, const char *name,
                                         int rank);
void schema_add(struct msa *m, struct schema *s, const char *name, enum dtype dtype, int rank,
                const size_t *shape, bool gradient); /* replaces an entry of that name */
/* Says what the columns of such an entry are, of rank 2 or more; they are referenced. */
void schema_columns(struct schema *s, const char *name, char (*columns)[TENSOR_NAME + 1]);
void schema_remove(struct schema *s, const char *name);

/* H. Known keys are fields; `map` has the others too and is packed with the fields
 * written over it. */
enum { BACK_ADDRESS = 160 /* bytes, with its end */ };
struct header {
    bool train, back; /* mode: "train", "eval" (both false) or "back" */
    bool surveyed;    /* need: surveys come */
    char family[8];   /* "sims", "mosi"; "" unknown */
    double range;     /* of labels; 0 unknown */
    uint64_t seed;
    long epochs, steps;         /* steps of training per epoch; 0 in evaluation */
    char address[BACK_ADDRESS]; /* `back`: return address "@0012f:TOKEN" of the stage before; "":
                                   none */
    struct schema schema;
    value map;          /* lives in zone */
    msgpack_zone *zone; /* the header's own: stages may keep values in it for the whole run */
    struct msa *m;
};

struct header *header_new(struct msa *m);
/* From an H frame (copied; the frame may go). Fails the run: MSA_CORRUPT for wrong types or an
 * unknown `need`. */
struct header *header_parse(struct msa *m, const struct frame *f);
/* Appends {name, version, argv} of this program to `pipeline`. */
void header_sign(struct header *h);
void header_sign_name(struct header *h); /* the same without arguments */
int header_position(
    const struct header *h); /* length of `pipeline`: this stage's number after header_sign */
/* The file of parameters that the i-th of the stages before writes, in training; NULL: there are no
 * more. */
const char *header_parameters(const struct header *h, int i);
/* Steps of the whole training; 0: this is none. */
long header_training_steps(const struct header *h);
/* Checkpoints of the whole training; where the source has not said so, its epochs. */
long header_checkpoints(const struct header *h);
/* How many samples the data set has of a split; -1: the header does not say. */
long header_samples(const struct header *h, const char *split);
void header_write(struct header *h, struct writer *w);

/* What a record says of its samples in words: keys of its map, each an array of one str a sample.
 */
enum record_text { RECORD_ID, RECORD_RAW_TEXT, RECORD_TEXTS };
extern const char *const record_texts[RECORD_TEXTS]; /* "id" "raw_text" */

/* D or G. */
struct record {
    struct frame frame;  /* what it was read from; kind 0 for a record made here */
    int64_t epoch, step; /* epoch from 1, step from 0 */
    char split[8];
    bool train;
    size_t samples; /* dimension 0 of its tensors; length of its texts */
    int count;
    struct tensor tensors[RECORD_TENSORS];
    value map; /* all other keys: id, raw_text, loss, weight, lr, optimizer, unknown ones */
    msgpack_zone *zone; /* for what a stage puts into map, or into memory of its own tensors */
    struct msa *m;
};

/* From a D or G frame, which it takes over. Fails the run with MSA_CORRUPT: "frame 17, tensor
 * 'audio': …". Tensors must agree in dimension 0 (D). */
void record_parse(struct msa *m, struct record *r, struct frame *f);
/* Is it one of a survey: of the train split, in its order, to be looked at alone? */
bool record_is_survey(const struct record *r);
/* Looks into a D or G frame, which stays whose it is, with the same checks: `r` lives as long as
 * the frame; it is neither written nor freed. */
void record_view(struct msa *m, struct record *r, const struct frame *f);
/* Keeps of a record what tells its samples (number, split, id), for the gradient that answers it;
 * `kept` is zeroed before its first use, and freed at last. */
void record_remember(struct msa *m, struct record *kept, const struct record *r);
void record_new(struct msa *m, struct record *r); /* an empty one, made here */
const struct tensor *record_find(const struct record *r, const char *name); /* NULL: not there */
/* The tensor that an entry of the header's schema promises. Fails the run with MSA_CORRUPT when it
 * is not there, or of another dtype or shape: whoever computes on a tensor by what the header said
 * takes it from here. */
const struct tensor *record_promised(const struct record *r, const struct schema_entry *e);
/* What number each of its samples has in its split (msa-stream(5), "index"), [samples], in the
 * record's zone; NULL: the header promises none. Fails the run with MSA_CORRUPT where one is below
 * 0, or not below header_samples of the split where the header says that. */
const int64_t *record_index(const struct record *r, const struct header *h);
/* The weighted sum of its losses; a task without a weight counts as it is. */
double record_total_loss(const struct record *r);
/* Adds a tensor, or replaces the one of that name. The payload is referenced. */
void record_put(struct msa *m, struct record *r, struct tensor t);
void record_remove(struct record *r, const char *name);
void record_write(struct record *r, struct writer *w, enum frame_kind kind);
void record_free(struct record *r);

#endif
