/*
 * Succession. The first start, a reload, and what follows an upgrade or a takeover are one sequence:
 *
 *	prepare		open listeners, assign rows, take places: all or nothing, nothing that serves is touched
 *	health ends	the old health process ends before the new one starts: each word keeps one writer
 *	starting	new health and workers come up; the old generation still serves
 *	commit		dispatch moves over, listeners that are dropped are closed, the old generation retires
 *	undo		or: the new children do not come up; they end, and the old health comes back
 *
 * A generation that retires hands its connections back (channel.c) and is freed when its last
 * worker has ended and its channels are empty; then its rows of the table are, too.
 */
#include "supervisor/succession.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/words.h"
#include "os/log.h"
#include "supervisor/accept.h"
#include "supervisor/channel.h"
#include "supervisor/children.h"
#include "supervisor/generation.h"
#include "supervisor/listeners.h"
#include "supervisor/logs.h"
#include "supervisor/notify.h"
#include "supervisor/rows.h"

#define SUCCESSION_ROUND_NS	CONF_SECOND		/* how long the first round of probes is waited for */
#define SUCCESSION_DEAF_NS	(200 * CONF_MS)		/* a handshake under way ends within a round trip */
#define SUCCESSION_START_NS	(10 * CONF_SECOND)	/* how long workers have to become ready */

static void succession_phase(struct supervisor *s, enum succession_phase phase)
{
	s->succession.phase = phase;
	s->succession.phase_ns = s->loop.now_ns;
	s->dispatch.stirred = true;	/* look once more before sleeping */
}

/* What will be said of the start or reload that is under way. */
static void succession_note(struct supervisor *s, const char *text)
{
	snprintf(s->succession.verdict, sizeof(s->succession.verdict), "%s", text);
}

/* It has ended: for whoever waits for it. */
static void succession_verdict(struct supervisor *s, bool good)
{
	struct succession *u = &s->succession;

	u->ended++;
	u->good = good;
	if (good)
		notify_ready(u->verdict);
	else
		notify_reload_refused(u->verdict);
}

static bool succession_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void succession_log_level(const struct conf *conf)
{
	static const enum log_level level[] = {
		[CONF_LOG_ERROR] = LOG_LEVEL_ERROR, [CONF_LOG_WARN] = LOG_LEVEL_WARN, [CONF_LOG_INFO] = LOG_LEVEL_INFO,
		[CONF_LOG_DEBUG] = LOG_LEVEL_DEBUG,
	};

	log_set_level(level[conf->log_level]);
	log_set_facility(words_facility(conf->log_facility));
}

int succession_log(struct supervisor *s, const struct conf *conf)
{
	const char *target = conf->log;
	struct stat st;

	if (!target)	/* inherited: what it had is not known */
		return 0;
	succession_log_level(conf);
	if (!s->options.daemon || strcmp(target, "stderr") != 0)
		return log_open(target);
	/* A file that stderr was sent to is as good as one named in the configuration. Whoever holds the
	 * other end of a pipe would wait for its end for as long as we live. */
	s->keep_stderr = fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
	if (s->keep_stderr)
		return log_open("stderr");
	return log_open("syslog") == 0 ? 0 : log_open("/dev/null");
}

/* ---- prepare ---- */

