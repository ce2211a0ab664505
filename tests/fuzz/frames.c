/* Fuzzes streams: every frame is read as a stage reads it and passed on, and shown as msa-dump
 * shows it. What is passed on must be a stream again. */
#include "common/inspect/show.h"
#include "common/stream/control.h"
#include "common/stream/record.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

struct job {
    struct fuzz fuzz;
    int out;               /* a file for what is passed on */
    struct schema arrived; /* of the header */
};

static struct reader *open_input(struct fuzz *f)
{
    return reader_open(&f->m, fuzz_descriptor(f->data, f->size), "input");
}

/* What stages do with a header: look into it, add to it, sign it. */
static void on_header(struct msa *m, const struct frame *f, struct writer *w)
{
    struct header *h = header_parse(m, f);
    ((struct job *)m)->arrived = h->schema;
    schema_floats(m, &h->schema, "audio", 3);
    schema_add(m, &h->schema, "y", F4, 1, (size_t[]){0}, h->train);
    schema_remove(&h->schema, "text");
    header_sign(h);
    header_write(h, w);
}

/* A record's tensors are held against the header's promises. */
static void on_record(struct msa *m, struct frame *f, struct writer *w)
{
    struct record record;
    enum frame_kind kind = f->kind;
    record_parse(m, &record, f);
    const struct schema *s = &((struct job *)m)->arrived;
    for (int i = 0; kind == FRAME_DATA && i < s->count; i++)
        record_promised(&record, &s->entries[i]);
    static const float numbers[1];
    if (!record_find(&record, "y"))
        record_put(m, &record, tensor_of("y", F4, numbers, 2, (size_t[]){record.samples, 0}));
    record_remove(&record, "text");
    record_write(&record, w, kind);
    record_free(&record);
}

static void on_control(struct msa *m, struct frame *f, struct writer *w)
{
    struct control c = control_parse(m, f);
    value_set(m, c.zone, &c.map, "best", value_of_bool(value_bool(&c.map, "stop", false)));
    control_add_state(m, &c, 2, value_of_real(value_real(&c.map, "epoch", 0)));
    control_write(&c, w, f->kind);
    control_free(&c);
}

static void pass_one(struct msa *m, struct frame *f, struct writer *w)
{
    switch (f->kind) {
    case FRAME_HEADER:
        on_header(m, f, w);
        break;
    case FRAME_DATA:
    case FRAME_GRADIENT:
        on_record(m, f, w);
        return;
    case FRAME_CONTROL:
    case FRAME_METRICS:
        on_control(m, f, w);
        break;
    case FRAME_END:
        writer_end(w);
        break;
    case FRAME_ERROR:
        frame_fail_other(m, f);
    }
    frame_free(f);
}

static void pass(struct msa *m)
{
    struct job *job = (struct job *)m;
    struct reader *r = open_input(&job->fuzz);
    struct writer *w = writer_open(m, dup(job->out), "output");
    struct frame f;
    while (reader_next(r, &f))
        pass_one(m, &f, w);
    writer_close(w);
    reader_close(r);
}

static void show(struct msa *m)
{
    struct reader *r = open_input((struct fuzz *)m);
    struct frame f;
    struct show s = {.m = m, .to = fuzz_null(m), .values = true};
    while (reader_next(r, &f)) {
        show_text(&s, &f, false);
        show_json(&s, &f, true);
        show_pipeline_text(&s, &f, "");
        show_pipeline_json(&s, &f);
        frame_free(&f);
    }
}

static void read_all(struct msa *m)
{
    struct reader *r = reader_open(m, dup(((struct job *)m)->out), "output");
    struct frame f;
    while (reader_next(r, &f))
        frame_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job job = {.out = memfd_create("output", MFD_CLOEXEC)};
    fuzz_run(&job.fuzz, data, size, show);
    if (fuzz_run(&job.fuzz, data, size, pass) == MSA_OK) {
        lseek(job.out, 0, SEEK_SET);
        enum msa_status status = fuzz_run(&job.fuzz, data, size, read_all);
        fuzz_expect(status == MSA_OK, job.fuzz.m.error);
    }
    close(job.out);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    return frames_mutate(data, size, room, seed);
}
