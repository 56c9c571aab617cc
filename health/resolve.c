/*
 * Name resolution. The health process forks a child for the names that are due (it has them by the
 * fork, nothing is sent to it); the child answers one message a name, in order, and exits. A child
 * that needs too long for one name is killed: that name has failed, those behind it go to another.
 *
 * In the child: no signal handling, no table, nothing but a socket to write on.
 */
#include "health/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/conf.h"
#include "os/log.h"
#include "os/proc.h"

#define EVERY_NS	(30 * CONF_SECOND)
#define RETRY_NS	CONF_SECOND		/* after a failure; doubled for each further one */
#define DEADLINE_NS	(5 * CONF_SECOND)	/* for one name */
#define REAP_NS		(10 * CONF_MS)

#define OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* What a child says of one name. */
struct reply {
	uint32_t name;
	int32_t error;		/* EAI_*; 0: none */
	uint32_t n;
	struct resolve_address address[RESOLVE_ADDRESSES];
};

/* ---- in the child ---- */

static void look_up(const char *host, struct reply *r)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *list = NULL;

	r->error = getaddrinfo(host, NULL, &hints, &list);
	if (r->error)
		return;
	for (const struct addrinfo *a = list; a && r->n < RESOLVE_ADDRESSES; a = a->ai_next) {
		struct resolve_address *to = &r->address[r->n];

		if (a->ai_family == AF_INET && a->ai_addrlen >= sizeof(struct sockaddr_in)) {
			const struct sockaddr_in *in = (const void *)a->ai_addr;

			memcpy(to->bytes, &in->sin_addr, 4);
		} else if (a->ai_family == AF_INET6 && a->ai_addrlen >= sizeof(struct sockaddr_in6)) {
			const struct sockaddr_in6 *in6 = (const void *)a->ai_addr;

			memcpy(to->bytes, &in6->sin6_addr, 16);
			to->scope = in6->sin6_scope_id;
		} else
			continue;
		to->family = (uint16_t)a->ai_family;
		r->n++;
	}
	freeaddrinfo(list);
}

_Noreturn static void child_main(const struct resolve *r, const uint32_t *batch, uint32_t n, int fd, pid_t parent)
{
	int keep[] = { STDERR_FILENO, fd };

	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)	/* it went before that was set */
		_exit(0);
	proc_close_others(0, keep, 2);	/* above all the supervisor's channel: its end must mean that health is gone */
	proc_title("loadbalancer: resolver");
	for (uint32_t i = 0; i < n; i++) {
		struct reply reply;

		memset(&reply, 0, sizeof reply);
		reply.name = batch[i];
		look_up(r->name[batch[i]].host, &reply);
		if (send(fd, &reply, sizeof reply, MSG_NOSIGNAL) < 0)
			_exit(1);
	}
	_exit(0);
}

/* ---- in the health process ---- */

static void schedule(struct resolve *r);

static void ended(struct resolve *r, uint32_t name, const struct reply *reply)
{
	struct resolve_name *n = &r->name[name];
	uint64_t now = loop_clock_ns();

	n->busy = false;
	n->known = true;
	if (reply && !reply->error && reply->n) {
		if (n->failures)
			log_info("name %s resolves again", n->host);
		n->failures = 0;
		n->n = reply->n;
		memcpy(n->address, reply->address, sizeof n->address);
		n->due_ns = now + EVERY_NS;
	} else {
		uint64_t wait = n->failures < 5 ? RETRY_NS << n->failures : EVERY_NS;
		const char *why = !reply ? "no answer from the resolver in time" :
		    reply->error ? gai_strerror(reply->error) : "no usable address";

		if (!n->failures++)
			log_warn("name %s does not resolve: %s; %s", n->host, why,
			    n->n ? "its last addresses stay" : "its servers are down");
		n->due_ns = now + (wait < EVERY_NS ? wait : EVERY_NS);
	}
	r->done(r->arg, name);
}

/* The child's socket is closed: what it did not get to goes back; then wait until it is gone. */
static void finish_child(struct resolve_child *c, bool failed)
{
	struct resolve *r = c->of;
	uint32_t at = c->next;

	c->next = c->n;
	loop_close(r->loop, &c->fd);
	for (uint32_t i = at + failed; i < c->n; i++)
		r->name[c->batch[i]].busy = false;	/* still due */
	timer_set(&r->loop->wheel, &c->deadline, loop_clock_ns());
	if (failed && at < c->n)
		ended(r, c->batch[at], NULL);
	schedule(r);
}

