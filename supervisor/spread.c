/* Sharing a round of connections among workers. Supervisor; pure. */
#include "supervisor/spread.h"

void spread_round(uint32_t workers, uint64_t *load, uint32_t connections, uint32_t slack, uint32_t turn,
		  uint32_t *give)
{
	uint32_t i;

	for (i = 0; i < workers; i++)
		give[i] = 0;
	while (workers && connections) {
		uint32_t least = turn % workers, n;
		uint64_t second = UINT64_MAX;	/* load of the next one */

		for (i = 0; i < workers; i++) {
			uint32_t at = (turn + i) % workers;

			if (load[at] < load[least])
				least = at;
		}
		for (i = 0; i < workers; i++) {
			if (i != least && load[i] < second)
				second = load[i];
		}
		n = connections;
		if (second - load[least] < n && second - load[least] + slack < n)
			n = (uint32_t)(second - load[least]) + slack;
		if (n == 0)	/* equals, and no slack */
			n = 1;
		give[least] += n;
		load[least] += n;
		connections -= n;
	}
}
