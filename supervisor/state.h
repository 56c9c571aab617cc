/*
 * What the supervisor knows: the types that its files share. Each struct names the file that owns
 * it; only that file changes its fields, unless a field says otherwise.
 *
 * One struct supervisor exists, in supervisor.c. Everything runs in the one thread of the one loop;
 * what handlers find out they write down, and supervisor.c's loop calls dispatch_turn() and
 * succession_turn() to act on it.
 */
#ifndef SUPERVISOR_STATE_H
#define SUPERVISOR_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "ipc/handoff.h"
#include "ipc/table.h"
#include "os/loop.h"
#include "os/proc.h"
#include "os/sock.h"

#define CONTAINER(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))

struct supervisor;
struct generation;
struct custody;

/* How one child's place is filled again. children.c */
struct back_off {
	uint64_t started_ns;	/* the last fork */
	unsigned quick;		/* deaths in a row that came soon after the fork */
	struct timer timer;	/* armed: the next fork waits for it */
};

/*
 * One worker's place: a slot of the table, a channel, and the process that fills it at the moment.
 * The place outlives its processes; a successor gets slot and channel. children.c fills it,
 * channel.c talks through it.
 */
struct worker {
	struct generation *gen;
	uint32_t slot;
	pid_t pid;		/* 0: nobody at the moment */
	struct back_off back_off;
	bool ready;		/* it said HANDOFF_READY */
	bool killed;		/* we sent SIGKILL and wait for its end */
	bool gone;		/* ended for good: no successor comes */
	bool drained;		/* gone, and all that it sent or never received has been taken from the channel */

	bool alien;		/* it maps a table of another layout, which we do not see: keep.c */
	struct loop_fd watch;	/* a pidfd: not our child but our predecessor's; fd -1: our own. children.c */

	/* channel.c */
	int channel[2];		/* [0] ours, also in io.fd; [1] the worker's, kept for a successor */
	struct loop_fd io;
	uint32_t events;	/* what io is registered for */
	bool full;		/* the last send found no room; writable again clears it */
	unsigned pending;	/* bit 1 << enum handoff_type: still to be said */
	unsigned told;		/* the same bits: said to this process or its predecessors in this place */

	/* custody.c */
	struct custody *custody;	/* NULL: none */
	bool bereaved;		/* what its last process held has been sorted */

	/* hang.c */
	uint64_t seen_received;	/* shm_worker.received at ... */
	uint64_t progress_ns;	/* ... the last moment at which it had moved, or nothing was on the way */
	bool pinged;		/* something lies in its channel that it has yet to take: a ping, a word */
	bool sounded;		/* the last ping was to see whether it moves */
	uint64_t kill_ns;	/* asked where it hangs; SIGKILL is due at ...; 0: not, or sent */
};

enum generation_state {
	GENERATION_STARTING,	/* children are being started, nothing is given to it */
	GENERATION_SERVING,
	GENERATION_RETIRING,	/* hands back what it can and leaves */
};

/* One configuration with its workers. generation.c makes it, succession.c moves it along. */
struct generation {
	struct supervisor *s;
	struct generation *older;	/* list of retiring ones */
	uint32_t number;		/* 1, 2, ... */
	enum generation_state state;
	bool failed;			/* starting: a worker died again and again before it was ready */
	struct conf *conf;		/* ours */
	struct proc_identity identity;	/* who its children become */
	struct timer drain;		/* retiring: when it fires, what is left is ended */
	uint64_t moved;			/* connections that it handed back and others took. channel.c */
	uint64_t retired_ns;		/* when it was told to retire */
	/* Its listeners' rows in generation `translated_for`; -1: gone there. succession.c */
	int *translation;
	uint32_t translated_for;
	unsigned nworkers;
	struct worker worker[];
};

/* The health process. children.c */
struct health {
	struct supervisor *s;
	pid_t pid;			/* 0: nobody at the moment */
	struct generation *gen;		/* whose configuration it probes by */
	struct back_off back_off;
	int channel;			/* our end; -1: none */
	struct loop_fd io;
	bool first_round;		/* it said that its first round is done */
	bool ending;			/* told to end: no successor comes by itself, but for the next line */
	bool renewing;			/* told to end so that a successor opens the log anew */
	struct timer patience;		/* ending: SIGKILL when it fires */
	struct loop_fd watch;		/* as in struct worker */
};

/* One bound address. listeners.c */
struct listener {
	int fd;
	struct sockaddr_storage addr;	/* its identity */
	socklen_t addr_size;
	char text[SOCK_TEXT_MAX];
	dev_t dev;			/* of a unix socket's file, so that only our own is removed */
	ino_t ino;
	uint16_t row;			/* of its listener in the serving configuration */
	enum conf_mode mode;
	bool lent;			/* a service manager keeps it open, whatever we do with our copy: lent.c */
	bool watched;			/* it is in the listeners' epoll */
	bool limited;			/* it is not, because max-connections is reached. limit.c */
};

/* The serving set of listeners, or a planned one. listeners.c */
struct listeners {
	struct listener **v;
	unsigned n;
};

/* A message that may come again and again is logged at most once a period, with a count. */
struct limit {
	uint64_t next_ns;
	unsigned held;		/* not logged since */
};