static int succession_prepare(struct supervisor *s, struct conf *conf, char *err, size_t size)
{
	struct succession *u = &s->succession;
	struct proc_identity identity;
	uint32_t number = s->generations + 1;
	struct generation *g;

	if (proc_identity(&identity, conf->user, conf->group, err, (unsigned)size) < 0)
		return -1;
	if (conf->user && !identity.change)
		log_warn("user %s: only root can become somebody else; everything runs as user %d", conf->user,
			 (int)identity.uid);
	if (listeners_plan(s, conf, &u->planned, err, size) < 0)
		return -1;
	if (rows_assign(&s->table, conf, number, err, size) < 0)
		goto fail_listeners;
	if (!s->current || !succession_same(s->current->conf->log, conf->log)) {
		if (succession_log(s, conf) < 0) {
			snprintf(err, size, "log %s: %s", conf->log, strerror(errno));
			goto fail_rows;
		}
	}
	succession_log_level(conf);
	if (logs_open(conf, err, size) < 0)
		goto fail_log;
	g = generation_new(s, conf, number);
	if (!g) {
		snprintf(err, size, "%u workers: %s", conf->workers, strerror(errno));
		goto fail_log;
	}
	g->identity = identity;
	s->generations = number;
	u->next = g;
	return 0;
fail_log:
	logs_close(conf);
	if (s->current)
		succession_log(s, s->current->conf);
fail_rows:
	rows_undo(&s->table, number);
fail_listeners:
	listeners_abandon(s, &u->planned);
	return -1;
}

int succession_start(struct supervisor *s, struct conf *conf, char *err, size_t size)
{
	if (succession_prepare(s, conf, err, size) < 0)
		return -1;
	succession_phase(s, SUCCESSION_HEALTH_ENDS);
	return 0;
}

static void succession_drained(struct timer *t);

/* Whoever is missing in the serving generation, and is not on his way. */
static void succession_fill(struct supervisor *s)
{
	struct generation *g = s->current;
	unsigned i;

	for (i = 0; i < g->nworkers; i++) {
		struct worker *w = &g->worker[i];

		if (w->pid != 0 || w->gone || timer_armed(&w->back_off.timer))
			continue;
		if (w->told & 1u << HANDOFF_RETIRE)
			children_kill_worker(w);	/* none follows; what waits in its channel goes to the others */
		else
			children_start_worker(w);
	}
	if (s->health.pid == 0 && !s->health.ending && !timer_armed(&s->health.back_off.timer))
		children_start_health(s, g);
}

void succession_take_over(struct supervisor *s)
{
	struct generation *g;
	unsigned i;

	for (i = 0; i < s->listeners.n; i++) {
		if (accept_add(s, s->listeners.v[i]) < 0)
			log_error("%s: epoll: %s; nothing is accepted here", s->listeners.v[i]->text, strerror(errno));
	}
	s->dispatch.open = s->dispatch.stirred = true;
	s->heir_stale = true;
	succession_fill(s);
	for (g = s->retiring; g; g = g->older) {	/* how long they have been at it nobody has told */
		g->drain.cb = succession_drained;
		timer_set(&s->loop.wheel, &g->drain, s->loop.now_ns + g->conf->drain_ns);
		for (i = 0; i < g->nworkers; i++) {
			if (g->worker[i].pid == 0)	/* it was dead already, and its channel not yet read */
				children_kill_worker(&g->worker[i]);
		}
	}
	log_info("version %s takes over: generation %u, %u listeners", VERSION, s->current->number, s->listeners.n);
	s->succession.reload_wanted = true;
}

/* ---- reload ---- */

/* Each message of the reader becomes a line of the log. */
static struct conf *succession_read(struct supervisor *s)
{
	char *text = NULL, *line, *next;
	size_t size = 0;
	FILE *err = open_memstream(&text, &size);
	struct conf *conf;

	if (!err) {
		log_error("reload: %s", strerror(errno));
		succession_note(s, strerror(errno));
		return NULL;
	}
	conf = conf_load(&s->options, err);
	fclose(err);
	succession_note(s, text ? text : "");
	for (line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (conf)
			log_warn("reload: %s", line);
		else
			log_error("reload: %s", line);
	}
	free(text);
	return conf;
}

/* Old generations may take their time, but not all the places: the oldest makes room. Returns whether there is. */
static bool succession_make_room(struct supervisor *s, unsigned workers)
{
	struct generation *g, *oldest = s->retiring;
	unsigned i;

	s->succession.room_wanted = 0;
	if (generation_free_slots(s) >= workers || !oldest)
		return true;
	s->succession.room_wanted = workers;
	for (g = s->retiring; g; g = g->older)
		oldest = g;
	if (timer_armed(&oldest->drain)) {
		log_warn("reload: no places left for %u workers: generation %u, still busy, is ended", workers, oldest->number);
		timer_cancel(&s->loop.wheel, &oldest->drain);
		for (i = 0; i < oldest->nworkers; i++)
			children_kill_worker(&oldest->worker[i]);
	}
	return false;
}

