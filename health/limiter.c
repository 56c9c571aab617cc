/* Learned limits: what workers have counted, looked at ten times a second. Runs in the health process. */
#include "health/limiter.h"

#include <stdlib.h>
#include <string.h>

#include "balance/limit.h"

static struct {
	struct loop *loop;
	struct table *table;
	struct limited {
		uint32_t row;
		struct limit_server s;
	} *server;
	unsigned n;
	struct timer again;
} lim;

static uint64_t get(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

/* What the table has of a server, summed over all workers. */
static void figures(struct limit_server *s, uint32_t row)
{
	struct shm_load sum;

	memset((void *)&sum, 0, sizeof sum);
	table_sum_cell(lim.table, row, &sum);
	s->answers = get(&sum.responses[2]) + get(&sum.responses[3]) + get(&sum.responses[4]);
	s->failed = get(&sum.responses[5]) + get(&sum.connect_failures) + get(&sum.timeouts) + get(&sum.resets) + get(&sum.cuts) +
	    get(&sum.invalid);
	s->latency_ns = get(&sum.latency_sum_ns);
}

static void on_again(struct timer *t)
{
	uint64_t now_ns = loop_clock_ns();

	timer_set(&lim.loop->wheel, t, now_ns + LIMIT_LOOK_NS);
	for (unsigned i = 0; i < lim.n; i++) {
		struct limited *l = &lim.server[i];

		figures(&l->s, l->row);
		if (limit_look(&l->s, now_ns))
			atomic_store_explicit(&lim.table->health[l->row].limit, l->s.limit, memory_order_relaxed);
	}
}

int limiter_start(struct loop *loop, const struct conf *conf, struct table *table)
{
	unsigned n = 0;

	lim.loop = loop;
	lim.table = table;
	lim.again.cb = on_again;
	for (unsigned k = 0; k < conf->npools; k++)
		for (unsigned i = 0; i < conf->pool[k].nservers; i++)
			n += conf->pool[k].server[i].maxconn_least != 0;
	if (n == 0)
		return 0;
	lim.server = calloc(n, sizeof *lim.server);
	if (lim.server == NULL)
		return -1;
	for (unsigned k = 0; k < conf->npools; k++) {
		for (unsigned i = 0; i < conf->pool[k].nservers; i++) {
			const struct conf_server *c = &conf->pool[k].server[i];
			struct limited *l = &lim.server[lim.n];

			if (c->maxconn_least == 0)
				continue;
			l->row = c->row;
			l->s.least = c->maxconn_least;
			l->s.most = c->maxconn;
			limit_start(&l->s, atomic_load_explicit(&table->health[c->row].limit, memory_order_relaxed));
			atomic_store_explicit(&table->health[c->row].limit, l->s.limit, memory_order_relaxed);
			lim.n++;
		}
	}
	on_again(&lim.again);
	return 0;
}
