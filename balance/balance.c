/*
 * The list of algorithms, finding one by its name, and what they say when somebody asks why.
 */
#include <stddef.h>
#include <string.h>

#include "balance/balance.h"

const struct balance_algorithm *const balance_all[] = {
	&balance_least_requests,
	&balance_least_connections,
	&balance_round_robin,
	&balance_random,
	&balance_hash,
	&balance_adaptive,
	&balance_first,
	NULL,
};

const struct balance_algorithm *balance_find(const char *name)
{
	for (const struct balance_algorithm *const *a = balance_all; *a; a++)
		if (strcmp((*a)->name, name) == 0)
			return *a;
	return NULL;
}

void balance_tell(struct balance_told *t, uint32_t i, float figure, const struct balance_look *k)
{
	uint32_t at = t->n;

	t->compared++;
	while (at > 0 && t->of[at - 1].figure > figure)
		at--;
	if (at == BALANCE_TOLD)
		return;
	if (t->n < BALANCE_TOLD)
		t->n++;
	memmove(&t->of[at + 1], &t->of[at], (t->n - 1 - at) * sizeof t->of[0]);
	t->of[at] = (struct balance_said){ .i = i, .figure = figure };
	if (k)
		t->of[at].look = *k;
}

int balance_tell_all(const struct balance_view *v, int best, float (*figure)(const struct balance_view *v, uint32_t i))
{
	struct balance_told *t = v->told;

	for (uint32_t i = 0; i < v->n; i++)
		if (balance_usable(v, i) && (int)i != best)
			balance_tell(t, i, figure ? figure(v, i) : 0, NULL);
	if (best < 0)
		return best;
	/* Where something forbids the lowest one, another was chosen: it must not fall off the end. */
	t->compared++;
	if (t->n < BALANCE_TOLD)
		t->n++;
	memmove(&t->of[1], &t->of[0], (t->n - 1) * sizeof t->of[0]);
	t->of[0] = (struct balance_said){ .i = (uint32_t)best, .figure = figure ? figure(v, (uint32_t)best) : 0 };
	return best;
}