static void succession_begin(struct supervisor *s)
{
	struct succession *u = &s->succession;
	char err[512];
	struct conf *conf;

	notify_reloading();
	conf = succession_read(s);
	if (!conf) {
		log_error("reload: refused; generation %u goes on unchanged", s->current->number);
		u->reload_wanted = false;
		succession_verdict(s, false);
		return;
	}
	if (!succession_make_room(s, conf->workers)) {
		conf_free(conf);	/* again, when the places are free */
		return;
	}
	u->reload_wanted = false;
	if (succession_prepare(s, conf, err, sizeof(err)) < 0) {
		log_error("reload: %s", err);
		log_error("reload: refused; generation %u goes on unchanged", s->current->number);
		succession_note(s, err);
		succession_verdict(s, false);
		conf_free(conf);
		return;
	}
	if (!succession_same(conf->pid_file, s->pid_file))
		log_warn("reload: another pid file takes a restart");
	if (!succession_same(conf->control, s->control) || !succession_same(conf->control_group, s->control_group))
		log_warn("reload: another control socket takes a restart");
	if (conf->max_servers > s->table.max_servers)
		log_warn("reload: more rows for servers (max-servers %u) take a restart", conf->max_servers);
	log_info("reload: generation %u is starting", u->next->number);
	succession_phase(s, SUCCESSION_HEALTH_ENDS);
	children_end_health(s);
}

void succession_reload(struct supervisor *s)
{
	if (s->succession.stop != STOP_NOT)
		return;
	if (s->succession.phase != SUCCESSION_IDLE && !s->succession.reload_wanted)
		log_info("reload: one is under way; another follows it");
	s->succession.reload_wanted = true;
}

/* ---- start, commit, undo ---- */

static void succession_start_children(struct supervisor *s)
{
	struct generation *g = s->succession.next;
	unsigned i;

	children_start_health(s, g);
	for (i = 0; i < g->nworkers; i++)
		children_start_worker(&g->worker[i]);
	succession_phase(s, SUCCESSION_STARTING);
	timer_set(&s->loop.wheel, &s->succession.wake, s->loop.now_ns + SUCCESSION_ROUND_NS);
}

int succession_translate(struct generation *g, unsigned listener)
{
	const struct conf *from = g->conf, *to = g->s->current->conf;
	unsigned i, j, a, b;

	if (listener >= from->nlisteners)
		return -1;
	if (g == g->s->current)
		return (int)listener;
	if (g->translated_for != g->s->current->number) {
		if (!g->translation)
			g->translation = calloc(from->nlisteners, sizeof(*g->translation));
		if (!g->translation)
			return -1;
		/* The same listener is one that has an address in common; the first such address decides. */
		for (i = 0; i < from->nlisteners; i++) {
			g->translation[i] = -1;
			for (a = 0; a < from->listener[i].nbinds && g->translation[i] < 0; a++) {
				const struct conf_bind *was = &from->listener[i].bind[a];

				for (j = 0; j < to->nlisteners && g->translation[i] < 0; j++) {
					for (b = 0; b < to->listener[j].nbinds; b++) {
						const struct conf_bind *is = &to->listener[j].bind[b];

						if (is->addr_size == was->addr_size &&
						    memcmp(&is->addr, &was->addr, is->addr_size) == 0)
							g->translation[i] = (int)j;
					}
				}
			}
		}
		g->translated_for = g->s->current->number;
	}
	return g->translation[listener];
}

