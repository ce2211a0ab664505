/* Checksums of what is read of a data set. */
#include "common/data/content.h"
#include "common/cli/checksum.h"

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

struct content {
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

struct content *content_new(struct batcher *b, const struct order *order)
{
    struct content *c = msa_alloc(b->m, sizeof *c);
    const struct dataset *d = b->data;
    *c = (struct content){.m = b->m, .batcher = b, .file = d->file};
    for (int split = 0; split < USED; split++)
        c->rows[split] = rows_new(c->m, d->split[split].count);
    for (size_t i = 0; i < order->count; i++)
        c->rows[TRAIN].used[order->taken[i]] = true;
    memset(c->rows[VALID].used, true, c->rows[VALID].count);
    c->unseen = order->count + c->rows[VALID].count;
    b->crcs = msa_calloc(c->m, b->size + 1, sizeof *b->crcs);
    return c;
}

/* ---- Rows ---- */

static _Noreturn void changed(struct content *c, enum split split, size_t i)
{
    const char *path = c->batcher->data->path;
    char *id = dataset_text(c->batcher->data, split, RECORD_ID, i);
    msa_fail(c->m, MSA_FAILED,
             "%s was changed while it was being trained on: %s, sample %zu ('%s') is another than "
             "before",
             path, split_names[split], i, id);
}

static void note(struct content *c, enum split split, size_t i, uint32_t crc)
{
    struct rows *rows = &c->rows[split];
    if (rows->seen[i] && rows->crcs[i] != crc)
        changed(c, split, i);
    c->unseen -= !rows->seen[i] && rows->used[i];
    rows->seen[i] = true;
    rows->crcs[i] = crc;
}

/* What a record would have of this one. It counts for no line about what became 0. */
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

uint32_t content_rows(struct content *c)
{
    uint32_t all = 0;
    for (int split = 0; split < USED; split++) {
        const struct rows *rows = &c->rows[split];
        for (size_t i = 0; i < rows->count; i++) {
            if (!rows->used[i])
                continue;
            if (!rows->seen[i])
                note(c, (enum split)split, i, read_row(c->batcher, (enum split)split, i));
            all = libdeflate_crc32(all, &rows->crcs[i], sizeof rows->crcs[i]);
        }
    }
    return all;
}

/* ---- Places ---- */

static void close_it(void *fd)
{
    close(*(int *)fd);
}

/* Of a small file all is read. */
static uint32_t read_places(struct content *c)
{
    const char *path = c->batcher->data->path;
    uint64_t size = (uint64_t)c->file.st_size;
    struct checksum sum = {0};
    int *fd = msa_alloc(c->m, sizeof *fd);
    checksum_add(&sum, &size, sizeof size);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        msa_fail_errno(c->m, "cannot read '%s'", path);
    msa_at_free(fd, close_it);
    if (size <= (uint64_t)PLACES * PLACE)
        checksum_read(c->m, &sum, *fd, path, 0, size);
    else
        for (uint64_t i = 0; i < PLACES; i++)
            checksum_read(c->m, &sum, *fd, path, (int64_t)((size - PLACE) / (PLACES - 1) * i),
                          PLACE);
    msa_free(c->m, fd);
    return sum.crc32;
}

uint32_t content_places(struct content *c)
{
    if (!c->placed) {
        content_look(c);
        c->places = read_places(c);
        c->placed = true;
    }
    return c->places;
}

/* ---- The file ---- */

uint64_t content_bytes(const struct content *c)
{
    return (uint64_t)c->file.st_size;
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
static void compare_shape(struct content *c, const struct dataset *now)
{
    const struct dataset *before = c->batcher->data;
    bool same = now->schema.count == before->schema.count;
    for (int i = 0; same && i < now->schema.count; i++) {
        const struct schema_entry *a = &now->schema.entries[i], *b = &before->schema.entries[i];
        same = strcmp(a->name, b->name) == 0 && a->dtype == b->dtype &&
               tensor_same_shape(a->rank, a->shape, b->rank, b->shape);
    }
    for (int split = 0; split < USED; split++)
        same = same && now->split[split].count == before->split[split].count;
    if (!same)
        msa_fail(c->m, MSA_FAILED, "it has other tensors or numbers of samples");
}

static void compare_rows(struct content *c, struct batcher *now)
{
    for (int split = 0; split < USED; split++)
        for (size_t i = 0; i < c->rows[split].count; i++) {
            const struct rows *rows = &c->rows[split];
            if (!rows->seen[i] || read_row(now, (enum split)split, i) == rows->crcs[i])
                continue;
            msa_fail(c->m, MSA_FAILED, "%s, sample %zu ('%s') is another", split_names[split], i,
                     dataset_text(now->data, (enum split)split, RECORD_ID, i));
        }
}

/* Opens what is at the path now, and holds it against what is known. */
static void compare(void *closure)
{
    struct content *c = closure;
    struct batcher now = *c->batcher;
    now.data = dataset_open(c->m, c->batcher->data->path);
    memset(now.memory, 0, sizeof now.memory);
    c->file = now.data->file;
    compare_shape(c, now.data);
    compare_rows(c, &now);
    if (c->unseen && c->placed && read_places(c) != c->places)
        msa_fail(c->m, MSA_FAILED, "other bytes");
    for (int i = 0; i < RECORD_TENSORS; i++)
        msa_free(c->m, now.memory[i]);
    dataset_close(now.data);
}

/* A file that takes the place of another before all rows have been seen is looked at once more. */
void content_look(struct content *c)
{
    struct stat now;
    const char *path = c->batcher->data->path;
    bool there = stat(path, &now) == 0;
    if (there && untouched(&now, &c->file) && !(c->doubtful && !c->unseen))
        return;
    if (!msa_try(c->m, compare, c))
        msa_fail(c->m, MSA_FAILED, "%s was changed while it was being trained on: %s", path,
                 c->m->error);
    c->doubtful = c->unseen > 0;
}

/* ---- Records ---- */

struct filling {
    struct content *c;
    struct record *r;
    enum split split;
    const uint32_t *index;
    size_t count;
};

static void fill(void *closure)
{
    struct filling *f = closure;
    batcher_fill(f->c->batcher, f->r, f->split, f->index, f->count);
}

/* What is no longer the data set may not even be one. */
static _Noreturn void explain(struct content *c)
{
    enum msa_status status = c->m->status;
    char *why = msa_strndup(c->m, c->m->error, sizeof c->m->error);
    content_look(c);
    msa_fail(c->m, status, "%s", why);
}

void content_fill(struct content *c, struct record *r, enum split split, const uint32_t *index,
                  size_t count)
{
    struct filling f = {c, r, split, index, count};
    if (!msa_try(c->m, fill, &f))
        explain(c);
    for (size_t i = 0; i < count; i++)
        note(c, split, index[i], c->batcher->crcs[i]);
}
