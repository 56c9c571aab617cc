/*
 * The supervisor: main().
 *
 * It reads the configuration, opens the listeners, makes the shared table, starts the health process
 * and the workers, accepts connections and hands each to a worker, replaces children that die, and
 * leads from one configuration to the next. Started as root it stays root, to be able to listen and
 * to start children; therefore it touches nothing that a client or a server sent: it passes
 * descriptors on and never reads from one. What its children tell it is checked (supervisor/channel.c).
 *
 *	      signals
 *	         |
 *	  [ supervisor ] --- supervisor/accept.c, dispatch.c: connections to workers
 *	    |    |    \  --- supervisor/children.c, hang.c:   processes that die, or hang
 *	    |    |     \ --- supervisor/succession.c:         start, reload, stop
 *	[worker] ...  [health]
 *
 * This file: the command line, preparation, signals, the loop, and leaving nothing behind.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/conf.h"
#include "os/log.h"
#include "supervisor/accept.h"
#include "supervisor/channel.h"
#include "supervisor/children.h"
#include "supervisor/control.h"
#include "supervisor/custody.h"
#include "supervisor/dispatch.h"
#include "supervisor/generation.h"
#include "supervisor/hang.h"
#include "supervisor/heir.h"
#include "supervisor/inherit.h"
#include "supervisor/keep.h"
#include "supervisor/lent.h"
#include "supervisor/limit.h"
#include "supervisor/listeners.h"
#include "supervisor/logs.h"
#include "supervisor/notify.h"
#include "supervisor/state.h"
#include "supervisor/strain.h"
#include "supervisor/succession.h"
#include "supervisor/upgrade.h"

#define NOFILE_WANTED	(1u << 20)
#define EXIT_USAGE	2

#ifdef __clang__
#define COMPILER	"clang " __clang_version__
#else
#define COMPILER	"gcc " __VERSION__
#endif

static struct supervisor sup = { .daemon_fd = -1, .pid_fd = -1, .health_wake = -1, .signals.fd = -1, .heir_pipe = -1, .strain.fd = -1 };
static int given = -1;	/* what a predecessor left: see inherit.h */

/* ---- signals ---- */

static void reopen_logs(void)
{
	struct generation *g;
	unsigned i;

	if (log_reopen() < 0)
		log_error("log: cannot be opened anew: %s; the old one is kept", strerror(errno));
	else
		log_info("logs: opened anew");
	logs_reopen();
	for (g = supervisor_next_generation(&sup, NULL); g; g = supervisor_next_generation(&sup, g)) {
		for (i = 0; i < g->nworkers; i++) {
			if (g->worker[i].pid)
				channel_tell(&g->worker[i], HANDOFF_REOPEN);
		}
	}
	if (log_is_file())
		children_renew_health(&sup);
}

static void take_signal(const struct signalfd_siginfo *si)
{
	switch (si->ssi_signo) {
	case SIGCHLD:
		break;	/* see signal_event() */
	case SIGHUP:
		succession_reload(&sup);
		break;
	case SIGTERM:
	case SIGQUIT:
		/* The second one means it. */
		succession_stop(&sup, sup.succession.stop != STOP_NOT);
		break;
	case SIGINT:
		succession_stop(&sup, true);
		break;
	case SIGUSR1:
		reopen_logs();
		break;
	case SIGUSR2:
		upgrade_begin(&sup);
		break;
	default:
		log_info("signal %u is not used", si->ssi_signo);
		break;
	}
}

static void signal_event(struct loop_fd *h, uint32_t events)
{
	struct signalfd_siginfo si;
	ssize_t n;

	(void)events;
	while ((n = read(h->fd, &si, sizeof(si))) == (ssize_t)sizeof(si))
		take_signal(&si);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		log_error("signalfd: %s", strerror(errno));
	/* Several deaths may have come as one signal: all are collected, whatever it was. */
	children_reap(&sup);
}

static const int handled[] = { SIGCHLD, SIGHUP, SIGTERM, SIGQUIT, SIGINT, SIGUSR1, SIGUSR2 };