static void on_reply(struct loop_fd *h, uint32_t events)
{
	struct resolve_child *c = OF(h, struct resolve_child, fd);
	struct reply reply;
	ssize_t n = recv(h->fd, &reply, sizeof reply, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The child reads what a name server sent: it is believed no further than it must be. */
	if (n != sizeof reply || c->next >= c->n || reply.name != c->batch[c->next] || reply.n > RESOLVE_ADDRESSES) {
		if (n > 0)
			kill(c->pid, SIGKILL);
		finish_child(c, c->next < c->n);
		return;
	}
	for (uint32_t i = 0; i < reply.n; i++)
		if (reply.address[i].family != AF_INET && reply.address[i].family != AF_INET6)
			reply.n = i;
	c->next++;
	timer_set(&c->of->loop->wheel, &c->deadline, loop_clock_ns() + DEADLINE_NS);
	ended(c->of, reply.name, &reply);
	schedule(c->of);
}

static void on_deadline(struct timer *t)
{
	struct resolve_child *c = OF(t, struct resolve_child, deadline);

	if (c->fd.fd >= 0) {
		kill(c->pid, SIGKILL);	/* not reaped yet, so the pid is still its own */
		finish_child(c, c->next < c->n);
		return;
	}
	if (waitpid(c->pid, NULL, WNOHANG) == 0) {
		timer_set(&c->of->loop->wheel, &c->deadline, loop_clock_ns() + REAP_NS);
		return;
	}
	c->pid = 0;
	schedule(c->of);
}

static int spawn(struct resolve_child *c)
{
	struct resolve *r = c->of;
	pid_t me = getpid();
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -1;
	c->fd.fd = sv[0];
	if (loop_add(r->loop, &c->fd, EPOLLIN) < 0)
		goto fail;
	c->pid = fork();
	if (c->pid == 0)
		child_main(r, c->batch, c->n, sv[1], me);
	if (c->pid < 0) {
		loop_del(r->loop, &c->fd);
		goto fail;
	}
	close(sv[1]);
	c->next = 0;
	timer_set(&r->loop->wheel, &c->deadline, loop_clock_ns() + DEADLINE_NS);
	return 0;
fail:
	close(sv[0]);
	close(sv[1]);
	c->fd.fd = -1;
	c->pid = 0;
	return -1;
}

/* Gives what is due to children that are free, and sets the timer for what is due next. */
static void schedule(struct resolve *r)
{
	uint64_t now = loop_clock_ns(), next = UINT64_MAX;
	uint32_t due = 0, idle = 0, share, at = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		if (r->name[i].busy)
			continue;
		if (r->name[i].due_ns <= now)
			due++;
		else if (r->name[i].due_ns < next)
			next = r->name[i].due_ns;
	}
	for (unsigned k = 0; k < RESOLVE_CHILDREN; k++)
		idle += r->child[k].pid == 0;
	share = idle ? (due + idle - 1) / idle : 0;
	for (unsigned k = 0; k < RESOLVE_CHILDREN && due && idle; k++) {
		struct resolve_child *c = &r->child[k];

		if (c->pid)
			continue;
		for (c->n = 0; at < r->n && c->n < share; at++)
			if (!r->name[at].busy && r->name[at].due_ns <= now)
				c->batch[c->n++] = at;
		if (!c->n)
			break;
		if (spawn(c) < 0) {
			log_warn("no process for name resolution: %s", strerror(errno));
			next = now + RETRY_NS;
			break;
		}
		for (uint32_t i = 0; i < c->n; i++)
			r->name[c->batch[i]].busy = true;
	}
	/* Names that are due and found no child are looked at again when one is free. */
	if (next != UINT64_MAX)
		timer_set(&r->loop->wheel, &r->due, next);
}

static void on_due(struct timer *t)
{
	schedule(OF(t, struct resolve, due));
}

int resolve_init(struct resolve *r, struct loop *loop, uint32_t max_names, resolve_done *done, void *arg)
{
	memset(r, 0, sizeof *r);
	r->loop = loop;
	r->done = done;
	r->arg = arg;
	r->due.cb = on_due;
	if (!max_names)
		return 0;
	r->name = calloc(max_names, sizeof *r->name);
	if (!r->name)
		return -1;
	for (unsigned k = 0; k < RESOLVE_CHILDREN; k++) {
		struct resolve_child *c = &r->child[k];

		c->of = r;
		c->fd.cb = on_reply;
		c->fd.fd = -1;
		c->deadline.cb = on_deadline;
		c->batch = calloc(max_names, sizeof *c->batch);
		if (!c->batch)
			goto fail;
	}
	return 0;
fail:
	for (unsigned k = 0; k < RESOLVE_CHILDREN; k++)
		free(r->child[k].batch);
	free(r->name);
	return -1;
}

uint32_t resolve_add(struct resolve *r, const char *host)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (strcmp(r->name[i].host, host) == 0)
			return i;
	r->name[r->n].host = host;
	return r->n++;
}

void resolve_start(struct resolve *r)
{
	if (r->n)
		schedule(r);
}

void resolve_soon(struct resolve *r, uint32_t name)
{
	struct resolve_name *n = &r->name[name];
	uint64_t due = loop_clock_ns() + RETRY_NS;

	if (n->busy || n->due_ns <= due || n->failures)
		return;
	n->due_ns = due;
	timer_set(&r->loop->wheel, &r->due, due);
}

socklen_t resolve_sockaddr(const struct resolve *r, uint32_t name, unsigned k, unsigned port,
    struct sockaddr_storage *ss)
{
	const struct resolve_address *a = &r->name[name].address[k];
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof *ss);
	if (a->family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof *in;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	in6->sin6_scope_id = a->scope;
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof *in6;
}
