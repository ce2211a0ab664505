/* One writer a file: a name in the kernel that goes with the process, however that ends. */
#include "common/cli/file.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

enum { PATIENCE = 5000, RETRY = 20 }; /* ms */

static void claim_release(void *memory)
{
    close(*(int *)memory);
}

/* An abstract address that is the same for every path to the file, there or not. */
static socklen_t address_of(struct msa *m, const char *path, struct sockaddr_un *address)
{
    struct stat folder;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *parent = file_folder(m, path);
    if (stat(parent, &folder) != 0)
        msa_fail_errno(m, "cannot write '%s'", path);
    msa_free(m, parent);
    size_t length = strlen(name);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size =
        snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "msa-file:%jx:%jx:%zx:%lx",
                 (uintmax_t)folder.st_dev, (uintmax_t)folder.st_ino, length,
                 crc32(0, (const Bytef *)name, (uInt)length));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

void file_claim(struct msa *m, const char *path)
{
    struct sockaddr_un address;
    socklen_t length = address_of(m, path, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        msa_fail_errno(m, "cannot write '%s'", path);
    int *claim = msa_alloc(m, sizeof *claim);
    *claim = fd;
    msa_at_free(claim, claim_release);
    for (int waited = 0; bind(fd, (struct sockaddr *)&address, length) < 0; waited += RETRY) {
        if (errno != EADDRINUSE)
            msa_fail_errno(m, "cannot write '%s'", path);
        if (waited >= PATIENCE)
            msa_fail(m, MSA_FAILED, "cannot write '%s': another program is writing it", path);
        poll(NULL, 0, RETRY);
    }
}
