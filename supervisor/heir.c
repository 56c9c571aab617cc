/*
 * The heir. Its descriptors come by fork, so it is made anew whenever listeners or children have
 * changed; between two changes it costs nothing. It keeps the privileges, because it may have to be
 * the supervisor, and reads nothing from anybody but the end of one pipe.
 */
#include "supervisor/heir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/log.h"
#include "os/proc.h"
#include "supervisor/inherit.h"
#include "supervisor/notify.h"
#include "supervisor/upgrade.h"

#define HEIR_END_MS 1000	/* for all that a dying process does */
#define HEIR_PAUSE_MS 100	/* a supervisor that had lived shorter than a second: not again at once */

static bool heir_wanted(const struct supervisor *s)
{
	return s->current && s->current->conf->heir && s->succession.stop == STOP_NOT;
}

/* Everything that inherit.c describes, the log, and the pipe. */
static unsigned heir_keeps(const struct supervisor *s, int pipe_end, int *keep)
{
	const struct generation *g;
	unsigned n = 0, i;

	keep[n++] = pipe_end;
	keep[n++] = log_fd();
	keep[n++] = s->pid_fd;
	keep[n++] = s->health_wake;
	for (i = 0; i < s->table.max_workers; i++)
		keep[n++] = s->wake[i];
	for (i = 0; i < s->listeners.n; i++)
		keep[n++] = s->listeners.v[i]->fd;
	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++) {
			keep[n++] = g->worker[i].channel[0];
			keep[n++] = g->worker[i].channel[1];
		}
	}
	return n;
}

/* The pipe ends first, other descriptors of the dead a moment later, the control socket's perhaps: until they have. */
static void heir_await_end(pid_t pid)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (p.fd < 0)	/* nobody of that number is left */
		return;
	if (poll(&p, 1, HEIR_END_MS) == 0)
		log_warn("the supervisor (pid %d) is still ending; going on all the same", (int)pid);
	close(p.fd);
}

/*
 * What the supervisor tells its heirs, in memory that all of them share. A program that has taken over by exec(2) has
 * memory of its own, and for its first heir the one that it inherited goes first.
 */
static struct {
	/* Which heir is the one. For a moment there are two, the new one and the one before it; whenever the supervisor dies,
	 * exactly one of them finds its number here. */
	_Atomic uint32_t number;
	_Atomic uint32_t upgrading;	/* the supervisor is becoming another program: if that one dies, it is not the one to try */
} *heir_told;

/* In the heir. */
_Noreturn static void heir_wait(struct supervisor *s, int pipe_end, uint32_t number)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE };
	static int keep[4 + SHM_WORKERS_MAX * 3 + CONF_BINDS_MAX];
	struct pollfd p = { .fd = pipe_end };	/* no events: only its end is of interest */
	uint64_t started = loop_clock_ns();
	sigset_t none;
	unsigned i;
	bool same;

	s->heir_pid = 0;	/* that was the one before */
	s->heir_pipe = -1;
	proc_close_others(STDERR_FILENO + 1, keep, heir_keeps(s, pipe_end, keep));
	if (s->daemon_fd >= 0)
		proc_let_go(s->keep_stderr);
	/* What a terminal or a service manager sends to the whole group is not for us. */
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	log_name("heir");
	proc_title("loadbalancer: heir");
	while (poll(&p, 1, -1) <= 0)
		;
	if (atomic_load_explicit(&heir_told->number, memory_order_acquire) != number)
		_exit(0);
	notify_succeed(s->pid);
	if (loop_clock_ns() - started < CONF_SECOND)
		poll(NULL, 0, HEIR_PAUSE_MS);
	heir_await_end(s->pid);
	same = atomic_load_explicit(&heir_told->upgrading, memory_order_acquire);
	if (same)
		log_error("the new program is gone before it served; the old one takes over");
	else
		log_error("the supervisor is gone without a word; taking over");
	close(pipe_end);
	upgrade_exec(s, same);
	log_fatal("cannot take over: %s", strerror(errno));
}

static void heir_make(struct supervisor *s)
{
	uint32_t number;
	int pair[2];
	pid_t pid;

	if (!heir_told) {
		void *page = mmap(NULL, sizeof(*heir_told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			goto fail;
		heir_told = page;
		heir_dismiss(s);
	}
	number = atomic_load_explicit(&heir_told->number, memory_order_relaxed) + 1;
	if (pipe2(pair, O_CLOEXEC) < 0)
		goto fail;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(pair[1]);
		if (s->heir_pipe >= 0)
			close(s->heir_pipe);
		heir_wait(s, pair[0], number);
	}
	close(pair[0]);
	if (pid < 0) {
		close(pair[1]);
		goto fail;
	}
	/* There is one at every moment: the old one goes when the new one is there. */
	atomic_store_explicit(&heir_told->number, number, memory_order_release);
	heir_dismiss(s);
	s->heir_pid = pid;
	s->heir_pipe = pair[1];
	s->heir_stale = false;
	return;
fail:
	log_error("no heir: %s; if the supervisor is killed now, nobody takes over", strerror(errno));
	s->heir_stale = false;	/* with the next change another attempt */
}

void heir_turn(struct supervisor *s)
{
	if (!heir_wanted(s)) {
		if (s->heir_pid)	/* when we stop, too: a listener lives as long as its last copy */
			heir_dismiss(s);
		return;
	}
	/* Children that are being started are nobody's to inherit: they end with us. */
	if (s->heir_stale && s->succession.phase == SUCCESSION_IDLE && s->checking == 0)
		heir_make(s);
}

void heir_ended(struct supervisor *s, int status)
{
	(void)status;
	s->heir_pid = 0;
	if (s->heir_pipe >= 0)
		close(s->heir_pipe);
	s->heir_pipe = -1;
	s->heir_stale = true;
	if (heir_wanted(s))
		log_warn("the heir has ended; another one is made");
}

void heir_dismiss(struct supervisor *s)
{
	pid_t pid = s->heir_pid;

	s->heir_pid = 0;
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)	/* it has nothing to finish: at once */
			;
	}
	if (s->heir_pipe >= 0)
		close(s->heir_pipe);
	s->heir_pipe = -1;
}

void heir_upgrading(const struct supervisor *s, bool is)
{
	if (s->heir_pid && heir_told)
		atomic_store_explicit(&heir_told->upgrading, is, memory_order_release);
}
