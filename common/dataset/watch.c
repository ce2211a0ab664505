/* Checksums of what is read of a data set. */
#include "common/dataset/watch.h"
#include "common/run/checksum.h"
#include "common/run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <string.h>
#include <unistd.h>

enum { PLACES = 64, PLACE = 64 << 10 /* bytes */, USED = TEST /* splits: train and valid */ };

/* Of a split, by sample. */
struct rows {
    size_t count;
    bool *used, *seen;
    uint32_t *crcs; /* of those that were seen */
};

struct watch {
    struct msa *m;
    struct batcher *batcher;
    struct rows rows[USED];
    size_t unseen;    /* rows that are used */
    struct stat file; /* as it was looked at last */
    bool placed;      /* `places` is known */
    uint32_t places;
    bool doubtful; /* the file has been exchanged when not all rows had been seen */
};

static struct rows rows_new(struct msa *m, size_t count)
{
    return (struct rows){.count = count,
                         .used = msa_calloc(m, count + 1, sizeof(bool)),
                         .seen = msa_calloc(m, count + 1, sizeof(bool)),
                         .crcs = msa_calloc(m, count + 1, sizeof(uint32_t))};
}

struct watch *watch_new(struct batcher *b, const struct order *order)
{
    struct watch *w = msa_alloc(b->m, sizeof *w);
    const struct dataset *d = b->data;
    *w = (struct watch){.m = b->m, .batcher = b, .file = d->file};
    for (int split = 0; split < USED; split++)
        w->rows[split] = rows_new(w->m, d->split[split].count);
    for (size_t i = 0; i < order->count; i++)
        w->rows[TRAIN].used[order->taken[i]] = true;
    memset(w->rows[VALID].used, true, w->rows[VALID].count);
    w->unseen = order->count + w->rows[VALID].count;
    b->crcs = msa_calloc(w->m, b->size + 1, sizeof *b->crcs);
    return w;
}

/* ---- Rows ---- */

static _Noreturn void changed(struct watch *w, enum split split, size_t i)
{
    const char *path = w->batcher->data->path;
    char *id = dataset_text(w->batcher->data, split, RECORD_ID, i);
    msa_fail(w->m, MSA_FAILED,
             "%s was changed while it was being trained on: %s, sample %zu ('%s') is not what it "
             "was",
             path, split_names[split], i, id);
}

static void note(struct watch *w, enum split split, size_t i, uint32_t crc)
{
    struct rows *rows = &w->rows[split];
    if (rows->seen[i] && rows->crcs[i] != crc)
        changed(w, split, i);
    w->unseen -= !rows->seen[i] && rows->used[i];
    rows->seen[i] = true;
    rows->crcs[i] = crc;
}

/* What a record would have of this one. It does not count towards the warning about zeroed values.
 */
static uint32_t read_row(struct batcher *b, enum split split, size_t i)
{
    struct record r;
    size_t zeroed = b->data->zeroed;
    record_new(b->m, &r);
    batcher_fill(b, &r, split, &(uint32_t){(uint32_t)i}, 1);
    record_free(&r);
    b->data->zeroed = zeroed;
    return b->crcs[0];
}

uint32_t watch_rows(struct watch *w)
{
    uint32_t all = 0;
    for (int split = 0; split < USED; split++) {
        const struct rows *rows = &w->rows[split];
        for (size_t i = 0; i < rows->count; i++) {
            if (!rows->used[i])
                continue;
            if (!rows->seen[i])
                note(w, (enum split)split, i, read_row(w->batcher, (enum split)split, i));
            all = libdeflate_crc32(all, &rows->crcs[i], sizeof rows->crcs[i]);
        }
    }
    return all;
}

/* ---- Places ---- */

/* Of a small file all is read. */
static uint32_t read_places(struct watch *w)
{
    const char *path = w->batcher->data->path;
    uint64_t size = (uint64_t)w->file.st_size;
    struct checksum sum = {0};
    checksum_add(&sum, &size, sizeof size);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        msa_fail_errno(w->m, "cannot read '%s'", path);
    int *held = file_hold(w->m, fd);
    if (size <= (uint64_t)PLACES * PLACE)
        checksum_read(w->m, &sum, fd, path, 0, size);
    else
        for (uint64_t i = 0; i < PLACES; i++)
            checksum_read(w->m, &sum, fd, path, (int64_t)((size - PLACE) * i / (PLACES - 1)),
                          PLACE);
    msa_free(w->m, held);
    return sum.crc32;
}

