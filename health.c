/*
 * The health process: one for a balancer. Probes all servers, resolves their names, and writes the
 * health rows and the history of the shared table; nobody else does.
 *
 * Runs unprivileged, forked from the supervisor, which has set its signals, title and log and dropped
 * its privileges before it comes here. Reads what servers answer (health/answer.c, bounded); never
 * touches a client; never blocks: names are resolved in children of its own (health/resolve.c).
 *
 * It has no state worth keeping: a successor finds the verdicts in the table and goes on from there.
 */
#include "health.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health/limiter.h"
#include "health/outlier.h"
#include "health/record.h"
#include "health/round.h"
#include "os/log.h"
#include "os/loop.h"

#define PROBES_MAX 2048		/* at once; the others wait */
#define FDS_OTHER 64		/* descriptors that are not probes': logs, channel, children */

static struct loop loop;
static struct round rounds;
static struct loop_fd channel, wake;

/* Every server has a verdict: the supervisor may tell whoever waits that it is ready. */
static void on_settled(void)
{
	static const char done = 1;

	if (send(channel.fd, &done, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("cannot report that the first round is done: %s", strerror(errno));
}

/* A server that was discovered says how much it can take. What is not heard is said again after the next lookup. */
static void on_rank(uint32_t row, uint32_t weight, bool backup)
{
	struct health_rank rank = { .row = row, .weight = weight, .backup = backup };

	if (send(channel.fd, &rank, sizeof rank, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("cannot report a weight: %s", strerror(errno));
}

static void on_channel(struct loop_fd *h, uint32_t events)
{
	char byte;
	ssize_t n = recv(h->fd, &byte, 1, MSG_DONTWAIT);

	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		_exit(0);	/* the supervisor is gone: nobody is left to probe for */
}

static void on_wake(struct loop_fd *h, uint32_t events)
{
	uint64_t count;

	(void)events;
	if (read(h->fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
		log_fatal("cannot read the wake-up descriptor: %s", strerror(errno));
	round_wake(&rounds);
}

static void start(const struct health_start *s)
{
	struct rlimit fds;
	unsigned probes, max_fds = 1024;
	int flags;

	if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
		max_fds = fds.rlim_cur > 1 << 20 ? 1 << 20 : (unsigned)fds.rlim_cur;
	probes = max_fds > 2 * FDS_OTHER ? max_fds - FDS_OTHER : max_fds / 2;
	if (probes > PROBES_MAX)
		probes = PROBES_MAX;
	if (loop_init(&loop, max_fds) < 0)
		log_fatal("cannot make an event loop: %s", strerror(errno));

	/* Shared with the workers; harmless to them, who only write. */
	flags = fcntl(s->wake, F_GETFL);
	if (flags < 0 || fcntl(s->wake, F_SETFL, flags | O_NONBLOCK) < 0)
		log_fatal("cannot set up the wake-up descriptor: %s", strerror(errno));
	channel = (struct loop_fd){ .cb = on_channel, .fd = s->channel };
	wake = (struct loop_fd){ .cb = on_wake, .fd = s->wake };
	if (loop_add(&loop, &channel, EPOLLIN) < 0 || loop_add(&loop, &wake, EPOLLIN) < 0)
		log_fatal("cannot watch the supervisor's channel: %s", strerror(errno));
	if (round_init(&rounds, &loop, s->conf, s->table, probes, on_settled, on_rank) < 0)
		log_fatal("no memory for the servers' state");
}

_Noreturn void health_main(const struct health_start *s)
{
	start(s);
	round_start(&rounds);
	if (outlier_start(&loop, s->conf, s->table) < 0)
		log_fatal("no memory for the servers' figures");
	if (limiter_start(&loop, s->conf, s->table) < 0)
		log_fatal("no memory for the servers' limits");
	if (record_start(&loop, s->table) < 0)
		log_fatal("no memory for the history");
	for (;;)
		if (loop_turn(&loop, UINT64_MAX) < 0)
			log_fatal("waiting for events failed: %s", strerror(errno));
}
