/*
 * The shared table: its layout, and who writes what.
 *
 * One POSIX shared-memory object per instance. Fixed-size rows, no pointers: every place is an
 * offset from the start, taken from the header and checked against the object's size by
 * ipc/table.c before anybody follows it.
 *
 * Each word has ONE writer, named beside it:
 *	S  the supervisor
 *	W  the worker that owns the row or column
 *	H  the health process
 * So there are no locks. A reader may see a word that is a moment old, never a torn one: all shared
 * words are C11 atomics. Unless a field says otherwise its order is relaxed: it is a figure by
 * itself and nothing else is read on the strength of it. "release" means that the writer stores it
 * with memory_order_release after what it announces, and readers load it with acquire.
 *
 * Rows written often by different processes never share a cache line (SHM_LINE).
 *
 *	header     struct shm_instance          1
 *	worker[]   struct shm_worker            max_workers     slot 0 is the supervisor's own
 *	pool[]     struct shm_pool              max_pools
 *	server[]   struct shm_server            max_servers
 *	health[]   struct shm_health            max_servers
 *	listener[] struct shm_listener          max_listeners
 *	history    struct shm_history           1               then struct shm_past, a row for each of:
 *	               pool[max_pools], server[history_servers], worker[max_workers]
 *	load[]     one column per worker slot   max_workers, load_stride bytes each:
 *	               inflight[max_servers]    uint32_t, gauge
 *	               passive[max_servers]     uint32_t, count of failures that take a server down
 *	               dispatched[max_servers]  uint64_t, counter
 *	               clients[max_listeners]   uint32_t, gauge: connections held of each listener
 *	               queue[max_pools]         struct shm_queue
 *	               cell[max_servers]        struct shm_load
 *	               learn[max_servers]       struct shm_learn
 *	choices[]  struct shm_choices       max_workers
 *
 * Column 0 belongs to the supervisor: when a worker is gone, its counters are added there and its
 * own column is cleared, so sums over all columns stay true for ever.
 *
 * This header is the layout and nothing else; the code that maps and walks it is ipc/table.h.
 */
#ifndef SHM_STATS_H
#define SHM_STATS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#define SHM_MAGIC	UINT64_C(0x4c42414c414e4345)	/* "LBALANCE" */
#define SHM_LAYOUT	4	/* raised whenever a field moves, changes its meaning, or goes */
#define SHM_LINE	64	/* bytes; the unit in which processors fight over memory */

#define SHM_NAME_MAX	64	/* bytes of a name, the final NUL included */
#define SHM_ADDR_MAX	112	/* holds any sockaddr that connect(2) is given here (sockaddr_un: 110) */
#define SHM_PATH_MAX	128	/* bytes of a path, the final NUL included; holds any address of a unix socket */
#define SHM_WORKERS_MAX	256	/* worker slots; four words of live bits */
#define SHM_LATENCY_BUCKETS 32	/* see shm_load.latency */
#define SHM_HISTORY_SERVERS 1024	/* server rows that have a history, at most */
#define SHM_HISTORY_POINTS 1128	/* of all spans together: see ipc/history.h */
#define SHM_HISTORY_EVENTS 512
#define SHM_CHOICES	64	/* records in one ring; a worker has two */
#define SHM_CHOICE_SHOWN 8	/* servers in one record */

/* What health says of a server. */
enum shm_verdict {
	SHM_UNKNOWN = 0,	/* not probed yet */
	SHM_UP = 1,
	SHM_DOWN = 2,
	SHM_EMPTY = 3,		/* a place of a discovery that no server holds now; its address is a former one's */
};