uint32_t watch_places(struct watch *w)
{
    if (!w->placed) {
        watch_look(w);
        w->places = read_places(w);
        w->placed = true;
    }
    return w->places;
}

/* ---- The file ---- */

uint64_t watch_bytes(const struct watch *w)
{
    return (uint64_t)w->file.st_size;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Two looks at one file that has not been touched. */
static bool untouched(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

/* The splits that are used, and the tensors of a sample, are those that there were. */
static void compare_shape(struct watch *w, const struct dataset *now)
{
    const struct dataset *before = w->batcher->data;
    bool same = now->schema.count == before->schema.count;
    for (int i = 0; same && i < now->schema.count; i++) {
        const struct schema_entry *a = &now->schema.entries[i], *b = &before->schema.entries[i];
        same = strcmp(a->name, b->name) == 0 && a->dtype == b->dtype &&
               tensor_same_shape(a->rank, a->shape, b->rank, b->shape);
    }
    for (int split = 0; split < USED; split++)
        same = same && now->split[split].count == before->split[split].count;
    if (!same)
        msa_fail(w->m, MSA_FAILED, "it has other tensors or numbers of samples");
}

static void compare_rows(struct watch *w, struct batcher *now)
{
    for (int split = 0; split < USED; split++)
        for (size_t i = 0; i < w->rows[split].count; i++) {
            const struct rows *rows = &w->rows[split];
            if (!rows->seen[i] || read_row(now, (enum split)split, i) == rows->crcs[i])
                continue;
            msa_fail(w->m, MSA_FAILED, "%s, sample %zu ('%s') is not what it was",
                     split_names[split], i,
                     dataset_text(now->data, (enum split)split, RECORD_ID, i));
        }
}

/* Opens what is at the path now, and compares it with what is known. */
static void compare(void *closure)
{
    struct watch *w = closure;
    struct batcher now = *w->batcher;
    now.data = dataset_open(w->m, w->batcher->data->path, w->batcher->data->naming);
    memset(now.memory, 0, sizeof now.memory);
    w->file = now.data->file;
    compare_shape(w, now.data);
    compare_rows(w, &now);
    if (w->unseen && w->placed && read_places(w) != w->places)
        msa_fail(w->m, MSA_FAILED, "other bytes");
    for (int i = 0; i < RECORD_TENSORS; i++)
        msa_free(w->m, now.memory[i]);
    dataset_close(now.data);
}

/* A file that takes the place of another before all rows have been seen is looked at once more. */
void watch_look(struct watch *w)
{
    struct stat now;
    const char *path = w->batcher->data->path;
    if (stat(path, &now) != 0) {
        if (errno == ENOENT)
            msa_fail(w->m, MSA_FAILED,
                     "%s was changed while it was being trained on: it is no longer there", path);
        msa_fail_errno(w->m, "%s is being trained on: cannot look at it any more", path);
    }
    if (untouched(&now, &w->file) && !(w->doubtful && !w->unseen))
        return;
    if (!msa_try(w->m, compare, w))
        msa_fail(w->m, MSA_FAILED, "%s was changed while it was being trained on: %s", path,
                 w->m->error);
    w->doubtful = w->unseen > 0;
}

/* ---- Records ---- */

struct filling {
    struct watch *w;
    struct record *r;
    enum split split;
    const uint32_t *index;
    size_t count;
};

static void fill(void *closure)
{
    struct filling *f = closure;
    batcher_fill(f->w->batcher, f->r, f->split, f->index, f->count);
}

/* A file that was replaced may not be a data set at all. */
static _Noreturn void explain(struct watch *w)
{
    enum msa_status status = w->m->status;
    char *why = msa_strndup(w->m, w->m->error, sizeof w->m->error);
    watch_look(w);
    msa_fail(w->m, status, "%s", why);
}

void watch_fill(struct watch *w, struct record *r, enum split split, const uint32_t *index,
                size_t count)
{
    struct filling f = {w, r, split, index, count};
    if (!msa_try(w->m, fill, &f))
        explain(w);
    for (size_t i = 0; i < count; i++)
        note(w, split, index[i], w->batcher->crcs[i]);
}
