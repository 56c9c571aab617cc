/*
 * The control socket: connections, their bounds, and who may speak. What is asked for is done in
 * command.c.
 */
#include "supervisor/control.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/seen.h"
#include "os/log.h"
#include "supervisor/command.h"

#define CONTROL_CLIENTS		8			/* at a time */
#define CONTROL_REQUEST_MAX	4096			/* bytes of a request */
#define CONTROL_REQUEST_NS	(5 * CONF_SECOND)	/* the whole request must be there by then */
#define CONTROL_ANSWER_NS	(10 * CONF_SECOND)	/* a client that takes no byte of its answer for so long is let go */
#define CONTROL_PAUSE_NS	CONF_SECOND		/* after accepting failed for want of descriptors */

enum control_state { CONTROL_FREE, CONTROL_READING, CONTROL_WAITING, CONTROL_ANSWERING };

struct control_client {
	struct supervisor *s;
	struct loop_fd io;
	struct timer deadline;
	enum control_state state;
	bool upgrade;		/* waiting: for the new program's word; if not, */
	uint32_t ended;		/* for the reload that makes succession.ended reach this */
	int given;		/* a descriptor that came along; -1: none */
	size_t got;
	char in[CONTROL_REQUEST_MAX];
	char *out;		/* answering: the answer; from open_memstream() */
	size_t size, sent;
};

static struct {
	struct loop_fd io;	/* the listening socket */
	struct timer pause;
	struct supervisor *s;
	gid_t group;
	bool has_group;
	dev_t dev;		/* of the socket's file, so that only our own is removed */
	ino_t ino;
	struct control_client client[CONTROL_CLIENTS];
	struct limit strangers;
} control = { .io = { .fd = -1 } };

/* ---- answers ---- */

/* What is left unread when a socket is closed makes the other side lose the answer. A bounded look. */
static void control_empty(int fd)
{
	char rest[CONTROL_REQUEST_MAX];

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) <= 0)
			break;
}

static void control_forget_given(struct control_client *c)
{
	if (c->given >= 0)
		close(c->given);
	c->given = -1;
}

static void control_forget(struct control_client *c)
{
	control_forget_given(c);
	control_empty(c->io.fd);
	timer_cancel(&c->s->loop.wheel, &c->deadline);
	loop_close(&c->s->loop, &c->io);
	free(c->out);
	c->out = NULL;
	c->state = CONTROL_FREE;
}

static void control_send(struct control_client *c)
{
	while (c->sent < c->size) {
		ssize_t n = send(c->io.fd, c->out + c->sent, c->size - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (loop_mod(&c->s->loop, &c->io, EPOLLOUT) < 0)
				break;
			return;
		}
		if (n < 0)
			break;
		c->sent += (size_t)n;
		timer_set(&c->s->loop.wheel, &c->deadline, c->s->loop.now_ns + CONTROL_ANSWER_NS);
	}
	control_forget(c);
}

/* text becomes the client's answer. Takes it over; NULL: there was no memory for one. */
static void control_answer(struct control_client *c, bool good, char *text, size_t size)
{
	const char *head = good ? "ok\n" : "error\n";
	size_t head_size = strlen(head);
	char *whole = text ? malloc(head_size + size) : NULL;

	if (!whole) {
		free(text);
		control_forget(c);
		return;
	}
	memcpy(whole, head, head_size);
	memcpy(whole + head_size, text, size);
	free(text);
	c->out = whole;
	c->size = head_size + size;
	c->sent = 0;
	c->state = CONTROL_ANSWERING;
	timer_set(&c->s->loop.wheel, &c->deadline, c->s->loop.now_ns + CONTROL_ANSWER_NS);
	control_send(c);
}

static void control_say(struct control_client *c, bool good, const char *text)
{
	char *copy = strdup(text);

	control_answer(c, good, copy, copy ? strlen(copy) : 0);
}

/* ---- requests ---- */

static void control_request(struct control_client *c)
{
	enum command_result result;
	char *text = NULL;
	size_t size = 0;
	struct ucred who = { 0 };
	socklen_t who_size = sizeof(who);
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		control_forget(c);
		return;
	}
	if (getsockopt(c->io.fd, SOL_SOCKET, SO_PEERCRED, &who, &who_size) < 0)
		who.pid = 0;
	result = command_run(c->s, c->in, c->given, &who, out);
	/* At once: a child that is forked now would keep a copy, and whoever waits for its end would wait. */
	control_forget_given(c);
	if (fclose(out) == EOF) {
		free(text);
		control_forget(c);
		return;
	}
	if (result == COMMAND_WAITS || result == COMMAND_WAITS_UPGRADE) {
		free(text);
		c->state = CONTROL_WAITING;
		c->upgrade = result == COMMAND_WAITS_UPGRADE;
		/* The one that is under way began before it was asked for. */
		c->ended = c->s->succession.ended + 1 + (c->s->succession.phase != SUCCESSION_IDLE);
		timer_cancel(&c->s->loop.wheel, &c->deadline);	/* a reload has bounds of its own */
		if (loop_mod(&c->s->loop, &c->io, 0) < 0)	/* only its end is of interest */
			control_forget(c);
		return;
	}
	control_answer(c, result == COMMAND_DONE, text, size);
}

