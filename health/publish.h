/*
 * The health process's rows of the shared table: the only code that writes them (addresses apart,
 * which table_set_address() writes).
 */
#ifndef HEALTH_PUBLISH_H
#define HEALTH_PUBLISH_H

#include <stdbool.h>

#include "health/verdict.h"
#include "ipc/table.h"

/* Dispatched to a server, ever, over all workers; not torn by a column that is being folded. */
uint64_t publish_dispatched(const struct table *t, uint32_t row);
/* The same less what is in flight: what the server can have in its own log by now. */
uint64_t publish_finished(const struct table *t, uint32_t row);

/* The verdict that stands in the row, for a process that starts on rows already known. */
void publish_recall(const struct table *t, uint32_t row, struct verdict *v);

struct publish_news {
	const struct verdict *verdict;	/* as it is now */
	enum shm_outcome outcome;	/* of the probe or the finding */
	bool probed;			/* false: a finding, or a decision without a probe */
	unsigned status;		/* HTTP; 0: none */
	uint64_t latency_ns;
	bool figures;			/* entries, errors and base are known */
	uint64_t entries, errors, base;
	uint64_t now_ns;
};

/* Everything first, the row's generation last. */
void publish_row(struct table *t, uint32_t row, const struct publish_news *n);

/* The server is taken out until then; 0: it is taken back, and starts slowly as one that has just come up. */
void publish_eject(struct table *t, uint32_t row, uint64_t until_ns, uint32_t reason, uint64_t now_ns);

/* Turns that round-robin sees: dispatched plus join. */
uint64_t publish_turns(const struct table *t, uint32_t row);
/*
 * Sets join so that the server has so many turns. credit: the server reports no entries, so that
 * least-requests counts its turns instead (from JOIN_START up).
 */
void publish_join(struct table *t, uint32_t row, uint64_t turns, uint32_t weight, bool credit);

/* Dispatched total at which workers wake us; UINT64_MAX: never. */
void publish_target(struct table *t, uint32_t pool, uint64_t target);
void publish_round(struct table *t, uint32_t pool);
/* Since when a name of the pool cannot be looked up; 0: all can. */
void publish_unresolved(struct table *t, uint32_t pool, uint64_t since_ns);

#endif
