/* What one worker knows. */
#include "worker/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance/balance.h"
#include "balance/hash.h"
#include "os/log.h"
#include "os/sock.h"

struct worker_state worker;

static uint64_t name_hash(uint64_t purpose, const char *pool, const char *server)
{
	char text[SHM_NAME_MAX + SOCK_TEXT_MAX];
	int n = snprintf(text, sizeof text, "%s/%s", pool, server);

	return hash_bytes(purpose, text, (size_t)n);
}

/*
 * Servers of the configuration are known by their names. Those that were discovered are known by their addresses:
 * two balancers, or one before and after a restart, may have them in different places.
 */
void state_name_server(struct server *s)
{
	const char *pool = s->pool->conf->name, *name = s->conf->name;
	char address[SOCK_TEXT_MAX];
	struct sockaddr_storage ss;
	socklen_t size;

	if (s->conf->discover) {
		uint32_t seq = atomic_load_explicit(&s->health->addr_seq, memory_order_relaxed);

		if (seq == s->named_for && s->key)
			return;
		s->named_for = seq;
		size = table_address(worker.table, s->conf->row, &ss);
		if (size)
			name = sock_text((const struct sockaddr *)&ss, size, address, sizeof address);
	}
	s->cookie = name_hash(HASH_COOKIE, pool, name);
	s->key = hash_bytes(HASH_SERVER, name, strlen(name));
}

void state_init(void)
{
	const struct conf *conf = worker.conf;
	const struct table *t = worker.table;

	worker.pool = calloc(conf->npools ? conf->npools : 1, sizeof *worker.pool);
	if (worker.pool == NULL)
		log_fatal("no memory for %u pools", conf->npools);
	for (unsigned i = 0; i < conf->npools; i++) {
		struct pool *p = &worker.pool[i];
		p->conf = &conf->pool[i];
		p->balance = balance_find(p->conf->balance);
		p->row = &t->pool[p->conf->row];
		p->line = &table_queue(t, worker.slot)[p->conf->row];
		p->waiting_end = &p->waiting;
		budget_start(&p->budget, loop_clock_ns());
		p->server = calloc(p->conf->nservers, sizeof *p->server);
		if (p->server == NULL || p->balance == NULL)
			log_fatal("pool %s: cannot be set up", p->conf->name);
		for (unsigned k = 0; k < p->conf->nservers; k++) {
			struct server *s = &p->server[k];
			uint32_t row = p->conf->server[k].row;
			s->conf = &p->conf->server[k];
			s->pool = p;
			s->row = &t->server[row];
			s->health = &t->health[row];
			s->inflight = &table_inflight(t, worker.slot)[row];
			s->passive = &table_passive(t, worker.slot)[row];
			s->dispatched = &table_dispatched(t, worker.slot)[row];
			state_name_server(s);
			s->cell = &table_cell(t, worker.slot)[row];
			s->learn = &table_learn(t, worker.slot)[row];
		}
	}
}
