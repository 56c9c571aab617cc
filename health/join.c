/*
 * Where a server joins.
 */
#include "health/join.h"

int join_highest(const struct join_server *s, uint32_t n, uint32_t except)
{
	int best = -1;

	for (uint32_t i = 0; i < n; i++) {
		if (i == except || !s[i].counts)
			continue;
		if (best < 0 || (unsigned __int128)s[i].turns * s[best].weight > (unsigned __int128)s[best].turns * s[i].weight)
			best = (int)i;
	}
	return best;
}

uint64_t join_at_level(const struct join_server *of, uint32_t weight)
{
	unsigned __int128 turns = (unsigned __int128)of->turns * weight / of->weight;

	return turns > UINT64_MAX ? UINT64_MAX : (uint64_t)turns;
}

uint64_t join_turns(const struct join_server *s, uint32_t n, uint32_t who)
{
	int best = join_highest(s, n, who);
	uint64_t turns = best < 0 ? 0 : join_at_level(&s[best], s[who].weight);

	return turns > s[who].turns ? turns : s[who].turns;
}
