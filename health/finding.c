/*
 * What workers found out about servers, from the words that each of them counts in its own column.
 */
#include "health/finding.h"

#include <stddef.h>

#include "health/round.h"

/*
 * One server: its count over all workers, and the reason that stands in a word that has changed.
 * Workers' words are count << 8 | enum shm_outcome.
 */
static uint64_t count_findings(struct round *r, uint32_t row, uint32_t index, enum shm_outcome *outcome)
{
	const struct table *t = r->table;
	uint64_t sum = 0;

	for (uint32_t slot = table_next_live(t, 0); slot < t->max_workers; slot = table_next_live(t, slot + 1)) {
		uint32_t word = atomic_load_explicit(&table_passive(t, slot)[row], memory_order_relaxed);
		uint32_t *seen = &r->seen[(size_t)slot * r->nservers + index];

		if (word != *seen && word)
			*outcome = (enum shm_outcome)(word & 0xff);
		*seen = word;
		sum += word >> 8;
	}
	return sum;
}

bool finding_look(struct round *r, finding_cb *found)
{
	struct shm_instance *inst = r->table->inst;
	uint32_t index = 0, seq = atomic_load_explicit(&inst->fold_seq, memory_order_acquire);

	if (seq & 1)
		return false;
	for (unsigned k = 0; k < r->conf->npools; k++) {
		for (unsigned i = 0; i < r->pool[k].conf->nservers; i++, index++) {
			struct round_server *s = &r->pool[k].server[i];
			enum shm_outcome outcome = SHM_OUT_NONE;
			uint64_t sum = count_findings(r, s->row, index, &outcome);

			atomic_thread_fence(memory_order_acquire);
			if (atomic_load_explicit(&inst->fold_seq, memory_order_relaxed) != seq)
				return false;
			if (sum == s->findings)
				continue;
			s->findings = sum;
			if (outcome < SHM_OUT_WORKER_REFUSED || outcome >= SHM_OUT_COUNT)
				outcome = SHM_OUT_WORKER_RESET;
			if (found)
				found(s, outcome);
		}
	}
	return true;
}
