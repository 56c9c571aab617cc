/*
 * What a daemon does to itself. The supervisor calls most of this once at start; children call
 * proc_close_others(), proc_title() and proc_drop() between fork and their first work.
 */
#include "os/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The leak sanitizer looks into its own process with ptrace(2), which "not dumpable" forbids. */
#if defined(__SANITIZE_ADDRESS__)
#define PROC_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PROC_DUMPABLE 1
#endif
#endif
#ifndef PROC_DUMPABLE
#define PROC_DUMPABLE 0
#endif

extern char **environ;

/* ---- title ---- */

/* The strings of argv and environ lie one behind the other; the title is written over them. */
static struct {
	char *start;
	size_t room;		/* argv's and environ's strings, bytes */
	size_t argv_size;	/* of them argv's, final NUL included */
} title;

void proc_title_init(int argc, char **argv)
{
	char *end, **copy;
	int i, n;

	if (argc < 1)
		return;
	end = argv[0];
	for (i = 0; i < argc; i++) {
		if (argv[i] == end)
			end += strlen(end) + 1;
	}
	title.argv_size = (size_t)(end - argv[0]);
	for (n = 0; environ && environ[n]; n++) {
		if (environ[n] == end)
			end += strlen(end) + 1;
	}

	/* Everybody who holds pointers into the area keeps good ones: the strings move to the heap. */
	copy = calloc((size_t)n + 1, sizeof(*copy));
	if (!copy)
		return;
	for (i = 0; i < n; i++) {
		copy[i] = strdup(environ[i]);
		if (!copy[i])
			goto fail;
	}
	title.start = argv[0];
	for (i = 0; i < argc; i++) {
		char *s = strdup(argv[i]);

		if (!s) {
			title.start = NULL;
			goto fail;
		}
		argv[i] = s;
	}
	environ = copy;
	title.room = (size_t)(end - title.start);
	return;
fail:
	for (i = 0; i < n; i++)
		free(copy[i]);
	free(copy);
}

void proc_title(const char *text)
{
	static const char program[] = "loadbalancer: ";
	char comm[16];
	size_t n = strlen(text);

	if (strncmp(text, program, sizeof(program) - 1) == 0)
		snprintf(comm, sizeof(comm), "lb: %s", text + sizeof(program) - 1);
	else
		snprintf(comm, sizeof(comm), "%s", text);
	prctl(PR_SET_NAME, comm, 0, 0, 0);

	if (!title.start || title.room < 2)
		return;
	if (n > title.room - 1)
		n = title.room - 1;
	memcpy(title.start, text, n);
	memset(title.start + n, 0, title.room - n);
	/*
	 * The kernel shows argv's area as it is, trailing NULs included, unless its last byte is not
	 * NUL: then it takes the first NUL as the end, which is what makes a short title look right.
	 */
	if (n + 1 < title.argv_size)
		title.start[title.argv_size - 1] = '.';
}

/* ---- privileges ---- */

int proc_identity(struct proc_identity *id, const char *user, const char *group, char *err, unsigned size)
{
	int root = geteuid() == 0;
	const struct passwd *pw;
	const struct group *gr;

	memset(id, 0, sizeof(*id));
	id->uid = getuid();
	id->gid = getgid();
	errno = 0;
	pw = getpwnam(user ? user : "nobody");
	if (!pw && (user || root)) {
		snprintf(err, size, "user %s: %s", user ? user : "nobody", errno ? strerror(errno) : "there is no such user");
		return -1;
	}
	errno = 0;
	gr = group ? getgrnam(group) : NULL;
	if (group && !gr) {
		snprintf(err, size, "group %s: %s", group, errno ? strerror(errno) : "there is no such group");
		return -1;
	}
	if (!root)
		return 0;
	id->uid = pw->pw_uid;
	id->gid = gr ? gr->gr_gid : pw->pw_gid;
	id->change = 1;
	return 0;
}

/* Capabilities that came with the start, e.g. CAP_NET_BIND_SERVICE: the supervisor's, not a child's. */
static int proc_drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -1;
	memset(data, 0, sizeof(data));
	if (syscall(SYS_capset, &head, data) < 0)
		return -1;
	memset(data, 0xff, sizeof(data));
	if (syscall(SYS_capget, &head, data) < 0)
		return -1;
	if (data[0].effective | data[1].effective | data[0].permitted | data[1].permitted) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int proc_drop(const struct proc_identity *id)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (id->change) {
		if (setgroups(0, NULL) < 0 || setresgid(id->gid, id->gid, id->gid) < 0 ||
		    setresuid(id->uid, id->uid, id->uid) < 0)
			return -1;
		if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0)
			return -1;
		if (ruid != id->uid || euid != id->uid || suid != id->uid || rgid != id->gid || egid != id->gid ||
		    sgid != id->gid) {
			errno = EPERM;
			return -1;
		}
	}
	/* The configuration may ask for root by name; then root it is. */
	if (!(id->change && id->uid == 0)) {
		if (proc_drop_capabilities() < 0)
			return -1;
		if (id->change && (setuid(0) == 0 || seteuid(0) == 0)) {
			errno = EPERM;
			return -1;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, PROC_DUMPABLE, 0, 0, 0) < 0)
		return -1;
	return 0;
}

