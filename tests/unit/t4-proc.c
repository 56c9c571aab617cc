/* What a daemon does to itself: title, pid file, privileges, descriptors, detaching. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/proc.h"
#include "tests/unit/tap.h"

extern char **environ;

static char dir[] = "/tmp/t4-proc.XXXXXX";

/* Runs f in a child; its exit status, or -1. */
static int in_child(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static size_t read_file(const char *name, char *buf, size_t size)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n < 0 ? 0 : (size_t)n;
}

static void titles(int argc, char **argv)
{
	const char *env = getenv("PATH");
	char buf[512], comm[32], *path = strdup(env ? env : "");
	static const char *const title[] = { "loadbalancer: supervisor", "loadbalancer: worker 1", "x",
		"loadbalancer: a title which is somewhat longer than the one that stood here before" };

	proc_title_init(argc, argv);
	for (unsigned i = 0; i < sizeof(title) / sizeof(title[0]); i++) {
		proc_title(title[i]);
		read_file("/proc/self/cmdline", buf, sizeof(buf));
		is_str(buf, title[i], title[i]);
	}
	ok(read_file("/proc/self/cmdline", buf, sizeof(buf)) <= strlen(buf) + 1, "nothing behind it");
	proc_title("loadbalancer: worker 128");
	prctl(PR_GET_NAME, comm, 0, 0, 0);
	is_str(comm, "lb: worker 128", "comm holds the end of it");
	env = getenv("PATH");
	is_str(env ? env : "", path, "the environment is where it can stay");
	ok(strcmp(argv[argc - 1], "last argument") == 0, "and so are the arguments");
	free(path);
}

static int second_holder(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/pid", dir);
	return proc_pid_file(path) < 0 && errno == EWOULDBLOCK ? 0 : 1;
}

static void pid_files(void)
{
	char path[64], other[64], buf[64], want[32];
	int fd, f;

	snprintf(path, sizeof(path), "%s/pid", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(want, sizeof(want), "%d\n", (int)getpid());

	fd = proc_pid_file(path);
	ok(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC), "taken");
	read_file(path, buf, sizeof(buf));
	is_str(buf, want, "holds the pid");
	is_int(in_child(second_holder), 0, "a second holder is told");
	proc_pid_file_remove(path, fd);
	ok(access(path, F_OK) < 0, "removed");

	f = open(path, O_WRONLY | O_CREAT, 0644);
	ok(write(f, "4194303\n", 8) == 8, "a stale one");
	close(f);
	fd = proc_pid_file(path);
	read_file(path, buf, sizeof(buf));
	ok(fd >= 0 && strcmp(buf, want) == 0, "a stale one is taken over, longer content and all");
	ok(rename(path, other) == 0 && (f = open(path, O_WRONLY | O_CREAT, 0644)) >= 0, "another process's in its place");
	close(f);
	proc_pid_file_remove(path, fd);
	ok(access(path, F_OK) == 0, "is not removed");
	unlink(path);
	unlink(other);

	f = open(other, O_WRONLY | O_CREAT, 0644);
	ok(write(f, "root:x:0:0\n", 11) == 11, "a file that is no pid file");
	close(f);
	ok(proc_pid_file(other) < 0 && errno == EEXIST, "is refused");
	read_file(other, buf, sizeof(buf));
	is_str(buf, "root:x:0:0\n", "and left alone");
	ok(symlink(other, path) == 0 && proc_pid_file(path) < 0 && errno == ELOOP, "a symbolic link is not followed");
	unlink(path);
	unlink(other);
	snprintf(path, sizeof(path), "%s/none/pid", dir);
	ok(proc_pid_file(path) < 0 && errno == ENOENT, "no such directory");
}

