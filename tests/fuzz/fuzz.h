/* What the fuzz targets share. A target is tests/fuzz/NAME.c: one input of libFuzzer is one run of
 * the code under test, which may refuse it as it likes, but neither crash nor leak nor hang.
 *
 * `make fuzz` links targets with libFuzzer; for `make check` each is linked with replay.c, which
 * feeds it the inputs that are kept in tests/fuzz/corpus/NAME. */
#ifndef MSA_FUZZ_H
#define MSA_FUZZ_H

#include "common/run/run.h"

#include <stdio.h>

/* What libFuzzer calls, and may call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
/* libFuzzer's own mutations: changes data in place; its new size. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

/* An input, and the run that reads it; the run comes first, so that its address is that of both. */
struct fuzz {
    struct msa m;
    const uint8_t *data;
    size_t size;
    const char *path; /* fuzz_file's */
};

/* One run of body over an input. */
enum msa_status fuzz_run(struct fuzz *f, const uint8_t *data, size_t size,
                         void (*body)(struct msa *));
/* The same with the input in a file at f->path. */
enum msa_status fuzz_run_file(struct fuzz *f, const uint8_t *data, size_t size,
                              void (*body)(struct msa *));
/* A descriptor of a file in memory that holds these bytes, at its beginning. */
int fuzz_descriptor(const uint8_t *data, size_t size);
/* A file that takes everything; it goes with the run. */
FILE *fuzz_null(struct msa *m);
/* Ends the process, as a finding, unless the condition holds. */
void fuzz_expect(bool holds, const char *what);

/* One input as a data set, read in all the ways there are. */
void fuzz_set(const uint8_t *data, size_t size);

/* A stream changed: frames are dropped, doubled, moved and cut off, and bodies changed; then their
 * numbers, lengths and CRCs are mostly put right, so that the change is seen behind them. */
size_t frames_mutate(uint8_t *data, size_t size, size_t room, unsigned seed);

#endif
