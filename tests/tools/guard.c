/*
 * guard SECONDS COMMAND...: runs a test so that it can neither hang nor leave a process behind.
 *
 * Orphans of the test, however often they forked and called setsid, become children of this process
 * (PR_SET_CHILD_SUBREAPER). What still lives a moment after the test has ended is named on stdout as
 * a TAP diagnostic, killed, and makes the test fail. After SECONDS the test itself is ended.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t told_to_end;

static void on_signal(int sig)
{
	told_to_end = sig;
}

/* Signals each child of ours, names it when `tell`; how many there are. Zombies do not count. */
static unsigned children(int sig, int tell)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	unsigned n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char path[300], line[512] = "", state = 0;
		int parent = 0;
		pid_t pid = atoi(e->d_name);
		if (pid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		FILE *f = fopen(path, "re");
		if (f == NULL)
			continue;
		char *close_paren = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
		fclose(f);
		if (close_paren == NULL || sscanf(close_paren + 1, " %c %d", &state, &parent) != 2 ||
		    parent != getpid() || state == 'Z')
			continue;
		n++;
		if (tell) {
			close_paren[1] = '\0';
			printf("# left running: %s\n", line);
		}
		kill(pid, sig);
	}
	if (d != NULL)
		closedir(d);
	return n;
}

static void nap(void)
{
	struct timespec ts = { .tv_nsec = 20000000 };

	nanosleep(&ts, NULL);
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int status = 0, late = 0;

	if (argc < 3 || atoi(argv[1]) <= 0) {
		fputs("usage: guard SECONDS COMMAND...\n", stderr);
		return 2;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
		perror("guard: prctl");
		return 2;
	}
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	pid_t test = fork();
	if (test == 0) {
		setpgid(0, 0);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	alarm((unsigned)atoi(argv[1]));
	for (;;) {
		pid_t pid = waitpid(-1, &status, 0);
		if (pid == test)
			break;
		if (pid < 0 && errno == EINTR && told_to_end) {
			printf("# %s\n", told_to_end == SIGALRM ? "the test took too long and is ended" : "interrupted");
			/* The first time politely, so that the test can clean up after itself. */
			kill(-test, late++ ? SIGKILL : SIGTERM);
			told_to_end = 0;
			alarm(10);
		} else if (pid < 0 && errno != EINTR) {
			break;
		}
	}
	unsigned left = 0;
	for (int i = 0; i < 100; i++) {	/* two seconds for what was told to end */
		reap();
		left = children(0, 0);
		if (left == 0)
			break;
		nap();
	}
	if (left > 0) {
		children(SIGKILL, 1);
		for (int i = 0; i < 500; i++) {	/* their own children come to us in turn */
			reap();
			if (children(SIGKILL, 0) == 0)
				break;
			nap();
		}
		printf("# %u process(es) left behind\n", left);
	}
	fflush(stdout);
	if (left > 0 || late > 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
