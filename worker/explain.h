/*
 * Telling why: a few of the choices are written down with their candidates, for people who ask (lbctl why).
 *
 * Not every choice, or looking would cost as much as choosing: in each EXPLAIN_NS the first ordinary one,
 * and the first special one (enum shm_how). So below 1 / EXPLAIN_NS a second every choice is told.
 */
#ifndef WORKER_EXPLAIN_H
#define WORKER_EXPLAIN_H

#include "balance/balance.h"
#include "worker/choose.h"

#define EXPLAIN_NS (50 * CONF_MS)

extern uint64_t explain_next_ns[2];	/* of an ordinary, of a special choice */

/* Whether a choice of this kind is to be told now. */
static inline bool explain_due(uint16_t how)
{
	return state_now() >= explain_next_ns[how != 0];
}

/* Writes it down, and says in *c where: s was chosen, and is counted as in flight already. told: what the algorithm said; may be empty. */
void explain_choice(struct pool *p, const struct server *s, const struct ask *ask, struct choice *c,
    const struct balance_told *told);

#endif