/* How the last probe, or a worker's own finding, ended. table_outcome_text() has words for people. */
enum shm_outcome {
	SHM_OUT_NONE = 0,		/* no probe has ended yet */
	SHM_OUT_OK,			/* answered as it should */
	SHM_OUT_REFUSED,		/* connection refused, or reset while connecting */
	SHM_OUT_UNREACHABLE,		/* no route, network down, no such unix socket */
	SHM_OUT_CONNECT_TIMEOUT,	/* no connection within the deadline */
	SHM_OUT_SEND_FAILED,		/* connected, but the question could not be sent */
	SHM_OUT_ANSWER_TIMEOUT,		/* connected, no whole answer within the deadline */
	SHM_OUT_RESET,			/* connection reset in the middle */
	SHM_OUT_EMPTY,			/* closed without a byte */
	SHM_OUT_TRUNCATED,		/* closed before the answer was whole */
	SHM_OUT_BAD_HEAD,		/* the answer is not HTTP */
	SHM_OUT_BAD_STATUS,		/* another status than the one wanted; see shm_health.status */
	SHM_OUT_BAD_BODY,		/* the body is not "<errors>\n<entries>" */
	SHM_OUT_BODY_TOO_LONG,
	SHM_OUT_NO_ADDRESS,		/* the name does not resolve */
	SHM_OUT_LOCAL,			/* this side failed: descriptors, ports, memory */
	SHM_OUT_WORKER_REFUSED,		/* a worker's connection was refused or reset while connecting */
	SHM_OUT_WORKER_TIMEOUT,		/* a worker's connection or first byte came too late */
	SHM_OUT_WORKER_RESET,		/* reset or closed before any byte of an answer */
	SHM_OUT_COUNT
};

/* Why a server that is up was taken out all the same: balance/eject.h. table_eject_text() has words for people. */
enum shm_eject {
	SHM_EJECT_NOT = 0,
	SHM_EJECT_ROW,		/* requests failed one after the other */
	SHM_EJECT_RATE,		/* more of its requests fail than of the others' */
	SHM_EJECT_SLOW,		/* it answers much later than the others */
};

/* By what a server was chosen; the first ones are the algorithms. table_rule_text() has words for people and logs. */
enum shm_rule {
	SHM_RULE_NONE = 0,	/* no server was chosen */
	SHM_RULE_LEAST_REQUESTS,
	SHM_RULE_LEAST_CONNECTIONS,
	SHM_RULE_ROUND_ROBIN,
	SHM_RULE_RANDOM,
	SHM_RULE_HASH,		/* the key's own server */
	SHM_RULE_ADAPTIVE,
	SHM_RULE_FIRST,
	SHM_RULE_HASH_NEXT,	/* the next one on the key's way: its own was out, full, or had more than its share */
	SHM_RULE_STICKY,	/* a cookie names it */
	SHM_RULE_ONLY,		/* no other one could be chosen */
	SHM_RULE_COUNT
};

/* What else was special about a choice. table_how_text() has words. */
enum shm_how {
	SHM_HOW_RETRY = 1,	/* another server had failed the request */
	SHM_HOW_QUEUED = 2,	/* it had waited in the line */
	SHM_HOW_BACKUP = 4,	/* a backup: no ordinary server could be chosen */
	SHM_HOW_UNPROBED = 8,	/* nobody had been found to be up yet */
	SHM_HOW_PANIC = 16,	/* too few are left: servers that are out count as well */
	SHM_HOW_UNSTUCK = 32,	/* the server that its cookie names could not be chosen */
	SHM_HOW_FULL = 64,	/* some server was passed over because it had its maxconn */
	SHM_HOW_EJECTED = 128,	/* some server was passed over because it is ejected */
	SHM_HOW_HEDGE = 256,	/* a second copy: the first server kept silent for too long */
	SHM_HOW_ALL = 511
};