/* Accepting and handing over. accept.c, dispatch.c */
struct dispatch {
	/* Connections taken and not yet placed; head.count 0: none. While there is something here or in
	 * `moved`, nothing is accepted and nothing is read from retiring workers: this is all the supervisor
	 * ever holds. */
	struct handoff_msg round;
	struct handoff_msg moved;	/* the same for one conversation under way (HANDOFF_MOVE) */
	struct handoff_msg part;	/* what one worker gets of a round; control messages; scratch */
	uint64_t retry_ns;		/* when to try again to place it */
	bool open;			/* a generation serves and listeners are to be served */
	bool stirred;			/* something changed: a channel has room, a worker is ready or gone */
	bool gated;			/* retiring channels are not read for now */
	uint32_t turn;			/* whose turn it is among workers with equal load */

	/* accept.c */
	int ep;				/* all listeners; itself in the loop through io */
	struct loop_fd io;
	bool watched;			/* io is in the loop */
	bool coalescing;		/* connections pour in: rounds go by the clock, io is out of the loop */
	uint64_t next_round_ns;
	uint64_t paused_until_ns;	/* out of descriptors or memory */
	double per_ms;			/* moving mean of connections accepted per millisecond */
	uint64_t measured_ns;
	struct limit resources, channels, limits;
	unsigned limited;		/* addresses that are at their limit; limit.c */
};

/* Whether processor time is scarce. strain.c */
struct strain {
	int fd;			/* /proc/self/schedstat; -1: there is none */
	double value;		/* 0..1, a moving mean */
	uint64_t looked_ns, busy, waited;	/* as of the last look */
	uint32_t generation;
};

enum succession_phase {
	SUCCESSION_IDLE,
	SUCCESSION_HEALTH_ENDS,	/* the old health process ends, so that each word keeps one writer */
	SUCCESSION_STARTING,	/* new children come up */
	SUCCESSION_UNDO,	/* a new generation failed; its children end */
};

enum stop_phase {
	STOP_NOT,
	STOP_DEAF,	/* no new handshakes; those under way end and are accepted */
	STOP_PLACING,	/* listeners are closed; what was accepted is being handed over */
	STOP_WORKERS,	/* workers finish */
	STOP_HEALTH,	/* health ends */
	STOP_DONE,
};

struct succession {
	enum succession_phase phase;
	struct generation *next;	/* being started; NULL: none */
	struct listeners planned;	/* its listeners */
	struct timer wake;		/* makes the loop turn when a bound is reached; no other effect */
	uint64_t phase_ns;		/* when the phase began */
	bool reload_wanted;
	uint32_t ended;			/* starts and reloads that have ended, well or badly */
	bool good;			/* how the last one did */
	char verdict[2048];		/* what there is to say of it */
	unsigned room_wanted;		/* it waits for so many free slots */
	enum stop_phase stop;
	bool at_once;			/* SIGINT, or a second SIGTERM */
	struct timer deaf;
	struct timer grace;
};

struct supervisor {
	struct loop loop;
	struct table table;
	struct conf_options options;
	struct loop_fd signals;		/* signalfd */
	int health_wake;		/* eventfd of the health process, whichever it is */
	int wake[SHM_WORKERS_MAX];	/* eventfd of each slot of the table; 0: our own. Workers wake each other
					 * when a server has room again, and us when a client's connection has ended */
	struct loop_fd limit_io;	/* wake[0]. limit.c */
	pid_t pid;			/* the supervisor's; in the heir still the one that it waits for */
	bool adopted;			/* the children are a dead predecessor's, not ours: inherit.c */
	int heir_pipe;			/* its end tells the heir that we are gone; -1: none. heir.c */
	pid_t heir_pid;			/* 0: none at the moment */
	bool heir_stale;		/* what it holds is no longer what we hold */
	pid_t checking;			/* the new program, looking at the configuration; 0: none. upgrade.c */
	bool upgrade;			/* it is content: exec when nothing is under way */
	int pid_fd;
	char *pid_file;			/* as at start; NULL: none */
	char *control, *control_group;	/* of the control socket, as at start; NULL: none. control.c */
	int daemon_fd;			/* the starting shell waits on it; -1: nobody does (any more) */
	bool keep_stderr;		/* a daemon that writes its log to the file that stderr is */
	int exit_status;
	uint32_t generations;		/* number of the newest */
	struct generation *current;	/* serving; NULL until the first one does */
	struct generation *retiring;	/* newest first, linked through older */
	struct health health;
	struct listeners listeners;
	struct dispatch dispatch;
	struct strain strain;
	struct succession succession;
	struct {
		struct timer sweep;
		unsigned copies, most;	/* of clients' descriptors, all workers' together */
	} custody;			/* custody.c */
	struct timer hang;
	bool slot_used[SHM_WORKERS_MAX];
};

/* All generations, serving first, then the starting one, then retiring ones. NULL after the last. */
static inline struct generation *supervisor_next_generation(const struct supervisor *s, const struct generation *g)
{
	if (!g && s->current)
		return s->current;
	if ((!g || g == s->current) && s->succession.next)
		return s->succession.next;
	if (!g || g == s->current || g == s->succession.next)
		return s->retiring;
	return g->older;
}

/* Whether something waits for a place, so that nothing more may be taken in. */
static inline bool supervisor_holds(const struct supervisor *s)
{
	return s->dispatch.round.head.count || s->dispatch.moved.head.count;
}

/* Whether a message may be logged now; *held says how many were not since the last one. */
static inline bool limit_pass(struct limit *l, uint64_t now_ns, uint64_t period_ns, unsigned *held)
{
	if (now_ns < l->next_ns) {
		l->held++;
		return false;
	}
	*held = l->held;
	l->held = 0;
	l->next_ns = now_ns + period_ns;
	return true;
}

#endif
