/*
 * Sockets: addresses to and from text, listeners, non-blocking connects.
 */
#ifndef OS_SOCK_H
#define OS_SOCK_H

#include <stddef.h>
#include <sys/socket.h>

#define SOCK_TEXT_MAX 128	/* holds the text of any address */

/* "127.0.0.1:80", "[::1]:80", "unix:/path". Returns buf. */
char *sock_text(const struct sockaddr *sa, socklen_t size, char *buf, size_t room);
/* Numeric only: "127.0.0.1", "::1" (no brackets) and a port. 0, or -1: not an address. */
int sock_numeric(const char *host, unsigned port, struct sockaddr_storage *ss, socklen_t *size);
/* 0, or -1 with errno ENAMETOOLONG. */
int sock_unix(const char *path, struct sockaddr_storage *ss, socklen_t *size);

/* Listening, non-blocking, close-on-exec; IPv6 ones are v6-only; a stale unix socket file is replaced
 * (one that somebody listens to is not: EADDRINUSE). fd, or -1 with errno. */
int sock_listen(const struct sockaddr *sa, socklen_t size, int backlog);
/* Starts a connection, non-blocking, TCP_NODELAY. fd, with errno 0 when it is established already (as happens on
 * loopback) or EINPROGRESS; or -1 with errno. */
int sock_connect(const struct sockaddr *sa, socklen_t size);
/* The pending error of a socket (SO_ERROR), or errno of asking. 0: none. */
int sock_error(int fd);
void sock_nodelay(int fd);
/* An IPv4 address in IPv6's clothes (::ffff:10.0.0.1) becomes one of IPv4; others stay as they are. */
void sock_unmap(struct sockaddr_storage *ss);

#endif
