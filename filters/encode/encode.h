/* What the networks of msa-encode share: each makes one vector of a modality, h_MODALITY [B,D]. A
 * new one is a file; its name is here and in filters/encode.c. It takes frames by
 * trainable_frames.h, which standardizes them. */
#ifndef MSA_ENCODE_H
#define MSA_ENCODE_H

#include "common/nn/layers/bert.h"
#include "common/stage/trainable.h"

enum { MOST_DIM = 65536, ENCODE_PREFIX = 128 /* bytes */ };

/* Options that are no single network's; arrays are by modality. */
struct encode_settings {
    struct trainable_settings trainable;
    const char *only;
    const struct variant *net[MODALITIES]; /* NULL: not said */
    const char *names[MODALITIES];         /* likewise */
    int text;                              /* enum text */
    long dim;
    long hidden[MODALITIES]; /* 0: not given */
    int lengths;             /* enum lengths_kind */
    double dropout[MODALITIES];
    bool keep;
};
enum text { TEXT_FEATURES, TEXT_BERT, TEXT_AUTO };

/* The program's own: trainable->self. */
struct encode {
    const struct encode_settings *settings;
    size_t dim;                 /* D, where a network does not have its own */
    double dropout[MODALITIES]; /* in training */
    struct bert_config config;  /* of BERT, where text goes through it */
    bool gated;                 /* which takes vision and audio in */
};

extern const struct model encode_transformer, encode_bert, encode_dnn, encode_lstm, encode_bilstm;

/* The prefix of the names of a model's parameters for a modality, of ENCODE_PREFIX bytes at most:
 * as --names says, else as files with initial values have noted for that network, else `usual`,
 * which is referenced; noted. */
const char *encode_prefix(struct trainable *t, const struct model *model, int modality,
                          const char *usual);
/* For build(): a part's dropout, `usual` where the option says none for its modality; noted. */
float encode_dropout(struct part *p, double usual);
/* Declares the vector that a part makes, "h_MODALITY" [B,dim]. */
void encode_adds(struct part *p, size_t dim);
/* A tensor that has been encoded goes no further, but with --keep. */
void encode_drop(struct part *p, const char *name);
/* The same for all that a modality has come as: frames, their lengths, tokens. */
void encode_drop_modality(struct part *p, int modality);

/* Does FILE, in evaluation, have a transformer's parameters for this modality? Files of 0.1.0 do
 * not note which networks they are of. */
bool encode_transformer_given(const struct trainable *t, int modality);

extern const char encode_tokens[]; /* "text_bert", of the tensor with tokens */
/* Is text to be encoded from tokens? Then BERT's configuration: of --bert, whose weights are
 * initial values then, or of the parameters; and encode->gated. Fails the run where that is asked
 * for and cannot be. */
bool encode_bert_wanted(struct trainable *t, struct bert_config *config);

#endif
