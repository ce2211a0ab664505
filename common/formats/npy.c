/* NumPy's format 1.0: a magic, the length of the header, a Python dict as text, the elements. */
#include "common/formats/npy.h"
#include "common/run/output_rules.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { ALIGNMENT = 64, PREFIX = 10, HEADER = 512 /* 8 dimensions of 20 digits fit */ };

void npy_folder(struct msa *m, const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        msa_fail_errno(m, "cannot write '%s'", path);
}

/* The header is filled up with spaces, so that the elements are aligned in the file. */
static void write_header(FILE *to, const struct tensor *t)
{
    char text[HEADER];
    int at =
        sprintf(text, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtype_names[t->dtype]);
    for (int i = 0; i < t->rank; i++)
        at += sprintf(text + at, i ? " %zu," : "%zu,", t->shape[i]);
    at += sprintf(text + at, "), }");
    int length = (PREFIX + at + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - PREFIX;
    const uint8_t prefix[PREFIX] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)length, (uint8_t)(length >> 8)};
    fwrite(prefix, 1, sizeof prefix, to);
    fprintf(to, "%-*s\n", length - 1, text);
}

/* Names come from streams, and are part of a path here: a '/' would lead elsewhere. */
static void escape(char *to, const char *name)
{
    for (; *name; name++)
        if (*name == '/' || *name == '%')
            to += sprintf(to, "%%%02X", (unsigned char)*name);
        else
            *to++ = *name;
    *to = '\0';
}

void npy_write(struct msa *m, const char *folder, uint64_t number, char kind,
               const struct tensor *t)
{
    static const struct written array = {.what = "an array", .content = CONTENT_ARRAY};
    char name[3 * TENSOR_NAME + 1];
    escape(name, t->name);
    char *path = msa_format(m, "%s/%08ju-%c-%s.npy", folder, (uintmax_t)number, kind, name);
    output_check_one(m, path, &array);
    struct file *file = file_create(m, path);
    FILE *to = file_stream(m, file);
    write_header(to, t);
    fwrite(t->data, dtype_size(t->dtype), t->count, to);
    file_commit_unsynced(m, file);
    msa_free(m, path);
}
