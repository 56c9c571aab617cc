/*
 * A look at the table: everything that is shown, copied out at one moment as plain numbers, with names
 * that are safe to print and indices that are safe to follow.
 *
 * What the table says is believed as a figure, never as a place in memory: a supervisor may have died
 * in the middle of a sentence.
 */
#ifndef IPC_VIEW_H
#define IPC_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/table.h"
#include "os/sock.h"

#define VIEW_NAME_MAX	(4 * SHM_NAME_MAX)	/* a name in which every byte had to be written as \xNN */
#define VIEW_FULL_MAX	(2 * VIEW_NAME_MAX)	/* "pool/server" */

/* shm_load as plain words, in the same order. */
struct view_load {
	uint64_t responses[6], connects, reuses, connect_failures, timeouts, resets, cuts, invalid, retries,
	    client_aborts, bytes_to_server, bytes_from_server, latency_sum_ns, latency_ewma_ns;
	uint64_t latency[SHM_LATENCY_BUCKETS];
};

/* What the table's history has of the last seconds. */
struct view_recent {
	unsigned seconds;		/* so many; 0: it has nothing of them */
	double rate, error_rate;	/* a second */
	uint64_t p50_ns, p90_ns, p99_ns;
};

struct view_server {
	char name[VIEW_NAME_MAX];
	uint32_t row, pool;		/* pool: index in view.pool */
	bool leaving;			/* only an older generation has it, or its name not any more: no new requests come */
	uint32_t weight, weight_conf, weight_set, admin, maxconn, maxconn_least, limit, backup;	/* limit: what holds now; 0: none */
	uint64_t added_ns, admin_ns;
	uint32_t verdict, outcome, status, in_a_row, down_outcome;
	uint32_t eject_reason;		/* enum shm_eject; 0: it is not taken out now */
	uint64_t ejected_ns, ejected_until_ns;	/* since when and until when it is; 0 */
	uint32_t ejections;
	uint64_t since_ns, probed_ns, probe_latency_ns, probes, probes_failed, down_ns, entries, errors_reported;
	char address[SOCK_TEXT_MAX];	/* empty: its name has not resolved */
	uint64_t inflight, dispatched, passive;
	struct view_load load;
	/* view_compare() */
	bool compared;
	double rate, error_rate;	/* a second */
	struct view_load lately;	/* differences; only counters */
	struct view_recent recent;
};

struct view_pool {
	char name[VIEW_NAME_MAX];
	uint32_t row;
	uint32_t check, balance;	/* as in shm_pool */
	bool leaving;
	uint64_t rounds;
	uint64_t unresolved_ns;		/* since when a name of its discoveries cannot be looked up; 0: all can */
	uint64_t unresolved_for_ns;	/* the same as a duration */
	uint64_t places, empty;		/* of discoveries; those that no server holds are not among the servers */
	unsigned first, n;		/* its servers in view.server */
	unsigned up;			/* servers that would be chosen */
	uint64_t inflight;
	/* shm_queue */
	uint64_t waiting, queued, queue_refused, queue_timeouts, queue_wait_ns, shed, retries, retries_refused;
	uint64_t late_ns, hedges, hedges_won, hedges_refused;
	struct view_load load;
	double rate, error_rate;
	struct view_load lately;
	struct view_recent recent;
};

struct view_listener {
	char name[VIEW_NAME_MAX];
	uint32_t row;
	bool leaving;
	uint32_t max_connections;	/* UINT32_MAX: no limit */
	uint32_t limited;
	uint64_t accepted, clients;
	double rate;			/* of connections */
};

struct view_worker {
	char process_state;		/* view_processes(): as in /proc/PID/stat; 0: not known */
	uint32_t slot, pid, generation, state, restarts;
	uint64_t started_ns, handed, received, busy_since_ns, requests, refused, loop_lag_ns, log_dropped;
	uint64_t busy_ns, cpu_ns;	/* cpu_ns: of the process, 0: not known */
	uint64_t inflight;		/* requests that it has with servers */
	uint32_t active, idle_upstreams;
	double rate;
};