/* From here on they wait until the loop reads them. */
static int hold_signals(void)
{
	sigset_t set;
	unsigned i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaddset(&set, handled[i]);
	/* SIGXFSZ: a log that has reached a limit is an error, not the end. */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return -1;
	/* A parent may have left it ignored, and then children would vanish unseen. */
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		return -1;
	return 0;
}

static int listen_to_signals(void)
{
	sigset_t set;
	unsigned i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaddset(&set, handled[i]);
	sup.signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	sup.signals.cb = signal_event;
	if (sup.signals.fd < 0)
		return -1;
	return loop_add(&sup.loop, &sup.signals, EPOLLIN);
}

/* ---- preparation ---- */

/* Our own pid is in the name: what stands there under it was left by a process that is gone. */
static int make_table(const struct conf *conf)
{
	char name[SHM_NAME_MAX];

	snprintf(name, sizeof(name), "/loadbalancer.%d", (int)getpid());
	if (keep_make_table(&sup, conf, name, 0) < 0) {
		if (errno != EEXIST)
			return -1;
		log_warn("shared memory %s was left behind by another process of this pid and is replaced", name);
		if (table_remove(name) < 0 || keep_make_table(&sup, conf, name, 0) < 0)
			return -1;
	}
	sup.slot_used[0] = true;	/* our own */
	atomic_store_explicit(&sup.table.inst->started_ns, loop_clock_ns(), memory_order_relaxed);
	atomic_store_explicit(&sup.table.inst->started_real_s, (uint64_t)time(NULL), memory_order_relaxed);
	return 0;
}

/* New or taken over: these words are ours now. */
static void sign_table(void)
{
	atomic_store_explicit(&sup.table.inst->supervisor_pid, (uint32_t)getpid(), memory_order_relaxed);
	atomic_store_explicit(&sup.table.worker[0].pid, (uint32_t)getpid(), memory_order_relaxed);
	/* Of the program that runs now. Readers copy it as bytes and bound it: one that looks now sees a mixture at worst. */
	snprintf(sup.table.inst->version, sizeof(sup.table.inst->version), "%s", VERSION);
	log_share_level(&sup.table.inst->log_level);
}

/*
 * Predecessors that were killed left their shared memory behind, which nobody else will remove. The pid of the last
 * one stands in the pid file, which is ours by now; the table has it too, but is called after the first of its line.
 */
static void sweep_predecessor(pid_t pid)
{
	char name[SHM_NAME_MAX];
	struct dirent *e;
	struct table t;
	DIR *dir;
	bool its;

	if (pid <= 1 || pid == getpid() || kill(pid, 0) == 0 || errno != ESRCH)
		return;
	dir = opendir("/dev/shm");
	while (dir && (e = readdir(dir))) {
		if (strncmp(e->d_name, "loadbalancer.", 13) != 0 || strlen(e->d_name) + 2 > sizeof(name))
			continue;
		snprintf(name, sizeof(name), "/%.*s", (int)sizeof(name) - 2, e->d_name);
		its = atol(e->d_name + 13) == pid;
		if (!its && table_open(&t, name) == 0) {
			its = atomic_load_explicit(&t.inst->supervisor_pid, memory_order_relaxed) == (uint32_t)pid;
			table_unmap(&t);
		}
		if (its && table_remove(name) == 0)
			log_info("process %d did not end in order; its shared memory is removed", (int)pid);
	}
	if (dir)
		closedir(dir);
}

static int take_pid_file(const struct conf *conf)
{
	pid_t before = 0;
	FILE *f;

	if (!conf->pid_file)
		return 0;
	sup.pid_file = strdup(conf->pid_file);
	if (!sup.pid_file)
		return -1;
	if (given >= 0)	/* the lock came with the descriptor */
		return 0;
	f = fopen(sup.pid_file, "re");
	if (f) {
		if (fscanf(f, "%d", &before) != 1)
			before = 0;
		fclose(f);
	}
	sup.pid_fd = proc_pid_file(sup.pid_file);
	if (sup.pid_fd >= 0) {
		sweep_predecessor(before);
		return 0;
	}
	if (errno == EWOULDBLOCK)
		log_error("%s: another instance is running with this pid file", sup.pid_file);
	else if (errno == EEXIST)
		log_error("%s: exists and is not a pid file", sup.pid_file);
	else
		log_error("%s: %s", sup.pid_file, strerror(errno));
	return -1;
}

