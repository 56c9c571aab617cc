/*
 * Finding instances. A table is called after its supervisor's pid, /dev/shm/loadbalancer.PID; what a
 * killed one left behind is told from what lives by looking for the process.
 */
#include "ctl/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/near.h"
#include "ctl/text.h"

#define FIND_PREFIX	"loadbalancer."
#define FIND_MAX	64	/* instances that are listed */
#define FIND_COMM	"lb: supervisor"

/* Whether the process is there and is a supervisor, as far as /proc says. The object must be the process's own
 * user's, or anybody could put figures before an operator. */
static bool find_alive(long pid)
{
	char path[64], comm[32] = "";
	struct stat process, object;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld", pid);
	if (stat(path, &process) < 0)
		return false;
	snprintf(path, sizeof(path), "/dev/shm/" FIND_PREFIX "%ld", pid);
	if (stat(path, &object) < 0 || (object.st_uid != process.st_uid && object.st_uid != 0))
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT;	/* hidden: give it the benefit of the doubt */
	n = read(fd, comm, sizeof(comm) - 1);
	close(fd);
	if (n > 0)
		comm[n] = '\0';
	return strncmp(comm, FIND_COMM, strlen(FIND_COMM)) == 0;
}

/* The pid in "loadbalancer.PID" or "PID"; -1: not of this form. */
static long find_pid(const char *name)
{
	char *end;
	long pid;

	if (name[0] == '/')
		name++;
	if (strncmp(name, FIND_PREFIX, strlen(FIND_PREFIX)) == 0)
		name += strlen(FIND_PREFIX);
	if (name[0] < '1' || name[0] > '9')
		return -1;
	errno = 0;
	pid = strtol(name, &end, 10);
	return *end || errno || pid > 1L << 30 ? -1 : pid;
}

static int find_by_pid(const void *a, const void *b)
{
	const long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int find_all(long pid[static FIND_MAX])
{
	DIR *d = opendir("/dev/shm");
	struct dirent *e;
	int n = 0;

	if (!d)
		return 0;
	while (n < FIND_MAX && (e = readdir(d))) {
		if (strncmp(e->d_name, FIND_PREFIX, strlen(FIND_PREFIX)) != 0)
			continue;
		pid[n] = find_pid(e->d_name);
		if (pid[n] > 0 && find_alive(pid[n]))
			n++;
	}
	closedir(d);
	qsort(pid, (size_t)n, sizeof(*pid), find_by_pid);
	return n;
}

static enum lbctl_exit find_open(struct table *t, long pid, FILE *err)
{
	char name[64];

	snprintf(name, sizeof(name), "/" FIND_PREFIX "%ld", pid);
	if (table_open(t, name) == 0)
		return LBCTL_OK;
	if (errno == EPROTO)
		fprintf(err, "lbctl: the table of instance %ld is not of the layout that this lbctl reads (%d): "
			"another version's program runs\n", pid, SHM_LAYOUT);
	else
		fprintf(err, "lbctl: the table of instance %ld cannot be read: %s\n", pid, strerror(errno));
	return LBCTL_TABLE;
}

/* One line for each: what tells them apart. */
static void find_list(const long *pid, int n, FILE *err)
{
	struct table t;
	struct view v = { 0 };
	char age[TEXT_MAX];
	FILE *quiet = fopen("/dev/null", "we");

	for (int i = 0; i < n; i++) {
		if (!quiet || find_open(&t, pid[i], quiet) != LBCTL_OK) {
			fprintf(err, "  %-8ld of another version\n", pid[i]);
			continue;
		}
		if (view_take(&v, &t, false) == 0)
			fprintf(err, "  %-8ld up %s, %u server%s in %u pool%s: %s%s\n", pid[i],
				text_age(age, v.now_ns - v.started_ns), v.nservers, v.nservers == 1 ? "" : "s", v.npools,
				v.npools == 1 ? "" : "s", v.npools ? v.pool[0].name : "", v.npools > 1 ? ", ..." : "");
		table_unmap(&t);
	}
	view_free(&v);
	if (quiet)
		fclose(quiet);
}

static enum lbctl_exit find_wanted(struct table *t, const char *wanted, FILE *err)
{
	long pid[FIND_MAX], want = find_pid(wanted);
	char text[FIND_MAX][24];
	struct near near;
	int n;

	if (want > 0 && find_alive(want))
		return find_open(t, want, err);
	n = find_all(pid);
	fprintf(err, "lbctl: there is no instance %s", wanted);
	near_start(&near, wanted);
	for (int i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "%ld", pid[i]);
		near_try(&near, text[i]);
	}
	if (near.best)
		fprintf(err, "; did you mean %s?\n", near.best);
	else if (n == 0)
		fprintf(err, "; none is running here\n");
	else
		fprintf(err, "; running:\n");
	if (!near.best)
		find_list(pid, n, err);
	return LBCTL_NONE;
}

enum lbctl_exit find_table(struct table *t, const char *wanted, FILE *err)
{
	long pid[FIND_MAX];
	int n;

	if (wanted)
		return find_wanted(t, wanted, err);
	n = find_all(pid);
	if (n == 1)
		return find_open(t, pid[0], err);
	if (n == 0) {
		fprintf(err, "lbctl: no instance of loadbalancer is running here\n");
	} else {
		fprintf(err, "lbctl: %d instances are running; choose one with --instance:\n", n);
		find_list(pid, n, err);
	}
	return LBCTL_NONE;
}
