/*
 * Connections as they are now, told by the workers that hold them (worker/conns.c) to whoever asked the
 * supervisor (lbctl show conns).
 *
 * The asker makes a pair of SOCK_SEQPACKET sockets and sends one end with its request; the supervisor gives a
 * copy to each worker. Each worker sends messages of struct conns_head and records, and at last one with
 * CONNS_END. When all copies are closed, nothing more comes. A worker never waits for the asker: what does
 * not fit goes on when there is room, and after CONNS_PATIENCE_NS it gives up.
 */
#ifndef IPC_CONNS_H
#define IPC_CONNS_H

#include <stdbool.h>

#include "ipc/seen.h"

#define CONNS_MESSAGE_MAX	4096		/* bytes */
#define CONNS_FILTER_MAX	512		/* bytes of a filter as text */
#define CONNS_PATIENCE_NS	UINT64_C(10000000000)

enum conns_state {
	CONNS_IDLE,		/* between requests */
	CONNS_PREAMBLE,		/* a PROXY header or a ClientHello is coming in */
	CONNS_HEAD,		/* the head of a request is coming in */
	CONNS_QUEUE,		/* waits for a server with room */
	CONNS_CONNECT,		/* the connection to the server is being opened */
	CONNS_REQUEST,		/* the request is going to the server */
	CONNS_WAIT,		/* the server has it all, and has not begun to answer */
	CONNS_ANSWER,		/* the answer is on its way */
	CONNS_TUNNEL,		/* bytes both ways */
	CONNS_OWN,		/* an answer of the balancer's own is going out */
	CONNS_LINGER,		/* over, but the client may still be sending */
	CONNS_STATES
};

/* "idle", "wait" ...: one word, also in filters. */
extern const char *const conns_words[CONNS_STATES + 1];	/* NULL at the end */

struct conns_record {
	uint64_t age_ns;		/* since it was accepted */
	uint64_t since_ns;		/* so long it has been what it is now */
	uint64_t to_server, from_server;/* bytes of the exchange that is under way */
	struct seen_client client;
	uint32_t listener, pool, server;	/* rows; SEEN_NONE */
	uint32_t requests;		/* begun on it */
	uint16_t state;			/* enum conns_state */
	uint16_t rule, how;		/* enum shm_rule, enum shm_how: of the server */
	uint16_t failures;		/* servers that have failed the request */
	uint32_t descriptor;		/* in its worker */
	uint32_t size;			/* of text */
	char text[SEEN_TEXT_MAX];	/* the request line, as far as it is still there */
};

enum { CONNS_MORE, CONNS_END };

struct conns_head {
	uint32_t kind, slot;
	uint32_t count;			/* records that follow */
	uint32_t pad;
	/* CONNS_END */
	uint64_t held;			/* connections of this worker */
	uint64_t states[CONNS_STATES];	/* of these, whatever the filter says */
};

#define CONNS_BATCH ((CONNS_MESSAGE_MAX - sizeof(struct conns_head)) / sizeof(struct conns_record))

/* Which connections are meant. Everything must hold. */
struct conns_filter {
	uint32_t states;		/* bit 1 << enum conns_state; 0: all */
	uint32_t listener;		/* row; SEEN_NONE: any */
	uint64_t older_ns, since_ns;	/* at least so old; at least so long what they are */
	uint8_t net[16];		/* of the client */
	uint32_t family, bits;		/* family 0: any client */
	char server[2 * SHM_NAME_MAX + 2];	/* as ipc/match.h says, or a pool's name; "": any */
};

/* As text, "states=12 listener=3 ...": what the asker's request ends with. 0, or -1: not understood, too long. */
int conns_filter_write(const struct conns_filter *f, char *text, size_t room);
int conns_filter_read(struct conns_filter *f, const char *text, size_t size);
/* Whether the address is in the filter's net. */
bool conns_filter_client(const struct conns_filter *f, uint32_t family, const uint8_t *addr);

#endif