/* How a server stood when a choice was made. table_standing_text() has words for people. */
enum shm_standing {
	SHM_STOOD_COMPARED = 0,	/* it could have been chosen, or was */
	SHM_STOOD_DOWN,
	SHM_STOOD_EJECTED,
	SHM_STOOD_FULL,		/* it had its maxconn */
	SHM_STOOD_TRIED,	/* it had failed this request */
	SHM_STOOD_DRAIN,
	SHM_STOOD_MAINT,
	SHM_STOOD_WEIGHT,	/* its weight is 0 */
	SHM_STOOD_UNPROBED,
	SHM_STOOD_OVER,		/* balance hash: it had more than its share */
	SHM_STOOD_SPARE,	/* a backup, and not its turn */
	SHM_STOOD_COUNT
};

/* Administrative state. */
enum shm_admin {
	SHM_READY = 0,
	SHM_DRAIN = 1,	/* nothing new, what is there goes on */
	SHM_MAINT = 2,	/* nothing new, and not probed */
};

/* What a worker slot holds. */
enum shm_slot {
	SHM_SLOT_FREE = 0,
	SHM_SLOT_STARTING = 1,	/* forked, not yet ready */
	SHM_SLOT_SERVING = 2,
	SHM_SLOT_RETIRING = 3,	/* finishes what it has, gets nothing new */
};

struct shm_instance {
	/* Written once by S before the object gets its name; constant afterwards. */
	uint64_t magic;
	uint32_t layout;
	uint32_t header_size;		/* sizeof(struct shm_instance), bytes */
	uint64_t size;			/* of the whole object, bytes */
	uint32_t max_workers;		/* slots, slot 0 included */
	uint32_t max_pools;
	uint32_t max_servers;
	uint32_t max_listeners;
	uint32_t history_servers;	/* server rows below this have a history */
	uint32_t pad0;
	uint64_t worker_offset;		/* bytes from the start of the object */
	uint64_t pool_offset;
	uint64_t server_offset;
	uint64_t health_offset;
	uint64_t listener_offset;
	uint64_t history_offset;
	uint64_t past_pool_offset;
	uint64_t past_server_offset;
	uint64_t past_worker_offset;
	uint64_t load_offset;
	uint64_t load_stride;		/* bytes from one column to the next */
	uint64_t choices_offset;
	uint64_t inflight_offset;	/* within a column */
	uint64_t passive_offset;
	uint64_t dispatched_offset;
	uint64_t clients_offset;
	uint64_t queue_offset;
	uint64_t cell_offset;
	uint64_t learn_offset;
	char version[SHM_NAME_MAX];	/* of the program that runs; supervisor */
	char instance[SHM_NAME_MAX];	/* the name people know it by */
	char control[SHM_PATH_MAX];	/* of the control socket; empty: none. S, right after the table was made */

	/* S, while it runs. */
	alignas(SHM_LINE) _Atomic uint32_t generation;	/* of the configuration; first is 1 */
	_Atomic uint32_t supervisor_pid;
	_Atomic uint32_t health_pid;
	_Atomic uint32_t servers;	/* server rows in use are below this; release */
	_Atomic uint32_t pools;		/* pool rows in use are below this; release */
	_Atomic uint32_t fold_seq;	/* odd while a column is being folded into column 0; release */
	_Atomic uint64_t started_ns;	/* CLOCK_MONOTONIC */
	_Atomic uint64_t started_real_s;/* CLOCK_REALTIME, seconds since 1970 */
	_Atomic uint64_t reloaded_real_s;
	_Atomic uint64_t accepted;	/* connections accepted */
	_Atomic uint32_t limited;	/* 1: something waits for a connection to end (max-connections): a worker
					 * that ends one wakes S */
	_Atomic uint32_t max_connections;	/* of all listeners together; UINT32_MAX: no limit */
	_Atomic uint64_t limited_times;	/* how often accepting stopped at a limit, of a listener or of all */
	_Atomic uint64_t live[SHM_WORKERS_MAX / 64];	/* bit n: column n counts; bit 0 always; release */
	_Atomic uint32_t log_level;	/* enum log_level of every process; 0: each has its own */
	_Atomic uint32_t copies;	/* gauge: clients' descriptors in custody */
	_Atomic uint64_t rescued;	/* connections that went on with others when their worker died */
	_Atomic uint64_t cut;		/* ... that ended with it */
};

