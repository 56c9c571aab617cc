/*
 * The list of algorithms, and finding one by its name.
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
	NULL,
};

const struct balance_algorithm *balance_find(const char *name)
{
	for (const struct balance_algorithm *const *a = balance_all; *a; a++)
		if (strcmp((*a)->name, name) == 0)
			return *a;
	return NULL;
}
