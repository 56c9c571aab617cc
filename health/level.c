/*
 * Keeping the servers of a pool level, by what the table says of them and join.h computes.
 */
#include "health/level.h"

#include "health/join.h"
#include "health/publish.h"
#include "health/round.h"

static void gather(struct round_pool *p)
{
	for (unsigned i = 0; i < p->conf->nservers; i++) {
		struct round_server *s = &p->server[i];

		p->join[i].turns = publish_turns(p->of->table, s->row);
		p->join[i].weight = s->weight;
		p->join[i].counts = s->verdict.now == SHM_UP && !s->maint;
	}
}

static void set_turns(struct round_server *s, uint64_t turns)
{
	publish_join(s->pool->of->table, s->row, turns, s->weight, s->pool->conf->check.kind != CONF_CHECK_SEED);
}

void level_start(struct round_pool *p)
{
	for (unsigned i = 0; i < p->conf->nservers; i++)
		set_turns(&p->server[i], JOIN_START * p->server[i].weight);
}

void level_join(struct round_server *s)
{
	struct round_pool *p = s->pool;
	uint32_t i = (uint32_t)(s - p->server);

	gather(p);
	set_turns(s, join_turns(p->join, p->conf->nservers, i));
}

void level_lift(struct round_pool *p)
{
	int best;

	gather(p);
	best = join_highest(p->join, p->conf->nservers, UINT32_MAX);
	if (best < 0)
		return;
	for (unsigned i = 0; i < p->conf->nservers; i++) {
		uint64_t want = join_at_level(&p->join[best], p->join[i].weight);

		if (p->join[i].counts && want > p->join[i].turns && want - p->join[i].turns > JOIN_LAG * p->join[i].weight)
			set_turns(&p->server[i], want);
	}
}
