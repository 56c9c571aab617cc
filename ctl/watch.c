/*
 * Watching: two looks are compared again and again, and each difference is a line. A server that went
 * down and came back between two looks shows in the time of its last change, and is told too.
 */
#include "ctl/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/find.h"
#include "ipc/json.h"
#include "ipc/text.h"

#define WATCH_INTERVAL_NS UINT64_C(100000000)
#define WATCH_STUCK_NS UINT64_C(1000000000)

struct watch {
	const struct lbctl_options *o;
	const struct view *v;
	unsigned told;
	uint32_t pid[SHM_WORKERS_MAX];	/* the last that was seen in each slot: between a death and its successor there is none */
	uint32_t health;		/* the same of the health process ... */
	uint32_t generation;		/* ... and in which generation that was */
};

static bool watch_done(const struct watch *w)
{
	return w->o->count && w->told >= w->o->count;
}

static void watch_tell(struct watch *w, const char *what, const char *subject, const char *text)
{
	char when[TEXT_MAX];

	if (watch_done(w))
		return;
	w->told++;
	if (w->o->json) {
		struct json j = { .out = stdout };

		/* One object a line, for line tools. */
		printf("{\"time_unix\": %" PRIu64 ", ", (uint64_t)time(NULL));
		fputs("\"event\": ", stdout);
		json_string(&j, NULL, what);
		fputs(", \"subject\": ", stdout);
		json_string(&j, NULL, subject);
		fputs(", \"text\": ", stdout);
		json_string(&j, NULL, text);
		fputs("}\n", stdout);
	} else {
		printf("%s  %-10s %s: %s\n", text_clock(when, w->v, w->v->now_ns), what, subject, text);
	}
	fflush(stdout);
}

static void watch_server(struct watch *w, const struct view_server *s, const struct view_server *was)
{
	char full[VIEW_FULL_MAX], why[256], text[512], age[TEXT_MAX];
	static const char *const admin[] = { "ready", "drained", "in maintenance" };
	const struct view *v = w->v;

	view_full_name(v, s, full);
	if (s->admin != was->admin)
		watch_tell(w, "admin", full, s->admin < 3 ? admin[s->admin] : "?");
	if (s->weight != was->weight) {
		snprintf(text, sizeof(text), "%u instead of %u%s", s->weight, was->weight, s->weight_set ? ", set by hand" : "");
		watch_tell(w, "weight", full, text);
	}
	if (s->leaving && !was->leaving)
		watch_tell(w, "server", full, "leaves: not in the configuration any more");
	if (strcmp(s->address, was->address) != 0) {
		snprintf(text, sizeof(text), "%.200s instead of %.200s", s->address[0] ? s->address : "none", was->address[0] ? was->address : "none");
		watch_tell(w, "address", full, text);
	}
	if (s->eject_reason && !was->eject_reason) {
		snprintf(text, sizeof(text), "taken out for %s: %s", text_age(age, s->ejected_until_ns > v->now_ns ?
			 s->ejected_until_ns - v->now_ns : 0), table_eject_text(s->eject_reason));
		watch_tell(w, "ejected", full, text);
	} else if (!s->eject_reason && was->eject_reason && s->verdict == SHM_UP) {
		snprintf(text, sizeof(text), "taken back, after %s; it begins with a part of its share",
			 text_age(age, was->ejected_ns && was->ejected_ns < v->now_ns ? v->now_ns - was->ejected_ns : 0));
		watch_tell(w, "back", full, text);
	}
	if (s->verdict == was->verdict && s->since_ns == was->since_ns)
		return;
	if (s->verdict == was->verdict) {
		char outcome[128];

		text_outcome(outcome, sizeof(outcome), s->down_outcome, 0);
		snprintf(text, sizeof(text), "%s again, was %s for a moment%s%s", table_verdict_text(s->verdict),
			 s->verdict == SHM_UP ? "down" : "up", s->verdict == SHM_UP ? ": " : "", s->verdict == SHM_UP ? outcome : "");
	} else if (s->verdict == SHM_DOWN) {
		struct view_server bare = *s;

		bare.admin = SHM_READY;
		bare.leaving = false;
		snprintf(text, sizeof(text), "down: %s", text_why(why, sizeof(why), &bare));
	} else if (was->since_ns && s->since_ns > was->since_ns) {
		snprintf(text, sizeof(text), "%s, after %s %s", table_verdict_text(s->verdict),
			 text_age(age, s->since_ns - was->since_ns), table_verdict_text(was->verdict));
	} else {
		snprintf(text, sizeof(text), "%s", table_verdict_text(s->verdict));
	}
	watch_tell(w, table_verdict_text(s->verdict), full, text);
}

