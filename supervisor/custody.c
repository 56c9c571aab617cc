/*
 * Copies of clients' descriptors. Supervisor only.
 *
 * A place of a book is free, held (a worker has the connection too) or orphaned (its worker has died and nobody has it yet).
 * What the worker writes into the book is believed as far as it goes: by lying it can lose its own connections, or have one
 * read from the wrong byte on; it cannot name anybody else's, because its tickets are looked up in its own book.
 */
#include "supervisor/custody.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/book.h"
#include "os/log.h"
#include "supervisor/dispatch.h"
#include "supervisor/succession.h"

#define CUSTODY_REST		1024		/* descriptors that are not for copies, at least */
#define CUSTODY_SWEEP_NS	(2 * CONF_SECOND)	/* while there are copies, ended ones are closed at least so often */

enum custody_how {
	HELD_FREE,
	HELD_NEW,	/* handed over idle */
	HELD_MOVED,	/* handed over in the middle of a conversation: nobody else can go on before the worker says so */
	HELD_WAITS,	/* its worker is dead, and it is in the channel for the successor */
	HELD_ORPHAN,
};

struct custody_held {
	int fd;			/* HELD_FREE: the next free place, or -1 */
	uint32_t accepted_s;	/* CLOCK_MONOTONIC */
	uint16_t asked;		/* HANDOFF_ASKED: a worker has died over the request that followed so many (of their low bits) */
	uint16_t listener;	/* as in the record that was sent */
	uint16_t use;
	uint8_t flags;		/* as in the record that was sent */
	uint8_t how;		/* enum custody_how */
};

#define CUSTODY_HELD_SIZE (BOOK_PLACES * sizeof(struct custody_held))

struct custody {
	struct book *book;
	struct custody_held *held;	/* [BOOK_PLACES], of which the first `places` have been used; pages are touched as used */
	uint32_t places;
	int free;			/* first of those that is free, or -1 */
	uint32_t orphans, cursor;	/* how many, and where to look for the next one */
	uint32_t unsaid;		/* book->unsaid, as of the last look at all words */
};

/* ---- places ---- */