static int drop_to_nobody(void)
{
	struct proc_identity id;
	char err[128];
	gid_t groups[32];

	if (proc_identity(&id, NULL, NULL, err, sizeof(err)) < 0 || !id.change || proc_drop(&id) < 0)
		return 1;
	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
		return 2;
	if (getgroups(32, groups) != 0)
		return 3;
	if (setuid(0) == 0 || setgid(0) == 0 || seteuid(0) == 0)
		return 4;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 5;
	if (open("/etc/shadow", O_RDONLY) >= 0)
		return 6;
	return 0;
}

static int drop_to_root(void)
{
	struct proc_identity id;
	char err[128];

	return proc_identity(&id, "root", NULL, err, sizeof(err)) < 0 || proc_drop(&id) < 0 || getuid() != 0;
}

static int drop_twice(void)
{
	struct proc_identity id;
	char err[128];

	/* As a user who is not root: nothing to change, and no error, whoever the file names. */
	if (drop_to_nobody() != 0)
		return 1;
	if (proc_identity(&id, "root", NULL, err, sizeof(err)) < 0 || id.change || proc_drop(&id) < 0)
		return 2;
	return getuid() == 0;
}

static void privileges(void)
{
	struct proc_identity id;
	char err[128] = "";

	ok(proc_identity(&id, "no-such-user-here", NULL, err, sizeof(err)) < 0, "an unknown user: %s", err);
	ok(proc_identity(&id, NULL, "no-such-group-here", err, sizeof(err)) < 0, "an unknown group: %s", err);
	if (geteuid() != 0) {
		ok(true, "the rest needs root # SKIP");
		return;
	}
	is_int(in_child(drop_to_nobody), 0, "nobody, without groups, without a way back");
	is_int(in_child(drop_to_root), 0, "root when root is asked for");
	is_int(in_child(drop_twice), 0, "who is not root stays who he is");
}

static int close_others(void)
{
	int keep[3], fd[20], i;

	for (i = 0; i < 20; i++) {
		fd[i] = fcntl(STDOUT_FILENO, F_DUPFD, 40 + i * 3);
		if (fd[i] < 0)
			return 1;
	}
	keep[0] = fd[7], keep[1] = -1, keep[2] = fd[3];
	proc_close_others(3, keep, 3);
	for (i = 0; i < 20; i++) {
		if ((fcntl(fd[i], F_GETFD) >= 0) != (i == 7 || i == 3))
			return 2;
	}
	return fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0;
}

static int nofile(void)
{
	struct rlimit lim = { .rlim_cur = 100, .rlim_max = 100 };
	unsigned n;

	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 1;
	n = proc_raise_nofile(200);
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || n != (lim.rlim_cur > 200 ? 200 : lim.rlim_cur))
		return 2;
	return n < 100;	/* more takes CAP_SYS_RESOURCE, which not every root has */
}

/* A daemon that is ready, one that says a status, one that dies: what its parent exits with. */
static int daemon_ready(void)
{
	int fd = proc_daemon();

	if (fd < 0)
		return 99;
	proc_daemon_ready(fd, 0, 0);
	_exit(55);
}

static int daemon_says_three(void)
{
	int fd = proc_daemon();

	if (fd < 0)
		return 99;
	proc_daemon_ready(fd, 3, 0);
	_exit(55);
}

static int daemon_dies(void)
{
	return proc_daemon() < 0 ? 99 : 0;
}

int main(int argc, char **argv)
{
	char *again[] = { argv[0], "some", "arguments and the", "last argument", NULL };

	if (argc == 1) {	/* for an argv to write over */
		execv("/proc/self/exe", again);
		return 1;
	}
	if (!mkdtemp(dir))
		return 1;
	titles(argc, argv);
	pid_files();
	privileges();
	is_int(in_child(close_others), 0, "all descriptors are closed but those to keep");
	is_int(in_child(nofile), 0, "the limit of descriptors is raised as far as allowed");
	is_int(in_child(daemon_ready), 0, "a daemon that is ready: its parent ends with 0");
	is_int(in_child(daemon_says_three), 3, "one that says 3");
	is_int(in_child(daemon_dies), 1, "one that dies before it is ready: 1");
	rmdir(dir);
	return done_testing();
}