static void succession_drained(struct timer *t)
{
	struct generation *g = CONTAINER(t, struct generation, drain);
	unsigned i;

	for (i = 0; i < g->nworkers; i++) {
		struct worker *w = &g->worker[i];

		if (w->pid == 0)
			continue;
		log_warn("worker %u (pid %d, generation %u) still holds %u connections after the drain limit: ended",
			 w->slot, (int)w->pid, g->number,
			 atomic_load_explicit(&g->s->table.worker[w->slot].active, memory_order_relaxed));
		children_kill_worker(w);
	}
}

static void succession_retire(struct generation *g)
{
	struct supervisor *s = g->s;
	struct handoff_msg *round = &s->dispatch.round;
	unsigned i, n = 0;

	g->state = GENERATION_RETIRING;
	g->retired_ns = s->loop.now_ns;
	g->older = s->retiring;
	s->retiring = g;
	for (i = 0; i < g->nworkers; i++) {
		struct worker *w = &g->worker[i];

		if (w->pid == 0) {
			children_kill_worker(w);	/* between two lives: none follows */
			continue;
		}
		atomic_store_explicit(&s->table.worker[w->slot].slot, SHM_SLOT_RETIRING, memory_order_relaxed);
		channel_tell(w, HANDOFF_RETIRE);
	}
	/* What was accepted for it, or moved to it, and not placed yet. */
	for (i = 0; i < round->head.count; i++) {
		int row = succession_translate(g, round->rec[i].listener);

		if (row < 0) {
			close(round->fd[i]);
			continue;
		}
		round->rec[n] = round->rec[i];
		round->rec[n].listener = (uint16_t)row;
		round->fd[n++] = round->fd[i];
	}
	round->head.count = (uint16_t)n;
	if (s->dispatch.moved.head.count) {
		struct handoff_record *r = &s->dispatch.moved.rec[0];
		int row = succession_translate(g, r->listener);

		if (row < 0)
			r->flags |= HANDOFF_LAST;
		r->listener = (uint16_t)(row < 0 ? 0 : row);
	}
	g->drain.cb = succession_drained;
	timer_set(&s->loop.wheel, &g->drain, s->loop.now_ns + g->conf->drain_ns);
}

static void succession_commit(struct supervisor *s)
{
	struct succession *u = &s->succession;
	struct generation *g = u->next, *old = s->current;
	struct shm_instance *inst = s->table.inst;

	if (old)
		listeners_last_rounds(s, &u->planned);
	g->state = GENERATION_SERVING;
	s->current = g;
	u->next = NULL;
	rows_publish(&s->table, g->conf, g->number);
	listeners_commit(s, g->conf, &u->planned);
	atomic_store_explicit(&inst->generation, g->number, memory_order_relaxed);
	atomic_store_explicit(&inst->reloaded_real_s, (uint64_t)time(NULL), memory_order_relaxed);
	s->dispatch.open = s->dispatch.stirred = true;
	timer_cancel(&s->loop.wheel, &u->wake);
	s->heir_stale = true;
	succession_phase(s, SUCCESSION_IDLE);
	snprintf(u->verdict, sizeof(u->verdict), "generation %u serves, %u worker%s", g->number, g->nworkers,
		 g->nworkers == 1 ? "" : "s");
	succession_verdict(s, true);
	if (old) {
		log_info("reload: generation %u serves, generation %u retires", g->number, old->number);
		succession_retire(old);
		return;
	}
	log_info("ready: %u workers", g->nworkers);
	if (s->daemon_fd >= 0) {
		proc_daemon_ready(s->daemon_fd, 0, s->keep_stderr);
		s->daemon_fd = -1;
	}
}

static bool succession_all_gone(const struct generation *g)
{
	unsigned i;

	for (i = 0; i < g->nworkers; i++) {
		if (!g->worker[i].gone)
			return false;
	}
	return true;
}

