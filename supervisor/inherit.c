/* What a supervisor leaves to the next one. The description, line by line:
 *
 *	loadbalancer-inherit VERSION
 *	layout SHM_LAYOUT
 *	table NAME
 *	from PID GENERATIONS		who wrote it; the number of its newest generation
 *	pid-file FD			-1: none
 *	health PID FD			the process, and the eventfd that wakes it
 *	wake SLOT FD
 *	listener FD ROW MODE
 *	generation NUMBER STATE DRAIN GRACE HANG NLISTENERS NWORKERS	oldest first; times in ns
 *	bind LISTENER HEX		a socket address, for translating rows
 *	access TARGET			an access log, in the order in which its workers count them
 *	worker SLOT PID FD FD TOLD READY	the channel, ours first
 *	end
 */
#include "supervisor/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/log.h"
#include "supervisor/channel.h"
#include "supervisor/children.h"
#include "supervisor/hang.h"
#include "supervisor/limit.h"
#include "supervisor/logs.h"

#define INHERIT_VERSION 2
#define INHERIT_LINE 4224	/* holds a path */

/* ---- writing ---- */

static void inherit_write_generation(FILE *f, const struct generation *g)
{
	const struct conf *c = g->conf;
	unsigned i, j, k;

	fprintf(f, "generation %u %d %llu %llu %llu %u %u\n", g->number, (int)g->state, (unsigned long long)c->drain_ns,
		(unsigned long long)c->grace_ns, (unsigned long long)c->hang_ns, c->nlisteners, g->nworkers);
	for (i = 0; i < c->nlisteners; i++) {
		for (j = 0; j < c->listener[i].nbinds; j++) {
			const struct conf_bind *b = &c->listener[i].bind[j];

			fprintf(f, "bind %u ", i);
			for (k = 0; k < b->addr_size; k++)
				fprintf(f, "%02x", ((const unsigned char *)&b->addr)[k]);
			fprintf(f, "\n");
		}
	}
	for (i = 0; i < c->naccess_logs; i++)
		fprintf(f, "access %s\n", c->access_log[i].target);
	for (i = 0; i < g->nworkers; i++) {
		const struct worker *w = &g->worker[i];

		if (w->slot)
			fprintf(f, "worker %u %d %d %d %u %d\n", w->slot, (int)w->pid, w->channel[0], w->channel[1], w->told,
				(int)w->ready);
	}
}

/* Oldest first, so that the list of retiring ones comes out in its order. */
static void inherit_write_older(FILE *f, const struct generation *g)
{
	if (!g)
		return;
	inherit_write_older(f, g->older);
	inherit_write_generation(f, g);
}

int inherit_describe(const struct supervisor *s)
{
	int fd = memfd_create("loadbalancer-inherit", MFD_CLOEXEC), copy;
	FILE *f;
	unsigned i;

	if (fd < 0)
		return -1;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	f = copy < 0 ? NULL : fdopen(copy, "w");
	if (!f)
		goto fail;
	fprintf(f, "loadbalancer-inherit %d\nlayout %d\ntable %s\nfrom %d %u\npid-file %d\nhealth %d %d\n", INHERIT_VERSION,
		SHM_LAYOUT, s->table.name, (int)s->pid, s->generations, s->pid_fd, (int)s->health.pid, s->health_wake);
	for (i = 0; i < s->table.max_workers; i++)
		fprintf(f, "wake %u %d\n", i, s->wake[i]);
	for (i = 0; i < s->listeners.n; i++)
		fprintf(f, "listener %d %u %d\n", s->listeners.v[i]->fd, s->listeners.v[i]->row, (int)s->listeners.v[i]->mode);
	inherit_write_older(f, s->retiring);
	if (s->current)
		inherit_write_generation(f, s->current);
	fprintf(f, "end\n");
	copy = ferror(f);
	if (fclose(f) == EOF || copy || lseek(fd, 0, SEEK_SET) < 0)
		goto fail_fd;
	return fd;
fail:
	if (copy >= 0)
		close(copy);
fail_fd:
	close(fd);
	errno = EIO;
	return -1;
}

static void inherit_pass_one(int fd, bool pass)
{
	if (fd >= 0 && fcntl(fd, F_SETFD, pass ? 0 : FD_CLOEXEC) < 0)
		log_error("descriptor %d: %s", fd, strerror(errno));
}

void inherit_pass(const struct supervisor *s, bool pass)
{
	const struct generation *g;
	unsigned i;

	inherit_pass_one(s->pid_fd, pass);
	inherit_pass_one(s->health_wake, pass);
	for (i = 0; i < s->table.max_workers; i++)
		inherit_pass_one(s->wake[i], pass);
	for (i = 0; i < s->listeners.n; i++)
		inherit_pass_one(s->listeners.v[i]->fd, pass);
	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++) {
			inherit_pass_one(g->worker[i].channel[0], pass);
			inherit_pass_one(g->worker[i].channel[1], pass);
		}
	}
}

/* ---- reading ---- */

