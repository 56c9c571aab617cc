/* Names that have been given: open addressing, at most half full. */
#include "conf/names.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. */
static uint32_t names_hash(uint32_t scope, const char *name)
{
	uint32_t h = (UINT32_C(2166136261) ^ scope) * UINT32_C(16777619);

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT32_C(16777619);
	return h ^ h >> 15;
}

/* The slot that has the name, or the free one where it belongs. */
static struct names_slot *names_find(const struct names *n, uint32_t scope, const char *name)
{
	uint32_t i = names_hash(scope, name);

	for (;; i++) {
		struct names_slot *s = &n->slot[i & (n->size - 1)];
		if (!s->name || (s->scope == scope && strcmp(s->name, name) == 0))
			return s;
	}
}

static int names_grow(struct names *n)
{
	struct names bigger = { .size = n->size ? 2 * n->size : 64, .used = n->used };
	uint32_t i;

	bigger.slot = calloc(bigger.size, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -1;
	for (i = 0; i < n->size; i++)
		if (n->slot[i].name)
			*names_find(&bigger, n->slot[i].scope, n->slot[i].name) = n->slot[i];
	free(n->slot);
	*n = bigger;
	return 0;
}

long names_add(struct names *n, uint32_t scope, const char *name, unsigned line)
{
	struct names_slot *s;

	if (n->used >= n->size / 2 && names_grow(n) < 0)
		return -1;
	s = names_find(n, scope, name);
	if (s->name)
		return (long)s->line;
	*s = (struct names_slot){ .name = name, .scope = scope, .line = line };
	n->used++;
	return 0;
}

void names_free(struct names *n)
{
	free(n->slot);
	*n = (struct names){ 0 };
}