static const struct view_server *watch_find(const struct view *before, const struct view *v, const struct view_server *s,
					    unsigned hint)
{
	for (unsigned i = 0; i < before->nservers; i++) {
		const struct view_server *o = &before->server[(hint + i) % before->nservers];

		if (o->row == s->row)
			return strcmp(o->name, s->name) == 0 &&
				       strcmp(before->pool[o->pool].name, v->pool[s->pool].name) == 0 ? o : NULL;
	}
	return NULL;
}

static void watch_servers(struct watch *w, const struct view *before)
{
	char full[VIEW_FULL_MAX], text[128];
	const struct view *v = w->v;

	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_server *s = &v->server[i], *was = watch_find(before, v, s, i);

		if (was) {
			watch_server(w, s, was);
			continue;
		}
		snprintf(text, sizeof(text), "new, %s", table_verdict_text(s->verdict));
		watch_tell(w, "server", view_full_name(v, s, full), text);
	}
	for (unsigned i = 0; i < before->nservers; i++)
		if (!watch_find(v, before, &before->server[i], i))
			watch_tell(w, "server", view_full_name(before, &before->server[i], full), "gone");
}

static void watch_pools(struct watch *w, const struct view *before)
{
	char text[128];

	for (unsigned i = 0; i < w->v->npools; i++) {
		const struct view_pool *is = &w->v->pool[i], *was = NULL;

		for (unsigned k = 0; k < before->npools && !was; k++)
			if (before->pool[k].row == is->row && strcmp(before->pool[k].name, is->name) == 0)
				was = &before->pool[k];
		if (!was || is->leaving || !is->up == !was->up)
			continue;
		snprintf(text, sizeof(text), "%u of %u servers are up again", is->up, is->n);
		watch_tell(w, "pool", is->name, is->up ? text : "has no server that is up: its clients get errors");
	}
	for (unsigned i = 0; i < w->v->nlisteners; i++) {
		const struct view_listener *is = &w->v->listener[i];

		for (unsigned k = 0; k < before->nlisteners; k++)
			if (before->listener[k].row == is->row && before->listener[k].limited != is->limited)
				watch_tell(w, "listener", is->name, is->limited ? "at its limit of connections: who comes waits" :
					   "accepts again");
	}
}

static bool watch_stuck(const struct view *v, const struct view_worker *w)
{
	return w->busy_since_ns && w->busy_since_ns < v->now_ns && v->now_ns - w->busy_since_ns > WATCH_STUCK_NS;
}

static void watch_workers(struct watch *w, const struct view *before)
{
	char subject[64], text[160];

	for (unsigned i = 0; i < w->v->nworkers; i++) {
		const struct view_worker *is = &w->v->worker[i];

		for (unsigned k = 0; k < before->nworkers; k++) {
			const struct view_worker *was = &before->worker[k];

			if (was->slot != is->slot)
				continue;
			snprintf(subject, sizeof(subject), "worker %u", is->slot);
			if (is->pid == was->pid && watch_stuck(w->v, is) != watch_stuck(before, was)) {
				snprintf(text, sizeof(text), "pid %u %s", is->pid, watch_stuck(w->v, is) ?
					 "has not come round for 1s: its clients wait" : "goes on");
				watch_tell(w, "worker", subject, text);
			}
			if (was->pid && was->slot < SHM_WORKERS_MAX)
				w->pid[was->slot] = was->pid;
			if (is->restarts <= was->restarts)
				continue;
			snprintf(text, sizeof(text), "pid %u died; pid %u is its successor", w->pid[is->slot % SHM_WORKERS_MAX], is->pid);
			watch_tell(w, "worker", subject, text);
		}
	}
}

