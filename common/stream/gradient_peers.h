/* Who connects to the gradient channel (man/msa-stream.5, "Handshake"): a listening socket whose
 * address has a token, which a program that connects must repeat in its first frame. */
#ifndef MSA_GRADIENT_PEERS_H
#define MSA_GRADIENT_PEERS_H

#include "common/stream/record.h"

enum {
    BACK_TOKEN = 32,   /* hexadecimal digits of a random number of 128 bits */
    BACK_HELLO = 65536 /* bytes of the first frame at most */
};

struct peers;

/* Opens the socket, in the abstract namespace under a name of the kernel's choice, and draws the
 * token. */
struct peers *peers_listen(struct msa *m, char address[BACK_ADDRESS]);
/* The descriptor of the one whose first frame is there, whole, and repeats the token; all of it is
 * still to be read. The others are sent away, and the socket is closed. -1: nobody is known yet.
 * Never waits. Who is of another user, does not know the token, or sends something else first, is
 * sent away: the first with a warning, the rest are counted. */
int peers_admit(struct peers *p);
/* To poll: readable when peers_admit may know more. */
int peers_fd(const struct peers *p);
/* How many have been sent away. */
long peers_refused(const struct peers *p);

/* Is who is at the other end of a socket of the same user? */
bool peers_same_user(int fd);
/* The parts of an address, of at most BACK_ADDRESS - 1 bytes: the socket's name with '@', which may
 * be shown, and the token, which may not. False: it is not one. */
bool peers_address(const char *address, char name[BACK_ADDRESS], char token[BACK_ADDRESS]);

#endif
