/* Files of access logs: opened here, written by workers. */
#include "supervisor/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/log.h"

/* One that is open, for any number of configurations. */
struct log_file {
	struct log_file *next;
	char *target;
	int fd;
	unsigned users;
};

static struct log_file *files;

/* Syslog and the standard descriptors need nobody to open them. */
static bool logs_is_file(const char *target)
{
	return target[0] == '/';
}

/* O_NONBLOCK: a FIFO that nobody reads is an error, and not a wait. */
static int logs_open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
}

static struct log_file *logs_take(const char *target)
{
	struct log_file *f;
	int err;

	for (f = files; f; f = f->next) {
		if (strcmp(f->target, target) == 0) {
			f->users++;
			return f;
		}
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->target = strdup(target);
	f->fd = f->target ? logs_open_file(target) : -1;
	if (f->fd < 0) {
		err = errno;
		free(f->target);
		free(f);
		errno = err;
		return NULL;
	}
	f->users = 1;
	f->next = files;
	files = f;
	return f;
}

static void logs_give(const char *target)
{
	struct log_file **at, *f;

	for (at = &files; (f = *at); at = &f->next) {
		if (strcmp(f->target, target) != 0)
			continue;
		if (--f->users > 0)
			return;
		*at = f->next;
		close(f->fd);
		free(f->target);
		free(f);
		return;
	}
}

int logs_open(struct conf *conf, char *err, size_t size)
{
	unsigned i;

	for (i = 0; i < conf->naccess_logs; i++) {
		struct conf_access_log *log = &conf->access_log[i];
		struct log_file *f;

		if (!logs_is_file(log->target))
			continue;
		f = logs_take(log->target);
		if (!f) {
			snprintf(err, size, "access log %s: %s", log->target, strerror(errno));
			return -1;
		}
		log->fd = f->fd;
	}
	return 0;
}

void logs_close(struct conf *conf)
{
	unsigned i;

	for (i = 0; i < conf->naccess_logs; i++) {
		if (conf->access_log[i].fd >= 0)
			logs_give(conf->access_log[i].target);
		conf->access_log[i].fd = -1;
	}
}

void logs_reopen(void)
{
	struct log_file *f;
	int fd;

	for (f = files; f; f = f->next) {
		fd = logs_open_file(f->target);
		if (fd < 0 || dup3(fd, f->fd, O_CLOEXEC) < 0)
			log_error("access log %s cannot be opened anew: %s; lines go to the old file", f->target, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
}

void logs_say(struct handoff_msg *m, const struct conf *conf)
{
	unsigned i;

	for (i = 0; i < conf->naccess_logs && m->head.count < HANDOFF_MAX; i++) {
		struct handoff_record *r = &m->rec[m->head.count];

		if (conf->access_log[i].fd < 0)
			continue;
		memset(r, 0, sizeof(*r));
		r->listener = (uint16_t)i;
		m->fd[m->head.count++] = conf->access_log[i].fd;
	}
}

/* The directory of a file that is not there must be. */
static int logs_test_file(const char *path)
{
	char dir[4096];
	struct stat st;

	if (stat(path, &st) == 0) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : 0;
		return errno || access(path, W_OK) < 0 ? -1 : 0;
	}
	if (errno != ENOENT)
		return -1;
	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	return access(dir[0] ? dir : "/", W_OK | X_OK);
}

int logs_test(const struct conf *conf, char *err, size_t size)
{
	unsigned i;

	for (i = 0; i < conf->naccess_logs; i++) {
		if (!logs_is_file(conf->access_log[i].target) || logs_test_file(conf->access_log[i].target) == 0)
			continue;
		snprintf(err, size, "access log %s: %s", conf->access_log[i].target, strerror(errno));
		return -1;
	}
	return 0;
}
