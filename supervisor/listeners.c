/*
 * Listening sockets. A reload goes through them twice: plan (what is kept, what is opened anew),
 * then commit (what is dropped) or abandon. A listener is known by its address alone; one that stays
 * is never closed, not even when its mode or its place in the configuration changes.
 */
#include "supervisor/listeners.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/log.h"
#include "supervisor/accept.h"
#include "supervisor/lent.h"

#define LISTENERS_DEFER_S	1	/* TCP_DEFER_ACCEPT; after it a silent client is accepted all the same */

static struct listener *listeners_find(const struct listeners *set, const struct conf_bind *b)
{
	unsigned i;

	for (i = 0; i < set->n; i++) {
		if (set->v[i]->addr_size == b->addr_size && memcmp(&set->v[i]->addr, &b->addr, b->addr_size) == 0)
			return set->v[i];
	}
	return NULL;
}

/* The kernel has no IPv6, or it is switched off: what is optional is left out. */
static bool listeners_not_here(int err)
{
	return err == EAFNOSUPPORT || err == EADDRNOTAVAIL || err == EPROTONOSUPPORT;
}

/* IPv4's half of "all addresses" needs no socket where the one for IPv6's half was lent and takes both. */
static bool listeners_covered(const struct supervisor *s, const struct conf *conf, const struct conf_bind *b)
{
	unsigned i, j;

	for (i = 0; b->addr.ss_family == AF_INET && i < conf->nlisteners; i++) {
		for (j = 0; j < conf->listener[i].nbinds; j++) {
			const struct conf_bind *other = &conf->listener[i].bind[j];
			const struct listener *l = listeners_find(&s->listeners, other);
			int fd = !l ? lent_look((const struct sockaddr *)&other->addr) : l->lent ? l->fd : -1;

			if (fd >= 0 && lent_covers(fd, (const struct sockaddr *)&b->addr))
				return true;
		}
	}
	return false;
}

/* One that the service manager has opened, or one of our own. */
static struct listener *listeners_open(const struct conf_bind *b, unsigned backlog)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct stat st;
	int on = 1, err;

	if (!l)
		return NULL;
	l->addr = b->addr;
	l->addr_size = b->addr_size;
	sock_text((const struct sockaddr *)&b->addr, b->addr_size, l->text, sizeof(l->text));
	l->fd = lent_socket((const struct sockaddr *)&b->addr);
	l->lent = l->fd >= 0;
	if (!l->lent)
		l->fd = sock_listen((const struct sockaddr *)&b->addr, b->addr_size, (int)backlog);
	if (l->fd < 0)
		goto fail;
	if (b->addr.ss_family == AF_UNIX) {
		if (stat(((const struct sockaddr_un *)&b->addr)->sun_path, &st) == 0) {
			l->dev = st.st_dev;
			l->ino = st.st_ino;
		}
	} else {
		/* Connections inherit it: a system call less for each. */
		setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	return l;
fail:
	err = errno;
	free(l);
	errno = err;
	return NULL;
}