/* Some bytes of the request, and the descriptor that may come with them. As recv(2). */
static ssize_t control_receive(struct control_client *c)
{
	union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(int))]; } ctl;
	struct iovec iov = { c->in + c->got, sizeof(c->in) - c->got };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl) };
	ssize_t n = recvmsg(c->io.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *m = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	/* There is room for one; the kernel closes what more there is. */
	if (m && m->cmsg_level == SOL_SOCKET && m->cmsg_type == SCM_RIGHTS && m->cmsg_len == CMSG_LEN(sizeof(int))) {
		control_forget_given(c);
		memcpy(&c->given, CMSG_DATA(m), sizeof(int));
	}
	return n;
}

static void control_read(struct control_client *c)
{
	for (;;) {
		ssize_t n = control_receive(c);
		char *end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			control_forget(c);
			return;
		}
		end = memchr(c->in + c->got, '\n', (size_t)n);
		c->got += (size_t)n;
		if (end) {
			*end = '\0';
			if (memchr(c->in, '\0', c->got) == end)
				control_request(c);
			else
				control_say(c, false, "a request is a line of text\n");
			return;
		}
		if (c->got == sizeof(c->in)) {
			control_say(c, false, "the request is too long\n");
			return;
		}
	}
}

static void control_event(struct loop_fd *io, uint32_t events)
{
	struct control_client *c = CONTAINER(io, struct control_client, io);

	switch (c->state) {
	case CONTROL_READING:
		control_read(c);
		break;
	case CONTROL_WAITING:
		if (events & (EPOLLHUP | EPOLLERR))
			control_forget(c);
		break;
	case CONTROL_ANSWERING:
		control_send(c);
		break;
	case CONTROL_FREE:
		break;
	}
}

static void control_late(struct timer *t)
{
	control_forget(CONTAINER(t, struct control_client, deadline));
}

/* ---- clients ---- */

/* Whether the other end may speak. */
static bool control_may(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	gid_t groups[256];
	socklen_t groups_size = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return false;
	if (who.uid == 0 || who.uid == geteuid())
		return true;
	if (control.has_group) {
		if (who.gid == control.group)
			return true;
		/* Fails for who has more groups than fit; they are let in by their first one or not at all. */
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) == 0) {
			for (size_t i = 0; i < groups_size / sizeof(groups[0]); i++)
				if (groups[i] == control.group)
					return true;
		}
	}
	return false;
}

/* A few bytes into an empty socket: they fit, and if not they are not worth waiting for. */
static void control_refuse(int fd, const char *text)
{
	ssize_t n = send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)n;
	control_empty(fd);
	close(fd);
}

static void control_take(int fd)
{
	struct supervisor *s = control.s;
	unsigned i, held;

	if (!control_may(fd)) {
		if (limit_pass(&control.strangers, s->loop.now_ns, 10 * CONF_SECOND, &held))
			log_warn("control: somebody who may not use the control socket was refused (%u before)", held);
		control_refuse(fd, "error\nyou may not use the control socket\n");
		return;
	}
	for (i = 0; i < CONTROL_CLIENTS && control.client[i].state != CONTROL_FREE; i++)
		;
	if (i == CONTROL_CLIENTS) {
		control_refuse(fd, "error\ntoo many requests at the same time\n");
		return;
	}
	struct control_client *c = &control.client[i];
	c->s = s;
	c->io = (struct loop_fd){ .fd = fd, .cb = control_event };
	c->got = 0;
	c->given = -1;
	if (loop_add(&s->loop, &c->io, EPOLLIN) < 0) {
		close(fd);
		return;
	}
	c->state = CONTROL_READING;
	c->deadline.cb = control_late;
	timer_set(&s->loop.wheel, &c->deadline, s->loop.now_ns + CONTROL_REQUEST_NS);
}