void custody_open(struct worker *w)
{
	struct custody *c = calloc(1, sizeof(*c));
	void *held = MAP_FAILED;

	if (c)
		held = mmap(NULL, CUSTODY_HELD_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (held == MAP_FAILED || !(c->book = book_map())) {
		log_warn("worker %u: no memory for custody: %s; its connections end with it if it dies", w->slot,
			 strerror(errno));
		if (held != MAP_FAILED)
			munmap(held, CUSTODY_HELD_SIZE);
		free(c);
		return;
	}
	c->held = held;
	c->free = -1;
	w->custody = c;
}

static void custody_count(struct supervisor *s, int n)
{
	s->custody.copies += (unsigned)n;
	if (s->table.inst)
		atomic_store_explicit(&s->table.inst->copies, s->custody.copies, memory_order_relaxed);
}

struct book *custody_of(const struct worker *w)
{
	return w->custody ? w->custody->book : NULL;
}

static void custody_let_go(struct worker *w, uint32_t place, bool close_it)
{
	struct custody *c = w->custody;
	struct custody_held *h = &c->held[place];

	if (close_it)
		close(h->fd);
	if (h->how == HELD_ORPHAN)
		c->orphans--;
	h->how = HELD_FREE;
	h->fd = c->free;
	c->free = (int)place;
	custody_count(w->gen->s, -1);
}

void custody_close(struct worker *w)
{
	struct custody *c = w->custody;
	uint32_t i;

	if (!c)
		return;
	for (i = 0; i < c->places; i++) {
		if (c->held[i].how != HELD_FREE)
			custody_let_go(w, i, true);
	}
	book_unmap(c->book);
	munmap(c->held, CUSTODY_HELD_SIZE);
	free(c);
	w->custody = NULL;
}

/* One that was never used, where none is free. 0, or -1. */
static int custody_grow(struct custody *c)
{
	if (c->places == BOOK_PLACES)
		return -1;
	c->held[c->places].fd = -1;
	c->free = (int)c->places++;
	return 0;
}

/* The place that a ticket opens; NULL: none. */
static struct custody_held *custody_find(struct custody *c, uint32_t ticket)
{
	uint32_t place = book_place(ticket);

	if (!c || ticket == 0 || place >= c->places || c->held[place].how == HELD_FREE ||
	    c->held[place].use != book_use(ticket))
		return NULL;
	return &c->held[place];
}

/* ---- handing over ---- */

static uint32_t custody_take_place(struct worker *w, const struct handoff_record *r, int fd, bool moved)
{
	struct custody *c = w->custody;
	struct supervisor *s = w->gen->s;
	struct custody_held *h;
	uint32_t place;

	if (!c || s->custody.copies >= s->custody.most || (c->free < 0 && custody_grow(c) < 0))
		return 0;
	place = (uint32_t)c->free;
	h = &c->held[place];
	c->free = h->fd;
	*h = (struct custody_held){
		.fd = fd, .accepted_s = (uint32_t)(r->accepted_ns / CONF_SECOND), .listener = r->listener, .flags = (uint8_t)r->flags,
		.asked = (uint16_t)r->requests, .how = moved ? HELD_MOVED : HELD_NEW,
		.use = (uint16_t)(h->use >= BOOK_USE_MAX ? 1 : h->use + 1),
	};
	custody_count(s, 1);
	if (r->flags & HANDOFF_PROXIED) {	/* until it is handed over the place is ours to write */
		c->book->told[place] = *r;
		c->book->told[place].custody = book_ticket(place, h->use);
	}
	if (!timer_armed(&s->custody.sweep))
		timer_set(&s->loop.wheel, &s->custody.sweep, s->loop.now_ns + CUSTODY_SWEEP_NS);
	return book_ticket(place, h->use);
}

void custody_hold(struct worker *w, struct handoff_msg *m)
{
	unsigned i;

	for (i = 0; i < m->head.count; i++)
		m->rec[i].custody = custody_take_place(w, &m->rec[i], m->fd[i], m->head.type == HANDOFF_MOVE);
}

void custody_sent(const struct handoff_msg *m)
{
	unsigned i;

	for (i = 0; i < handoff_fds(m); i++) {
		if (i >= m->head.count || m->rec[i].custody == 0)
			close(m->fd[i]);
	}
}

void custody_void(struct worker *w, struct handoff_msg *m)
{
	unsigned i;

	for (i = 0; i < m->head.count; i++) {
		if (m->rec[i].custody)
			custody_let_go(w, book_place(m->rec[i].custody), false);
		m->rec[i].custody = 0;
	}
}

void custody_returned(struct worker *w, struct handoff_record *r)
{
	if (custody_find(w->custody, r->custody))
		custody_let_go(w, book_place(r->custody), true);
	r->custody = 0;
}

void custody_waits(struct worker *w, const struct handoff_record *r)
{
	struct custody_held *h = custody_find(w->custody, r->custody);

	if (h)
		h->how = HELD_WAITS;
}

/* ---- what has ended ---- */

static struct book_word custody_word(const struct custody *c, uint32_t place)
{
	return book_unpack(atomic_load_explicit(&c->book->word[place], memory_order_relaxed));
}

static void custody_sweep_all(struct worker *w)
{
	struct custody *c = w->custody;
	uint32_t i;

	for (i = 0; i < c->places; i++) {
		struct book_word word = custody_word(c, i);

		if (c->held[i].how != HELD_FREE && word.state == BOOK_ENDED && word.use == c->held[i].use)
			custody_let_go(w, i, true);
	}
}

void custody_sweep(struct worker *w)
{
	struct custody *c = w->custody;
	uint32_t swept, ended, unsaid;

	if (!c)
		return;
	swept = atomic_load_explicit(&c->book->swept, memory_order_relaxed);
	ended = atomic_load_explicit(&c->book->ended, memory_order_acquire);
	if (ended - swept > BOOK_RING)	/* no worker of ours counts like that */
		swept = ended - BOOK_RING;
	for (; swept != ended; swept++) {
		uint32_t ticket = atomic_load_explicit(&c->book->ring[swept % BOOK_RING], memory_order_relaxed);

		if (custody_find(c, ticket))
			custody_let_go(w, book_place(ticket), true);
	}
	atomic_store_explicit(&c->book->swept, swept, memory_order_release);
	unsaid = atomic_load_explicit(&c->book->unsaid, memory_order_acquire);
	if (unsaid != c->unsaid) {
		c->unsaid = unsaid;
		custody_sweep_all(w);
	}
}

static void custody_due(struct timer *t)
{
	struct supervisor *s = CONTAINER(t, struct supervisor, custody.sweep);
	struct generation *g;
	unsigned i;

	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++)
			custody_sweep(&g->worker[i]);
	}
	if (s->custody.copies)
		timer_set(&s->loop.wheel, t, s->loop.now_ns + CUSTODY_SWEEP_NS);
}

/* ---- a worker has died ---- */

/* Whether somebody else may go on with it. */
static bool custody_goes_on(const struct custody_held *h, const struct book_word *word)
{
	if (word->use != h->use)	/* it had not come to look at it */
		return h->how == HELD_NEW;
	return word->state == BOOK_IDLE || word->state == BOOK_ASKED;
}

