/* What a supervisor leaves to the next one. The description, line by line:
 *
 *	loadbalancer-inherit VERSION
 *	layout SHM_LAYOUT
 *	table NAME
 *	from PID GENERATIONS		who wrote it; the number of its newest generation
 *	pid-file FD			-1: none
 *	health PID FD			the process, and the eventfd that wakes it
 *	wake SLOT FD
 *	listener FD ROW MODE LENT
 *	generation NUMBER STATE DRAIN GRACE HANG NLISTENERS NWORKERS	oldest first; times in ns
 *	bind LISTENER HEX		a socket address, for translating rows
 *	access TARGET			an access log, in the order in which its workers count them
 *	worker SLOT PID FD FD TOLD READY	the channel, ours first
 *	end
 *	section kept BYTES		the table by the names of its words, for one of another layout: keep.c
 *	...
 *	section heir BYTES		PID FD: the heir that waits for the successor's end as well, until that one has its own
 *	...
 *	section conf BYTES		what stood in the configuration file when the serving generation was made
 *	...
 *
 * Who does not know the sections does not look behind the end.
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
#include "supervisor/keep.h"
#include "supervisor/limit.h"
#include "supervisor/logs.h"
#include "supervisor/rows.h"

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
			fprintf(f, "worker %u %d %d %d %u %d\n", w->slot, (int)w->pid, w->channel[0], w->channel[1],
				w->told & ~w->pending, (int)w->ready);
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

static void inherit_write_sections(FILE *f, const struct supervisor *s)
{
	const struct conf *conf = s->current ? s->current->conf : NULL;
	char *kept = NULL;
	size_t size = 0;
	FILE *m = open_memstream(&kept, &size);
	bool good;

	if (m) {	/* without it a table of another layout cannot be made: then it takes a restart, as the reader says */
		keep_write(s, m);
		good = !ferror(m);
		if (fclose(m) == 0 && good)
			fprintf(f, "section kept %zu\n%s", size, kept);
		free(kept);
	}
	if (s->heir_pid) {
		char text[32];

		fprintf(f, "section heir %d\n%s", snprintf(text, sizeof(text), "%d %d\n", (int)s->heir_pid, s->heir_pipe), text);
	}
	if (conf && conf->text) {
		fprintf(f, "section conf %zu\n", conf->text_size);
		fwrite(conf->text, 1, conf->text_size, f);
	}
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
		fprintf(f, "listener %d %u %d %d\n", s->listeners.v[i]->fd, s->listeners.v[i]->row,
			(int)s->listeners.v[i]->mode, s->listeners.v[i]->lent);
	inherit_write_older(f, s->retiring);
	if (s->current)
		inherit_write_generation(f, s->current);
	fprintf(f, "end\n");
	inherit_write_sections(f, s);
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
	inherit_pass_one(s->heir_pipe, pass);
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

/* Goes to the section and returns its size; -1: there is none. */
static long inherit_section(FILE *f, const char *name)
{
	char line[INHERIT_LINE], what[16];
	long size;

	rewind(f);
	while (fgets(line, sizeof(line), f) && strcmp(line, "end\n") != 0)
		;
	while (fgets(line, sizeof(line), f) && sscanf(line, "section %15s %ld", what, &size) == 2 && size >= 0) {
		if (strcmp(what, name) == 0)
			return size;
		if (fseek(f, size, SEEK_CUR) < 0)
			break;
	}
	return -1;
}

/* Leaves f behind the two lines. *layout: of the table that is there. */
static int inherit_versions(FILE *f, int *layout, char *err, size_t size)
{
	long after;
	int version;

	rewind(f);
	if (fscanf(f, "loadbalancer-inherit %d layout %d ", &version, layout) != 2)
		return inherit_bad(err, size, "what is left by the running supervisor cannot be understood");
	if (version != INHERIT_VERSION)
		return inherit_bad(err, size, "the running supervisor describes itself by version %d, this program knows %d: it takes a restart",
				   version, INHERIT_VERSION);
	after = ftell(f);
	if (*layout != SHM_LAYOUT && inherit_section(f, "kept") < 0)
		return inherit_bad(err, size, "the shared table has layout %d, this program's is %d, and the running program does "
				   "not say what is in it: it takes a restart", *layout, SHM_LAYOUT);
	return fseek(f, after, SEEK_SET);
}

int inherit_check(int fd, char *err, size_t size)
{
	FILE *f = fdopen(fd, "r");
	int r, layout;

	if (!f)
		return inherit_bad(err, size, "%s", strerror(errno));
	r = inherit_versions(f, &layout, err, size);
	fclose(f);
	return r;
}

struct conf *inherit_conf(int fd, const struct conf_options *o, FILE *log)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *f = copy < 0 ? NULL : fdopen(copy, "r");
	struct conf *conf = NULL;
	char *text = NULL;
	long size;

	if (!f) {
		if (copy >= 0)
			close(copy);
		return NULL;
	}
	size = inherit_section(f, "conf");
	if (size < 0 && !o->conf_file) {
		conf = conf_load(o, log);
	} else if (size >= 0) {
		text = malloc((size_t)size + 1);
		if (text && fread(text, 1, (size_t)size, f) == (size_t)size)
			conf = conf_load_text(o, text, (size_t)size, log);
	}
	free(text);
	fclose(f);
	return conf;
}

