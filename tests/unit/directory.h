/* For tests of files: a directory of their own. */
#ifndef MSA_TEST_DIRECTORY_H
#define MSA_TEST_DIRECTORY_H

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each test runs in an empty directory, which is removed after it. */
static int enter_directory(void **state)
{
    char name[] = "/tmp/msa-unit-XXXXXX";
    if (!mkdtemp(name) || chdir(name) != 0)
        return -1;
    *state = strdup(name);
    return 0;
}

static int leave_directory(void **state)
{
    DIR *directory = opendir(".");
    for (struct dirent *entry; (entry = readdir(directory));)
        if (unlink(entry->d_name) != 0)
            rmdir(entry->d_name);
    closedir(directory);
    int failed = chdir("/") || rmdir(*state);
    free(*state);
    return failed;
}

#endif
