/*
 * The shared table: made, mapped, walked. Layout and writers: shm_stats.h.
 *
 * The supervisor calls table_create(); children inherit the mapping through fork; lbctl calls
 * table_open(), which maps read-only and trusts nothing that does not fit the object's size.
 */
#ifndef IPC_TABLE_H
#define IPC_TABLE_H

#include <stddef.h>
#include <sys/socket.h>

#include "shm_stats.h"

struct seen_slot;

/* Where the parts of a mapped table lie in this process. */
struct table {
	struct shm_instance *inst;
	struct shm_worker *worker;	/* [max_workers] */
	struct shm_pool *pool;		/* [max_pools] */
	struct shm_server *server;	/* [max_servers] */
	struct shm_health *health;	/* [max_servers] */
	struct shm_listener *listener;	/* [max_listeners] */
	struct shm_history *history;
	struct shm_past *past_pool;	/* [max_pools] */
	struct shm_past *past_server;	/* [history_servers] */
	struct shm_past *past_worker;	/* [max_workers] */
	struct shm_choices *choices;	/* [max_workers] */
	char *load;			/* columns; use the functions below */
	size_t load_stride;
	size_t inflight_offset, passive_offset, dispatched_offset, clients_offset, queue_offset, cell_offset, learn_offset;
	uint32_t max_workers, max_pools, max_servers, max_listeners, history_servers;
	size_t size;
	struct seen_slot *seen;		/* [max_workers], of the object beside it: ipc/seen.h. NULL: not mapped */
	void *seen_base;
	char name[SHM_NAME_MAX];	/* of the object, "/loadbalancer.PID" */
};

struct table_size {
	uint32_t workers;	/* slots, slot 0 included: 2..SHM_WORKERS_MAX */
	uint32_t pools;
	uint32_t servers;
	uint32_t listeners;
};

/* Creates and maps the object `name`, O_EXCL, mode 0644, zeroed but for the header. 0, or -1 with errno. */
int table_create(struct table *t, const char *name, const char *version, struct table_size size);
/* Maps an existing one read-only; EPROTO when it is not a table of this layout. 0, or -1 with errno. */
int table_open(struct table *t, const char *name);
/* The same to be written: for a supervisor that succeeds another one. */
int table_attach(struct table *t, const char *name);
/* Removes the name, and what lies beside it; mappings stay. 0, or -1 with errno. */
int table_unlink(const struct table *t);
int table_remove(const char *name);
void table_unmap(struct table *t);

static inline _Atomic uint32_t *table_inflight(const struct table *t, uint32_t slot)
{
	return (_Atomic uint32_t *)(void *)(t->load + slot * t->load_stride + t->inflight_offset);
}

static inline _Atomic uint32_t *table_passive(const struct table *t, uint32_t slot)
{
	return (_Atomic uint32_t *)(void *)(t->load + slot * t->load_stride + t->passive_offset);
}

static inline _Atomic uint64_t *table_dispatched(const struct table *t, uint32_t slot)
{
	return (_Atomic uint64_t *)(void *)(t->load + slot * t->load_stride + t->dispatched_offset);
}

static inline _Atomic uint32_t *table_clients(const struct table *t, uint32_t slot)
{
	return (_Atomic uint32_t *)(void *)(t->load + slot * t->load_stride + t->clients_offset);
}

static inline struct shm_queue *table_queue(const struct table *t, uint32_t slot)
{
	return (struct shm_queue *)(void *)(t->load + slot * t->load_stride + t->queue_offset);
}

static inline struct shm_load *table_cell(const struct table *t, uint32_t slot)
{
	return (struct shm_load *)(void *)(t->load + slot * t->load_stride + t->cell_offset);
}

static inline struct shm_learn *table_learn(const struct table *t, uint32_t slot)
{
	return (struct shm_learn *)(void *)(t->load + slot * t->load_stride + t->learn_offset);
}

/*
 * Walks the columns that count: for (slot = table_next_live(t, 0); slot < t->max_workers; slot =
 * table_next_live(t, slot + 1)). Column 0 comes first, always.
 */
uint32_t table_next_live(const struct table *t, uint32_t from);

/* Sums over all live columns. */
uint64_t table_sum_inflight(const struct table *t, uint32_t server);
uint64_t table_sum_passive(const struct table *t, uint32_t server);
uint64_t table_sum_dispatched(const struct table *t, uint32_t server);
uint64_t table_sum_clients(const struct table *t, uint32_t listener);
/* All live columns' figures for `pool` together; want: the lowest that is there. The caller owns *sum. */
void table_sum_queue(const struct table *t, uint32_t pool, struct shm_queue *sum);
/* Adds all live columns' cells for `server` into *sum (which the caller owns), without tearing a fold. */
void table_sum_cell(const struct table *t, uint32_t server, struct shm_load *sum);

/* Supervisor only: makes slot's column count (before the worker is forked). */
void table_live(struct table *t, uint32_t slot);
/* Supervisor only, after the worker has been reaped: adds its counters into column 0, clears its gauges and column. */
void table_fold(struct table *t, uint32_t slot);
/* Supervisor only: clears every column and the health row of a server row that gets a new owner. */
void table_clear_server(struct table *t, uint32_t server);
/* The same for a pool's and a listener's row. */
void table_clear_pool(struct table *t, uint32_t pool);
void table_clear_listener(struct table *t, uint32_t listener);

/* Copies the address of a server. Returns its size, 0 when there is none (yet). Never blocks: gives up
 * after a bounded number of attempts and returns 0 if the writer died in the middle. */
socklen_t table_address(const struct table *t, uint32_t server, struct sockaddr_storage *ss);
/* Health only (the supervisor before health exists). */
void table_set_address(struct table *t, uint32_t server, const struct sockaddr *sa, socklen_t size);

/* Bucket of shm_load.latency for a duration. */
unsigned table_latency_bucket(uint64_t ns);
/* Words for people. */
const char *table_outcome_text(uint32_t outcome);
const char *table_verdict_text(uint32_t verdict);
const char *table_eject_text(uint32_t reason);
const char *table_standing_text(uint32_t standing);
const char *table_rule_text(uint32_t rule);	/* one word, also for logs */
/* The words of enum shm_how that are set, each with a '+' before it; empty: none is. Returns buf. */
#define TABLE_HOW_MAX 96
char *table_how_text(char buf[static TABLE_HOW_MAX], uint32_t how);

/* The single writer's increment: no locked instruction, others only read. */
static inline void table_add(_Atomic uint64_t *word, uint64_t n)
{
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void table_add32(_Atomic uint32_t *word, uint32_t n)
{
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + n, memory_order_relaxed);
}

#endif
