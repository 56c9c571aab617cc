/* Asking the supervisor. */
#include "ctl/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/find.h"
#include "os/sock.h"

#define ASK_ANSWER_MAX (64u << 20)	/* bytes; a configuration of 16384 servers has some millions */

static uint64_t ask_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* 0, or -1 with errno ETIMEDOUT. */
static int ask_wait(int fd, short events, uint64_t end_ns)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now = ask_clock_ns();
		int n = poll(&p, 1, now >= end_ns ? 0 : (int)((end_ns - now + 999999) / 1000000));

		if (n > 0)
			return 0;
		if (n == 0 && now >= end_ns) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (n < 0 && errno != EINTR)
			return -1;
	}
}

/* given: a descriptor that goes along with the first byte; -1: none. */
static int ask_send(int fd, const char *text, size_t size, int given, uint64_t end_ns)
{
	union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(int))]; } ctl = { 0 };

	while (size) {
		struct iovec iov = { (void *)text, size };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (given >= 0) {
			msg.msg_control = &ctl;
			msg.msg_controllen = sizeof(ctl);
			ctl.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
			memcpy(CMSG_DATA(&ctl.align), &given, sizeof(int));
		}
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			given = -1;
			text += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (ask_wait(fd, POLLOUT, end_ns) < 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

/* Everything until the other side closes. NULL with errno. */
static char *ask_read(int fd, uint64_t end_ns)
{
	size_t room = 4096, size = 0;
	char *text = malloc(room + 1), *bigger;
	int err;

	if (!text)
		return NULL;
	for (;;) {
		ssize_t n = recv(fd, text + size, room - size, MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0) {
			size += (size_t)n;
			if (size < room)
				continue;
			errno = EFBIG;
			if (room >= ASK_ANSWER_MAX)
				goto fail;
			room *= 2;
			bigger = realloc(text, room + 1);
			if (!bigger)
				goto fail;
			text = bigger;
		} else if (errno == EAGAIN) {
			if (ask_wait(fd, POLLIN, end_ns) < 0)
				goto fail;
		} else if (errno != EINTR) {
			goto fail;
		}
	}
	text[size] = '\0';
	return text;
fail:
	err = errno;
	free(text);
	errno = err;
	return NULL;
}

enum lbctl_exit ask(const char *path, pid_t pid, const char *request, int given, uint64_t timeout_ns, char **text)
{
	uint64_t end_ns = ask_clock_ns() + timeout_ns;
	struct sockaddr_storage ss;
	enum lbctl_exit result = LBCTL_CONTROL;
	char *answer = NULL, *line;
	struct ucred who = { 0 };
	socklen_t size, who_size = sizeof(who);
	int fd = -1;

	*text = NULL;
	if (sock_unix(path, &ss, &size) < 0)
		goto fail;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto fail;
	/* A unix socket connects at once, or its queue is full: then nobody has taken from it for a while. */
	while (connect(fd, (const struct sockaddr *)&ss, size) < 0) {
		struct timespec pause = { .tv_nsec = 10000000 };

		if (errno != EAGAIN && errno != EINTR)
			goto fail;
		if (ask_clock_ns() >= end_ns) {
			errno = ETIMEDOUT;
			goto fail;
		}
		nanosleep(&pause, NULL);
	}
	if (pid && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_size) < 0)
		goto fail;
	if (pid && who.pid != pid) {
		fprintf(stderr, "lbctl: control socket %s is not the supervisor's\n", path);
		goto out;
	}
	if (ask_send(fd, request, strlen(request), given, end_ns) < 0 && errno != EPIPE)
		goto fail;
	answer = ask_read(fd, end_ns);
	if (!answer)
		goto fail;
	line = strchr(answer, '\n');
	if (!line) {
		fprintf(stderr, "lbctl: the supervisor closed the connection without an answer\n");
		goto out;
	}
	*line = '\0';
	if (strcmp(answer, "ok") == 0)
		result = LBCTL_OK;
	else if (strcmp(answer, "error") == 0)
		result = LBCTL_FAILED;
	else
		fprintf(stderr, "lbctl: %s does not speak as a supervisor does\n", path);
	if (result != LBCTL_CONTROL) {
		*text = strdup(line + 1);
		if (!*text)
			goto fail;
	}
	goto out;
fail:
	if (errno == ETIMEDOUT)
		fprintf(stderr, "lbctl: no answer within %.1f s: the supervisor is busy, or stopped; lbctl show tells more\n",
			(double)timeout_ns / 1e9);
	else
		fprintf(stderr, "lbctl: control socket %s: %s\n", path, strerror(errno));
	result = LBCTL_CONTROL;
out:
	free(answer);
	if (fd >= 0)
		close(fd);
	return result;
}

enum lbctl_exit ask_supervisor(const struct table *t, const struct lbctl_options *o, const char *request, int fd,
			       uint64_t timeout_ns, char **text)
{
	char path[SHM_PATH_MAX];

	*text = NULL;
	if (o->socket) {
		snprintf(path, sizeof(path), "%s", o->socket);
	} else {
		memcpy(path, t->inst->control, sizeof(path));
		path[sizeof(path) - 1] = '\0';
	}
	if (path[0] == '\0') {
		fprintf(stderr, "lbctl: this instance has no control socket: \"control PATH\" in its configuration and a restart "
			"give it one\n");
		return LBCTL_CONTROL;
	}
	return ask(path, o->socket ? 0 : (pid_t)find_supervisor(t), request, fd, timeout_ns, text);
}
