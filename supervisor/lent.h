/*
 * Listening sockets that a service manager has opened for us (LISTEN_FDS, as systemd does): it keeps them open while
 * we are not there, so clients wait and do not find the door closed. Which one is meant by a bind is told by the
 * address alone.
 */
#ifndef SUPERVISOR_LENT_H
#define SUPERVISOR_LENT_H

#include "supervisor/state.h"

/* Takes what the environment names, and the names out of the environment. In main(), before anything is opened. */
void lent_take(void);
/* The socket for an address, which is the caller's from now on, non-blocking; -1: there is none. */
int lent_socket(const struct sockaddr *sa);
/* The same, and it stays where it is. */
int lent_look(const struct sockaddr *sa);
/* Whether fd listens on all addresses, of both families, at the port of *sa, which are all of IPv4. */
bool lent_covers(int fd, const struct sockaddr *sa);
/* What nobody has asked for is named in the log and closed. */
void lent_close_rest(void);

#endif
