/* Sockets from a service manager: the protocol of sd_listen_fds(3) without its library. */
#include "supervisor/lent.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/log.h"

#define LENT_FIRST	3	/* by the protocol */
#define LENT_MAX	CONF_BINDS_MAX

static struct {
	struct lent_one {
		int fd;			/* -1: given away */
		struct sockaddr_storage addr;
		socklen_t addr_size;
		char name[32];		/* that the manager gave it; empty: none */
		const char *bad;	/* why it cannot be one of ours; NULL: it can */
	} v[LENT_MAX];
	unsigned n;
} lent;

/* A number in the environment; 0: none. */
static unsigned long lent_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long n;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	n = strtoul(text, &end, 10);
	return *end || errno ? 0 : n;
}

static int lent_option(int fd, int level, int option)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(fd, level, option, &value, &size) < 0 ? -1 : value;
}

static const char *lent_bad(const struct lent_one *l)
{
	if (l->addr_size == 0)
		return "not a socket";
	if (l->addr.ss_family != AF_INET && l->addr.ss_family != AF_INET6 && l->addr.ss_family != AF_UNIX)
		return "of no family that is known here";
	if (lent_option(l->fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM)
		return "not a stream socket";
	if (lent_option(l->fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
		return "not listening (Accept=yes in the .socket unit?)";
	return NULL;
}

void lent_take(void)
{
	unsigned long pid = lent_number("LISTEN_PID"), n = lent_number("LISTEN_FDS"), i;
	const char *names = getenv("LISTEN_FDNAMES");

	if (pid == (unsigned long)getpid()) {
		for (i = 0; i < n && i < LENT_MAX; i++) {
			struct lent_one *l = &lent.v[lent.n];

			l->fd = LENT_FIRST + (int)i;
			if (names)
				snprintf(l->name, sizeof(l->name), "%.*s", (int)strcspn(names, ":"), names);
			if (names)
				names += strcspn(names, ":");
			if (names && *names)
				names++;
			if (fcntl(l->fd, F_SETFD, FD_CLOEXEC) < 0)
				continue;	/* there is nothing */
			l->addr_size = sizeof(l->addr);
			if (getsockname(l->fd, (struct sockaddr *)&l->addr, &l->addr_size) < 0)
				l->addr_size = 0;
			l->bad = lent_bad(l);
			lent.n++;
		}
	}
	/* They were for us, or for somebody who is no more; a program that takes over has others. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* Flow label and unset bytes do not make another address. */
static bool lent_same(const struct sockaddr_storage *is, const struct sockaddr *want)
{
	const struct sockaddr_in *a4 = (const void *)is, *b4 = (const void *)want;
	const struct sockaddr_in6 *a6 = (const void *)is, *b6 = (const void *)want;
	const struct sockaddr_un *au = (const void *)is, *bu = (const void *)want;

	if (is->ss_family != want->sa_family)
		return false;
	switch (want->sa_family) {
	case AF_INET:
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	case AF_INET6:
		return a6->sin6_port == b6->sin6_port && memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0 &&
		    a6->sin6_scope_id == b6->sin6_scope_id;
	case AF_UNIX:
		return strncmp(au->sun_path, bu->sun_path, sizeof(au->sun_path)) == 0;
	}
	return false;
}

static struct lent_one *lent_find(const struct sockaddr *sa)
{
	unsigned i;

	for (i = 0; i < lent.n; i++) {
		if (lent.v[i].fd >= 0 && !lent.v[i].bad && lent_same(&lent.v[i].addr, sa))
			return &lent.v[i];
	}
	return NULL;
}

int lent_look(const struct sockaddr *sa)
{
	const struct lent_one *l = lent_find(sa);

	return l ? l->fd : -1;
}

int lent_socket(const struct sockaddr *sa)
{
	struct lent_one *l = lent_find(sa);
	int fd, flags;

	if (!l)
		return -1;
	fd = l->fd;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		l->bad = "one that cannot be made non-blocking";
		return -1;
	}
	l->fd = -1;
	return fd;
}

bool lent_covers(int fd, const struct sockaddr *sa)
{
	const struct sockaddr_in *want = (const void *)sa;
	struct sockaddr_in6 is = { 0 };
	socklen_t size = sizeof(is);

	return sa->sa_family == AF_INET && want->sin_addr.s_addr == htonl(INADDR_ANY) &&
	    getsockname(fd, (struct sockaddr *)&is, &size) == 0 && is.sin6_family == AF_INET6 &&
	    is.sin6_port == want->sin_port && memcmp(&is.sin6_addr, &in6addr_any, sizeof(in6addr_any)) == 0 &&
	    lent_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
}

void lent_close_rest(void)
{
	char text[SOCK_TEXT_MAX];
	unsigned i;

	for (i = 0; i < lent.n; i++) {
		struct lent_one *l = &lent.v[i];

		if (l->fd < 0)
			continue;
		text[0] = '\0';
		if (l->addr_size && l->addr.ss_family != AF_UNSPEC)
			sock_text((const struct sockaddr *)&l->addr, l->addr_size, text, sizeof(text));
		log_warn("descriptor %d%s%s%s%s%s that the service manager passed is %s: closed", l->fd, l->name[0] ? " (" : "",
			 l->name, l->name[0] ? ")" : "", text[0] ? ", " : "", text,
			 l->bad ? l->bad : "at no address that the configuration binds");
		close(l->fd);
		l->fd = -1;
	}
	lent.n = 0;
}
