/*
 * first: the first one of the configuration that has room, so that as few servers as possible are in use, and the last
 * ones can be switched off. What has its maxconn is not usable; without a maxconn the first one takes all.
 */
#include <stddef.h>

#include "balance/balance.h"

static int pick(const struct balance_view *v)
{
	int best = -1;

	for (uint32_t i = 0; i < v->n && best < 0; i++)
		if (balance_usable(v, i))
			best = (int)i;
	return v->told ? balance_tell_all(v, best, NULL) : best;
}

const struct balance_algorithm balance_first = {
	.name = "first",
	.needs = 0,
	.rule = SHM_RULE_FIRST,
	.pick = pick,
};
