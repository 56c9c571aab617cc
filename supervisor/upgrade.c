/*
 * An upgrade. First the new program is started with -t: it must accept the configuration, and
 * understand what this one would leave to it. Only then this process becomes it, by exec(2).
 */
#include "supervisor/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/log.h"
#include "supervisor/heir.h"
#include "supervisor/inherit.h"
#include "supervisor/notify.h"

#define UPGRADE_ENV		"LOADBALANCER_PROGRAM"	/* the path of the program, for who takes over */
#define UPGRADE_CHECK_NS	(10 * CONF_SECOND)
#define UPGRADE_TEXT		2000	/* bytes of what it says that reach the log */

static struct {
	char path[4096];	/* of the program, as it was when we started */
	char **argv;
	int said;		/* memfd with what the new program says */
	struct timer patience;
	struct supervisor *s;
} upgrade = { .said = -1 };

void upgrade_init(char **argv, bool taking_over)
{
	const char *told = taking_over ? getenv(UPGRADE_ENV) : NULL;
	ssize_t n;

	if (told) {	/* the file that we were started from may be another one by now, or gone */
		snprintf(upgrade.path, sizeof(upgrade.path), "%s", told);
	} else {
		n = readlink("/proc/self/exe", upgrade.path, sizeof(upgrade.path) - 1);
		upgrade.path[n > 0 ? n : 0] = '\0';
	}
	unsetenv(UPGRADE_ENV);
	upgrade.argv = argv;
}

static void upgrade_too_slow(struct timer *t)
{
	(void)t;
	log_error("upgrade: the new program does not come to an end");
	if (upgrade.s->checking)
		kill(upgrade.s->checking, SIGKILL);
}

/* In the child. */
_Noreturn static void upgrade_look(int description, int said)
{
	char number[16], **argv;
	unsigned n = 0;
	sigset_t none;

	while (upgrade.argv[n])
		n++;
	argv = calloc(n + 2, sizeof(*argv));
	if (!argv || dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
		_exit(126);
	argv[0] = upgrade.argv[0];
	argv[1] = (char *)"-t";
	memcpy(argv + 2, upgrade.argv + 1, (n - 1) * sizeof(*argv));
	proc_close_others(STDERR_FILENO + 1, &description, 1);
	snprintf(number, sizeof(number), "%d", description);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setenv(INHERIT_ENV, number, 1) == 0 && fcntl(description, F_SETFD, 0) == 0)
		execv(upgrade.path, argv);
	dprintf(STDERR_FILENO, "%s: %s\n", upgrade.path, strerror(errno));
	_exit(126);
}

void upgrade_begin(struct supervisor *s)
{
	int description;
	pid_t pid;

	if (s->succession.stop != STOP_NOT || !s->current)
		return;
	if (s->checking || s->upgrade) {
		log_info("upgrade: one is under way");
		return;
	}
	description = inherit_describe(s);
	upgrade.said = memfd_create("loadbalancer-upgrade", MFD_CLOEXEC);
	if (description < 0 || upgrade.said < 0)
		goto fail;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		upgrade_look(description, upgrade.said);
	if (pid < 0)
		goto fail;
	close(description);
	s->checking = pid;
	upgrade.s = s;
	upgrade.patience.cb = upgrade_too_slow;
	timer_set(&s->loop.wheel, &upgrade.patience, s->loop.now_ns + UPGRADE_CHECK_NS);
	log_info("upgrade: %s looks at the configuration", upgrade.path);
	return;
fail:
	log_error("upgrade: %s; this program goes on", strerror(errno));
	if (description >= 0)
		close(description);
	if (upgrade.said >= 0)
		close(upgrade.said);
	upgrade.said = -1;
}

void upgrade_checked(struct supervisor *s, int status)
{
	char text[UPGRADE_TEXT + 1], *line, *next;
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	ssize_t n = pread(upgrade.said, text, UPGRADE_TEXT, 0);

	timer_cancel(&s->loop.wheel, &upgrade.patience);
	close(upgrade.said);
	upgrade.said = -1;
	s->checking = 0;
	text[n > 0 ? n : 0] = '\0';
	snprintf(s->succession.verdict, sizeof(s->succession.verdict), "%s", text);
	for (line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (good)
			log_info("upgrade: %s", line);
		else
			log_error("upgrade: %s", line);
	}
	if (good) {
		s->upgrade = true;
	} else {
		log_error("upgrade: refused; this program goes on");
		notify_upgrade_refused(s->succession.verdict);
	}
	s->dispatch.stirred = true;
}

int upgrade_exec(struct supervisor *s, bool same)
{
	char number[16];
	int description = inherit_describe(s), err;

	if (description < 0)
		return -1;
	snprintf(number, sizeof(number), "%d", description);
	inherit_pass(s, true);
	if (fcntl(description, F_SETFD, 0) == 0 && setenv(INHERIT_ENV, number, 1) == 0 &&
	    setenv(UPGRADE_ENV, upgrade.path, 1) == 0)
		execv(same ? "/proc/self/exe" : upgrade.path, upgrade.argv);
	err = errno;
	unsetenv(UPGRADE_ENV);
	unsetenv(INHERIT_ENV);
	inherit_pass(s, false);
	close(description);
	errno = err;
	return -1;
}

void upgrade_turn(struct supervisor *s)
{
	if (!s->upgrade || s->succession.phase != SUCCESSION_IDLE || supervisor_holds(s) || s->succession.stop != STOP_NOT)
		return;
	s->upgrade = false;
	log_info("upgrade: going over to %s", upgrade.path);
	notify_reloading();
	heir_upgrading(s, true);
	upgrade_exec(s, false);
	heir_upgrading(s, false);
	log_error("upgrade: %s: %s; this program goes on", upgrade.path, strerror(errno));
	notify_ready("serving; the last upgrade failed");
	s->heir_stale = true;
}
