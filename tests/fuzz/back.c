/* Fuzzes the way back: what a peer sends to the stage that listens, through the socket. */
#include "common/nn/optimizer.h"
#include "common/stream/control.h"
#include "common/stream/gradient_channel.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A peer that connects, says all of it and goes. What does not fit into the socket is left out. */
static void say(const char *address, const uint8_t *data, size_t size)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strlen(address);
    memcpy(name.sun_path + 1, address + 1, length - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bool there = connect(fd, (struct sockaddr *)&name,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0;
    fuzz_expect(there, "the peer connects");
    if (size && send(fd, data, size, MSG_NOSIGNAL) < 0)
        fuzz_expect(false, "the peer can send");
    close(fd);
}

static void on_gradient(struct msa *m, struct frame *f)
{
    struct record g;
    record_parse(m, &g, f);
    struct optimizer o = optimizer_hear(m, &g);
    optimizer_update(&o, "text_encoder.norm.weight", 1);
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
    char address[128];
    struct back *b = back_listen(m, -1, address);
    struct frame f = {0};
    say(address, input->data, input->size);
    back_ready(b);
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