/*
 * Everything that must be there before a child is started. 0, or -1 after a message. Takes over conf; serves: it is the
 * one that a predecessor's workers run by.
 */
static int prepare(struct conf *conf, bool serves)
{
	int taken = 0;
	char err[512];

	sup.pid = getpid();
	umask(022);
	if (take_pid_file(conf) < 0)
		goto fail;
	if (loop_init(&sup.loop, proc_raise_nofile(NOFILE_WANTED)) < 0) {
		log_error("event loop: %s", strerror(errno));
		goto fail;
	}
	succession_init(&sup);
	children_init(&sup);
	custody_init(&sup);
	strain_init(&sup);
	hang_init(&sup);
	notify_init(&sup);
	limit_none(&sup);
	if (listen_to_signals() < 0 || accept_init(&sup) < 0) {
		log_error("event loop: %s", strerror(errno));
		goto fail;
	}
	if (given >= 0) {
		if (succession_log(&sup, conf) < 0)
			log_error("log %s: %s", conf->log, strerror(errno));
		taken = inherit_adopt(&sup, given, conf, serves, err, sizeof(err));
		if (taken < 0) {
			log_error("%s", err);
			goto fail;
		}
		if (sup.adopted && sup.pid_fd >= 0 && proc_pid_file_rewrite(sup.pid_fd) < 0)
			log_error("%s: %s", sup.pid_file, strerror(errno));
	} else {
		sup.health_wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (sup.health_wake < 0 || make_table(conf) < 0) {
			log_error("shared memory: %s", strerror(errno));
			goto fail;
		}
	}
	sign_table();
	if (limit_init(&sup) < 0) {
		log_error("wake-ups of the workers: %s", strerror(errno));
		goto fail;
	}
	if (control_open(&sup, conf, err, sizeof(err)) < 0) {
		log_error("%s", err);
		if (given < 0)	/* who has taken over serves without, rather than not at all */
			goto fail;
	}
	if (given >= 0) {
		if (!taken)
			conf_free(conf);
		succession_take_over(&sup);	/* the file is read again: a reload like any other */
		children_reap(&sup);	/* those that ended before our signalfd was there */
		return 0;
	}
	if (succession_start(&sup, conf, err, sizeof(err)) < 0) {
		log_error("%s", err);
		lent_close_rest();	/* one of them may be why */
		goto fail;
	}
	lent_close_rest();
	return 0;
fail:
	if (taken <= 0)
		conf_free(conf);
	return -1;
}

/* What to begin with: what a predecessor serves by, as long as the file has not been read and found good. */
static struct conf *first_conf(bool *serves)
{
	struct conf *conf = NULL;

	*serves = false;
	if (given >= 0 && !sup.options.test && !sup.options.print) {
		conf = inherit_conf(given, &sup.options, stderr);
		*serves = conf != NULL;
	}
	return conf ? conf : conf_load(&sup.options, stderr);
}

/* Whatever was made is unmade, in reverse order; at the end of a life, or of an attempt. */
static void leave_nothing(void)
{
	struct generation *g;

	heir_dismiss(&sup);
	control_close(&sup);
	listeners_close(&sup);
	while ((g = supervisor_next_generation(&sup, NULL))) {
		if (g == sup.current)
			sup.current = NULL;
		else if (g == sup.succession.next)
			sup.succession.next = NULL;
		else
			sup.retiring = g->older;
		generation_free(g);
	}
	if (sup.table.inst) {
		limit_close(&sup);
		if (table_unlink(&sup.table) < 0)
			log_error("%s: %s", sup.table.name, strerror(errno));
		log_share_level(NULL);
		table_unmap(&sup.table);
	}
	if (sup.health_wake >= 0)
		close(sup.health_wake);
	if (sup.signals.fd >= 0)
		close(sup.signals.fd);
	if (sup.dispatch.ep > 0)
		close(sup.dispatch.ep);
	strain_close(&sup);
	if (sup.loop.slot)
		loop_free(&sup.loop);
	if (sup.pid_fd >= 0)
		proc_pid_file_remove(sup.pid_file, sup.pid_fd);
	free(sup.pid_file);
	conf_options_free(&sup.options);
}