struct shm_worker {
	/* S */
	alignas(SHM_LINE) _Atomic uint32_t pid;	/* 0: nobody */
	_Atomic uint32_t generation;
	_Atomic uint32_t slot;		/* enum shm_slot */
	_Atomic uint32_t restarts;	/* times this slot was refilled after a death */
	_Atomic uint64_t started_ns;
	_Atomic uint64_t handed;	/* connections sent down this slot's channel, ever */

	/* W */
	alignas(SHM_LINE) _Atomic uint64_t busy_since_ns;	/* 0 while asleep in epoll: the hang detector */
	_Atomic uint64_t received;	/* connections taken from the channel, ever; handed - received are on the way.
					 * After a death S sets it for the successor, while there is no W. */
	_Atomic uint32_t active;	/* client connections held, gauge */
	_Atomic uint32_t idle_upstreams;/* kept connections to servers, gauge */
	_Atomic uint64_t requests;	/* http requests read, or tcp connections relayed */
	_Atomic uint64_t refused;	/* requests answered by the balancer itself with 4xx */
	_Atomic uint64_t loop_lag_ns;	/* longest turn of the loop in the last second in which there was one */
	_Atomic uint64_t log_dropped;	/* access-log lines given up because the disk was slow */
	_Atomic uint64_t busy_ns;	/* time not asleep, ever; nearly that on a processor */
};

/* A listener, whatever addresses it is bound to. S, all of it. */
struct shm_listener {
	alignas(SHM_LINE) char name[SHM_NAME_MAX];
	alignas(SHM_LINE) _Atomic uint32_t used;	/* generation that uses this row; 0: free; release */
	_Atomic uint32_t max_connections;	/* UINT32_MAX: no limit */
	_Atomic uint32_t limited;	/* 1: at its limit, or at the one of all: nothing is accepted for now */
	_Atomic uint64_t accepted;	/* connections, ever */
};

struct shm_pool {
	/* S */
	alignas(SHM_LINE) char name[SHM_NAME_MAX];
	alignas(SHM_LINE) _Atomic uint32_t used;	/* generation that uses this row; 0: free */
	_Atomic uint32_t check;		/* for people: enum conf_check_kind + 1; 0: not told */
	_Atomic uint32_t balance;	/* for people: enum words_algorithm + 1; 0: not told */
	_Atomic uint32_t places;	/* for people: of its servers are so many places of discoveries */
	/* H */
	alignas(SHM_LINE) _Atomic uint64_t round_target;	/* dispatched total at which an extra round of
						 * probes is due; UINT64_MAX: never. Workers that
						 * see it reached wake health. */
	_Atomic uint64_t rounds;		/* rounds of probes finished; release */
	_Atomic uint64_t unresolved_ns;		/* CLOCK_MONOTONIC since when a name of its discoveries cannot be looked up;
						 * 0: all can */
};

struct shm_server {
	/* S. name and pool are written before `used` announces them. */
	alignas(SHM_LINE) char name[SHM_NAME_MAX];	/* unique within its pool */
	alignas(SHM_LINE) uint32_t pool;	/* row */
	_Atomic uint32_t used;		/* generation that uses this row; 0: free; release */
	_Atomic uint32_t weight;	/* 0..256; 0: nothing new */
	_Atomic uint32_t admin;		/* enum shm_admin */
	_Atomic uint32_t maxconn;	/* 0: no limit; at most so many, if it is learned */
	_Atomic uint32_t backup;	/* 1: only when no other server is up */
	_Atomic uint32_t weight_conf;	/* what the configuration says; what counts is `weight` */
	_Atomic uint32_t weight_set;	/* 1: `weight` was set by hand, and outlives reloads */
	_Atomic uint32_t probe_wanted;	/* raised when somebody wants a probe now; health is woken then */
	_Atomic uint32_t maxconn_least;	/* above 0: shm_health.limit counts, from this to maxconn */
	_Atomic uint64_t added_ns;	/* CLOCK_MONOTONIC when the server came to this row */
	_Atomic uint64_t admin_ns;	/* CLOCK_MONOTONIC of the last change of `admin`; 0: never */
};

