/* Connections to servers. Worker only. */
#include "worker/upstream.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/sock.h"
#include "worker/exchange.h"
#include "worker/preamble.h"

static struct slab upstreams = { .size = sizeof(struct upstream) };

static void unlink_idle(struct upstream *u)
{
	*u->prev = u->next;
	if (u->next)
		u->next->prev = u->prev;
	u->prev = NULL;
	u->server->nidle--;
	table_add32(&worker.row->idle_upstreams, (uint32_t)-1);
}

static void on_event(struct loop_fd *h, uint32_t events)
{
	struct upstream *u = (struct upstream *)(void *)((char *)h - offsetof(struct upstream, c.h));

	if (u->x == NULL) {
		/* Nobody asked it anything: the server has closed it, or speaks out of turn. */
		if (events & ~(uint32_t)EPOLLOUT)
			upstream_close(u);
		return;
	}
	conn_events(&u->c, events);
	exchange_event(u->x);
}

static void on_timer(struct timer *t)
{
	struct upstream *u = (struct upstream *)(void *)((char *)t - offsetof(struct upstream, timer));

	if (u->x)
		exchange_server_timeout(u->x, u);
	else
		upstream_close(u);
}

static bool lives(const struct upstream *u)
{
	char byte;

	return recv(u->c.h.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/*
 * Nothing stands behind the answer that has been read? What does would be taken for the answer to the next
 * request, and its edge is gone already: where the last read did not find the end (it was spliced, or filled its
 * room) the socket is looked at.
 */
static bool quiet(struct upstream *u)
{
	if (u->c.rd && !lives(u))
		return false;
	u->c.rd = false;
	return true;
}

static uint32_t address_now(const struct server *s)
{
	return atomic_load_explicit(&s->health->addr_seq, memory_order_relaxed);
}

/* Whether it leads to where the server is now: a name may stand for another machine meanwhile. */
static bool leads_there(const struct upstream *u)
{
	return u->server->conf->addr_size || u->address == address_now(u->server);
}

/* A kept connection that can take a request now; NULL: there is none. */
static struct upstream *reuse(struct server *s, bool check)
{
	struct upstream *u;

	while ((u = s->idle) != NULL && (!leads_there(u) || (check && !lives(u))))
		upstream_close(u);
	if (u)
		unlink_idle(u);
	return u;
}

static void unlink_own(struct upstream *u)
{
	*u->own = NULL;
	u->own = NULL;
	table_add32(&worker.row->idle_upstreams, (uint32_t)-1);
}

/* The same of the one that the session has of its own. */
static struct upstream *reuse_own(const struct session_way *way, const struct server *s, bool check)
{
	struct upstream *u = way ? way->kept : NULL;

	if (u == NULL || u->server != s)
		return NULL;
	if (!leads_there(u) || (check && !lives(u))) {
		upstream_close(u);
		return NULL;
	}
	unlink_own(u);
	return u;
}

/* Which address of the server an open connection leads to: the one of now, or one that is not known. */
static uint32_t address_of_peer(const struct server *s, int fd)
{
	struct sockaddr_storage peer, now;
	socklen_t size = sizeof peer, now_size;
	uint32_t address = address_now(s);

	memset(&peer, 0, sizeof peer);
	if (s->conf->addr_size || getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
		return 0;
	now_size = table_address(worker.table, s->conf->row, &now);
	return size == now_size && memcmp(&peer, &now, size) == 0 ? address : 0;
}

static struct upstream *start(struct server *s, struct exchange *x, int fd, uint32_t uses)
{
	struct upstream *u = slab_take(&upstreams);

	if (u == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	*u = (struct upstream){ .server = s, .x = x, .uses = uses, .timer.cb = on_timer };
	conn_start(&u->c, fd, on_event);
	return u;
}

struct upstream *upstream_adopt(struct server *s, struct exchange *x, int fd, uint32_t uses)
{
	uint32_t address = address_of_peer(s, fd);
	struct upstream *u = start(s, x, fd, uses);

	if (u)
		u->address = address;
	return u;
}

struct upstream *upstream_get(struct server *s, struct exchange *x, bool fresh, bool check)
{
	struct sockaddr_storage ss;
	struct upstream *u;
	socklen_t size;

	/* In mode tcp a connection is one client's: what others have said on it is not for this one. */
	u = fresh || x->s->listener->mode == CONF_MODE_TCP ? NULL : s->pool->conf->send_proxy ? reuse_own(x->s->way, s, check) : reuse(s, check);
	if (u) {
		u->x = x;
		u->c.h.first = false;
		u->uses++;
		table_add(&s->cell->reuses, 1);
		return u;
	}
	uint32_t address = address_now(s);	/* before it is read: one that comes in between counts as another */
	size = table_address(worker.table, s->conf->row, &ss);
	if (size == 0) {
		errno = EADDRNOTAVAIL;
		return NULL;
	}
	int fd = sock_connect((struct sockaddr *)&ss, size);
	if (fd < 0)
		return NULL;
	bool connected = errno == 0;
	u = start(s, x, fd, 0);
	if (u == NULL)
		return NULL;
	u->address = address;
	u->c.rd = false;	/* it has nothing to say before it is asked */
	u->c.wr = connected;
	return u;
}

void upstream_close(struct upstream *u)
{
	if (u->prev)
		unlink_idle(u);
	if (u->own)
		unlink_own(u);
	timer_cancel(&worker.loop.wheel, &u->timer);
	conn_close(&u->c);
	slab_give(&upstreams, u);
}

/* How long it is kept from now on; 0: it is not. */
static uint64_t keep_time(const struct upstream *u)
{
	uint64_t keep_ns = u->server->pool->conf->keepalive_ns;

	/* Close before the server does, where it says when it will. */
	if (u->announced_s > 0 && keep_ns > u->announced_s * CONF_SECOND - CONF_SECOND / 2)
		keep_ns = u->announced_s * CONF_SECOND - CONF_SECOND / 2;
	return worker.retiring || worker.stopping ? 0 : keep_ns;
}

static void idle(struct upstream *u, uint64_t keep_ns)
{
	u->x = NULL;
	u->c.h.first = true;	/* what it says now must be heard before it is given to a request */
	table_add32(&worker.row->idle_upstreams, 1);
	timer_set(&worker.loop.wheel, &u->timer, state_now() + keep_ns);
}

void upstream_keep_own(struct upstream *u, struct session_way *way)
{
	uint64_t keep_ns = keep_time(u);

	if (way && way->kept)
		upstream_close(way->kept);
	if (way == NULL || u->server->pool->conf->keepalive_max == 0 || keep_ns == 0 || !leads_there(u) ||
	    conn_arm(&u->c) < 0 || !quiet(u)) {
		upstream_close(u);
		return;
	}
	way->kept = u;
	u->own = &way->kept;
	idle(u, keep_ns);
}

void upstream_keep(struct upstream *u)
{
	struct server *s = u->server;
	uint64_t keep_ns = keep_time(u);

	if (s->nidle >= s->pool->conf->keepalive_max || keep_ns == 0 || !leads_there(u) || conn_arm(&u->c) < 0 || !quiet(u)) {
		upstream_close(u);
		return;
	}
	u->next = s->idle;
	u->prev = &s->idle;
	if (u->next)
		u->next->prev = &u->next;
	s->idle = u;
	s->nidle++;
	idle(u, keep_ns);
}

void upstream_close_idle(struct server *s)
{
	while (s->idle)
		upstream_close(s->idle);
}

void upstream_close_all(void)
{
	for (unsigned i = 0; i < worker.conf->npools; i++)
		for (unsigned k = 0; k < worker.conf->pool[i].nservers; k++)
			upstream_close_idle(&worker.pool[i].server[k]);
}
