/*
 * The access log: what is noted of a request (in mode tcp: of a connection) on its way, for the line that is
 * written when it is over.
 *
 * The record is lent to a session from the first byte of a request to the end of its answer, where its
 * listener has a log; else s->log is NULL and each of these calls is one comparison.
 */
#ifndef WORKER_ACCESS_H
#define WORKER_ACCESS_H

#include "worker/exchange.h"

#define ACCESS_TEXT_MAX 4096	/* bytes of what a record holds of the request; what is longer is cut, and shows it */

/* Who ended it; the first letter. What is noted first stands. */
enum access_who {
	ACCESS_NOBODY = 0,	/* '-' it ended as it should */
	ACCESS_CLIENT,		/* 'C' closed or reset its connection */
	ACCESS_CLIENT_LATE,	/* 'c' neither sent nor took anything in time */
	ACCESS_SERVER,		/* 'S' refused, closed or reset the connection; or there was none */
	ACCESS_SERVER_LATE,	/* 's' did not answer in time */
	ACCESS_PROXY,		/* 'P' we refused it */
	ACCESS_RESOURCE,	/* 'R' we had no memory, descriptors or ports */
	ACCESS_LOCAL,		/* 'L' we answered it, as we were told to */
};

/* In which phase; the second letter. */
enum access_phase {
	ACCESS_AT_END = 0,	/* '-' */
	ACCESS_AT_REQUEST,	/* 'R' before or within its head, or by what its head says */
	ACCESS_AT_QUEUE,	/* 'Q' */
	ACCESS_AT_CONNECT,	/* 'C' */
	ACCESS_AT_HEAD,		/* 'H' before the head of the answer was there */
	ACCESS_AT_DATA,		/* 'D' */
	ACCESS_AT_LAST,		/* 'L' while an answer of our own was going out */
};

/* A piece of access.text; size 0: there is none. */
struct access_span { uint16_t at, size; };

struct access {
	/* Clock readings; 0: it did not come so far. Those of a further attempt replace those of the one before. */
	uint64_t begin_ns;		/* first byte of the request; mode tcp: accepted */
	uint64_t ready_ns;		/* its head was whole */
	uint64_t chosen_ns, connected_ns, first_ns;
	uint64_t queue_ns;		/* in the line, all attempts together */
	uint64_t counted_ns;		/* when the last wait that is in queue_ns began */
	uint64_t in, out;		/* bytes from and to the client; of our own answers, too */
	uint64_t in_before;		/* of `in`: in another worker, before it moved */
	uint64_t out_heads;		/* of `out`: heads, which are not yet known to be sent */
	const struct server *server;	/* the last one; NULL: none was chosen */
	const struct pool *pool;
	uint16_t status;		/* 0: none was sent */
	uint16_t how;			/* enum shm_how */
	uint16_t attempts;
	uint8_t who, phase;
	uint8_t rule;			/* enum shm_rule */
	uint8_t failure;		/* enum shm_outcome of the last failed attempt */
	uint8_t minor;			/* of the request's version; it counts when there is a method */
	uint8_t reused;			/* 1: the connection to the server was a kept one */
	uint32_t fields_key;		/* of the format's fields, for a record that moves */
	uint16_t used;			/* bytes of text */
	struct access_span request, method, target, host, id;
	struct access_span field[CONF_ACCESS_FIELDS_MAX];
	char text[ACCESS_TEXT_MAX];
};

/* Start-up only. */
void access_init(void);
/* A log's file was opened anew: takes fd. `log`: index in the configuration. */
void access_adopt(unsigned log, int fd);
/* Before the process ends: what is left is written, or given up after a while. */
void access_stop(void);

/* What happens to requests; call the ones without _note. */
void access_note_begin(struct session *s, uint64_t begin_ns);
void access_note_head(struct session *s);
void access_note_who(struct session *s, enum access_who who);
void access_note_refused(struct exchange *x, unsigned status);
void access_note_answer(struct session *s, unsigned status);
void access_note_own(struct session *s, unsigned status, size_t head);
void access_note_chosen(struct exchange *x);
void access_note_answered(struct exchange *x, size_t head);
void access_note_leave(struct exchange *x);
void access_note_end(struct session *s);

/* The first byte of a request is here, or a connection of mode tcp begins. */
static inline void access_begin(struct session *s, uint64_t begin_ns)
{
	if (s->listener->access.log != CONF_NO_LOG && s->log == NULL)
		access_note_begin(s, begin_ns);
}

/* The head in s->head, with its bytes at the front of s->c.in, is whole. */
static inline void access_head(struct session *s)
{
	if (s->log)
		access_note_head(s);
}

/* It is being ended by somebody, now. */
static inline void access_who(struct session *s, enum access_who who)
{
	if (s->log)
		access_note_who(s, who);
}

/* exchange_refuse() is about to end it. */
static inline void access_refused(struct exchange *x, unsigned status)
{
	if (x->s->log)
		access_note_refused(x, status);
}

/* We answer it with an error. */
static inline void access_answer(struct session *s, unsigned status)
{
	if (s->log)
		access_note_answer(s, status);
}

/* An answer of our own stands in s->out; `head`: bytes of its head. */
static inline void access_own(struct session *s, unsigned status, size_t head)
{
	if (s->log)
		access_note_own(s, status, head);
}

/* So much of such an answer has been sent. */
static inline void access_sent(struct session *s, size_t bytes)
{
	if (s->log)
		s->log->out += bytes;
}

/* It has been given to x->server. */
static inline void access_chosen(struct exchange *x)
{
	if (x->s->log)
		access_note_chosen(x);
}

/* The connection to the server is there. */
static inline void access_connected(struct exchange *x)
{
	if (x->s->log)
		x->s->log->connected_ns = state_now();
}

/* The server has failed it before an answer began. */
static inline void access_failed(struct exchange *x, enum shm_outcome outcome)
{
	if (x->s->log)
		x->s->log->failure = (uint8_t)outcome;
}

/* An interim head of `head` bytes goes to the client. */
static inline void access_interim(struct exchange *x, size_t head)
{
	if (x->s->log)
		x->s->log->out_heads += head;
}

/* The final head of the answer, so many bytes as it goes out. */
static inline void access_answered(struct exchange *x, size_t head)
{
	if (x->s->log)
		access_note_answered(x, head);
}

/* It leaves its server. */
static inline void access_leave(struct exchange *x)
{
	if (x->s->log)
		access_note_leave(x);
}

/* It is over: writes the line. */
static inline void access_end(struct session *s)
{
	if (s->log)
		access_note_end(s);
}

/* It goes on in another worker, which writes the line. */
void access_forget(struct session *s);

/* Handing over: the record of a conversation that moves, as bytes. `x`: before it leaves. Returns the size, 0: no log. */
#define ACCESS_PACKED_MAX (sizeof(struct access))
size_t access_pack(char *out, struct exchange *x);
/* What another worker packed; x->server is set. Nothing happens when it is not whole. */
void access_unpack(struct exchange *x, const char *in, size_t size);

#endif
