/* Sockets. Any process. */
#include "os/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

char *sock_text(const struct sockaddr *sa, socklen_t size, char *buf, size_t room)
{
	char ip[INET6_ADDRSTRLEN];

	if (sa->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *in = (const void *)sa;
		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
		snprintf(buf, room, "%s:%u", ip, ntohs(in->sin_port));
	} else if (sa->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *in6 = (const void *)sa;
		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
		snprintf(buf, room, "[%s]:%u", ip, ntohs(in6->sin6_port));
	} else if (sa->sa_family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)sa;
		size_t at = offsetof(struct sockaddr_un, sun_path);
		int n = size > at ? (int)strnlen(un->sun_path, size - at) : 0;
		snprintf(buf, room, "unix:%.*s", n, un->sun_path);
	} else
		snprintf(buf, room, "?");
	return buf;
}

int sock_numeric(const char *host, unsigned port, struct sockaddr_storage *ss, socklen_t *size)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof *ss);
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		*size = sizeof *in;
		return 0;
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*size = sizeof *in6;
		return 0;
	}
	return -1;
}

int sock_unix(const char *path, struct sockaddr_storage *ss, socklen_t *size)
{
	struct sockaddr_un *un = (void *)ss;
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof un->sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memset(ss, 0, sizeof *ss);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n + 1);
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	return 0;
}

void sock_nodelay(int fd)
{
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);	/* fails on unix sockets, which do not delay */
}

/* A socket file without a listener behind it is what a crash left: it may go. */
static int clear_stale(const struct sockaddr *sa, socklen_t size)
{
	const struct sockaddr_un *un = (const void *)sa;
	struct stat st;

	if (lstat(un->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EADDRINUSE;
		return -1;
	}
	int fd = sock_connect(sa, size);
	int saved = errno;
	if (fd >= 0) {
		close(fd);
		errno = EADDRINUSE;
		return -1;
	}
	if (saved == ECONNREFUSED)
		return unlink(un->sun_path);
	errno = EADDRINUSE;
	return -1;
}

int sock_listen(const struct sockaddr *sa, socklen_t size, int backlog)
{
	int on = 1, saved;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (sa->sa_family == AF_UNIX) {
		if (clear_stale(sa, size) < 0)
			goto fail;
	} else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		goto fail;
	if (sa->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		goto fail;
	if (bind(fd, sa, size) < 0 || listen(fd, backlog) < 0)
		goto fail;
	return fd;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int sock_connect(const struct sockaddr *sa, socklen_t size)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (sa->sa_family != AF_UNIX)
		sock_nodelay(fd);
	if (connect(fd, sa, size) == 0) {
		errno = 0;
		return fd;
	}
	if (errno == EINPROGRESS || errno == EINTR) {
		errno = EINPROGRESS;
		return fd;
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int sock_error(int fd)
{
	int err = 0;
	socklen_t n = sizeof err;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0 ? errno : err;
}

void sock_unmap(struct sockaddr_storage *ss)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (ss->ss_family != AF_INET6)
		return;
	memcpy(&in6, ss, sizeof in6);
	if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return;
	in.sin_port = in6.sin6_port;
	memcpy(&in.sin_addr, in6.sin6_addr.s6_addr + 12, sizeof in.sin_addr);
	memcpy(ss, &in, sizeof in);
}
