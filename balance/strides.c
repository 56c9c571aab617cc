/* Turns by weight. */
#include "balance/strides.h"

#include <stdlib.h>

#include "balance/balance.h"

#define STRIDE (UINT64_C(1) << 20)	/* of weight 1: `due` has room for 2^44 of them */

/* The one at `at` is due too late for its place, perhaps. */
static void sink(struct strides *s, uint32_t at)
{
	struct stride moved = s->heap[at];

	for (uint32_t child; (child = 2 * at + 1) < s->n; at = child) {
		if (child + 1 < s->n && s->heap[child + 1].due < s->heap[child].due)
			child++;
		if (s->heap[child].due >= moved.due)
			break;
		s->heap[at] = s->heap[child];
	}
	s->heap[at] = moved;
}

struct strides *strides_build(const uint32_t *weight, uint32_t n, uint64_t *rng)
{
	struct strides *s = malloc(sizeof *s + n * sizeof s->heap[0]);

	if (s == NULL)
		return NULL;
	s->n = n;
	for (uint32_t i = 0; i < n; i++)
		s->heap[i] = (struct stride){ .due = balance_below(rng, STRIDE / (weight[i] ? weight[i] : 1)), .i = i };
	for (uint32_t i = n / 2; i-- > 0;)
		sink(s, i);
	return s;
}

void strides_free(struct strides *s)
{
	free(s);
}

void strides_step(struct strides *s, uint32_t weight)
{
	s->heap[0].due += STRIDE / (weight ? weight : 1);
	sink(s, 0);
}