static bool inherit_open_fd(int fd)
{
	return fd > STDERR_FILENO && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static struct listener *inherit_listener(int fd, unsigned row, int mode, bool lent)
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
	l->lent = lent;
	l->row = (uint16_t)row;
	l->mode = mode == CONF_MODE_TCP ? CONF_MODE_TCP : CONF_MODE_HTTP;
	if (l->addr.ss_family == AF_UNIX && stat(((const struct sockaddr_un *)&l->addr)->sun_path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return l;
}

static int inherit_add_listener(struct supervisor *s, int fd, unsigned row, int mode, bool lent)
{
	struct listener **v = realloc(s->listeners.v, (s->listeners.n + 1) * sizeof(struct listener *));
	struct listener *l;

	if (!v)
		return -1;
	s->listeners.v = v;
	l = inherit_listener(fd, row, mode, lent);
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
	w->told = told;
	s->slot_used[slot] = true;
	g->nworkers++;
	hang_reset(w);
	return channel_adopt(w);
}

static int inherit_line(struct supervisor *s, struct generation **g, unsigned *places, const char *line)
{
	int x, y, lent = 0;
	unsigned a;

	if (sscanf(line, "wake %u %d", &a, &x) == 2) {
		if (a >= s->table.max_workers || !inherit_open_fd(x))
			return -1;
		s->wake[a] = x;
		return 0;
	}
	if (sscanf(line, "listener %d %u %d %d", &x, &a, &y, &lent) >= 3)
		return inherit_add_listener(s, x, a, y, lent);
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

/* Whether a process runs as uid and has the title that a child of ours has, "lb: worker 3" in its short form. */
static bool inherit_is(uint32_t pid, const char *title, uid_t uid)
{
	char path[64], line[128];
	bool named = false, owned = false;
	unsigned real, effective;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	f = pid > 1 ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "Name:\t", 6) == 0)
			named = strcmp(line + 6, title) == 0;
		else if (sscanf(line, "Uid: %u %u", &real, &effective) == 2)
			owned = real == uid && effective == uid;
	}
	if (f)
		fclose(f);
	return named && owned;
}

/*
 * A child may have been replaced after the description was made, by a supervisor that died at once: then the table
 * knows it. Children write there too, so it is looked at closely: nobody shall make us take, and kill, what he could
 * not kill himself.
 */
static void inherit_newer_children(struct supervisor *s)
{
	struct generation *g = s->current;
	char title[32];
	uint32_t pid;
	unsigned i;

	for (i = 0; i < g->nworkers; i++) {
		struct worker *w = &g->worker[i];

		pid = atomic_load_explicit(&s->table.worker[w->slot].pid, memory_order_relaxed);
		snprintf(title, sizeof(title), "lb: worker %u", w->slot);
		if (pid && pid != (uint32_t)w->pid && inherit_is(pid, title, g->identity.uid))
			w->pid = (pid_t)pid;
	}
	pid = atomic_load_explicit(&s->table.inst->health_pid, memory_order_relaxed);
	if (pid && pid != (uint32_t)s->health.pid && inherit_is(pid, "lb: health", g->identity.uid))
		s->health.pid = (pid_t)pid;
}

/*
 * The serving generation gets the configuration that it was made of, if it fits what is there. Then it is whole: places
 * can be filled again, limits hold, an heir can be made.
 */
static bool inherit_whole(struct supervisor *s, struct conf *conf)
{
	struct generation *g = s->current;
	unsigned i, j, k;
	char err[256];

	if (conf->nlisteners != g->conf->nlisteners || rows_known(&s->table, conf) < 0 ||
	    proc_identity(&g->identity, conf->user, conf->group, err, sizeof(err)) < 0)
		return false;
	for (i = 0; i < conf->nlisteners; i++) {
		for (j = 0; j < conf->listener[i].nbinds; j++) {
			struct conf_bind *b = &conf->listener[i].bind[j];

			for (k = 0; k < s->listeners.n; k++) {
				const struct listener *l = s->listeners.v[k];

				if (l->addr_size == b->addr_size && memcmp(&l->addr, &b->addr, b->addr_size) == 0)
					b->fd = l->fd;
			}
		}
	}
	conf->workers = g->conf->workers;	/* one for each processor may have become another number */
	conf_free(g->conf);
	g->conf = conf;
	return true;
}

/* Of a generation without its configuration nobody can be replaced: what a worker leaves goes to the others. */
static void inherit_partial(struct generation *g)
{
	unsigned i;

	for (i = 0; i < g->nworkers; i++)
		g->worker[i].told |= 1u << HANDOFF_RETIRE;
}

/* Each of them has heard it, or hears it now: the predecessor may have died over it. */
static void inherit_retiring(struct generation *g)
{
	unsigned i;

	for (i = 0; i < g->nworkers; i++) {
		if (!(g->worker[i].told & 1u << HANDOFF_RETIRE))
			channel_tell(&g->worker[i], HANDOFF_RETIRE);
	}
}