struct shm_health {
	/* H, all of it. A worker needs the first line only. */
	alignas(SHM_LINE) _Atomic uint32_t verdict;	/* enum shm_verdict */
	_Atomic uint32_t gen;		/* raised at each verdict that a probe gave, after the other fields of
					 * this line; release. A worker's own finding "down" stands
					 * until it sees this change. */
	_Atomic uint64_t entries;	/* as reported by the last good probe of kind seed */
	_Atomic uint64_t errors;
	_Atomic uint64_t base;		/* dispatched total (all columns) that `entries` already contains */
	_Atomic uint64_t join;		/* added to the dispatched total by round-robin: a server that
					 * comes back joins at its peers' level instead of far behind */
	_Atomic uint32_t limit;		/* requests at a time, as learned; 0: not yet */
	_Atomic uint32_t ejected_s;	/* when it was taken out last, CLOCK_MONOTONIC in seconds; 0: never */
	_Atomic uint64_t up_since_ns;	/* of the last change to up, or return from being ejected; 0: never */
	_Atomic uint64_t ejected_until_ns;	/* 0: it is not. As long as it is not 0, the server gets nothing new */

	alignas(SHM_LINE) _Atomic uint32_t outcome;	/* enum shm_outcome of the last probe or finding */
	_Atomic uint32_t status;	/* HTTP status of the last probe; 0: none */
	_Atomic uint32_t in_a_row;	/* good (while down) or bad (while up) probes since the last change */
	_Atomic uint32_t down_outcome;	/* enum shm_outcome that took it down last */
	_Atomic uint64_t probed_ns;	/* CLOCK_MONOTONIC of the end of the last probe */
	_Atomic uint64_t probe_latency_ns;
	_Atomic uint64_t probes;	/* finished, ever */
	_Atomic uint64_t probes_failed;
	_Atomic uint64_t down_ns;	/* time spent down before since_ns, for availability */
	_Atomic uint32_t eject_reason;	/* enum shm_eject, of the last time */
	_Atomic uint32_t ejections;	/* times it was taken out, ever */

	/* The address to connect to. addr_seq is odd while it is being written (release); readers copy
	 * and compare as table_address() does. addr_size 0: the name has not resolved. */
	alignas(SHM_LINE) _Atomic uint32_t addr_seq;
	_Atomic uint32_t addr_size;
	_Atomic uint64_t addr[SHM_ADDR_MAX / 8];
	_Atomic uint64_t since_ns;	/* CLOCK_MONOTONIC of the last change of verdict */
};

/*
 * What one worker counted for one pool, and its place in the pool's line: where every server that
 * could take a request is at its maxconn, requests wait. W (column 0: S). How it works, and why no
 * server ever gets more than its maxconn: worker/queue.c.
 */
struct shm_queue {
	alignas(SHM_LINE) _Atomic uint64_t want;	/* ticket of the worker's first waiting request, 0: none waits.
					 * Lower goes first. Sequentially consistent, by fences */
	_Atomic uint32_t waiting;	/* gauge: requests */
	_Atomic uint32_t inflight;	/* gauge: requests at its servers; kept only where the choice is by hash */
	_Atomic uint64_t queued;	/* requests that had to wait */
	_Atomic uint64_t refused;	/* 503: the queue was full */
	_Atomic uint64_t timeouts;	/* 503: waited too long */
	_Atomic uint64_t wait_ns;	/* waited, by those that got their turn */
	_Atomic uint64_t retries;	/* requests given to a further server */
	_Atomic uint64_t retries_refused;	/* ... that were not: the budget was used up */

