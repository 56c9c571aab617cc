/*
 * Name resolution. The health process forks a child for the names that are due (it has them by the
 * fork, nothing is sent to it); the child answers one message a name, in order, and exits. A child
 * that needs too long for one name is killed: that name has failed, those behind it go to another.
 *
 * In the child: no signal handling, no table, nothing but a socket to write on. What name servers send
 * is read there and nowhere else.
 */
#include "health/resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/log.h"
#include "os/proc.h"

#define TTL_MIN_NS	CONF_SECOND		/* an answer is kept so long, whatever it says, */
#define TTL_MAX_NS	(300 * CONF_SECOND)	/* and no longer */
#define RETRY_NS	CONF_SECOND		/* after a failure; doubled for each further one, */
#define RETRY_MAX_NS	(30 * CONF_SECOND)	/* up to this, */
#define RETRY_SERVERS_NS (5 * CONF_SECOND)	/* and for a discovery to this */
#define DEADLINE_NS	(10 * CONF_SECOND)	/* for one name */
#define REAP_NS		(10 * CONF_MS)
#define TOGETHER_NS	(20 * CONF_MS)	/* names that are due within that go into one child */

#define OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* What a child says of one name. */
struct reply {
	uint32_t name;
	struct lookup_answer answer;
};

/* ---- in the child ---- */

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
		lookup(r->conf, &r->name[batch[i]].question, &reply.answer);
		if (send(fd, &reply, sizeof reply, MSG_NOSIGNAL) < 0)
			_exit(1);
	}
	_exit(0);
}

/* ---- in the health process ---- */

static void schedule(struct resolve *r);

static bool is_discovery(const struct resolve_name *n)
{
	return !n->question.any_will_do;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void succeeded(struct resolve_name *n, const struct lookup_answer *a, uint64_t now)
{
	uint64_t ttl_ns = a->ttl_s * CONF_SECOND;

	if (n->failures)
		log_info("name %s resolves again", n->question.host);
	n->failures = 0;
	n->gone_ns = 0;
	n->n = a->n < n->room ? a->n : n->room;
	memcpy(n->address, a->address, n->n * sizeof *n->address);
	ttl_ns = ttl_ns < TTL_MIN_NS ? TTL_MIN_NS : at_most(ttl_ns, TTL_MAX_NS);
	n->due_ns = now + (n->every_ns ? n->every_ns : ttl_ns);
}

static void failed(struct resolve_name *n, enum query_result result, uint32_t rcode, uint64_t now)
{
	uint64_t most = is_discovery(n) ? RETRY_SERVERS_NS : RETRY_MAX_NS;
	uint64_t wait = at_most(n->failures < 5 ? RETRY_NS << n->failures : most, most);
	bool gone = is_discovery(n) && (result == QUERY_NO_NAME || result == QUERY_NO_DATA);
	char why[LOOKUP_TEXT_MAX];

	if (n->every_ns)
		wait = at_most(wait, n->every_ns);
	if (!n->failures)
		n->failing_ns = now;
	if (!n->failures++ || result != n->result)
		log_warn("name %s does not resolve: %s; %s", n->question.host, lookup_text(why, result, rcode),
		    !n->n ? "it has no servers that are up" : !gone ? "its last addresses stay" :
		    n->hold_ns == UINT64_MAX ? "its servers stay" : "its servers stay for a while");
	if (gone && !n->gone_ns)
		n->gone_ns = now;
	if (gone && n->n && n->hold_ns != UINT64_MAX) {
		if (now - n->gone_ns >= n->hold_ns) {
			log_warn("name %s has been gone for %.1f s: its servers go, too", n->question.host,
			    (double)(now - n->gone_ns) / 1e9);
			n->n = 0;
		} else
			wait = at_most(wait, n->gone_ns + n->hold_ns - now);
	}
	n->due_ns = now + wait;
}

static void ended(struct resolve *r, uint32_t name, const struct lookup_answer *a)
{
	struct resolve_name *n = &r->name[name];
	enum query_result result = a ? a->result : QUERY_WAITING;

	n->busy = false;
	n->known = true;
	if (result == QUERY_OK)
		succeeded(n, a, loop_clock_ns());
	else
		failed(n, result, a ? a->rcode : 0, loop_clock_ns());
	n->result = result;
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

/* The child reads what a name server sent: it is believed no further than it must be. */
static bool is_sound(const struct lookup_answer *a)
{
	if (a->result < QUERY_WAITING || a->result > QUERY_LOCAL || a->n > LOOKUP_ADDRESSES_MAX || (a->result == QUERY_OK) != (a->n > 0))
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->address[i].family != AF_INET && a->address[i].family != AF_INET6)
			return false;
	return true;
}

static void on_reply(struct loop_fd *h, uint32_t events)
{
	struct resolve_child *c = OF(h, struct resolve_child, fd);
	struct reply reply;
	ssize_t n = recv(h->fd, &reply, sizeof reply, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof reply || c->next >= c->n || reply.name != c->batch[c->next] || !is_sound(&reply.answer)) {
		if (n > 0)
			kill(c->pid, SIGKILL);
		finish_child(c, c->next < c->n);
		return;
	}
	c->next++;
	timer_set(&c->of->loop->wheel, &c->deadline, loop_clock_ns() + DEADLINE_NS);
	ended(c->of, reply.name, &reply.answer);
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
	uint64_t now = loop_clock_ns(), soon = now + TOGETHER_NS, next = UINT64_MAX;
	uint32_t due = 0, idle = 0, share, at = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		if (r->name[i].busy)
			continue;
		if (r->name[i].due_ns <= soon)
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
			if (!r->name[at].busy && r->name[at].due_ns <= soon)
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

int resolve_init(struct resolve *r, struct loop *loop, const struct conf *conf, uint32_t max_names, resolve_done *done,
    void *arg)
{
	memset(r, 0, sizeof *r);
	r->loop = loop;
	r->conf = conf;
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

static int add(struct resolve *r, const struct resolve_name *n)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct resolve_name *is = &r->name[i];

		if (strcmp(is->question.host, n->question.host) == 0 && is->question.srv == n->question.srv &&
		    is->question.any_will_do == n->question.any_will_do && is->question.family == n->question.family &&
		    is->every_ns == n->every_ns && is->hold_ns == n->hold_ns)
			return (int)i;
	}
	r->name[r->n] = *n;
	r->name[r->n].address = calloc(n->room, sizeof *n->address);
	if (!r->name[r->n].address)
		return -1;
	return (int)r->n++;
}

int resolve_add(struct resolve *r, const char *host)
{
	return add(r, &(struct resolve_name){
		.question = { .host = host, .any_will_do = true }, .hold_ns = UINT64_MAX, .room = RESOLVE_ADDRESSES,
	});
}

int resolve_add_discovery(struct resolve *r, const struct conf_discover *d)
{
	return add(r, &(struct resolve_name){
		.question = { .host = d->host, .srv = d->srv, .family = d->family }, .every_ns = d->every_ns,
		.hold_ns = d->hold_ns, .room = LOOKUP_ADDRESSES_MAX,
	});
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
	schedule(r);
}

socklen_t resolve_sockaddr(const struct lookup_address *a, unsigned port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof *ss);
	if (a->port)
		port = a->port;
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