/* ---- the command line ---- */

static int tell_version(bool build)
{
	printf("loadbalancer %s\n", VERSION);
	if (build)
		printf("compiler: %s\nshared table: layout %d\n", COMPILER, SHM_LAYOUT);
	return ferror(stdout) || fflush(stdout) == EOF;
}

/* -t and -T: everything that can be said without starting anything. */
static int tell_test(const struct conf *conf)
{
	struct proc_identity identity;
	char err[256];

	if (given >= 0 && inherit_check(given, err, sizeof(err)) < 0) {
		fprintf(stderr, "loadbalancer: %s\n", err);
		return 1;
	}
	if (proc_identity(&identity, conf->user, conf->group, err, sizeof(err)) < 0 || control_test(conf, err, sizeof(err)) < 0 ||
	    logs_test(conf, err, sizeof(err)) < 0) {
		fprintf(stderr, "loadbalancer: %s\n", err);
		return 1;
	}
	if (sup.options.print)
		conf_print(conf, stdout);
	else
		fprintf(stderr, "loadbalancer: %s: the configuration is good\n", conf->file ? conf->file : "command line");
	return ferror(stdout) || fflush(stdout) == EOF;
}

/* ---- life ---- */

/*
 * The loop sleeps in whole milliseconds. Accept rounds are closer than that when connections pour in,
 * so the rest of one is slept here, on the loop's own epoll: whatever happens ends it.
 */
static uint64_t nap(uint64_t wait_ns)
{
	struct timespec ts = { .tv_nsec = (long)wait_ns };
	struct pollfd p = { .fd = sup.loop.ep, .events = POLLIN };

	if (wait_ns == 0 || wait_ns >= CONF_MS)
		return wait_ns;
	ppoll(&p, 1, &ts, NULL);	/* a failure only means that we look too early */
	return 0;
}

static void run(void)
{
	while (sup.succession.stop != STOP_DONE) {
		do {
			dispatch_turn(&sup);
			succession_turn(&sup);
		} while (sup.dispatch.stirred);
		control_turn(&sup);
		heir_turn(&sup);
		upgrade_turn(&sup);
		if (sup.succession.stop == STOP_DONE)
			break;
		if (loop_turn(&sup.loop, nap(dispatch_wait_ns(&sup))) < 0)
			log_error("epoll: %s", strerror(errno));
	}
}

int main(int argc, char **argv)
{
	struct conf *conf;
	bool serves;
	int status;

	given = inherit_given();
	lent_take();
	upgrade_init(argv, given >= 0);
	proc_title_init(argc, argv);	/* moves what argv points to, not argv itself; what is gone from the environment need not move */
	if (conf_options(&sup.options, argc, argv, stderr) < 0)
		return EXIT_USAGE;
	if (sup.options.help) {
		conf_usage(stdout);
		return 0;
	}
	if (sup.options.version || sup.options.build)
		return tell_version(sup.options.build);

	conf = first_conf(&serves);
	if (!conf)
		return 1;
	if (sup.options.test || sup.options.print) {
		status = tell_test(conf);
		conf_free(conf);
		conf_options_free(&sup.options);
		return status;
	}

	if (sup.options.daemon && given < 0) {
		sup.daemon_fd = proc_daemon();
		if (sup.daemon_fd < 0)
			log_fatal("cannot become a daemon: %s", strerror(errno));
	}
	if (hold_signals() < 0)
		log_fatal("signals: %s", strerror(errno));
	log_name("supervisor");
	proc_title("loadbalancer: supervisor");
	if (prepare(conf, serves) < 0) {
		if (sup.heir_pid == 0)	/* else everything is left as it is, to the heir of the program that we were to follow */
			leave_nothing();
		return 1;
	}
	run();
	log_tick(UINT64_MAX);
	log_info("stopped");
	leave_nothing();
	return sup.exit_status;
}
