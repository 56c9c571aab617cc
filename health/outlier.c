/* Outliers: what workers have counted, looked at four times a second. Runs in the health process. */
#include "health/outlier.h"

#include <stdlib.h>
#include <string.h>

#include "balance/eject.h"
#include "health/publish.h"
#include "os/log.h"

static struct {
	struct loop *loop;
	const struct conf *conf;
	struct table *table;
	struct eject_server **pool;	/* [conf->npools]; NULL: eject off */
	struct eject_server *there;	/* scratch: those of a pool that are servers, not empty places */
	struct timer again;
} out;

static uint64_t get(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

/* What the table has of a server, summed over all workers. */
static void figures(struct eject_server *s, uint32_t row)
{
	const struct shm_server *r = &out.table->server[row];
	struct shm_load sum;

	memset((void *)&sum, 0, sizeof sum);
	table_sum_cell(out.table, row, &sum);
	s->up = atomic_load_explicit(&out.table->health[row].verdict, memory_order_relaxed) == SHM_UP &&
	    atomic_load_explicit(&r->admin, memory_order_relaxed) == SHM_READY;
	s->timed = get(&sum.responses[1]) + get(&sum.responses[2]) + get(&sum.responses[3]) + get(&sum.responses[4]);
	s->good = s->timed + get(&sum.responses[0]);
	s->timed += get(&sum.responses[5]);
	s->failed = get(&sum.responses[5]) + get(&sum.connect_failures) + get(&sum.timeouts) + get(&sum.resets) + get(&sum.cuts) +
	    get(&sum.invalid);
	s->latency_ns = get(&sum.latency_sum_ns);
}

static void tell(const struct conf_pool *p, const struct eject_server *s, unsigned i, uint64_t now_ns)
{
	if (s->until_ns)
		log_warn("server %s/%s is taken out for %.0f s: %s", p->name, p->server[i].name,
		    (double)(s->until_ns - now_ns) / 1e9, table_eject_text(s->reason));
	else
		log_info("server %s/%s is taken back", p->name, p->server[i].name);
}

/* By the health process's own word, which does not change while this runs. */
static bool is_empty(const struct conf_pool *p, unsigned i)
{
	return p->server[i].discover &&
	    atomic_load_explicit(&out.table->health[p->server[i].row].verdict, memory_order_relaxed) == SHM_EMPTY;
}

static void look(unsigned k, uint64_t now_ns)
{
	const struct conf_pool *p = &out.conf->pool[k];
	struct eject_server *s = out.pool[k];
	unsigned n = 0;
	bool changed;

	for (unsigned i = 0; i < p->nservers; i++) {
		figures(&s[i], p->server[i].row);
		if (!is_empty(p, i))
			out.there[n++] = s[i];
	}
	changed = eject_look(out.there, n, now_ns);
	for (unsigned i = 0, at = 0; i < p->nservers; i++) {
		if (!is_empty(p, i)) {
			s[i] = out.there[at++];
		} else {	/* who comes next has done nothing yet */
			changed = changed || s[i].until_ns;
			memset(&s[i], 0, sizeof s[i]);
		}
	}
	if (!changed)
		return;
	for (unsigned i = 0; i < p->nservers; i++) {
		if (s[i].until_ns == get(&out.table->health[p->server[i].row].ejected_until_ns))
			continue;
		publish_eject(out.table, p->server[i].row, s[i].until_ns, s[i].reason, now_ns);
		tell(p, &s[i], i, now_ns);
	}
}

static void on_again(struct timer *t)
{
	uint64_t now_ns = loop_clock_ns();

	timer_set(&out.loop->wheel, t, now_ns + EJECT_LOOK_NS);
	for (unsigned k = 0; k < out.conf->npools; k++)
		if (out.pool[k])
			look(k, now_ns);
}

int outlier_start(struct loop *loop, const struct conf *conf, struct table *table)
{
	unsigned most = 1;
	bool any = false;

	out.loop = loop;
	out.conf = conf;
	out.table = table;
	out.again.cb = on_again;
	out.pool = calloc(conf->npools + 1, sizeof(struct eject_server *));
	if (!out.pool)
		return -1;
	for (unsigned k = 0; k < conf->npools; k++) {
		const struct conf_pool *p = &conf->pool[k];

		for (unsigned i = 0; i < p->nservers; i++)
			if (get(&table->health[p->server[i].row].ejected_until_ns))
				publish_eject(table, p->server[i].row, 0, SHM_EJECT_NOT, loop_clock_ns());
		if (!p->eject)
			continue;
		if (p->nservers > most)
			most = p->nservers;
		out.pool[k] = calloc(p->nservers + 1, sizeof(struct eject_server));
		if (!out.pool[k])
			return -1;
		any = true;
	}
	out.there = calloc(most, sizeof *out.there);
	if (!out.there)
		return -1;
	if (any)
		on_again(&out.again);
	return 0;
}