	alignas(SHM_LINE) _Atomic uint64_t late_ns;	/* gauge: what one in twenty answers takes longer than, as this worker
					 * has learned; 0: not known. Kept only where requests are hedged.
					 * Column 0: of the last one that is gone, for its successors to begin with */
	_Atomic uint64_t hedges;	/* late requests of which a second copy was sent */
	_Atomic uint64_t hedges_won;	/* ... that were answered by it */
	_Atomic uint64_t hedges_refused;	/* late requests of which none was: no budget, or no other server with room */
	_Atomic uint64_t shed;		/* 503: waited too long for a time of overload */
};

/*
 * What one worker counted for one server. W (column 0: S).
 *
 * latency: request sent to head of the answer received, or, in mode tcp, time to connect. Bucket b
 * counts times below 2^b * 16 us and not below the bucket before: 16 us, 32 us, ... ; the last one
 * everything above about 4.7 hours.
 */
struct shm_load {
	alignas(SHM_LINE) _Atomic uint64_t responses[6];	/* by class: [1] 1xx .. [5] 5xx; [0] tcp, finished in order */
	_Atomic uint64_t connects;	/* connections opened to the server */
	_Atomic uint64_t reuses;	/* requests sent on a kept connection */
	_Atomic uint64_t connect_failures;
	_Atomic uint64_t timeouts;	/* connect or first byte too late */
	_Atomic uint64_t resets;	/* closed or reset before an answer */
	_Atomic uint64_t cuts;		/* closed or reset in the middle of an answer */
	_Atomic uint64_t invalid;	/* answers refused: not valid HTTP */
	_Atomic uint64_t retries;	/* requests that left this server for another one */
	_Atomic uint64_t client_aborts;	/* clients that left before the end */
	_Atomic uint64_t bytes_to_server;
	_Atomic uint64_t bytes_from_server;
	_Atomic uint64_t latency_sum_ns;
	_Atomic uint64_t latency_ewma_ns;	/* gauge: moving mean, newest weighs 1/8; not folded */
	_Atomic uint64_t latency[SHM_LATENCY_BUCKETS];
};

/*
 * What one worker has learned of one server from traffic, for `balance adaptive`; balance/learn.h
 * reads and writes it. W (column 0: S). "x | y": two floats in a word, x in the first four bytes.
 */
struct shm_learn {
	alignas(SHM_LINE) _Atomic uint64_t waiting;	/* gauge: bits 44..63 requests without an answer, 0..43 the sum of
					 * the times at which they were asked, in 2^14 ns of CLOCK_MONOTONIC */
	_Atomic uint64_t latency;	/* sum of the last answers' times, us | answers in it; both wear off */
	_Atomic uint64_t errors;	/* errors | requests that ended; both wear off */
	_Atomic uint64_t trouble;	/* longest surprise, us | errors without a good answer in between */
	_Atomic uint64_t at_ns;		/* as of when the three above are; 0: nothing is known */
	_Atomic uint64_t answered_ns;	/* CLOCK_MONOTONIC of the last good answer */
	_Atomic uint64_t surprised_ns;	/* when the last surprise came: what was asked before belongs to it */
};

/*
 * What was, in steps of time: the last minutes finely, hours more coarsely. H, all of it: one process
 * looks at the counters when a step ends and notes the difference. How points are packed, and which
 * steps lie where: ipc/history.h.
 */
struct shm_event {
	_Atomic uint64_t number;	/* from 1 on; 0 while the rest is being written; release */
	_Atomic uint64_t at_ns;		/* CLOCK_MONOTONIC */
	_Atomic uint64_t identity;	/* of the server, see shm_past; 0: it is about something else */
	_Atomic uint64_t what;
};