/* The next generation does not come up: its children end, and then everything is as before. */
static void succession_fail(struct supervisor *s)
{
	struct succession *u = &s->succession;
	unsigned i;

	timer_cancel(&s->loop.wheel, &u->wake);
	if (!s->current) {
		log_error("the workers do not come up: giving up");
		s->exit_status = 1;
		succession_stop(s, true);
		return;
	}
	log_error("reload: generation %u does not come up; generation %u goes on", u->next->number, s->current->number);
	u->next->failed = true;
	listeners_abandon(s, &u->planned);
	for (i = 0; i < u->next->nworkers; i++)
		children_kill_worker(&u->next->worker[i]);
	children_end_health(s);
	succession_phase(s, SUCCESSION_UNDO);
}

static void succession_undone(struct supervisor *s)
{
	struct succession *u = &s->succession;
	struct generation *g = u->next;

	if (!succession_same(s->current->conf->log, g->conf->log))
		succession_log(s, s->current->conf);
	else
		succession_log_level(s->current->conf);
	rows_undo(&s->table, g->number);
	u->next = NULL;
	generation_free(g);
	children_start_health(s, s->current);
	succession_phase(s, SUCCESSION_IDLE);
	succession_note(s, "the new workers do not come up; the log says why");
	succession_verdict(s, false);
}

static void succession_starting(struct supervisor *s)
{
	struct succession *u = &s->succession;
	uint64_t age = s->loop.now_ns - u->phase_ns;
	unsigned i, ready = 0;

	for (i = 0; i < u->next->nworkers; i++)
		ready += u->next->worker[i].ready;
	if (u->next->failed) {
		succession_fail(s);
		return;
	}
	if (ready == u->next->nworkers) {
		if (s->health.first_round || age >= SUCCESSION_ROUND_NS) {
			if (!s->health.first_round)
				log_warn("the first round of health checks is not done after %u ms; serving without it",
					 (unsigned)(age / CONF_MS));
			succession_commit(s);
		}
		return;
	}
	if (age >= SUCCESSION_START_NS) {
		log_error("%u of %u workers are not ready after %u ms", u->next->nworkers - ready, u->next->nworkers,
			  (unsigned)(age / CONF_MS));
		succession_fail(s);
		return;
	}
	if (!timer_armed(&u->wake))
		timer_set(&s->loop.wheel, &u->wake, u->phase_ns + SUCCESSION_START_NS);
}

/* ---- stop ---- */

/* The listeners go. Who is in their backlog has been told by the kernel that we are there. */
static void succession_close(struct supervisor *s)
{
	unsigned i;

	for (i = 0; s->current && !s->succession.at_once && i < s->listeners.n; i++) {
		if (!s->listeners.v[i]->lent)	/* whoever is started next finds them there */
			accept_last(s, s->listeners.v[i]);
	}
	s->dispatch.open = false;
	listeners_close(s);
	s->succession.stop = STOP_PLACING;
	s->dispatch.stirred = true;
}

static void succession_grace_over(struct timer *t)
{
	struct supervisor *s = CONTAINER(t, struct supervisor, succession.grace);

	log_warn("the grace period is over: what is still in flight is ended");
	if (s->succession.stop == STOP_DEAF)
		succession_close(s);
	children_kill(s);
}

static void succession_deaf_over(struct timer *t)
{
	struct supervisor *s = CONTAINER(t, struct supervisor, succession.deaf);

	if (s->succession.stop == STOP_DEAF)
		succession_close(s);
}

static void succession_stop_begin(struct supervisor *s, bool at_once)
{
	struct succession *u = &s->succession;
	unsigned i;

	u->at_once = at_once;
	notify_stopping(s->current && !at_once ? s->current->conf->grace_ns : 0);
	if (u->next) {
		u->next->failed = true;
		listeners_abandon(s, &u->planned);
		for (i = 0; i < u->next->nworkers; i++)
			children_kill_worker(&u->next->worker[i]);
	}
	if (s->current && !at_once) {
		log_info("stopping: what is in flight gets up to %.1f s", (double)s->current->conf->grace_ns / 1e9);
		timer_set(&s->loop.wheel, &u->grace, s->loop.now_ns + s->current->conf->grace_ns);
	} else {
		log_info("stopping at once");
	}
	for (i = 0; i < s->listeners.n; i++) {
		if (s->listeners.v[i]->lent)
			accept_remove(s, s->listeners.v[i]);
	}
	if (s->current && !at_once && accept_recent(s)) {
		listeners_deafen(s);
		u->stop = STOP_DEAF;
		timer_set(&s->loop.wheel, &u->deaf, s->loop.now_ns + SUCCESSION_DEAF_NS);
	} else {
		succession_close(s);
	}
}

