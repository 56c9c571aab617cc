/* How the scheduler treats us. Any process. */
#include "os/sched.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_NS		UINT64_C(1000000000)
#define TURNS		64	/* fewer say nothing */
/*
 * Measured on two processors that a load generator, servers and two processes of tests/bench/relay.c shared. With batch one
 * ran for 6 us and waited for 6 us each time at 1,000 requests a second, 20 and 25 at 60,000, 38 and 45 at what the machine
 * could do; workers there up to 150: who works all the time has to share, whatever the policy. Beside programs that never
 * slept it ran for 7 us and waited for 170 at 1,000, 10 and 98 at 10,000, where normal had 18 and 25; at 30,000, 23 and 94,
 * both were as good.
 */
#define LONG_NS		UINT64_C(80000)
#define LONG_TIMES	5	/* and so many times what it runs */
#define PAUSE_MIN_NS	(4 * LOOK_NS)
#define PAUSE_MAX_NS	(64 * LOOK_NS)
#define CALM_NS		(64 * LOOK_NS)	/* batch did well for so long: the next pause is a short one again */

/* 0, or -1 with errno; no privilege is needed between these two. */
static int become(bool batch)
{
	return sched_setscheduler(0, batch ? SCHED_BATCH : SCHED_OTHER, &(struct sched_param){ 0 });
}

static bool figures(const struct sched *s, uint64_t *run_ns, uint64_t *wait_ns, uint64_t *turns)
{
	char text[80], *at, *end;
	ssize_t n = pread(s->fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	*run_ns = strtoull(text, &at, 10);
	*wait_ns = strtoull(at, &end, 10);
	*turns = strtoull(end, &at, 10);
	return at > end;
}

static void leave(struct sched *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void sched_begin(struct sched *s, enum sched_wish wish, uint64_t now_ns)
{
	int policy = sched_getscheduler(0);

	*s = (struct sched){ .fd = -1, .batch = policy == SCHED_BATCH, .looked_ns = now_ns, .since_ns = now_ns,
		.pause_ns = PAUSE_MIN_NS };
	if (policy != SCHED_OTHER && policy != SCHED_BATCH)
		return;
	if (wish == SCHED_WISH_AUTO) {
		s->fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
		if (s->fd < 0 || !figures(s, &s->run_ns, &s->wait_ns, &s->turns)) {
			leave(s);
			return;
		}
	}
	if (become(wish != SCHED_WISH_NORMAL) < 0)	/* a system call filter may forbid it */
		leave(s);
	else
		s->batch = wish != SCHED_WISH_NORMAL;
}

bool sched_look(struct sched *s, uint64_t now_ns, uint64_t *mean_ns)
{
	uint64_t run_ns, wait_ns, turns, ran_ns, waited_ns;
	bool batch = s->batch;

	if (s->fd < 0 || now_ns - s->looked_ns < LOOK_NS)
		return false;
	s->looked_ns = now_ns;
	if (!batch && now_ns - s->since_ns < s->pause_ns)
		return false;
	if (!figures(s, &run_ns, &wait_ns, &turns)) {
		leave(s);
		return false;
	}
	if (batch && turns - s->turns < TURNS)
		return false;
	ran_ns = run_ns - s->run_ns;
	waited_ns = wait_ns - s->wait_ns;
	*mean_ns = waited_ns / (turns > s->turns ? turns - s->turns : 1);
	s->run_ns = run_ns;
	s->wait_ns = wait_ns;
	s->turns = turns;
	if (batch && (*mean_ns <= LONG_NS || waited_ns <= LONG_TIMES * ran_ns)) {
		if (now_ns - s->since_ns >= CALM_NS)
			s->pause_ns = PAUSE_MIN_NS;
		return false;
	}
	if (become(!batch) < 0) {
		leave(s);
		return false;
	}
	if (batch && now_ns - s->since_ns < CALM_NS && s->pause_ns < PAUSE_MAX_NS)
		s->pause_ns *= 2;
	s->batch = !batch;
	s->since_ns = now_ns;
	return true;
}
