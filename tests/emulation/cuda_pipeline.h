/* Copies into a block's memory that a thread begins and waits for (see emulation.cpp). */
#ifndef TESTS_EMULATION_CUDA_PIPELINE_H
#define TESTS_EMULATION_CUDA_PIPELINE_H

#include <cuda_runtime.h>

/* 4, 8 or 16 bytes, aligned so. They are there when the thread has waited, and not before. */
void __pipeline_memcpy_async(void *to, const void *from, size_t bytes);
/* What has been begun belongs together; __pipeline_wait_prior(0) waits for all that is. */
void __pipeline_commit();
void __pipeline_wait_prior(size_t prior);

#endif