void succession_stop(struct supervisor *s, bool at_once)
{
	struct succession *u = &s->succession;

	if (u->stop == STOP_NOT) {
		succession_stop_begin(s, at_once);
	} else if (!at_once || u->at_once) {
		return;
	} else {
		log_info("stopping at once");
		u->at_once = true;
		if (u->stop == STOP_DEAF)
			succession_close(s);
	}
	if (at_once) {
		timer_cancel(&s->loop.wheel, &u->grace);
		children_kill(s);
		if (u->stop == STOP_PLACING)
			u->stop = STOP_WORKERS;
	}
}

static void succession_stopping(struct supervisor *s)
{
	struct succession *u = &s->succession;
	struct generation *g;
	unsigned i;

	if (u->stop == STOP_PLACING && !supervisor_holds(s)) {
		for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
			for (i = 0; i < g->nworkers; i++) {
				if (g->worker[i].pid)
					channel_tell(&g->worker[i], HANDOFF_STOP);
				else
					children_kill_worker(&g->worker[i]);
			}
		}
		u->stop = STOP_WORKERS;
	}
	if (u->stop == STOP_WORKERS) {
		for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
			if (!succession_all_gone(g))
				return;
		}
		u->stop = STOP_HEALTH;
		timer_cancel(&s->loop.wheel, &u->grace);
		children_end_health(s);
	}
	if (u->stop == STOP_HEALTH && s->health.pid == 0)
		u->stop = STOP_DONE;
}

/* ---- the loop's share ---- */

/* Retiring generations whose last worker is gone and whose channels are empty. */
static void succession_bury(struct supervisor *s)
{
	struct generation **at = &s->retiring, *g;
	uint32_t oldest = s->current->number;
	bool freed = false;
	unsigned i;

	while ((g = *at)) {
		bool drained = true;

		for (i = 0; i < g->nworkers; i++) {
			children_drain(&g->worker[i]);
			drained = drained && g->worker[i].drained;
		}
		if (!drained) {
			if (g->number < oldest)
				oldest = g->number;
			at = &g->older;
			continue;
		}
		log_info("generation %u is gone: %llu connections moved, %llu ms", g->number, (unsigned long long)g->moved,
			 (unsigned long long)((s->loop.now_ns - g->retired_ns) / CONF_MS));
		*at = g->older;
		generation_free(g);
		freed = true;
	}
	if (freed) {
		rows_free(&s->table, oldest);
		s->heir_stale = true;	/* it holds their channels */
	}
}

void succession_turn(struct supervisor *s)
{
	struct succession *u = &s->succession;

	if (u->stop != STOP_NOT) {
		succession_stopping(s);
		return;
	}
	if (s->retiring)
		succession_bury(s);
	switch (u->phase) {
	case SUCCESSION_IDLE:
		if (u->reload_wanted && generation_free_slots(s) >= u->room_wanted)
			succession_begin(s);
		break;
	case SUCCESSION_HEALTH_ENDS:
		if (s->health.pid == 0)
			succession_start_children(s);
		break;
	case SUCCESSION_STARTING:
		succession_starting(s);
		break;
	case SUCCESSION_UNDO:
		if (s->health.pid == 0 && succession_all_gone(u->next))
			succession_undone(s);
		break;
	}
}

static void succession_woken(struct timer *t)
{
	(void)t;
}

void succession_init(struct supervisor *s)
{
	s->succession.wake.cb = succession_woken;
	s->succession.grace.cb = succession_grace_over;
	s->succession.deaf.cb = succession_deaf_over;
}
