/* Generations: places for workers. */
#include "supervisor/generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/channel.h"
#include "supervisor/custody.h"
#include "supervisor/logs.h"

unsigned generation_free_slots(const struct supervisor *s)
{
	unsigned n = 0;
	uint32_t i;

	for (i = 1; i < s->table.max_workers; i++)
		n += !s->slot_used[i];
	return n;
}

/* A slot's row begins anew; nobody else writes it while no worker has it. */
static void generation_clear_row(struct shm_worker *row)
{
	memset((void *)row, 0, sizeof(*row));
}

struct generation *generation_new(struct supervisor *s, struct conf *conf, uint32_t number)
{
	struct generation *g;
	uint32_t slot = 0;
	unsigned i;

	if (generation_free_slots(s) < conf->workers) {
		errno = ENOSPC;
		return NULL;
	}
	g = calloc(1, sizeof(*g) + conf->workers * sizeof(g->worker[0]));
	if (!g)
		return NULL;
	g->s = s;
	g->number = number;
	g->state = GENERATION_STARTING;
	for (i = 0; i < conf->workers; i++) {
		struct worker *w = &g->worker[i];

		w->gen = g;
		if (channel_open(w) < 0)
			goto fail;
		do
			slot++;
		while (s->slot_used[slot]);
		w->slot = slot;
		s->slot_used[slot] = true;
		g->nworkers++;
		generation_clear_row(&s->table.worker[slot]);
		atomic_store_explicit(&s->table.worker[slot].generation, number, memory_order_relaxed);
		if (conf->custody)
			custody_open(w);
	}
	g->conf = conf;
	return g;
fail:
	generation_free(g);
	return NULL;
}

/* What a worker counted in its own row is kept in row 0, so that totals never go back. */
static void generation_keep_totals(struct supervisor *s, uint32_t slot)
{
	struct shm_worker *from = &s->table.worker[slot], *to = &s->table.worker[0];

	table_add(&to->received, atomic_load_explicit(&from->received, memory_order_relaxed));
	table_add(&to->requests, atomic_load_explicit(&from->requests, memory_order_relaxed));
	table_add(&to->refused, atomic_load_explicit(&from->refused, memory_order_relaxed));
	table_add(&to->log_dropped, atomic_load_explicit(&from->log_dropped, memory_order_relaxed));
	table_add(&to->busy_ns, atomic_load_explicit(&from->busy_ns, memory_order_relaxed));
	table_add(&to->handed, atomic_load_explicit(&from->handed, memory_order_relaxed));
	table_add32(&to->restarts, atomic_load_explicit(&from->restarts, memory_order_relaxed));
}

void generation_release(struct worker *w)
{
	struct supervisor *s = w->gen->s;

	channel_close(w);
	custody_close(w);
	timer_cancel(&s->loop.wheel, &w->back_off.timer);
	if (w->slot && s->slot_used[w->slot]) {
		generation_keep_totals(s, w->slot);
		generation_clear_row(&s->table.worker[w->slot]);
		s->slot_used[w->slot] = false;
		w->slot = 0;
	}
}

void generation_free(struct generation *g)
{
	unsigned i;

	for (i = 0; i < g->nworkers; i++)
		generation_release(&g->worker[i]);
	timer_cancel(&g->s->loop.wheel, &g->drain);
	logs_close(g->conf);
	conf_free(g->conf);
	free(g->translation);
	free(g);
}