static void control_accept(struct loop_fd *io, uint32_t events)
{
	(void)events;
	/* A few a turn: clients of the balancer come first. */
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			control_take(fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			/* It would be reported again at once, without end. */
			log_warn("control: accept: %s", strerror(errno));
			loop_del(&control.s->loop, &control.io);
			timer_set(&control.s->loop.wheel, &control.pause, control.s->loop.now_ns + CONTROL_PAUSE_NS);
		}
		return;
	}
}

static void control_go_on(struct timer *t)
{
	if (loop_add(&control.s->loop, &control.io, EPOLLIN) < 0)
		timer_set(&control.s->loop.wheel, t, control.s->loop.now_ns + CONTROL_PAUSE_NS);
}

/* ---- life ---- */

/* 0 with *gid, or -1 with a message. */
static int control_group(const char *name, gid_t *gid, char *err, size_t size)
{
	struct group *g;

	errno = 0;
	g = getgrnam(name);
	if (!g) {
		snprintf(err, size, "control-group %s: %s", name, errno ? strerror(errno) : "there is no such group");
		return -1;
	}
	*gid = g->gr_gid;
	return 0;
}

int control_test(const struct conf *conf, char *err, size_t size)
{
	gid_t gid;

	return conf->control_group ? control_group(conf->control_group, &gid, err, size) : 0;
}

int control_open(struct supervisor *s, const struct conf *conf, char *err, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t ss_size;
	struct stat st;
	mode_t mask;

	control.s = s;
	if (!conf->control)
		return 0;
	if (conf->control_group) {
		if (control_group(conf->control_group, &control.group, err, size) < 0)
			return -1;
		control.has_group = true;
	}
	s->control = strdup(conf->control);
	s->control_group = conf->control_group ? strdup(conf->control_group) : NULL;
	if (!s->control || (conf->control_group && !s->control_group) || sock_unix(conf->control, &ss, &ss_size) < 0)
		goto fail;
	mask = umask(0177);	/* nobody else's from its first moment on */
	control.io.fd = sock_listen((const struct sockaddr *)&ss, ss_size, CONTROL_CLIENTS);
	umask(mask);
	if (control.io.fd < 0)
		goto fail;
	/* Before the group is let in: a failure must leave no file behind. */
	if (lstat(conf->control, &st) < 0)
		goto fail;
	control.dev = st.st_dev;
	control.ino = st.st_ino;
	if (control.has_group && (lchown(conf->control, (uid_t)-1, control.group) < 0 || chmod(conf->control, 0660) < 0 ||
	    seen_share(&s->table, control.group) < 0))
		goto fail;
	control.io.cb = control_accept;
	control.pause.cb = control_go_on;
	if (loop_add(&s->loop, &control.io, EPOLLIN) < 0)
		goto fail;
	snprintf(s->table.inst->control, sizeof(s->table.inst->control), "%s", conf->control);
	return 0;
fail:
	snprintf(err, size, "control socket %s: %s", conf->control, strerror(errno));
	control_close(s);
	return -1;
}

void control_turn(struct supervisor *s)
{
	struct succession *u = &s->succession;
	char text[sizeof(u->verdict) + 64];

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &control.client[i];

		if (c->state != CONTROL_WAITING)
			continue;
		if (u->stop != STOP_NOT) {
			control_say(c, false, "the instance is stopping\n");
		} else if (c->upgrade && s->checking) {
			continue;
		} else if (c->upgrade && s->upgrade) {
			/* The exec that follows closes what is not answered. */
			control_say(c, true, "the new program accepts the configuration and takes over\n");
		} else if (c->upgrade) {
			snprintf(text, sizeof(text), "refused, this program goes on:\n%s\n", u->verdict);
			control_say(c, false, text);
		} else if ((int32_t)(u->ended - c->ended) >= 0) {
			size_t n = strlen(u->verdict);

			snprintf(text, sizeof(text), "%s%s%s%s", u->good ? "" : "refused, the serving configuration goes on unchanged:\n",
				 u->verdict, n && u->verdict[n - 1] == '\n' ? "" : "\n", "");
			control_say(c, u->good, text);
		}
	}
}

void control_close(struct supervisor *s)
{
	struct stat st;

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (control.client[i].state != CONTROL_FREE)
			control_forget(&control.client[i]);
	if (control.io.fd >= 0) {
		if (s->loop.slot)
			timer_cancel(&s->loop.wheel, &control.pause);
		if (lstat(s->control, &st) == 0 && st.st_dev == control.dev && st.st_ino == control.ino && unlink(s->control) < 0)
			log_error("%s: %s", s->control, strerror(errno));
		close(control.io.fd);
		control.io.fd = -1;
	}
	free(s->control);
	free(s->control_group);
	s->control = s->control_group = NULL;
}