struct shm_history {
	alignas(SHM_LINE) _Atomic uint64_t events;	/* written, ever: the last one has this number; release */
	_Atomic uint32_t stamp[SHM_HISTORY_POINTS];	/* number of the step that a place holds, 0: none, or it is
						 * being written; release, after all rows' points */
	alignas(SHM_LINE) struct shm_event event[SHM_HISTORY_EVENTS];	/* number n is at n % SHM_HISTORY_EVENTS */
};

/* Of one pool, server or worker slot (0: the instance). */
struct shm_past {
	alignas(SHM_LINE) _Atomic uint64_t identity;	/* hash of the name whose past this is; 0: nobody's. A row
						 * that has changed hands shows by it; release */
	_Atomic uint64_t point[SHM_HISTORY_POINTS][2];
};

/* A server as the choice saw it. */
struct shm_candidate {
	_Atomic uint32_t server;	/* row */
	_Atomic uint32_t inflight;	/* over all workers, before the choice */
	_Atomic uint32_t figure;	/* bits of a float: what the rule compared, lower is better */
	_Atomic uint32_t latency_us;	/* mean of its last answers; 0: not asked for */
	_Atomic uint32_t silent_us;	/* for so long requests have waited there while nothing was answered */
	_Atomic uint32_t weight;	/* in the low half; above, how far its slow start has got, percent */
	_Atomic uint32_t errors;	/* of a thousand of its last requests, in the low half; above, errors in a row */
	_Atomic uint32_t standing;	/* enum shm_standing; above eight bits, for one that failed, enum shm_outcome */
};

/* One choice, told. */
struct shm_choice {
	alignas(SHM_LINE) _Atomic uint32_t seq;	/* odd while it is being written; release */
	_Atomic uint32_t pool;		/* row */
	_Atomic uint64_t at_ns;		/* CLOCK_MONOTONIC; 0: nothing here */
	_Atomic uint64_t number;	/* of the choices told by this worker's slot, both rings together; from 1 on */
	_Atomic uint32_t rule;		/* enum shm_rule; above eight bits, enum shm_how */
	_Atomic uint32_t tried;		/* servers that had failed the request */
	_Atomic uint32_t compared;	/* servers that could have been chosen and were looked at */
	_Atomic uint32_t servers;	/* of the pool */
	_Atomic uint32_t shown;		/* entries of `of`; the first one was chosen */
	_Atomic uint32_t waited_us;	/* in the line */
	struct shm_candidate of[SHM_CHOICE_SHOWN];
};

/*
 * The last choices of one worker that were told: W. Outlives its worker; a successor goes on in it. Two rings,
 * of ordinary choices and of special ones (enum shm_how), so that neither pushes the other out. No more are
 * told in a second than worker/explain.c says.
 */
struct shm_choices {
	alignas(SHM_LINE) _Atomic uint64_t written[2];	/* records ever; the next one goes to this, modulo SHM_CHOICES; release */
	struct shm_choice ring[2][SHM_CHOICES];
};

_Static_assert(sizeof(struct shm_learn) == SHM_LINE, "byte map");
_Static_assert(sizeof(struct shm_candidate) == SHM_LINE / 2, "byte map");
_Static_assert(sizeof(struct shm_choice) == 5 * SHM_LINE, "byte map");
_Static_assert(sizeof(struct shm_instance) % SHM_LINE == 0, "rows start on a cache line");
_Static_assert(sizeof(struct shm_worker) == 2 * SHM_LINE, "byte map");
_Static_assert(sizeof(struct shm_listener) == 2 * SHM_LINE, "byte map");
_Static_assert(sizeof(struct shm_queue) == 2 * SHM_LINE, "byte map");
_Static_assert(sizeof(struct shm_pool) == 3 * SHM_LINE, "byte map");
_Static_assert(sizeof(struct shm_server) == 2 * SHM_LINE, "byte map");
_Static_assert(sizeof(struct shm_health) == 4 * SHM_LINE, "byte map");
_Static_assert(sizeof(struct shm_load) % SHM_LINE == 0, "byte map");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "shared atomics must be lock-free");

#endif
