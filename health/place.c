/*
 * Discoveries. Runs in the health process.
 *
 * A server that is in no answer any more gets nothing new from the moment its place is empty, and finishes what it
 * has: workers hold their own connections. A place that gets another server at once is kept for the case that there
 * is no other.
 */
#include "health/place.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "health/discover.h"
#include "health/publish.h"
#include "os/log.h"
#include "os/sock.h"

static uint32_t load(const _Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static struct round_server *server_of(const struct place *d, unsigned i)
{
	return &d->pool->server[d->conf->first + i];
}

static bool is_taken(const struct round_server *s)
{
	return s->verdict.now != SHM_EMPTY;
}

static const char *address_text(const struct round_server *s, char buf[static SOCK_TEXT_MAX])
{
	struct sockaddr_storage ss;
	socklen_t size = resolve_sockaddr(&s->address, s->conf->port, &ss);

	return sock_text((const struct sockaddr *)&ss, size, buf, SOCK_TEXT_MAX);
}

void place_recall(struct round_server *s)
{
	const struct table *t = s->pool->of->table;
	const struct sockaddr_in *in;
	const struct sockaddr_in6 *in6;
	struct sockaddr_storage ss;
	socklen_t size = table_address(t, s->row, &ss);
	unsigned port = 0;

	s->place = true;
	in = (const void *)&ss;
	in6 = (const void *)&ss;
	memset(&s->address, 0, sizeof s->address);
	if (size && ss.ss_family == AF_INET) {
		memcpy(s->address.bytes, &in->sin_addr, 4);
		port = ntohs(in->sin_port);
	} else if (size && ss.ss_family == AF_INET6) {
		memcpy(s->address.bytes, &in6->sin6_addr, 16);
		s->address.scope = in6->sin6_scope_id;
		port = ntohs(in6->sin6_port);
	}
	/* A place that has another port now begins anew. */
	if (!port || (s->conf->port && port != s->conf->port) || load(&t->health[s->row].verdict) == SHM_EMPTY) {
		s->verdict = (struct verdict){ .now = SHM_EMPTY };
		return;
	}
	s->address.family = ss.ss_family;
	s->address.port = s->conf->port ? 0 : (uint16_t)port;
}

int place_init(struct round *r)
{
	unsigned n = 0;

	for (unsigned k = 0; k < r->conf->npools; k++)
		n += r->conf->pool[k].ndiscovers;
	r->discovery = calloc(n + 1, sizeof *r->discovery);
	if (!r->discovery)
		return -1;
	for (unsigned k = 0; k < r->conf->npools; k++) {
		for (unsigned i = 0; i < r->conf->pool[k].ndiscovers; i++) {
			struct place *d = &r->discovery[r->ndiscoveries++];
			int name;

			d->pool = &r->pool[k];
			d->conf = &r->conf->pool[k].discover[i];
			name = resolve_add_discovery(&r->resolve, d->conf);
			if (name < 0)
				return -1;
			d->name = (uint32_t)name;
		}
	}
	return 0;
}

static void leave(const struct place *d, struct round_server *s)
{
	char text[SOCK_TEXT_MAX];

	log_info("server %s/%s, %s, is not behind %s any more: it gets no new requests", d->pool->conf->name, s->conf->name,
	    address_text(s, text), d->conf->host);
	round_leave_place(s);
}

static void take(const struct place *d, struct round_server *s, const struct lookup_address *a)
{
	struct lookup_address is = *a;
	char text[SOCK_TEXT_MAX];

	/* As it is compared: SRV's other figures are not part of who it is. */
	is.priority = is.weight = 0;
	s->address = is;
	log_info("server %s/%s is %s, found by %s", d->pool->conf->name, s->conf->name, address_text(s, text), d->conf->host);
	round_take_place(s, &is);
}

/* SRV: what the records say of the server's weight and turn. The supervisor writes it: health asks. */
static void rank(const struct place *d, const struct round_server *s, const struct resolve_name *n, unsigned i)
{
	const struct round *r = d->pool->of;
	const struct shm_server *row = &r->table->server[s->row];
	uint32_t weight = discover_weight(n->address, n->n, i);
	bool backup = d->conf->backup || discover_backup(n->address, n->n, i);

	if (load(&row->weight_conf) != weight || load(&row->backup) != backup)
		r->rank(s->row, weight, backup);
}

static void told_left_out(struct place *d, const struct resolve_name *n, unsigned left_out)
{
	if (left_out && left_out != d->left_out)
		log_warn("name %s has %u addresses, and %s/%s has %u places: %u servers are not used", n->question.host, n->n,
		    d->pool->conf->name, d->conf->name, d->conf->places, left_out);
	d->left_out = left_out;
}

static void follow(struct place *d, const struct resolve_name *n)
{
	static struct discover_place place[CONF_PLACES_MAX];	/* no two are followed at a time */
	unsigned places = d->conf->places, before = d->pool->taken, left_out;
	const struct table *t = d->pool->of->table;

	for (unsigned i = 0; i < places; i++) {
		const struct round_server *s = server_of(d, i);

		place[i] = (struct discover_place){
			.taken = is_taken(s), .is = s->address, .ready = load(&t->server[s->row].admin) == SHM_READY,
			.inflight = (uint32_t)table_sum_inflight(t, s->row),
			.since_ns = atomic_load_explicit(&t->health[s->row].since_ns, memory_order_relaxed),
		};
	}
	left_out = discover_assign(place, places, n->address, n->n);
	/* Those who are new first: the pool is never emptier than it must be. */
	for (unsigned i = 0; i < places; i++)
		if (!place[i].taken && place[i].becomes >= 0)
			take(d, server_of(d, i), &n->address[place[i].becomes]);
	for (unsigned i = 0; i < places; i++) {
		struct round_server *s = server_of(d, i);
		bool same = place[i].becomes >= 0 && discover_same(&place[i].is, &n->address[place[i].becomes]);

		if (!place[i].taken || same)
			continue;
		leave(d, s);
		if (place[i].becomes >= 0)
			take(d, s, &n->address[place[i].becomes]);
	}
	for (unsigned i = 0; i < places; i++)
		if (d->conf->srv && place[i].becomes >= 0)
			rank(d, server_of(d, i), n, (unsigned)place[i].becomes);
	told_left_out(d, n, left_out);
	if (before && !d->pool->taken)
		log_error("pool %s: no server is left, requests are answered with an error until there is one", d->pool->conf->name);
}

/* Says in the pool's row since when the first of its names fails. */
static void publish(const struct round *r, const struct round_pool *p)
{
	uint64_t since = 0;

	for (unsigned i = 0; i < r->ndiscoveries; i++) {
		const struct resolve_name *n = &r->resolve.name[r->discovery[i].name];

		if (r->discovery[i].pool == p && n->failures && (!since || n->failing_ns < since))
			since = n->failing_ns;
	}
	publish_unresolved(r->table, p->conf->row, since);
}

void place_resolved(struct round *r, uint32_t name)
{
	const struct resolve_name *n = &r->resolve.name[name];

	for (unsigned i = 0; i < r->ndiscoveries; i++) {
		struct place *d = &r->discovery[i];

		if (d->name != name)
			continue;
		/* A lookup that failed changes nothing, until the name has been gone for long enough. */
		if (n->result == QUERY_OK || (n->gone_ns && n->n == 0))
			follow(d, n);
		for (unsigned p = 0; p < d->conf->places; p++)
			round_settle_place(server_of(d, p));
		publish(r, d->pool);
	}
}