struct view {
	char version[VIEW_NAME_MAX], instance[VIEW_NAME_MAX], control[4 * SHM_PATH_MAX];
	uint64_t now_ns;		/* CLOCK_MONOTONIC of the look */
	int64_t real_offset_s;		/* CLOCK_REALTIME less CLOCK_MONOTONIC */
	int64_t real_offset_ns;		/* the same, exactly */
	uint32_t generation, supervisor_pid, health_pid;
	char supervisor_state;		/* as in /proc/PID/stat; 0: there is no such process */
	bool recall;			/* set before a look: `recent` is wanted too */
	bool inside;			/* set by a process of the instance before its look: it reads no files, and does not
					 * learn of a supervisor that is stopped */
	uint64_t supervisor_cpu_ns, health_cpu_ns;
	/* All workers there ever were. */
	uint64_t requests, refused, log_dropped, restarts;
	uint64_t clients;		/* connections held */
	uint64_t started_ns, started_real_s, reloaded_real_s, accepted, limited_times, rescued, cut;
	uint32_t copies;
	uint32_t max_connections;	/* of all listeners; UINT32_MAX: no limit */
	double accept_rate, rate, error_rate;
	bool compared;
	struct view_server *server;	/* by pool, then by row */
	struct view_pool *pool;
	struct view_worker *worker;	/* those that are there */
	struct view_listener *listener;
	unsigned nservers, npools, nworkers, nlisteners;
	unsigned room_servers, room_pools, room_workers, room_listeners;
	uint32_t next_row;		/* view_more() */
};

/* Takes a look; arrays are reused from look to look. `load`: with figures, which takes longer. 0, or -1: no memory. */
int view_take(struct view *v, const struct table *t, bool load);
/*
 * The same a bit at a time, for those who have other things to do: view_begin(), then view_more(), which looks at
 * some of the servers, until it returns 0. Either returns -1: no memory.
 */
int view_begin(struct view *v, const struct table *t);
int view_more(struct view *v, const struct table *t, bool load, unsigned rows);
/* Asks the kernel how the workers' processes are: three system calls each, so not where requests wait. */
void view_processes(struct view *v);
/* Fills in what a second's difference shows: rates, and the figures of the time between. */
void view_compare(struct view *now, const struct view *before);
void view_free(struct view *v);

/* Text from anywhere, up to a NUL or size, as something that can be printed: bounded, and without a byte that a
 * terminal acts on; what does not fit is left out. Returns out. */
char *view_text(char *out, size_t room, const char *in, size_t size);

/* Requests (or connections, in mode tcp) that have ended, however; only ever grows. */
uint64_t view_requests(const struct view_load *l);
/* Those that went wrong by the server's fault: no answer, a bad or a broken one, a status of 500 or more. */
uint64_t view_errors(const struct view_load *l);
/* Parts of a hundred of requests; 0 when there are none. */
double view_error_percent(const struct view_load *l);
/* A quantile (0..1) of the latency, in nanoseconds, as exactly as the buckets say; 0 when there is nothing. */
uint64_t view_quantile(const uint64_t latency[static SHM_LATENCY_BUCKETS], double q);
/* Parts of a hundred of its life that the server was not down. */
double view_availability(const struct view *v, const struct view_server *s);
/* "up", "down", "unknown", "drain", "maint", "leaving". */
const char *view_state(const struct view_server *s);
/* Since when it is in that state, CLOCK_MONOTONIC; 0: not known. */
uint64_t view_since_ns(const struct view_server *s);
/* "pool/server". Returns buf. */
char *view_full_name(const struct view *v, const struct view_server *s, char buf[static VIEW_FULL_MAX]);
/* Whether a word of the command line is the name of a server, letter by letter; then it is not taken for a pattern. */
bool view_is_name(const struct view *v, const char *pattern);
/* Which servers it means, as the supervisor understands it. NULL means all. */
bool view_matches(const struct view *v, const struct view_server *s, const char *pattern, bool is_name);

#endif
