/*
 * round-robin: smooth, weighted, over all workers together.
 *
 * No state of its own: a server's turns stand in the shared table, so every worker continues the
 * same sequence. turns / weight is a server's own time; each request goes to the server whose next
 * turn would end first, (turns + 1) / weight, among those that would not get ahead of their exact
 * share of all requests so far, this one included. Ties go by order.
 *
 * Without that second condition a server of weight 100 beside a hundred of weight 1 would get its
 * hundred requests in one burst; with it nobody is ever a whole request away from its share
 * (Balinski and Young's quota method). There is always somebody to choose: the turns add up to
 * total, the exact shares of the next request to total + 1.
 *
 * Turns that do not start equal are made equal by this rule: who is behind is chosen until it is
 * not. The health process sets where a server joins (shm_health.join), so that this lasts a moment.
 *
 * In a large pool each worker takes its turns alone: strides.h.
 */
#include "balance/balance.h"

/* Beside the first server's time: the numbers themselves grow beyond what a float tells apart. */
static float figure(const struct balance_view *v, uint32_t i)
{
	double own = ((double)v->turns[i] + 1) / v->weight[i], first = ((double)v->turns[0] + 1) / (v->weight[0] ? v->weight[0] : 1);

	return (float)(own - first);
}

static int pick(const struct balance_view *v)
{
	unsigned __int128 turns = 0;		/* 64 bits each of 2^14 servers */
	uint64_t weights = 0;
	int best = -1;

	for (uint32_t i = 0; i < v->n; i++) {
		if (balance_usable(v, i)) {
			turns += v->turns[i];
			weights += v->weight[i];
		}
	}
	for (uint32_t i = 0; i < v->n; i++) {
		if (!balance_usable(v, i))
			continue;
		if ((unsigned __int128)v->turns[i] * weights >= (turns + 1) * v->weight[i])
			continue;
		if (best < 0 || ((unsigned __int128)v->turns[i] + 1) * v->weight[best] < ((unsigned __int128)v->turns[best] + 1) * v->weight[i])
			best = (int)i;
	}
	return v->told ? balance_tell_all(v, best, figure) : best;
}

const struct balance_algorithm balance_round_robin = {
	.name = "round-robin",
	.needs = BALANCE_TURNS,
	.rule = SHM_RULE_ROUND_ROBIN,
	.pick = pick,
};