/* A table of this program's layout in place of the one that is there, which the old workers keep until they are gone. */
static int inherit_new_table(struct supervisor *s, FILE *f, const struct conf *conf, const char *name, int layout)
{
	long size = inherit_section(f, "kept");
	uint32_t servers = size < 0 ? 0 : keep_servers(f);

	if (servers == 0) {
		errno = EPROTO;
		return -1;
	}
	log_warn("the shared table has layout %d, this program's is %d: it is made anew; totals, states and verdicts go over, what "
		 "old workers still count does not", layout, SHM_LAYOUT);
	if (table_remove(name) < 0 && errno != ENOENT)
		return -1;
	if (keep_make_table(s, conf, name, servers) < 0)
		return -1;
	if (keep_read(s, f, size) == 0)
		return 0;
	errno = EPROTO;
	return -1;
}

/* What people and lbctl see of workers that map another table. */
static void inherit_aliens(struct supervisor *s)
{
	struct generation *g;
	unsigned i;

	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++) {
			struct worker *w = &g->worker[i];
			struct shm_worker *row = &s->table.worker[w->slot];

			w->alien = true;
			atomic_store_explicit(&row->pid, (uint32_t)w->pid, memory_order_relaxed);
			atomic_store_explicit(&row->generation, g->number, memory_order_relaxed);
			atomic_store_explicit(&row->slot, g == s->current ? SHM_SLOT_SERVING : SHM_SLOT_RETIRING,
					      memory_order_relaxed);
		}
	}
}

static int inherit_lines(struct supervisor *s, FILE *f, char *err, size_t size)
{
	char line[INHERIT_LINE];
	struct generation *g = NULL;
	unsigned places = 0;

	while (fgets(line, sizeof(line), f) && strcmp(line, "end\n") != 0) {
		if (inherit_line(s, &g, &places, line) < 0) {
			line[strcspn(line, "\n")] = '\0';
			return inherit_bad(err, size, "what is left by the running supervisor cannot be taken over: %s", line);
		}
	}
	if (!s->current)
		return inherit_bad(err, size, "the running supervisor served nothing yet");
	return 0;
}

/* First of all: whatever goes wrong afterwards, somebody is there to whom it can be left. */
static void inherit_heir(struct supervisor *s, FILE *f)
{
	int pid, fd;

	if (inherit_section(f, "heir") > 0 && fscanf(f, "%d %d ", &pid, &fd) == 2 && inherit_open_fd(fd)) {
		s->heir_pid = pid;
		s->heir_pipe = fd;
	}
}

int inherit_adopt(struct supervisor *s, int fd, struct conf *conf, bool serves, char *err, size_t size)
{
	int from, pid_fd, health, health_wake, layout;
	char table[SHM_NAME_MAX];
	struct generation *g;
	unsigned generations;
	bool alien;
	long after;
	FILE *f = fdopen(fd, "r");

	if (!f)
		return inherit_bad(err, size, "%s", strerror(errno));
	inherit_heir(s, f);
	if (inherit_versions(f, &layout, err, size) < 0)
		goto fail;
	if (fscanf(f, "table %63s from %d %u pid-file %d health %d %d ", table, &from, &generations, &pid_fd, &health,
		   &health_wake) != 6 || !inherit_open_fd(health_wake)) {
		inherit_bad(err, size, "what is left by the running supervisor cannot be understood");
		goto fail;
	}
	after = ftell(f);
	/* The number may be the same and yet not what is in it, when somebody forgot to raise it. */
	alien = layout != SHM_LAYOUT || (table_attach(&s->table, table) < 0 && errno == EPROTO);
	if (alien ? inherit_new_table(s, f, conf, table, layout) < 0 : !s->table.inst) {
		inherit_bad(err, size, "shared memory %s: %s", table, strerror(errno));
		goto fail;
	}
	if (fseek(f, after, SEEK_SET) < 0)
		goto fail;
	if (pid_fd >= 0 && inherit_open_fd(pid_fd))
		s->pid_fd = pid_fd;
	s->slot_used[0] = true;
	s->generations = generations;
	s->health.pid = health;
	s->health_wake = health_wake;
	limit_none(s);
	if (inherit_lines(s, f, err, size) < 0)
		goto fail;
	fclose(f);
	if (alien)
		inherit_aliens(s);
	for (g = s->retiring; g; g = g->older)
		inherit_retiring(g);
	s->health.gen = s->current;
	if (serves)
		serves = inherit_whole(s, conf);
	if (serves && !alien)
		inherit_newer_children(s);
	if (!serves) {
		log_warn("the configuration of the running workers is not known: until the next reload none of them is replaced");
		inherit_partial(s->current);
		s->health.ending = true;
	}
	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		if (logs_open(g->conf, err, size) < 0)
			log_error("%s; its last lines go to the file that its workers have", err);
	}
	s->adopted = from != getpid();
	if (s->adopted)
		children_adopt(s);
	return serves;
fail:
	fclose(f);
	return -1;
}
