/*
 * The answer to a probe: bytes in, an outcome out. No I/O, no allocation; bounded.
 *
 *	do {
 *		p = answer_room(&a, &room); n = read into p, at most room
 *		outcome = n > 0 ? answer_feed(&a, n) : answer_eof(&a);
 *	} while (outcome == SHM_OUT_NONE);
 */
#ifndef HEALTH_ANSWER_H
#define HEALTH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "http/body.h"
#include "http/head.h"
#include "shm_stats.h"

#define ANSWER_MAX 8192	/* bytes, head, framing and body together */

struct answer {
	bool seed;		/* the body counts: "<errors>\n<entries>" */
	bool in_body;
	uint32_t used;		/* bytes of buf that have come */
	uint32_t at;		/* start of the head being read, then of what is not yet decoded */
	uint32_t body_at;	/* the decoded body lies at buf[body_at..body_at + body_size) */
	uint32_t body_size;
	uint16_t status;	/* 0: no head yet */
	uint64_t errors, entries;	/* after SHM_OUT_OK, kind seed */
	struct http_head head;
	struct http_body body;
	char buf[ANSWER_MAX];
};

/* kind: CONF_CHECK_SEED or CONF_CHECK_HTTP. */
void answer_start(struct answer *a, enum conf_check_kind kind);
/* Where the next bytes go; *room is above 0. */
char *answer_room(struct answer *a, size_t *room);
/* n bytes have come. SHM_OUT_NONE: more are needed. */
enum shm_outcome answer_feed(struct answer *a, size_t n);
/* The server has closed. Never SHM_OUT_NONE. */
enum shm_outcome answer_eof(struct answer *a);

/*
 * "<errors>\n<entries>" and perhaps one final newline; decimal digits only, below 2^64. False: it is
 * anything else, and nothing was stored.
 */
bool answer_seed_body(const char *body, size_t size, uint64_t *errors, uint64_t *entries);

#endif