void custody_bereave(struct worker *w)
{
	struct custody *c = w->custody;
	unsigned saved = 0, cut = 0, twice = 0;
	uint32_t i;

	if (!c)
		return;
	custody_sweep(w);
	for (i = 0; i < c->places; i++) {
		struct custody_held *h = &c->held[i];
		struct book_word word = custody_word(c, i);

		if (h->how == HELD_FREE || h->how == HELD_ORPHAN)
			continue;
		if (h->how == HELD_WAITS) {
			h->how = HELD_NEW;
			continue;
		}
		if (word.use == h->use && word.state == BOOK_ENDED) {
			custody_let_go(w, i, true);
			continue;
		}
		if (!custody_goes_on(h, &word)) {
			cut++;
			custody_let_go(w, i, true);
			continue;
		}
		if (word.use == h->use && word.state == BOOK_ASKED && h->flags & HANDOFF_ASKED &&
		    (uint16_t)word.requests == h->asked) {
			twice++;
			custody_let_go(w, i, true);
			continue;
		}
		h->how = HELD_ORPHAN;
		saved++;
	}
	c->orphans += saved;
	c->cursor = 0;
	table_add(&w->gen->s->table.inst->rescued, saved);
	table_add(&w->gen->s->table.inst->cut, cut + twice);
	if (twice)
		log_error("worker %u: %u requests were under way for the second time when a worker died; their connections are "
			  "closed, they may be what kills workers", w->slot, twice);
	if (saved || cut)
		log_warn("worker %u: %u connections that it held go on with others, %u that were being answered are cut",
			 w->slot, saved, cut);
	w->gen->s->dispatch.stirred = true;
}

bool custody_pending(const struct worker *w)
{
	return w->custody && w->custody->orphans;
}

unsigned custody_orphans(const struct supervisor *s)
{
	const struct generation *g;
	unsigned i, n = 0;

	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++)
			n += g->worker[i].custody ? g->worker[i].custody->orphans : 0;
	}
	return n;
}

/* What the next worker has to know. False: its listener is gone. */
static bool custody_record(struct worker *w, uint32_t place, struct handoff_record *r)
{
	const struct custody_held *h = &w->custody->held[place];
	struct book_word word = custody_word(w->custody, place);
	const struct handoff_record *told = &w->custody->book->told[place];
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	int row = succession_translate(w->gen, h->listener);

	if (row < 0)
		return false;
	*r = (struct handoff_record){
		.accepted_ns = h->accepted_s * CONF_SECOND, .listener = (uint16_t)row,
		.flags = h->flags & (HANDOFF_HEADED | HANDOFF_PROXIED | HANDOFF_SECURE),
	};
	if (word.use == h->use) {
		r->requests = word.requests;
		r->skip = word.skip;
		r->flags |= word.state == BOOK_ASKED ? HANDOFF_ASKED : 0;
	}
	if (told->custody == book_ticket(place, h->use)) {
		r->flags |= told->flags & (HANDOFF_HEADED | HANDOFF_PROXIED | HANDOFF_SECURE);
		r->family = told->family;
		r->port = told->port;
		memcpy(r->addr, told->addr, sizeof(r->addr));
		memcpy(r->to, told->to, sizeof(r->to));
		r->to_port = told->to_port;
		return true;
	}
	if (getpeername(h->fd, (struct sockaddr *)&peer, &size) == 0 && size >= sizeof(sa_family_t))
		handoff_set_peer(r, &peer);
	return true;
}

/* The next orphans of w, as many as fit, into the round. */
static void custody_gather(struct worker *w)
{
	struct custody *c = w->custody;
	struct handoff_msg *round = &w->gen->s->dispatch.round;

	for (; c->orphans && c->cursor < c->places && round->head.count < HANDOFF_MAX; c->cursor++) {
		uint32_t place = c->cursor;

		if (c->held[place].how != HELD_ORPHAN)
			continue;
		if (custody_record(w, place, &round->rec[round->head.count])) {
			round->fd[round->head.count++] = c->held[place].fd;
			custody_let_go(w, place, false);
		} else {
			custody_let_go(w, place, true);
		}
	}
}

void custody_turn(struct supervisor *s)
{
	struct generation *g;
	unsigned i;

	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++) {
			struct worker *w = &g->worker[i];

			custody_sweep(w);
			if (custody_pending(w) && s->succession.stop > STOP_PLACING)
				custody_close(w);
			while (custody_pending(w) && !supervisor_holds(s) && dispatch_has_room(s, NULL)) {
				custody_gather(w);
				dispatch_give(s, &s->dispatch.round, NULL);
			}
		}
	}
}

void custody_init(struct supervisor *s)
{
	struct rlimit rl;
	unsigned all, rest;

	s->custody.sweep.cb = custody_due;
	s->custody.most = 512;
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return;
	all = rl.rlim_cur > 1u << 24 ? 1u << 24 : (unsigned)rl.rlim_cur;
	/* The rest is for the connections that are being accepted or come back, and for everything else. */
	rest = all / 8 > CUSTODY_REST ? all / 8 : CUSTODY_REST;
	s->custody.most = all / 2 > rest ? all - rest : all / 2;
}
