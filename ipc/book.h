/*
 * Custody: what a worker says of the clients whose descriptors the supervisor holds too, so that they outlive it.
 *
 * For each worker's place there is one book, shared by the supervisor and the process that fills the place, and mapped by
 * nobody else. A connection that is handed over gets a place in it and a ticket, which goes along in its record and comes
 * back with it: the place, and how often that place was given away, so that an old ticket opens nothing.
 *
 * The worker writes one word a place: whether somebody else could go on with the connection as it stands in the kernel.
 * It can as long as everything that the client has said and that was not answered is still in the socket: the worker looks
 * at requests there (MSG_PEEK) and takes them out only once it begins to answer (worker/custody.c). When a connection has
 * ended the worker says so in the word and puts the ticket into the ring; the supervisor then closes its copy.
 *
 * Each word has one writer, the worker, but for `swept`. A process that was killed has written what it had written: the
 * memory is the same, so relaxed order is enough, and what comes before a system call in the program comes before it in fact.
 */
#ifndef IPC_BOOK_H
#define IPC_BOOK_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/handoff.h"

#define BOOK_PLACES	(1u << 17)	/* connections of one worker; those above are not in custody */
#define BOOK_RING	4096u		/* tickets of connections that have ended and were not yet swept */

enum book_state {
	BOOK_IDLE = 1,	/* no request is under way, or nothing of it has been taken out of the socket */
	BOOK_ASKED = 2,	/* the same, but servers may have seen the request; it may be repeated */
	BOOK_TAKEN = 3,	/* an answer may have begun, or bytes are in the worker only: it ends with the worker */
	BOOK_ENDED = 4,
};

/* A word, put together. */
struct book_word {
	enum book_state state;
	uint32_t requests;	/* answered on the connection */
	uint16_t skip;		/* bytes at the front of the socket that belong to what has been answered */
	uint16_t use;		/* of the ticket that it is about; another one: the worker has not seen this ticket yet */
};

#define BOOK_SKIP_MAX 0x3fff	/* fits the word */
#define BOOK_USE_MAX 0x7fff	/* the first is 1: a ticket is never 0 */

struct book {
	/* S */
	alignas(64) _Atomic uint32_t swept;	/* tickets taken from the ring, ever */
	/* W */
	alignas(64) _Atomic uint32_t ended;	/* tickets put into it, ever; release */
	_Atomic uint32_t unsaid;		/* connections that ended while the ring was full: look at the words */
	alignas(64) _Atomic uint32_t ring[BOOK_RING];
	_Atomic uint64_t word[BOOK_PLACES];	/* book_pack() */
	/* What the PROXY header said, of connections that had one: addresses and flags. S, where an earlier worker had
	 * read it, before the ticket is handed over; W from then on, before a word says that the header was taken out. */
	struct handoff_record told[BOOK_PLACES];
};

static inline uint32_t book_ticket(uint32_t place, uint16_t use) { return (uint32_t)use << 17 | place; }
static inline uint32_t book_place(uint32_t ticket) { return ticket & (BOOK_PLACES - 1); }
static inline uint16_t book_use(uint32_t ticket) { return (uint16_t)(ticket >> 17); }

static inline uint64_t book_pack(enum book_state state, uint16_t use, uint16_t skip, uint32_t requests)
{
	return (uint64_t)requests << 32 | (uint64_t)(skip & BOOK_SKIP_MAX) << 18 | (uint64_t)(use & BOOK_USE_MAX) << 3 |
	    (uint64_t)state;
}

static inline struct book_word book_unpack(uint64_t w)
{
	return (struct book_word){
		.state = (enum book_state)(w & 7), .use = (uint16_t)(w >> 3 & BOOK_USE_MAX),
		.skip = (uint16_t)(w >> 18 & BOOK_SKIP_MAX), .requests = (uint32_t)(w >> 32),
	};
}

/* A book for one place, zeroed; its pages are touched as they are used. No child of ours gets it unless book_fork() has
 * said so. NULL with errno. */
struct book *book_map(void);
void book_unmap(struct book *b);
/* Whether the children that are forked from now on have it. */
void book_fork(struct book *b, int inherit);

#endif