int inherit_given(void)
{
	const char *text = getenv(INHERIT_ENV);
	char *end;
	long fd;

	if (!text)
		return -1;
	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end || end == text || fd < 3 || fd > INT32_MAX || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		fd = -1;
	unsetenv(INHERIT_ENV);
	return (int)fd;
}

static int inherit_bad(char *err, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int inherit_bad(char *err, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return -1;
}

static int inherit_versions(FILE *f, char *err, size_t size)
{
	int version, layout;

	if (fscanf(f, "loadbalancer-inherit %d layout %d ", &version, &layout) != 2)
		return inherit_bad(err, size, "what is left by the running supervisor cannot be understood");
	if (version != INHERIT_VERSION)
		return inherit_bad(err, size, "the running supervisor describes itself by version %d, this program knows %d: it takes a restart",
				   version, INHERIT_VERSION);
	if (layout != SHM_LAYOUT)
		return inherit_bad(err, size, "the shared table has layout %d, this program's is %d: it takes a restart", layout, SHM_LAYOUT);
	return 0;
}

int inherit_check(int fd, char *err, size_t size)
{
	FILE *f = fdopen(fd, "r");
	int r;

	if (!f)
		return inherit_bad(err, size, "%s", strerror(errno));
	r = inherit_versions(f, err, size);
	fclose(f);
	return r;
}

static bool inherit_open_fd(int fd)
{
	return fd > STDERR_FILENO && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static struct listener *inherit_listener(int fd, unsigned row, int mode)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct stat st;

	if (!l)
		return NULL;
	l->addr_size = sizeof(l->addr);
	if (!inherit_open_fd(fd) || getsockname(fd, (struct sockaddr *)&l->addr, &l->addr_size) < 0) {
		free(l);
		return NULL;
	}
	sock_text((const struct sockaddr *)&l->addr, l->addr_size, l->text, sizeof(l->text));
	l->fd = fd;
	l->row = (uint16_t)row;
	l->mode = mode == CONF_MODE_TCP ? CONF_MODE_TCP : CONF_MODE_HTTP;
	if (l->addr.ss_family == AF_UNIX && stat(((const struct sockaddr_un *)&l->addr)->sun_path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return l;
}

static int inherit_add_listener(struct supervisor *s, int fd, unsigned row, int mode)
{
	struct listener **v = realloc(s->listeners.v, (s->listeners.n + 1) * sizeof(struct listener *));
	struct listener *l;

	if (!v)
		return -1;
	s->listeners.v = v;
	l = inherit_listener(fd, row, mode);
	if (!l)
		return -1;
	v[s->listeners.n++] = l;
	return 0;
}

/* As much of its configuration as retiring it takes. */
static struct generation *inherit_generation(struct supervisor *s, const char *line)
{
	unsigned long long drain, grace, hang;
	unsigned number, nlisteners, nworkers, i;
	struct generation *g;
	int state;

	if (sscanf(line, "generation %u %d %llu %llu %llu %u %u", &number, &state, &drain, &grace, &hang, &nlisteners,
		   &nworkers) != 7 || nlisteners > CONF_LISTENERS_MAX || nworkers > CONF_WORKERS_MAX)
		return NULL;
	g = calloc(1, sizeof(*g) + nworkers * sizeof(g->worker[0]));
	if (!g)
		return NULL;
	g->conf = calloc(1, sizeof(*g->conf));
	if (!g->conf || !(g->conf->listener = calloc(nlisteners ? nlisteners : 1, sizeof(*g->conf->listener)))) {
		free(g->conf);
		free(g);
		return NULL;
	}
	g->s = s;
	g->number = number;
	g->retired_ns = s->loop.now_ns;	/* what its predecessor knew of it ended with that one */
	g->state = state == GENERATION_RETIRING ? GENERATION_RETIRING : GENERATION_SERVING;
	g->conf->drain_ns = drain;
	g->conf->grace_ns = grace;
	g->conf->hang_ns = hang;
	g->conf->nlisteners = nlisteners;
	g->conf->max_connections = UINT32_MAX;	/* limits come with the next generation */
	for (i = 0; i < nlisteners; i++)
		g->conf->listener[i].max_connections = UINT32_MAX;
	g->conf->workers = nworkers;
	if (g->state == GENERATION_RETIRING) {
		g->older = s->retiring;
		s->retiring = g;
	} else {
		s->current = g;
	}
	return g;
}

static int inherit_bind(struct generation *g, const char *line)
{
	char hex[2 * sizeof(struct sockaddr_storage) + 1];
	struct conf_listener *l;
	struct conf_bind *b;
	unsigned listener, k, byte;

	if (sscanf(line, "bind %u %256[0-9a-f]", &listener, hex) != 2 || listener >= g->conf->nlisteners)
		return -1;
	l = &g->conf->listener[listener];
	b = realloc(l->bind, (l->nbinds + 1) * sizeof(*b));
	if (!b)
		return -1;
	l->bind = b;
	b = &l->bind[l->nbinds++];
	memset(b, 0, sizeof(*b));
	b->fd = -1;
	for (k = 0; hex[2 * k] && sscanf(hex + 2 * k, "%2x", &byte) == 1; k++)
		((unsigned char *)&b->addr)[k] = (unsigned char)byte;
	b->addr_size = k;
	return 0;
}

/* Its workers have the file open; who takes over opens it as well, to be able to open it anew for them. */
static int inherit_access(struct generation *g, const char *line)
{
	struct conf *c = g->conf;

	if (c->naccess_logs == CONF_ACCESS_LOGS_MAX)
		return -1;
	if (!c->access_log && !(c->access_log = calloc(CONF_ACCESS_LOGS_MAX, sizeof(*c->access_log))))
		return -1;
	c->access_log[c->naccess_logs].fd = -1;
	c->access_log[c->naccess_logs].target = strndup(line, strcspn(line, "\n"));
	return c->access_log[c->naccess_logs].target && ++c->naccess_logs ? 0 : -1;
}

static int inherit_worker(struct generation *g, const char *line, unsigned places)
{
	struct supervisor *s = g->s;
	struct worker *w = &g->worker[g->nworkers];
	unsigned slot, told;
	int pid, a, b, ready;

	if (g->nworkers >= places ||
	    sscanf(line, "worker %u %d %d %d %u %d", &slot, &pid, &a, &b, &told, &ready) != 6 || slot == 0 ||
	    slot >= s->table.max_workers || s->slot_used[slot] || !inherit_open_fd(a) || !inherit_open_fd(b))
		return -1;
	w->gen = g;
	w->slot = slot;
	w->pid = pid;
	w->ready = ready;
	w->channel[0] = a;
	w->channel[1] = b;
	/* Its configuration is not ours: nobody can be started in its place. What it leaves goes to the others. */
	w->told = told | 1u << HANDOFF_RETIRE;
	s->slot_used[slot] = true;
	g->nworkers++;
	hang_reset(w);
	return channel_adopt(w);
}

static int inherit_line(struct supervisor *s, struct generation **g, unsigned *places, const char *line)
{
	unsigned a;
	int x, y;

	if (sscanf(line, "wake %u %d", &a, &x) == 2) {
		if (a >= s->table.max_workers || !inherit_open_fd(x))
			return -1;
		s->wake[a] = x;
		return 0;
	}
	if (sscanf(line, "listener %d %u %d", &x, &a, &y) == 3)
		return inherit_add_listener(s, x, a, y);
	if (strncmp(line, "generation ", 11) == 0) {
		*g = inherit_generation(s, line);
		if (!*g)
			return -1;
		*places = (*g)->conf->workers;
		return 0;
	}
	if (!*g)
		return -1;
	if (strncmp(line, "bind ", 5) == 0)
		return inherit_bind(*g, line);
	if (strncmp(line, "access ", 7) == 0)
		return inherit_access(*g, line + 7);
	return inherit_worker(*g, line, *places);
}

int inherit_adopt(struct supervisor *s, int fd, char *err, size_t size)
{
	char table[SHM_NAME_MAX], line[INHERIT_LINE];
	struct generation *g = NULL;
	unsigned places = 0, generations;
	int from, pid_fd, health, health_wake;
	FILE *f = fdopen(fd, "r");

	if (!f)
		return inherit_bad(err, size, "%s", strerror(errno));
	if (inherit_versions(f, err, size) < 0)
		goto fail;
	if (fscanf(f, "table %63s from %d %u pid-file %d health %d %d ", table, &from, &generations, &pid_fd, &health,
		   &health_wake) != 6 || !inherit_open_fd(health_wake)) {
		inherit_bad(err, size, "what is left by the running supervisor cannot be understood");
		goto fail;
	}
	if (table_attach(&s->table, table) < 0) {
		inherit_bad(err, size, "shared memory %s: %s", table, strerror(errno));
		goto fail;
	}
	if (pid_fd >= 0 && inherit_open_fd(pid_fd))
		s->pid_fd = pid_fd;
	s->slot_used[0] = true;
	s->generations = generations;
	s->health.pid = health;
	s->health_wake = health_wake;
	limit_none(s);
	while (fgets(line, sizeof(line), f) && strcmp(line, "end\n") != 0) {
		if (inherit_line(s, &g, &places, line) < 0) {
			line[strcspn(line, "\n")] = '\0';
			inherit_bad(err, size, "what is left by the running supervisor cannot be taken over: %s", line);
			goto fail;
		}
	}
	fclose(f);
	if (!s->current)
		return inherit_bad(err, size, "the running supervisor served nothing yet");
	/* The health process belongs to the old configuration: the next generation brings its own. */
	s->health.gen = s->current;
	s->health.ending = true;
	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		if (logs_open(g->conf, err, size) < 0)
			log_error("%s; its last lines go to the file that its workers have", err);
	}
	s->adopted = from != getpid();
	if (s->adopted)
		children_adopt(s);
	return 0;
fail:
	fclose(f);
	return -1;
}