static void watch_instance(struct watch *w, const struct view *before)
{
	const struct view *v = w->v;
	char text[160];
	bool stopped = v->supervisor_state == 'T', was_stopped = before->supervisor_state == 'T';

	if (v->generation != before->generation) {
		snprintf(text, sizeof(text), "generation %u serves", v->generation);
		watch_tell(w, "reload", "configuration", text);
	}
	if (v->supervisor_pid != before->supervisor_pid) {
		snprintf(text, sizeof(text), "pid %u has taken over from pid %u", v->supervisor_pid, before->supervisor_pid);
		watch_tell(w, "supervisor", "supervisor", text);
	}
	/* With a generation comes another one, in order. */
	if (v->health_pid) {
		if (w->health && w->health != v->health_pid && w->generation == v->generation) {
			snprintf(text, sizeof(text), "pid %u in place of pid %u, which died", v->health_pid, w->health);
			watch_tell(w, "health", "health process", text);
		}
		w->health = v->health_pid;
		w->generation = v->generation;
	}
	if (stopped != was_stopped)
		watch_tell(w, "supervisor", "supervisor", stopped ? "stopped (SIGSTOP)" : "goes on");
}

enum lbctl_exit watch_command(const struct table *t, const struct lbctl_options *o)
{
	uint64_t interval = o->interval_set && o->interval_ns ? o->interval_ns : WATCH_INTERVAL_NS;
	struct timespec pause = { .tv_sec = (time_t)(interval / 1000000000), .tv_nsec = (long)(interval % 1000000000) };
	struct view look[2];
	struct watch w = { .o = o, .v = &look[0] };
	char full[VIEW_FULL_MAX], text[512], why[256];
	enum lbctl_exit result = LBCTL_OK;
	uint64_t seen_ns = 0;	/* the supervisor, last */
	unsigned now = 0;

	memset(look, 0, sizeof(look));
	if (view_take(&look[0], t, false) < 0)
		goto no_memory;
	seen_ns = look[0].now_ns;
	/* What is wrong already: the state that changes start from. */
	if (!o->json) {
		for (unsigned i = 0; i < look[0].nservers; i++) {
			const struct view_server *s = &look[0].server[i];

			if (strcmp(view_state(s), "up") == 0)
				continue;
			snprintf(text, sizeof(text), "%s", text_why(why, sizeof(why), s));
			printf("is %s  %s%s%s\n", view_state(s), view_full_name(&look[0], s, full), text[0] ? ": " : "", text);
		}
		printf("watching %u servers\n", look[0].nservers);
		fflush(stdout);
	}
	while (!watch_done(&w) && !ferror(stdout)) {
		nanosleep(&pause, NULL);
		now = !now;
		w.v = &look[now];
		if (view_take(&look[now], t, false) < 0)
			goto no_memory;
		if (look[now].supervisor_state && look[now].supervisor_state != 'Z') {
			seen_ns = look[now].now_ns;
		} else if (find_is_over(t, look[now].now_ns - seen_ns)) {
			watch_tell(&w, "instance", "supervisor", "ended");
			result = LBCTL_NONE;
			break;
		}
		watch_instance(&w, &look[!now]);
		watch_workers(&w, &look[!now]);
		watch_servers(&w, &look[!now]);
		watch_pools(&w, &look[!now]);
	}
	view_free(&look[0]);
	view_free(&look[1]);
	return result;
no_memory:
	fprintf(stderr, "lbctl: not enough memory\n");
	view_free(&look[0]);
	view_free(&look[1]);
	return LBCTL_TABLE;
}
