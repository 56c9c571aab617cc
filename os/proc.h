/*
 * What a daemon does to itself: title, privileges, limits, pid file, detaching.
 */
#ifndef OS_PROC_H
#define OS_PROC_H

#include <sys/types.h>

/* Call first in main(): makes room for titles over argv and environ. Their strings move to the heap: argv's
 * elements and environ point there afterwards; the array argv stays where it is. */
void proc_title_init(int argc, char **argv);
/* "loadbalancer: worker 1", in ps and in /proc/PID/cmdline; comm gets what fits. */
void proc_title(const char *title);

/* Who children become. Resolved before anything is started, so that a bad name is a clean error. */
struct proc_identity {
	uid_t uid;
	gid_t gid;
	int change;	/* 0: not root, stays who it is */
};
/* user, group may be NULL (nobody; the user's own group). 0, or -1 with a message in err[size]. */
int proc_identity(struct proc_identity *id, const char *user, const char *group, char *err, unsigned size);
/* For good: groups, gid, uid, no_new_privs, not dumpable; then checks that there is no way back. 0, or -1 with errno. */
int proc_drop(const struct proc_identity *id);

/* Raises RLIMIT_NOFILE as far as allowed, at most to `want`; returns what it is now. */
unsigned proc_raise_nofile(unsigned want);

/* Writes our pid; the file is locked for our life, by which a stale one is told from one that is held. The
 * descriptor, or -1 with errno (EWOULDBLOCK: another instance holds it; EEXIST: not a pid file). */
int proc_pid_file(const char *path);
/* Our pid in place of our predecessor's, which left us the descriptor. 0, or -1 with errno. */
int proc_pid_file_rewrite(int fd);
/* Removes it, if it is still ours, and closes fd. */
void proc_pid_file_remove(const char *path, int fd);

/* Detaches: fork, setsid, fork. Returns in the daemon with the write end of a pipe; the first parent waits for
 * one byte (exit status) on it, or for its end (status 1), and exits with it. -1 with errno. */
int proc_daemon(void);
/* Lets go of the terminal: stdin, stdout, stderr to /dev/null; stderr stays when keep_stderr. */
void proc_let_go(int keep_stderr);
/* Tells the waiting parent, after proc_let_go(). Closes fd. */
void proc_daemon_ready(int fd, int status, int keep_stderr);

/* Closes every descriptor from `from` up that is not in keep[]. */
void proc_close_others(int from, const int *keep, unsigned nkeep);

#endif