static void listeners_shut(struct supervisor *s, struct listener *l)
{
	const char *path = ((const struct sockaddr_un *)&l->addr)->sun_path;
	struct stat st;

	accept_remove(s, l);
	if (l->limited)
		s->dispatch.limited--;
	close(l->fd);
	if (!l->lent && l->addr.ss_family == AF_UNIX && lstat(path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(path);
	free(l);
}

/* What is open, or can be opened, for one bind, into the plan. 0, or -1 with errno. */
static int listeners_plan_one(struct supervisor *s, const struct conf *conf, struct conf_bind *b, unsigned backlog,
			      struct listeners *plan)
{
	struct listener *l = listeners_find(&s->listeners, b);

	if (!l && listeners_covered(s, conf, b))
		return 0;
	if (!l)
		l = listeners_open(b, backlog);
	if (!l)
		return b->optional && listeners_not_here(errno) ? 0 : -1;
	b->fd = l->fd;
	plan->v[plan->n++] = l;
	return 0;
}

int listeners_plan(struct supervisor *s, struct conf *conf, struct listeners *plan, char *err, size_t size)
{
	unsigned i, j, n = 0;

	for (i = 0; i < conf->nlisteners; i++)
		n += conf->listener[i].nbinds;
	plan->n = 0;
	plan->v = calloc(n ? n : 1, sizeof(struct listener *));
	if (!plan->v) {
		snprintf(err, size, "%s", strerror(errno));
		return -1;
	}
	for (i = 0; i < conf->nlisteners; i++) {
		for (j = 0; j < conf->listener[i].nbinds; j++) {
			struct conf_bind *b = &conf->listener[i].bind[j];

			if (listeners_plan_one(s, conf, b, conf->listener[i].backlog, plan) < 0) {
				if (conf->file)
					snprintf(err, size, "%s:%d: cannot listen on %s: %s", conf->file, b->line, b->text,
						 strerror(errno));
				else
					snprintf(err, size, "cannot listen on %s: %s", b->text, strerror(errno));
				goto fail;
			}
		}
	}
	if (plan->n == 0) {
		snprintf(err, size, "no address to listen on");
		goto fail;
	}
	return 0;
fail:
	listeners_abandon(s, plan);
	return -1;
}

static bool listeners_has(const struct listeners *set, const struct listener *l)
{
	unsigned i;

	for (i = 0; i < set->n; i++) {
		if (set->v[i] == l)
			return true;
	}
	return false;
}

void listeners_abandon(struct supervisor *s, struct listeners *plan)
{
	unsigned i;

	for (i = 0; i < plan->n; i++) {
		if (!listeners_has(&s->listeners, plan->v[i]))
			listeners_shut(s, plan->v[i]);
	}
	free(plan->v);
	plan->v = NULL;
	plan->n = 0;
}

/* What may differ from one configuration to the next without a new socket. */
static void listeners_tune(struct listener *l, const struct conf_listener *cl, unsigned row)
{
	int defer = cl->mode == CONF_MODE_HTTP ? LISTENERS_DEFER_S : 0;

	l->row = (uint16_t)row;
	l->mode = cl->mode;
	if (listen(l->fd, (int)cl->backlog) < 0)
		log_warn("%s: backlog of %u: %s", l->text, cl->backlog, strerror(errno));
	/* An HTTP client speaks first: the connection is not worth a wake-up before it does. */
	if (l->addr.ss_family != AF_UNIX)
		setsockopt(l->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer));
}

void listeners_last_rounds(struct supervisor *s, const struct listeners *plan)
{
	unsigned i;

	for (i = 0; i < s->listeners.n; i++) {
		if (!listeners_has(plan, s->listeners.v[i]))
			accept_last(s, s->listeners.v[i]);
	}
}

void listeners_commit(struct supervisor *s, const struct conf *conf, struct listeners *plan)
{
	struct listeners old = s->listeners;
	unsigned i, j, kept = 0, dropped = 0;

	for (i = 0; i < conf->nlisteners; i++) {
		for (j = 0; j < conf->listener[i].nbinds; j++) {
			struct listener *l = listeners_find(plan, &conf->listener[i].bind[j]);

			if (l)
				listeners_tune(l, &conf->listener[i], i);
		}
	}
	s->listeners = *plan;
	for (i = 0; i < old.n; i++) {
		if (listeners_has(&s->listeners, old.v[i])) {
			kept++;
			continue;
		}
		log_info("%s: no longer listened on%s", old.v[i]->text,
			 old.v[i]->lent ? "; the service manager keeps it open, and who still comes waits there" : "");
		/* The heir has a copy until it is made anew: nobody is to be let in there. */
		if (!old.v[i]->lent && shutdown(old.v[i]->fd, SHUT_RDWR) < 0)
			log_warn("%s: shutdown: %s; it is open until the next heir is there", old.v[i]->text, strerror(errno));
		listeners_shut(s, old.v[i]);
		dropped++;
	}
	for (i = 0; i < s->listeners.n; i++) {
		struct listener *l = s->listeners.v[i];

		if (l->limited) {	/* the new configuration may allow more: looked at in the next turn */
			s->dispatch.stirred = true;
			continue;
		}
		if (!l->watched)
			log_info("listening on %s", l->text);
		if (accept_add(s, l) < 0)
			log_error("%s: epoll: %s; nothing is accepted here", l->text, strerror(errno));
	}
	log_debug("listeners: %u kept, %u new, %u dropped", kept, s->listeners.n - kept, dropped);
	free(old.v);
	plan->v = NULL;
	plan->n = 0;
}

void listeners_deafen(struct supervisor *s)
{
	/* On a TCP socket a filter sees the segment from its header on; byte 13 holds the flags. */
	static struct sock_filter no_syn[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),		/* SYN, ACK */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),	/* SYN alone: */
		BPF_STMT(BPF_RET | BPF_K, 0),				/* dropped */
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),			/* anything else passes whole */
	};
	const struct sock_fprog program = { .len = sizeof(no_syn) / sizeof(no_syn[0]), .filter = no_syn };
	unsigned i;

	for (i = 0; i < s->listeners.n; i++) {
		const struct listener *l = s->listeners.v[i];

		/* The filter would outlive us on one that was lent; who comes there now waits for the next start. */
		if (l->addr.ss_family == AF_UNIX || l->lent)
			continue;
		if (setsockopt(l->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
			log_warn("%s: new connections cannot be held off while stopping: %s", l->text, strerror(errno));
	}
}

void listeners_close(struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < s->listeners.n; i++)
		listeners_shut(s, s->listeners.v[i]);
	free(s->listeners.v);
	s->listeners.v = NULL;
	s->listeners.n = 0;
}
