/* Drawing by lot. */
#include "balance/lots.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Each lot has one n-th of all chances. A server with less than that shares its lot with one that has more, which
 * loses so much and may then be one with less.
 */
struct lots *lots_build(const uint32_t *weight, uint32_t n)
{
	uint64_t total = 0, *share = malloc((n + 1) * sizeof *share);	/* times n / total: of a lot */
	uint32_t *todo = malloc((n + 1) * sizeof *todo), less = 0, more = n;	/* todo[0..less) and todo[more..n) */
	struct lots *l = malloc(sizeof *l + n * sizeof l->lot[0]);

	if (!share || !todo || !l)
		goto fail;
	for (uint32_t i = 0; i < n; i++)
		total += weight[i];
	if (total == 0) {
		errno = ENOENT;
		goto fail;
	}
	l->n = n;
	for (uint32_t i = 0; i < n; i++) {
		share[i] = (uint64_t)weight[i] * n;
		l->lot[i] = (struct lot){ .own = UINT32_MAX, .other = i };
		if (share[i] < total)
			todo[less++] = i;
		else
			todo[--more] = i;
	}
	while (less > 0 && more < n) {
		uint32_t poor = todo[--less], rich = todo[more];

		l->lot[poor] = (struct lot){ .own = (uint32_t)((share[poor] << 32) / total), .other = rich };
		share[rich] -= total - share[poor];
		if (share[rich] < total) {
			more++;
			todo[less++] = rich;
		}
	}
	free(share);
	free(todo);
	return l;
fail:
	free(share);
	free(todo);
	free(l);
	return NULL;
}

void lots_free(struct lots *l)
{
	free(l);
}