/* ---- limits ---- */

unsigned proc_raise_nofile(unsigned want)
{
	struct rlimit lim, raised;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 1024;
	if (lim.rlim_cur < want) {
		/* Root may go past the hard limit, up to fs.nr_open; others up to it. */
		raised.rlim_cur = want;
		raised.rlim_max = lim.rlim_max < want ? want : lim.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &raised) < 0) {
			raised.rlim_cur = lim.rlim_max < want ? lim.rlim_max : want;
			raised.rlim_max = lim.rlim_max;
			if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
				raised = lim;
		}
		lim = raised;
	}
	return lim.rlim_cur > want ? want : (unsigned)lim.rlim_cur;
}

/* ---- pid file ---- */

/*
 * The lock, not the number, says whether somebody lives: flock(2) ends with its holder. Children
 * close their copy of the descriptor.
 */
int proc_pid_file_rewrite(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	return ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n ? -1 : 0;
}

int proc_pid_file(const char *path)
{
	char text[32];
	struct stat a, b;
	ssize_t got;
	int fd, err;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			goto fail;
		if (fstat(fd, &a) < 0)
			goto fail;
		/* Its last holder may have removed it between our open and our lock. */
		if (lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
			break;
		close(fd);
	}
	if (!S_ISREG(a.st_mode)) {
		errno = EEXIST;
		goto fail;
	}
	/* A slip of the fingers must not cost somebody a file: only a number is overwritten. */
	got = pread(fd, text, sizeof(text) - 1, 0);
	if (got < 0)
		goto fail;
	text[got] = '\0';
	if (a.st_size > got || strspn(text, "0123456789\n") != (size_t)got) {
		errno = EEXIST;
		goto fail;
	}
	if (proc_pid_file_rewrite(fd) < 0)
		goto fail;
	return fd;
fail:
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

void proc_pid_file_remove(const char *path, int fd)
{
	struct stat a, b;

	if (fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		unlink(path);
	close(fd);
}

/* ---- detaching ---- */

int proc_daemon(void)
{
	unsigned char status = 1;
	int fd[2], err;
	ssize_t n;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		goto fail;
	if (pid > 0) {
		close(fd[1]);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		do
			n = read(fd[0], &status, 1);
		while (n < 0 && errno == EINTR);
		_exit(n == 1 ? status : 1);
	}
	close(fd[0]);
	if (setsid() < 0)
		_exit(1);
	/* Not the leader of the session: no terminal opened later can become ours. */
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	return fd[1];
fail:
	err = errno;
	close(fd[0]);
	close(fd[1]);
	errno = err;
	return -1;
}

void proc_let_go(int keep_stderr)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (!keep_stderr)
			dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
}

void proc_daemon_ready(int fd, int status, int keep_stderr)
{
	unsigned char byte = (unsigned char)status;

	proc_let_go(keep_stderr);
	while (write(fd, &byte, 1) < 0 && errno == EINTR)
		;
	close(fd);
}

/* ---- descriptors ---- */

/* Kernels before 5.9 have no close_range(2). */
static void proc_close_slowly(unsigned first, unsigned last)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;

	if (!dir) {
		for (; first <= last && first < 65536; first++)
			close((int)first);
		return;
	}
	while ((e = readdir(dir))) {
		unsigned long fd = strtoul(e->d_name, NULL, 10);

		if (fd >= first && fd <= last && (int)fd != dirfd(dir))
			close((int)fd);
	}
	closedir(dir);
}

static void proc_close_span(unsigned first, unsigned last)
{
	if (first <= last && syscall(SYS_close_range, first, last, 0) < 0)
		proc_close_slowly(first, last);
}

void proc_close_others(int from, const int *keep, unsigned nkeep)
{
	unsigned next = from < 0 ? 0 : (unsigned)from, i;

	for (;;) {
		unsigned least = UINT_MAX;	/* the next descriptor to keep */

		for (i = 0; i < nkeep; i++) {
			if (keep[i] >= 0 && (unsigned)keep[i] >= next && (unsigned)keep[i] < least)
				least = (unsigned)keep[i];
		}
		if (least == UINT_MAX) {
			proc_close_span(next, INT_MAX);
			return;
		}
		if (least > next)
			proc_close_span(next, least - 1);
		next = least + 1;
	}
}
