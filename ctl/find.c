/*
 * Finding instances. A table is called after its first supervisor's pid, /dev/shm/loadbalancer.PID; when
 * an heir has taken over, the pid of the one that lives stands in the table. What a killed one left
 * behind is told from what lives by looking for the process.
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
#include "ipc/text.h"

#define FIND_PREFIX	"loadbalancer."
#define FIND_MAX	64	/* instances that are listed */
#define FIND_COMM	"lb: supervisor"
#define FIND_HEIR_NS	UINT64_C(3000000000)	/* an heir that has not taken over by then does not */

struct find_instance {
	long name;	/* the number in the table's name */
	long pid;	/* of the supervisor that lives */
};

/* Whether the process is there and is the supervisor of the table of this name, as far as /proc says. The object must
 * be the process's own user's, or anybody could put figures before an operator. */
static bool find_alive(long name, long pid)
{
	char path[64], text[512] = "", *at;
	struct stat process, object;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld", pid);
	if (stat(path, &process) < 0)
		return false;
	snprintf(path, sizeof(path), "/dev/shm/" FIND_PREFIX "%ld", name);
	/* What may not be traced belongs to root in /proc. */
	if (stat(path, &object) < 0 || (process.st_uid != object.st_uid && process.st_uid != 0))
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT;	/* hidden: give it the benefit of the doubt */
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n > 0)
		text[n] = '\0';
	/* "PID (name) STATE ...": the name, and no zombie. */
	at = strchr(text, '(');
	return at && strncmp(at + 1, FIND_COMM ")", strlen(FIND_COMM ")")) == 0 &&
	    strncmp(at + strlen("(" FIND_COMM ")"), " Z", 2) != 0;
}

static long find_live(long name, const struct table *t)
{
	long pid = (long)atomic_load_explicit(&t->inst->supervisor_pid, memory_order_relaxed);

	return pid > 0 && find_alive(name, pid) ? pid : 0;
}

/* The supervisor of the table of this name; 0: none lives. */
static long find_supervisor_of(long name)
{
	char object[64];
	struct table t;
	long pid;

	if (find_alive(name, name))
		return name;
	snprintf(object, sizeof(object), "/" FIND_PREFIX "%ld", name);
	if (table_open(&t, object) < 0)
		return 0;
	pid = find_live(name, &t);
	table_unmap(&t);
	return pid;
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
	const struct find_instance *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int find_all(struct find_instance all[static FIND_MAX])
{
	DIR *d = opendir("/dev/shm");
	struct dirent *e;
	int n = 0;

	if (!d)
		return 0;
	while (n < FIND_MAX && (e = readdir(d))) {
		if (strncmp(e->d_name, FIND_PREFIX, strlen(FIND_PREFIX)) != 0)
			continue;
		all[n].name = find_pid(e->d_name);
		all[n].pid = all[n].name > 0 ? find_supervisor_of(all[n].name) : 0;
		if (all[n].pid > 0)
			n++;
	}
	closedir(d);
	qsort(all, (size_t)n, sizeof(*all), find_by_pid);
	return n;
}

static enum lbctl_exit find_open(struct table *t, const struct find_instance *of, FILE *err)
{
	char name[64];

	snprintf(name, sizeof(name), "/" FIND_PREFIX "%ld", of->name);
	if (table_open(t, name) == 0)
		return LBCTL_OK;
	if (errno == EPROTO)
		fprintf(err, "lbctl: the table of instance %ld is not of the layout that this lbctl reads (%d): "
			"another version's program runs\n", of->pid, SHM_LAYOUT);
	else
		fprintf(err, "lbctl: the table of instance %ld cannot be read: %s\n", of->pid, strerror(errno));
	return LBCTL_TABLE;
}

/* One line for each: what tells them apart. */
static void find_list(const struct find_instance *all, int n, FILE *err)
{
	struct table t;
	struct view v = { 0 };
	char age[TEXT_MAX];
	FILE *quiet = fopen("/dev/null", "we");

	for (int i = 0; i < n; i++) {
		if (!quiet || find_open(&t, &all[i], quiet) != LBCTL_OK) {
			fprintf(err, "  %-8ld of another version\n", all[i].pid);
			continue;
		}
		if (view_take(&v, &t, false) == 0)
			fprintf(err, "  %-8ld up %s, %u server%s in %u pool%s: %s%s\n", all[i].pid,
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
	struct find_instance all[FIND_MAX];
	long want = find_pid(wanted);
	char text[FIND_MAX][24];
	struct near near;
	int n;

	n = find_all(all);
	for (int i = 0; i < n; i++)
		if (want > 0 && (all[i].pid == want || all[i].name == want))
			return find_open(t, &all[i], err);
	fprintf(err, "lbctl: there is no instance %s", wanted);
	near_start(&near, wanted);
	for (int i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "%ld", all[i].pid);
		near_try(&near, text[i]);
	}
	if (near.best)
		fprintf(err, "; did you mean %s?\n", near.best);
	else if (n == 0)
		fprintf(err, "; none is running here\n");
	else
		fprintf(err, "; running:\n");
	if (!near.best)
		find_list(all, n, err);
	return LBCTL_NONE;
}

enum lbctl_exit find_table(struct table *t, const char *wanted, FILE *err)
{
	struct find_instance all[FIND_MAX];
	int n;

	if (wanted)
		return find_wanted(t, wanted, err);
	n = find_all(all);
	if (n == 1)
		return find_open(t, &all[0], err);
	if (n == 0) {
		fprintf(err, "lbctl: no instance of loadbalancer is running here\n");
	} else {
		fprintf(err, "lbctl: %d instances are running; choose one with --instance:\n", n);
		find_list(all, n, err);
	}
	return LBCTL_NONE;
}

long find_supervisor(const struct table *t)
{
	long name = find_pid(t->name);

	return name > 0 && find_alive(name, name) ? name : find_live(name, t);
}

bool find_is_over(const struct table *t, uint64_t gone_ns)
{
	char path[SHM_NAME_MAX + 16];

	snprintf(path, sizeof(path), "/dev/shm%s", t->name);
	/* Who ends in order takes the name away. */
	return gone_ns >= FIND_HEIR_NS || access(path, F_OK) < 0;
}
