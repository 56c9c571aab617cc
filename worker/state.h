/*
 * What one worker knows: a single instance, `worker`, filled by worker_main() and used by all files
 * of this folder. Runs in worker processes only, unprivileged.
 */
#ifndef WORKER_STATE_H
#define WORKER_STATE_H

#include "balance/budget.h"
#include "balance/learn.h"
#include "balance/quantile.h"
#include "conf/conf.h"
#include "ipc/table.h"
#include "os/loop.h"

struct exchange;
struct lots;
struct maglev;
struct session;
struct strides;
struct upstream;
struct balance_algorithm;
struct book;

/* A server as this worker sees it. */
struct server {
	const struct conf_server *conf;
	struct pool *pool;
	struct shm_server *row;
	struct shm_health *health;
	_Atomic uint32_t *inflight;	/* our cells of the table */
	_Atomic uint32_t *passive;
	_Atomic uint64_t *dispatched;
	struct shm_load *cell;
	struct shm_learn *learn;	/* balance adaptive: learning.c */
	struct learned known;		/* all workers' past, as of known_ns */
	uint64_t known_ns;
	bool silent;			/* when it was looked at last, requests waited and nothing was answered */
	struct upstream *idle;		/* kept connections, most recently used first */
	unsigned nidle;
	uint32_t moved[2];		/* in inflight, though others have them: queue_hold(); of this half second, of the last */
	uint64_t cookie;		/* what a sticky cookie names it by */
	uint64_t key;			/* what balance hash knows it by */
	uint32_t named_for;		/* a place of a discovery: shm_health.addr_seq of who these two are */
	uint32_t down_gen;		/* our own finding "down" stands while health->gen is this ... */
	bool down;			/* ... and this is set */
};

struct pool {
	const struct conf_pool *conf;
	const struct balance_algorithm *balance;
	struct shm_pool *row;
	struct server *server;		/* [conf->nservers] */
	uint64_t woken_target;		/* round_target for which we have woken health already */
	struct budget budget;		/* of retries and hedges */
	struct quantile late;		/* hedge.c */

	/* choose.c: looked at anew every CHOOSE_LOOK_NS. */
	uint64_t looked_ns;
	uint64_t usable_weight;		/* of its servers */
	bool limited;			/* some server has a maxconn */
	bool ejected;			/* some server is ejected */
	struct lots *lots;		/* a large pool with weights, or with servers that are out; NULL: all alike */
	struct strides *strides;	/* balance round-robin, a large pool */
	uint64_t lots_weights;		/* hash of the weights that lots was built for */
	struct maglev *maglev;		/* balance hash; NULL otherwise */
	uint64_t maglev_weights;	/* hash of the weights that it was built for */

	/* queue.c: those who wait, first come first. */
	struct shm_queue *line;		/* our cell of the table */
	struct exchange *waiting, **waiting_end;
	uint64_t stuck, stuck_ns;	/* another worker's ticket that did not move when there was room, since then */
	uint64_t low_ns;		/* when the line was empty last, or somebody had to wait for less than queue-target */
	bool shedding;			/* that was longer ago than queue-interval */
	bool queue_due;
};

struct worker_state {
	struct loop loop;
	const struct conf *conf;
	struct table *table;
	struct shm_worker *row;
	struct pool *pool;		/* [conf->npools] */
	unsigned sessions;		/* how many there are */
	unsigned runnable;		/* those of them that gave way to others and go on in the next turn */
	uint64_t rng;			/* see balance_draw() */
	uint32_t slot, generation;
	struct book *book;	/* NULL: no custody */
	int channel, health_wake;
	const int *wake;		/* eventfd of each slot, [table->max_workers]; 0 is the supervisor's; -1: none */
	bool channel_full;		/* a message did not fit; when the channel takes more, session_sweep() */
	bool retiring;			/* hand back what is idle, finish the rest, exit */
	bool stopping;			/* close what is idle, finish the rest, exit */
};

extern struct worker_state worker;

/* A place of a discovery may have another server now: who that is, for cookies and hashes. */
void state_name_server(struct server *s);
static inline bool state_is_backup(const struct server *s)
{
	return s->conf->discover ? atomic_load_explicit(&s->row->backup, memory_order_relaxed) != 0 : s->conf->backup;
}
/* Builds pools and servers from the configuration; start-up only. */
void state_init(void);

static inline uint64_t state_now(void) { return worker.loop.now_ns; }

#endif
