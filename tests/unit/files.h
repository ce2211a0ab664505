/* For tests of files: what is in them, in a directory of their own, and runs that leave nothing
 * open.
 */
#ifndef MSA_TEST_FILES_H
#define MSA_TEST_FILES_H

#include "common/run/file.h"
#include "tests/unit/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static inline void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static inline void holds(const char *path, const char *text)
{
    char found[256];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    found[fread(found, 1, sizeof found - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(found, text);
}

static inline int files_here(void)
{
    int count = 0;
    DIR *directory = opendir(".");
    for (struct dirent *entry; (entry = readdir(directory));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return count;
}

/* How many descriptors this process has open. */
static inline int open_files(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static inline struct msa run(void (*body)(struct msa *))
{
    struct msa m = {.program = "msa-test"};
    int before = open_files();
    msa_run(&m, body);
    assert_int_equal(open_files(), before);
    return m;
}

static inline void succeeds(void (*body)(struct msa *))
{
    struct msa m = run(body);
    assert_string_equal(m.error, "");
    assert_int_equal(m.status, MSA_OK);
}

static inline void fails(void (*body)(struct msa *), const char *line)
{
    struct msa m = run(body);
    assert_string_equal(m.error, line);
    assert_int_equal(m.status, MSA_FAILED);
}

#endif
