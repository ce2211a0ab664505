/* Files of predictions. */
#include "common/data/predictions.h"
#include "common/data/tsv.h"

struct file *predictions_create(struct msa *m, const char *path)
{
    struct file *file = file_create(m, path);
    fprintf(file_stream(m, file), "id\tsplit\tlabel\tprediction\n");
    return file;
}

/* Ids are anybody's text: what would break the line becomes '?'. */
static void write_id(FILE *to, const struct record *r, const struct scores_split *p, size_t i,
                     size_t number)
{
    const value *id = value_get(&r->map, "id");
    if (!id) {
        fprintf(to, "%s/%zu", p->name, number);
        return;
    }
    const msgpack_object_str *text = &id->via.array.ptr[i].via.str;
    for (uint32_t k = 0; k < text->size; k++)
        fputc((unsigned char)text->ptr[k] < ' ' ? '?' : text->ptr[k], to);
}

void predictions_write(struct msa *m, struct file *file, const struct scores *s,
                       const struct scores_split *p, const struct record *r)
{
    FILE *to = file_stream(m, file);
    for (size_t i = 0; i < r->samples; i++) {
        size_t at = p->samples - r->samples + i;
        write_id(to, r, p, i, at);
        fprintf(to, "\t%s\t", p->name);
        if (s->labelled)
            fprintf(to, "%.9g", (double)p->label[at]);
        fprintf(to, "\t%.9g\n", (double)p->prediction[at]);
    }
}

void predictions_read(struct scores *s, const char *path)
{
    struct tsv *t = tsv_open(s->m, path);
    int label = tsv_column(t, "label"), prediction = tsv_column(t, "prediction");
    int split = tsv_find(t, "split");
    while (tsv_next(t))
        scores_add(s, scores_split(s, split < 0 ? "all" : t->cells[split]),
                   tsv_number(t, prediction), tsv_number(t, label));
    tsv_close(t);
}
