/* Streams in files as data sets: a sample's tensors and texts. */
#include "common/dataset/dataset_stream.h"
#include "common/run/utf8.h"

#include <string.h>

/* The row of the record that sample i is in: the last that begins at or before it. */
static const size_t *row_of(const struct dataset *d, enum split split, size_t i)
{
    const struct index *index = &stream_set_of(d)->splits[split];
    size_t columns = 1 + (size_t)d->schema.count, low = 0, high = index->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (index->rows[columns * middle] <= i)
            low = middle;
        else
            high = middle;
    }
    return index->rows + columns * low;
}

void stream_set_read(struct dataset *d, enum split split, int tensor, size_t i, void *out)
{
    const size_t *row = row_of(d, split, i);
    size_t bytes = dataset_bytes(d, tensor);
    if (bytes)
        memcpy(out, stream_set_of(d)->map.bytes + row[1 + tensor] + (i - row[0]) * bytes, bytes);
}

char *stream_set_text(struct dataset *d, enum split split, enum record_text which, size_t i)
{
    const struct text_place *places = stream_set_of(d)->splits[split].texts[which];
    if (!places || !places[i].at)
        return NULL;
    const uint8_t *text = stream_set_of(d)->map.bytes + places[i].at;
    return utf8_said(d->m, (const char *)text, places[i].length);
}
