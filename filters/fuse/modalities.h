/* Which modalities are fused, and in which order. */
#ifndef MSA_FUSE_MODALITIES_H
#define MSA_FUSE_MODALITIES_H

#include "common/stage/trainable.h"

/* A modality: its vector "h_audio" [B,width], or its frames "audio" [B,L,width]. */
struct fused_one {
    int modality;
    char name[TENSOR_NAME + 1]; /* of the tensor */
    size_t width;
    bool arrives; /* else it counts as zeros */
};

/* All of them, in their order. */
struct fused {
    int count; /* 1 and more */
    struct fused_one of[MODALITIES];
    size_t width; /* of all side by side */
};

/* Fails the run with MSA_USAGE where a list of modalities, NULL for none, has another word, or one
 * twice. */
void fuse_check_order(struct msa *m, const char *order);

/* For build(): the vectors that are fused, declared as inputs. Their order is --order's, else that
 * which files with initial values have noted, else audio, vision, text; in training it is without
 * those that do not arrive. The order and the widths are noted. In evaluation they are FILE's where
 * it has noted them: of what does not arrive then the run warns; another --order fails it with
 * MSA_USAGE, another width with MSA_CORRUPT. So does, with MSA_FAILED, that none of them arrives.
 */
struct fused fuse_vectors(struct trainable *t);
/* The same of another letter than h, "d_audio", in the order `usual` unless --order says another.
 */
struct fused fuse_features(struct trainable *t, char letter, const char *usual);
/* The same of frames, which are not declared (trainable_frames.h does), in the order `usual`: no
 * option changes it. */
struct fused fuse_frames(struct trainable *t, const char *usual);

/* For forward(): the vectors [B,width] of fuse_vectors, zeros for what does not arrive. */
void fuse_take(struct trainable *t, const struct fused *all, struct var *taken[MODALITIES]);

#endif
