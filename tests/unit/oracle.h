/* Files for tests that tests/oracle/pickles.py makes with Python and NumPy: a directory that is
 * there for one program. */
#ifndef MSA_TEST_ORACLE_H
#define MSA_TEST_ORACLE_H

#include "common/run/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct oracle {
    char directory[32];
};

/* A group's setup and teardown; the state is a struct oracle. */
static inline int oracle_make(void **state)
{
    static const char script[] = "tests/oracle/pickles.py";
    struct oracle *oracle = calloc(1, sizeof *oracle);
    char command[160];
    strcpy(oracle->directory, "/tmp/msa-data-XXXXXX");
    *state = oracle;
    if (!mkdtemp(oracle->directory))
        return -1;
    snprintf(command, sizeof command,
             "p=/usr/bin/python3; [ -x $p ] || p=python3; $p -W ignore %s %s", script,
             oracle->directory);
    return system(command);
}

static inline int oracle_remove(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", ((struct oracle *)*state)->directory);
    free(*state);
    return system(command);
}

/* DIRECTORY/NAME, to be freed. */
static inline char *oracle_path(void **state, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", ((struct oracle *)*state)->directory, name) < 0)
        abort();
    return path;
}

/* A whole file, ended by a zero, to be freed; NULL: there is none. */
static inline char *oracle_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    *size = 0;
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = calloc(1, *size + 1);
    *size = fread(bytes, 1, *size, f);
    fclose(f);
    return bytes;
}

static inline void oracle_write(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        abort();
}

#endif
