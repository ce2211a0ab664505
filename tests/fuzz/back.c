/* Fuzzes the way back: what a peer sends to the stage that listens, through the socket. */
#include "common/nn/optimizer.h"
#include "common/stream/control.h"
#include "common/stream/gradient_channel.h"
#include "common/stream/prefix.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A program that connects without knowing the token, says all of it and goes. What does not fit
 * into the socket is left out. */
static void stranger(const char *address, const uint8_t *data, size_t size)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strcspn(address, ":");
    memcpy(name.sun_path + 1, address + 1, length - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bool there = connect(fd, (struct sockaddr *)&name,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0;
    fuzz_expect(there, "a stranger connects");
    if (size && send(fd, data, size, MSG_NOSIGNAL) < 0)
        fuzz_expect(false, "a stranger can send");
    close(fd);
}

/* The peer: what the input has behind its header. */
static void peer(struct msa *m, const char *address, const uint8_t *data, size_t size)
{
    struct writer *w = back_connect(m, address, false, NULL);
    struct prefix prefix;
    size_t header = 0;
    if (size >= sizeof prefix) {
        memcpy(&prefix, data, sizeof prefix);
        header = prefix.kind == FRAME_HEADER ? sizeof prefix + (size_t)prefix.length : 0;
    }
    if (header < size && send(writer_fd(w), data + header, size - header, MSG_NOSIGNAL) < 0)
        fuzz_expect(false, "the peer can send");
    writer_close(w);
}

static void on_gradient(struct msa *m, struct frame *f)
{
    struct record g;
    record_parse(m, &g, f);
    struct optimizer o = optimizer_hear(m, &g);
    optimizer_spares(m, &o, "text_encoder.norm.weight");
    optimizer_update(&o, 1);
    record_remove(&g, "y");
    record_free(&g);
}

static void on_control(struct msa *m, struct frame *f)
{
    struct control c = control_parse(m, f);
    frame_free(f);
    control_add_state(m, &c, 3, value_of_bool(value_bool(&c.map, "best", true)));
    control_free(&c);
}

static void listen_to(struct msa *m)
{
    struct fuzz *input = (struct fuzz *)m;
    char address[BACK_ADDRESS];
    m->common.wait = 1; /* second */
    struct back *b = back_listen(m, NULL, address);
    struct frame f = {0};
    stranger(address, input->data, input->size);
    peer(m, address, input->data, input->size);
    do {
        back_next(b, &f);
        if (f.kind == FRAME_GRADIENT)
            on_gradient(m, &f);
        else if (f.kind == FRAME_CONTROL)
            on_control(m, &f);
    } while (f.kind != FRAME_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {0};
    fuzz_run(&f, data, size, listen_to);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    return frames_mutate(data, size, room, seed);
}
