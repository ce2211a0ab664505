/* Fuzzes pickles, as data sets. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_set(data, size);
    return 0;
}
