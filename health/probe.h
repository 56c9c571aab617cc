/*
 * One probe: connect, ask, read the answer, within a deadline.
 */
#ifndef HEALTH_PROBE_H
#define HEALTH_PROBE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "conf/conf.h"
#include "os/loop.h"
#include "shm_stats.h"

struct answer;
struct probe;
typedef void probe_done(struct probe *p);

/* What is asked, of whom; the caller's, and untouched until the probe has ended. */
struct probe_question {
	enum conf_check_kind kind;	/* not CONF_CHECK_NONE */
	const char *text;		/* HTTP kinds, or a PROXY header; else NULL */
	size_t size;
	uint64_t timeout_ns;		/* for the whole probe */
};

/* Writes the question for a server of the pool; its text stays for the life of the process. 0, or -1 with errno. */
int probe_question(struct probe_question *q, const struct conf_pool *pool, const struct conf_server *c);

struct probe {
	struct loop *loop;
	struct loop_fd fd;
	struct timer deadline;
	struct timer again;		/* unix socket whose backlog is full: when to knock again */
	const struct probe_question *question;
	struct sockaddr_storage addr;
	socklen_t addr_size;
	size_t sent;			/* bytes of the question */
	bool running, connected;
	struct answer *answer;		/* while connected, HTTP kinds */
	uint64_t started_ns;
	probe_done *done;

	/* Once it has ended. */
	enum shm_outcome outcome;
	unsigned status;		/* HTTP; 0: no head came */
	uint64_t latency_ns;
	uint64_t errors, entries;	/* SHM_OUT_OK of kind seed */
};

/* done is called once for every probe_start() that is not cancelled, perhaps before that returns. */
void probe_init(struct probe *p, struct loop *loop, probe_done *done);
void probe_start(struct probe *p, const struct probe_question *q, const struct sockaddr_storage *addr,
    socklen_t addr_size);
void probe_cancel(struct probe *p);

#endif
