/* Files FILE.N. */
#include "common/stage/checkpoint_files.h"
#include "common/formats/safetensors.h"
#include "common/run/file.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CHECKPOINTS = 999999999 };

char *checkpoint_file_path(struct msa *m, const char *path, long n)
{
    return msa_format(m, "%s.%ld", path, n);
}

/* The same, by the folder that this run writes into: a link to it may lead elsewhere by now. */
static char *save_at(struct msa *m, const char *path, long n)
{
    char *given = checkpoint_file_path(m, path, n), *save = file_in_folder(m, given);
    msa_free(m, given);
    return save;
}

/* ---- Whose a file is ---- */

/* The checkpoint that a file of parameters is of, according to its metadata; 0: none, or of another
 * program. */
static long checkpoint_of(struct msa *m, int fd, const char *path)
{
    char *program = safetensors_note(m, fd, path, "program"),
         *checkpoint = safetensors_note(m, fd, path, "checkpoint"), *end = "";
    bool ours = program && strcmp(program, m->program) == 0;
    long n = checkpoint ? strtol(checkpoint, &end, 10) : 0;
    bool number = !*end && n > 0;
    msa_free(m, program);
    msa_free(m, checkpoint);
    return ours && number ? n : 0;
}

static bool is_parameters(struct msa *m, int fd, const char *path)
{
    return checkpoint_of(m, fd, path) > 0;
}

const struct written parameters_written = {.what = "parameters",
                                           .content = CONTENT_SAFETENSORS,
                                           .like = is_parameters,
                                           .parameters = true};

/* One that is write-protected is the user's. */
static bool is_checkpoint(struct msa *m, const char *save, long n)
{
    struct stat status;
    int fd = open(save, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return false;
    if (fd < 0)
        msa_fail_errno(m, "cannot read '%s'", save);
    int *held = file_hold(m, fd);
    bool is = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_mode & 0222 &&
              checkpoint_of(m, fd, save) == n;
    msa_free(m, held);
    return is;
}

/* Is it there? Then it is removed, if it is to be. */
static bool visit_save(struct msa *m, const char *path, long n, bool removes)
{
    char *save = save_at(m, path, n);
    bool is = is_checkpoint(m, save, n);
    if (is && removes)
        unlink(save);
    msa_free(m, save);
    return is;
}

/* ---- What is there ---- */

/* Entries of a folder that are called FILE.N, or .FILE.N.lock. */
struct entries {
    DIR *folder;
    const char *name;
    bool locks;
};

static void close_folder(void *entries)
{
    closedir(((struct entries *)entries)->folder);
}

static struct entries *entries_of(struct msa *m, const char *path, bool locks)
{
    const char *slash = strrchr(path, '/');
    struct entries *e = msa_alloc(m, sizeof *e);
    char *here = file_in_folder(m, path), *folder = file_folder(m, here);
    *e = (struct entries){opendir(folder), slash ? slash + 1 : path, locks};
    if (!e->folder)
        msa_fail_errno(m, "cannot look into '%s'", folder);
    msa_at_free(e, close_folder);
    msa_free(m, folder);
    msa_free(m, here);
    return e;
}

/* N of such a name; 0: it is another. */
static long number_of(const struct entries *e, const char *entry)
{
    size_t length = strlen(e->name);
    char *end;
    if (e->locks && *entry++ != '.')
        return 0;
    if (strncmp(entry, e->name, length) != 0 || entry[length] != '.')
        return 0;
    const char *digits = entry + length + 1;
    if (!isdigit((unsigned char)*digits) || *digits == '0')
        return 0;
    long n = strtol(digits, &end, 10);
    return strcmp(end, e->locks ? ".lock" : "") == 0 && n <= MOST_CHECKPOINTS ? n : 0;
}

/* The next N; 0 at the end. */
static long entries_next(struct entries *e)
{
    for (struct dirent *entry; (entry = readdir(e->folder));) {
        long n = number_of(e, entry->d_name);
        if (n)
            return n;
    }
    return 0;
}

/* ---- The whole ---- */

static void clear_one(struct msa *m, const char *path, long n)
{
    char *save = checkpoint_file_path(m, path, n);
    struct target t = target_of(m, save);
    claim_clear(m, &t);
    target_free(m, &t);
    msa_free(m, save);
}

void checkpoint_files_prepare(struct msa *m, const char *path, long from, long to)
{
    file_check_name(m, checkpoint_file_path(m, path, MOST_CHECKPOINTS));
    struct entries *locks = entries_of(m, path, true);
    for (long n; (n = entries_next(locks));)
        clear_one(m, path, n);
    msa_free(m, locks);
    struct entries *saves = entries_of(m, path, false);
    for (long n; (n = entries_next(saves));) {
        if (n < from || n > to || visit_save(m, path, n, false))
            continue;
        struct target t = target_of(m, checkpoint_file_path(m, path, n));
        target_expect_writable(m, &t);
        msa_fail(
            m, MSA_USAGE,
            "cannot write '%s': it is not a checkpoint, but a checkpoint of this training would "
            "replace it",
            t.given);
    }
    msa_free(m, saves);
}

static bool visit_others(struct msa *m, const char *path, long but, bool removes)
{
    bool found = false;
    struct entries *saves = entries_of(m, path, false);
    for (long n; (n = entries_next(saves));)
        found = (n != but && visit_save(m, path, n, removes)) || found;
    msa_free(m, saves);
    return found;
}

bool checkpoint_files_exist(struct msa *m, const char *path, long but)
{
    return visit_others(m, path, but, false);
}

void checkpoint_files_remove(struct msa *m, const char *path)
{
    visit_others(m, path, 0, true);
}

void checkpoint_file_remove(struct msa *m, const char *path, long n)
{
    if (n > 0)
        visit_save(m, path, n, true);
}

void checkpoint_file_expect(struct msa *m, const char *path, long n)
{
    char *save = save_at(m, path, n);
    if (file_exists(save) && !is_checkpoint(m, save, n))
        msa_fail(m, MSA_FAILED,
                 "cannot write '%s.%ld': it is not a checkpoint, and is not replaced", path, n);
    msa_free(m, save);
}
