/* Names of splits and keys in a data set: those that are known, and those that stand for them
 * (msa-load --rename OLD=NEW). */
#ifndef MSA_NAMING_H
#define MSA_NAMING_H

#include "common/stream/value.h"

/* Where a name is read. Other known names are ignored. */
enum { NAME_SPLIT = 1, NAME_PICKLE = 2, NAME_STREAM = 4, NAME_ANY = 7 };

enum { RENAMINGS = 64 };

struct renaming {
    const char *from, *to;
    bool given; /* by --rename; else told by an earlier run, and done where it can be */
    bool told;  /* by an earlier run */
    bool done;  /* the data set has `from` */
};

struct naming {
    struct msa *m;
    int count;
    struct renaming all[RENAMINGS];
};

struct naming *naming_new(struct msa *m);
/* "OLD=NEW", as it is given. Fails the run with MSA_USAGE where it is none, NEW is no name that is
 * read, or one of both is in another that was given. */
void naming_give(struct naming *n, const char *pair);
/* What a header says of the run that it began, its key `rename`; nothing where it has none. Another
 * name for what was renamed by one that was given is left out. */
void naming_recall(struct naming *n, const value *header);

/* Is there something of that name? */
typedef bool naming_has_fn(const void *of, const char *name);
/* The renaming that gives a known name to something of PATH, and is done so: of several the one
 * that was given, else the first. NULL: none does, for nothing is there by such a name, or
 * something by the known one; where one that was given is to that, naming_conflict. */
struct renaming *naming_to(struct naming *n, const char *path, const char *known,
                           naming_has_fn *has, const void *of);
/* The renaming of a file's name to one that is read `where`; NULL: there is none. */
struct renaming *naming_from(struct naming *n, const char *name, int where);
/* What a file's name has become: itself, unless a renaming of it is done. */
const char *naming_of(struct naming *n, const char *name);
/* Fails the run with MSA_USAGE where one that was given is to a name that is not read `where`, or
 * the data set PATH has nothing of that name, and never had. */
void naming_check(const struct naming *n, const char *path, int where);
/* Fails the run with MSA_USAGE: both names of a renaming that was given are in the data set. */
_Noreturn void naming_conflict(const struct naming *n, const char *path, const struct renaming *r);

/* "--rename OLD=NEW", as a shell takes it; the run's. */
char *naming_remedy(struct msa *m, const char *from, const char *to);

/* For a header: all of them, array of str, in their order; false: there are none. */
bool naming_value(const struct naming *n, msgpack_zone *zone, value *names);
/* The same as text, "acoustic=audio,val=valid"; owned by the run; NULL: there are none. */
char *naming_text(const struct naming *n);

/* Is the name known there: read, or, of a tensor, what a layout of MMSA, MMSA-FET or this project
 * has besides? */
bool naming_known(const char *name, int where);
/* The known name that others call so ("acoustic": "audio"), if it is read there; NULL: there is
 * none. */
const char *naming_likely(const char *name, int where);

#endif
