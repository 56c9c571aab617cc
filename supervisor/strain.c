/*
 * Two signs of strain. The workers: how much of the time they did not sleep (shm_worker.busy_ns). Ourselves: how long we
 * were ready to run and waited for a processor, which the scheduler counts (the second figure in /proc/self/schedstat,
 * see Documentation/scheduler/sched-stats.rst). On a machine with processors to spare neither shows; where clients,
 * servers and we share two of them, the second does long before the first.
 */
#include "supervisor/strain.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define STRAIN_LOOK_NS	(5 * CONF_MS)	/* not more often than that */
#define STRAIN_MEAN_NS	(20 * CONF_MS)
#define STRAIN_LONG_NS	CONF_SECOND	/* nobody had asked for so long: begin anew */

/* Share of the time: below the first no strain, above the second all there is. */
#define STRAIN_BUSY_FROM	0.5
#define STRAIN_BUSY_TO		0.8
#define STRAIN_WAIT_FROM	0.05
#define STRAIN_WAIT_TO		0.2

void strain_init(struct supervisor *s)
{
	s->strain.fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);	/* -1: then the workers must do */
}

void strain_close(struct supervisor *s)
{
	if (s->strain.fd >= 0)
		close(s->strain.fd);
	s->strain.fd = -1;
}

/* Waited for a processor, ever, nanoseconds. */
static uint64_t strain_waited(int fd)
{
	char text[64], *end;
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	strtoull(text, &end, 10);
	return strtoull(end, NULL, 10);
}

static uint64_t strain_busy(const struct supervisor *s, const struct generation *g)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < g->nworkers; i++)
		sum += atomic_load_explicit(&s->table.worker[g->worker[i].slot].busy_ns, memory_order_relaxed);
	return sum;
}

static double strain_ramp(double share, double from, double to)
{
	return share <= from ? 0 : share >= to ? 1 : (share - from) / (to - from);
}

double strain_now(struct supervisor *s)
{
	struct strain *t = &s->strain;
	const struct generation *g = s->current;
	uint64_t dt = s->loop.now_ns - t->looked_ns, busy, waited;
	double value, more;

	if (dt < STRAIN_LOOK_NS || !g || g->nworkers == 0)
		return t->value;
	busy = strain_busy(s, g);
	waited = strain_waited(t->fd);
	/* Another generation, or another process in a worker's place, counts from somewhere else. */
	if (dt >= STRAIN_LONG_NS || t->generation != g->number || busy < t->busy || waited < t->waited) {
		t->value = 0;
	} else {
		value = strain_ramp((double)(busy - t->busy) / ((double)dt * g->nworkers), STRAIN_BUSY_FROM, STRAIN_BUSY_TO);
		more = strain_ramp((double)(waited - t->waited) / (double)dt, STRAIN_WAIT_FROM, STRAIN_WAIT_TO);
		if (more > value)
			value = more;
		t->value += (value - t->value) * (double)dt / (double)(STRAIN_MEAN_NS + dt);
	}
	t->generation = g->number;
	t->busy = busy;
	t->waited = waited;
	t->looked_ns = s->loop.now_ns;
	return t->value;
}
