/* How often the log says the same. */
#include "os/throttle.h"

#include <stddef.h>

static void look_ahead(struct throttle *t)
{
	t->due_ns = UINT64_MAX;
	for (unsigned i = 0; i < THROTTLE_KINDS; i++)
		if (t->kind[i].key && t->kind[i].held && t->kind[i].until_ns < t->due_ns)
			t->due_ns = t->kind[i].until_ns;
}

/* Its place: its own, a free one, or one of a kind that has been quiet. */
static struct throttle_kind *place(struct throttle *t, const void *key, uint64_t now_ns)
{
	struct throttle_kind *spare = NULL;

	for (unsigned i = 0; i < THROTTLE_KINDS; i++) {
		struct throttle_kind *k = &t->kind[i];

		if (k->key == key)
			return k;
		if (spare == NULL && (k->key == NULL || (k->held == 0 && now_ns >= k->until_ns)))
			spare = k;
	}
	if (spare)
		*spare = (struct throttle_kind){ .key = key };
	return spare;
}

struct throttle_kind *throttle_hold(struct throttle *t, const void *key, uint64_t now_ns)
{
	struct throttle_kind *k = t->burst ? place(t, key, now_ns) : NULL;

	if (k == NULL)
		return NULL;
	if (now_ns >= k->until_ns && k->held == 0) {
		k->until_ns = now_ns + THROTTLE_NS;
		k->passed = 0;
	}
	if (k->passed < t->burst) {
		k->passed++;
		return NULL;
	}
	if (k->held++ == 0 && (t->holding++ == 0 || k->until_ns < t->due_ns))
		t->due_ns = k->until_ns;
	return k;
}

const struct throttle_kind *throttle_due(struct throttle *t, uint64_t now_ns, unsigned *held)
{
	if (t->holding == 0 || now_ns < t->due_ns)	/* due_ns is UINT64_MAX only when nothing is held */
		return NULL;
	for (unsigned i = 0; i < THROTTLE_KINDS; i++) {
		struct throttle_kind *k = &t->kind[i];

		if (k->key == NULL || k->held == 0 || now_ns < k->until_ns)
			continue;
		*held = k->held;
		k->held = k->passed = 0;
		k->until_ns = now_ns < UINT64_MAX - THROTTLE_NS ? now_ns + THROTTLE_NS : UINT64_MAX;
		t->holding--;
		look_ahead(t);
		return k;
	}
	return NULL;
}
