/*
 * Event loop of one process: epoll and a timer wheel. One thread, one clock reading per turn.
 *
 * epoll hands back a descriptor and a tag, not a pointer: closing a descriptor does not take it out
 * of epoll while another process holds a copy (the supervisor does, for a moment), so events can
 * arrive for what is long gone. The tag is compared and such events are dropped.
 */
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "os/timer.h"

#define LOOP_EVENTS 256	/* taken from epoll in one turn */

struct loop_fd;
/* events: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR as reported. */
typedef void loop_cb(struct loop_fd *h, uint32_t events);

/* Embedded in what owns the descriptor. */
struct loop_fd {
	loop_cb *cb;
	int fd;		/* -1: none */
	bool first;	/* its events go before those of others in a turn */
	uint16_t tag;	/* loop.c: changes at each registration */
};

struct loop {
	int ep;
	unsigned max_fds;
	uint64_t now_ns;		/* CLOCK_MONOTONIC at the last wake-up */
	struct loop_fd **slot;		/* who listens to a descriptor, or NULL; pages are touched as used */
	uint16_t tags;			/* the last one given */
	unsigned ahead;			/* events of this turn that have not been told yet */
	struct timer_wheel wheel;
	void (*before)(void *);		/* see loop_set_hooks() */
	void (*after)(void *, uint64_t now_ns);
	void (*told)(void *);
	void *hook_arg;
	struct epoll_event event[LOOP_EVENTS];
};

/* max_fds: descriptors are below it (RLIMIT_NOFILE). 0, or -1 with errno. */
int loop_init(struct loop *l, unsigned max_fds);
void loop_free(struct loop *l);

/* Registers h->fd with the given events (add EPOLLET for edges). 0, or -1 with errno. */
int loop_add(struct loop *l, struct loop_fd *h, uint32_t events);
int loop_mod(struct loop *l, struct loop_fd *h, uint32_t events);
/* Takes it out of epoll but keeps it open (before it is passed on). */
void loop_del(struct loop *l, struct loop_fd *h);
/* Forgets and closes it; sets h->fd to -1. One system call. Only where no other process can be
 * relied on to keep quiet does a later event arrive; it is dropped. */
void loop_close(struct loop *l, struct loop_fd *h);

/* The clock, read anew. */
uint64_t loop_clock_ns(void);

/*
 * One turn: waits for events, at most max_wait_ns (UINT64_MAX: until the next timer), runs their
 * callbacks, then the timers that are due. Returns the number of events, or -1 with errno.
 */
int loop_turn(struct loop *l, uint64_t max_wait_ns);

/* Called around the wait of loop_turn, e.g. to say "asleep" in the shared table, and when all events of a turn have been
 * told, before the timers. Each may be NULL. */
void loop_set_hooks(struct loop *l, void (*before)(void *), void (*after)(void *, uint64_t now_ns), void (*told)(void *),
    void *arg);

#endif
