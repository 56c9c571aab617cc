/*
 * A hierarchical timer wheel. Level 0 has a place for each of the next 64 ticks, level 1 for each of
 * the next 64 groups of 64 ticks, and so on. When time enters a group, what lies in it is filed anew,
 * lower down. A bitmap a level says which places are used, so neither an idle wheel nor a jump over
 * hours costs anything.
 */
#include "os/timer.h"

#include <stddef.h>
#include <string.h>

#define PLACES (UINT64_C(1) << TIMER_BITS)
#define MASK (PLACES - 1)
#define AHEAD ((UINT64_C(1) << (TIMER_LEVELS * TIMER_BITS)) - 1)	/* ticks that the wheel holds; as many bits as struct timer's filed */

static uint64_t tick_at_or_after(uint64_t ns)
{
	return ns / TIMER_TICK_NS + (ns % TIMER_TICK_NS != 0);
}

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns)
{
	memset(w, 0, sizeof *w);
	w->tick = now_ns / TIMER_TICK_NS;
}

/* tick >= w->tick; equal only while that very tick is being run. */
static void file(struct timer_wheel *w, struct timer *t, uint64_t tick)
{
	uint64_t delta = tick - w->tick;
	unsigned level = 0;
	if (delta > AHEAD) {	/* beyond the wheel: as late as it can hold */
		delta = AHEAD;
		tick = w->tick + AHEAD;
	}
	while (delta >= PLACES << (level * TIMER_BITS))
		level++;
	unsigned place = (unsigned)((tick >> (level * TIMER_BITS)) & MASK);
	struct timer **head = &w->place[level][place];
	t->filed = tick & AHEAD;
	t->next = *head;
	t->prev = head;
	if (t->next)
		t->next->prev = &t->next;
	*head = t;
	w->used[level] |= UINT64_C(1) << place;
}

static void unfile(struct timer_wheel *w, struct timer *t)
{
	struct timer **first = &w->place[0][0];
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	else if (t->prev >= first && t->prev < first + TIMER_LEVELS * PLACES) {
		size_t n = (size_t)(t->prev - first);	/* it was alone: the place is empty now */
		w->used[n / PLACES] &= ~(UINT64_C(1) << (n % PLACES));
	}
	t->prev = NULL;
	t->next = NULL;
}

/* The tick under which an armed timer lies: it is not behind, and not further ahead than the wheel goes. */
static uint64_t filed(const struct timer_wheel *w, const struct timer *t)
{
	return w->tick + ((t->filed - w->tick) & AHEAD);
}

void timer_set(struct timer_wheel *w, struct timer *t, uint64_t deadline_ns)
{
	uint64_t tick = tick_at_or_after(deadline_ns);
	if (tick <= w->tick)
		tick = w->tick + 1;
	if (tick > TIMER_LATEST)
		tick = TIMER_LATEST;
	t->deadline = tick & TIMER_LATEST;
	if (t->prev) {
		if (tick >= filed(w, t))
			return;
		unfile(w, t);
	}
	file(w, t, tick);
}

void timer_cancel(struct timer_wheel *w, struct timer *t)
{
	if (t->prev)
		unfile(w, t);
}

/* The next tick at which a place has to be run or filed anew; UINT64_MAX: none. */
static uint64_t next_tick(const struct timer_wheel *w)
{
	uint64_t best = UINT64_MAX;
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		uint64_t used = w->used[level];
		if (used == 0)
			continue;
		uint64_t base = w->tick >> (level * TIMER_BITS);
		unsigned turn = (unsigned)((base + 1) & MASK);	/* rotate so that bit 0 is the next place */
		uint64_t ahead = turn ? used >> turn | used << (PLACES - turn) : used;
		uint64_t tick = (base + 1 + (unsigned)__builtin_ctzll(ahead)) << (level * TIMER_BITS);
		if (tick < best)
			best = tick;
	}
	return best;
}

uint64_t timer_next_ns(const struct timer_wheel *w)
{
	uint64_t tick = next_tick(w);
	return tick == UINT64_MAX ? UINT64_MAX : tick * TIMER_TICK_NS;
}

/* Empties a place into a list of its own, so that callbacks may arm and cancel what they like. */
static struct timer *take(struct timer_wheel *w, unsigned level, unsigned place, struct timer **list)
{
	*list = w->place[level][place];
	w->place[level][place] = NULL;
	w->used[level] &= ~(UINT64_C(1) << place);
	if (*list)
		(*list)->prev = list;
	return *list;
}

void timer_run(struct timer_wheel *w, uint64_t now_ns)
{
	uint64_t now_tick = now_ns / TIMER_TICK_NS, tick;
	struct timer *list, *t;

	while ((tick = next_tick(w)) <= now_tick) {
		w->tick = tick;
		for (unsigned level = TIMER_LEVELS - 1; level > 0; level--) {
			unsigned shift = level * TIMER_BITS;
			if (tick & ((UINT64_C(1) << shift) - 1))
				continue;
			take(w, level, (unsigned)((tick >> shift) & MASK), &list);
			while ((t = list) != NULL) {
				unfile(w, t);
				file(w, t, filed(w, t));
			}
		}
		take(w, 0, (unsigned)(tick & MASK), &list);
		while ((t = list) != NULL) {
			unfile(w, t);
			if (t->deadline > tick)	/* was moved later since it was filed */
				file(w, t, t->deadline);
			else
				t->cb(t);
		}
	}
	if (now_tick > w->tick)
		w->tick = now_tick;
}
