/* What a file is, by its first bytes: whether an output may take its place. content_pickle.c knows
 * pickles, content_guess.c what is often mistaken for data. */
#ifndef MSA_CONTENT_H
#define MSA_CONTENT_H

#include "common/run/run.h"

enum content {
    CONTENT_NONE,   /* an empty file */
    CONTENT_OTHER,  /* nothing that is known here, such as text */
    CONTENT_STREAM, /* gzipped or not */
    CONTENT_PICKLE,
    CONTENT_SAFETENSORS,
    CONTENT_ARRAY,
    CONTENT_FOREIGN /* known, but nothing that we write: archives, other formats of data */
};
struct content_kind {
    enum content content;
    const char *text; /* "a pickle", "a zip archive" */
};

/* Of the regular file that is open as fd. Fails the run where it cannot be read. */
struct content_kind content_of(struct msa *m, int fd, const char *path);
/* Of the file at PATH; CONTENT_NONE where it cannot be read or is no regular file. */
struct content_kind content_at(struct msa *m, const char *path);
/* Fails the run, with MSA_CORRUPT, where what is at PATH is surely not the content that is
 * expected, but a folder, text or of another kind that is known: "PATH: a pickle but expected
 * WHAT". Text is CONTENT_OTHER, unless it is a page (content_page); one that begins as another kind
 * does is taken for text. All else is for the reader to judge. */
void content_expect(struct msa *m, const char *path, enum content expected, const char *what);

/* The header's length that a safetensors file begins with. */
uint64_t content_safetensors_length(const uint8_t prefix[8]);
/* Is it a pickle of protocol 0 or 1, which have no mark of their own? By its first `size` bytes,
 * whose opcodes must make sense in a file of `length` bytes that ends with the byte `last`. A long
 * string alone is not found. */
bool content_is_old_pickle(const uint8_t *start, size_t size, uint64_t length, uint8_t last);
/* The first bytes of the file, at most `size`, inflated where it is gzipped; returns how many there
 * are. Fails the run where it cannot be read. */
size_t content_start(struct msa *m, int fd, const char *path, uint8_t *to, size_t size);

/* What bytes are that begin so, by these alone: "a zip archive", "JSON"; NULL: nothing that is
 * known. */
const char *content_guess(const uint8_t *start, size_t size);
/* The same, of text that came in the place of a file: "a Git LFS pointer (git lfs pull gets the
 * data)". */
const char *content_page(const uint8_t *start, size_t size);
/* The same, of what is no text to be read: such a page, or what has a mark and is no text. */
const char *content_no_text(const uint8_t *start, size_t size);
/* Does it begin with what text has? */
bool content_is_text(const uint8_t *start, size_t size);
/* The same, of what has a mark in bytes. */
const char *content_magic(const uint8_t *start, size_t size);

#endif
