/* Learning from exchanges, and looking up what was learned. Worker only. */
#include "worker/learning.h"

#include "worker/choose.h"
#include "worker/queue.h"
#include "worker/exchange.h"

#define SILENT		3.0f	/* means without an answer */
#define CONNECTED_NS CONF_MS
#define FRESH_NS	(10 * CONF_MS)	/* what other workers learned may be seen so late; what waits is seen at once */

static bool wanted(const struct exchange *x)
{
	return x->pool->balance->needs & BALANCE_LEARNED;
}

void learning_asked(struct exchange *x)
{
	if (!wanted(x))
		return;
	learn_asked(x->server->learn, x->chosen_ns);
	x->asked = true;
}

/* It waits no more. */
static void heard(struct exchange *x)
{
	if (x->asked)
		learn_left(x->server->learn, x->chosen_ns);
	x->asked = false;
	x->server->known_ns = 0;
}

static uint64_t up_since(const struct server *s)
{
	return atomic_load_explicit(&s->health->up_since_ns, memory_order_relaxed);
}

void learning_answered(struct exchange *x, unsigned status)
{
	struct server *s = x->server;

	if (!wanted(x))
		return;
	heard(x);
	if (status >= 500)
		learn_error(s->learn, up_since(s), state_now(), state_now() - x->chosen_ns);
	else	/* how long a connection took says nothing of what will go through it: there all are alike */
		learn_answer(s->learn, up_since(s), state_now(), status ? state_now() - x->chosen_ns : CONNECTED_NS);
}

void learning_failed(struct exchange *x)
{
	struct server *s = x->server;

	if (!wanted(x) || s == NULL)
		return;
	heard(x);
	learn_error(s->learn, up_since(s), state_now(), state_now() - x->chosen_ns);
}

void learning_left(struct exchange *x)
{
	struct server *s = x->server;

	if (!x->asked)
		return;
	heard(x);
	learn_gone(s->learn, up_since(s), state_now(), state_now() - x->chosen_ns);
}

void learning_moved(struct exchange *x)
{
	if (x->asked)
		heard(x);
}

/* 0..1; servers that were there when the balancer started begin together, and so with nobody's advantage. */
static float ramp(uint64_t since_ns)
{
	uint64_t up = state_now() > since_ns ? state_now() - since_ns : 0;

	return since_ns == 0 || up >= BALANCE_RAMP_NS ? 1 : (float)up / (float)BALANCE_RAMP_NS;
}

bool learning_look(void *arg, uint32_t i, struct balance_look *k)
{
	const struct learning_view *v = arg;
	const struct table *t = worker.table;
	struct server *s = &v->pool->server[i];
	uint32_t row = s->conf->row;
	uint64_t now = state_now(), since = up_since(s);
	struct learn_waiting waiting = { 0 };

	if (v->usable ? !v->usable[i] : state_is_backup(s) || !choose_usable(s) || choose_was_tried(v->tried, i) || queue_full(s))
		return false;
	k->weight = atomic_load_explicit(&s->row->weight, memory_order_relaxed);
	if (k->weight == 0)	/* a last resort, which the caller allows */
		k->weight = 1;
	k->ramp = ramp(since);
	k->inflight = 0;
	for (uint32_t slot = table_next_live(t, 1); slot < t->max_workers; slot = table_next_live(t, slot + 1)) {
		learn_add_waiting(&table_learn(t, slot)[row], &waiting);
		k->inflight += atomic_load_explicit(&table_inflight(t, slot)[row], memory_order_relaxed);
	}
	/* Where there was silence, its end is news: between an end seen at once and a lesson seen later the server
	 * would look idle and fast. */
	if (now - s->known_ns >= FRESH_NS || s->silent) {
		s->known = (struct learned){ 0 };
		for (uint32_t slot = table_next_live(t, 0); slot < t->max_workers; slot = table_next_live(t, slot + 1))
			learn_add_past(&table_learn(t, slot)[row], now, since, &s->known);
		s->known_ns = now;
	}
	k->learned = s->known;
	learn_summed(&waiting, now, &k->learned);
	s->silent = k->learned.silent_us * k->learned.answers > SILENT * k->learned.sum_us;
	return true;
}
