/* A chain of chunks, each as large as all before it together, so that a few serve any step. */
#include "common/nn/arena.h"
#include "common/nn/device.h"

enum { ALIGNMENT = 64, FIRST_CHUNK = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *next;
    struct device *device; /* NULL: the run's own memory */
    uint8_t *memory;
    size_t size;
};

struct arena arena_new(struct msa *m, struct device *device)
{
    return (struct arena){.m = m, .device = device};
}

static uint8_t *allocate(struct arena *a, size_t bytes)
{
    if (!a->device)
        return msa_alloc(a->m, bytes);
    return device_allocate(a->m, a->device, bytes);
}

static void chunk_release(void *memory)
{
    struct arena_chunk *chunk = memory;
    if (chunk->device)
        chunk->device->release(chunk->device, chunk->memory);
}

/* Appends a chunk that holds at least `bytes` and makes it the current one. */
static void grow(struct arena *a, size_t bytes)
{
    struct arena_chunk **end = &a->first;
    size_t size = FIRST_CHUNK;
    for (; *end; end = &(*end)->next)
        size += (*end)->size;
    struct arena_chunk *chunk = msa_alloc(a->m, sizeof *chunk);
    chunk->size = size > bytes ? size : bytes;
    chunk->memory = allocate(a, chunk->size);
    chunk->device = a->device;
    msa_at_free(chunk, chunk_release);
    *end = a->current = chunk;
    a->used = 0;
}

void *arena_take(struct arena *a, size_t bytes)
{
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    while (!a->current || a->current->size - a->used < bytes) {
        if (!a->current || !a->current->next) {
            grow(a, bytes);
        } else {
            a->current = a->current->next;
            a->used = 0;
        }
    }
    void *piece = a->current->memory + a->used;
    a->used += bytes;
    return piece;
}

void arena_reset(struct arena *a)
{
    a->current = a->first;
    a->used = 0;
}
