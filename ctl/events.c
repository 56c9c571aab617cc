/*
 * Events as the health process notes them in the table (ipc/history.h): what one wants to know who comes to a
 * running instance and has not watched.
 */
#include "ctl/events.h"

#include <stdio.h>
#include <string.h>

#include "ctl/wanted.h"
#include "ipc/history.h"
#include "ipc/json.h"
#include "ipc/seen.h"
#include "ipc/text.h"

#define EVENTS_COUNT 30	/* that are shown unless told otherwise */

/* The server that an event is about; NULL: it is gone, and its row is another's. */
static const struct view_server *events_server(const struct table *t, const struct view *v, const struct history_event *e)
{
	for (unsigned i = 0; e->kind == HISTORY_SERVER && i < v->nservers; i++)
		if (v->server[i].row == e->row)
			return history_identity_server(t, e->row) == e->identity ? &v->server[i] : NULL;
	return NULL;
}

static bool events_wanted(const struct table *t, const struct view *v, const struct history_event *e, const struct wanted *w)
{
	const struct view_server *s = events_server(t, v, e);

	return !w->pattern || (s && wanted_server(w, v, s));
}

/* Why it came to this; "" where the words before say it. */
static char *events_why(char *buf, size_t room, const struct history_event *e)
{
	buf[0] = '\0';
	if (e->kind == HISTORY_SERVER && e->to == HISTORY_DOWN)
		text_outcome(buf, room, e->why & 0xff, e->why >> 8);
	else if (e->kind == HISTORY_SERVER && e->to == HISTORY_EJECTED)
		snprintf(buf, room, "%s", table_eject_text(e->why & 0xff));
	else if (e->kind == HISTORY_SERVER && (e->to == HISTORY_DRAIN || e->to == HISTORY_MAINT))
		snprintf(buf, room, "set by hand");
	return buf;
}

static void events_line(FILE *out, const struct table *t, const struct view *v, const struct history_event *e)
{
	char when[TEXT_MAX], full[VIEW_FULL_MAX], why[160];
	const struct view_server *s = events_server(t, v, e);

	fprintf(out, "%s.%03u ", text_clock(when, v, e->at_ns), (unsigned)(text_part_ns(v, e->at_ns) / 1000000));
	switch (e->kind) {
	case HISTORY_SERVER:
		fprintf(out, "%s: %s", s ? view_full_name(v, s, full) : "(a server that is gone)", history_state_text(e->to));
		if (e->from != HISTORY_GONE)
			fprintf(out, ", was %s", history_state_text(e->from));
		events_why(why, sizeof(why), e);
		fprintf(out, "%s%s\n", why[0] ? ": " : "", why);
		break;
	case HISTORY_RELOAD:
		fprintf(out, "generation %u serves\n", e->value);
		break;
	case HISTORY_WORKER:
		fprintf(out, "worker %u died and was replaced\n", e->row);
		break;
	}
}

static void events_json(struct json *j, const struct table *t, const struct view *v, const struct history_event *e)
{
	static const char *const kind[] = { [HISTORY_SERVER] = "server", [HISTORY_RELOAD] = "generation", [HISTORY_WORKER] = "worker" };
	const struct view_server *s = events_server(t, v, e);
	char full[VIEW_FULL_MAX], why[160];

	json_open(j, NULL, '{');
	json_uint(j, "number", e->number);
	json_uint(j, "time_unix_ms", text_unix_ms(v, e->at_ns));
	json_string(j, "kind", kind[e->kind]);
	if (e->kind == HISTORY_SERVER) {
		if (s)
			json_string(j, "server", view_full_name(v, s, full));
		else
			json_null(j, "server");
		json_string(j, "from", history_state_text(e->from));
		json_string(j, "to", history_state_text(e->to));
		json_string(j, "why", events_why(why, sizeof(why), e));
	} else {
		json_uint(j, e->kind == HISTORY_WORKER ? "worker" : "generation", e->kind == HISTORY_WORKER ? e->row : e->value);
	}
	json_close(j, '}');
}

enum lbctl_exit events_show(const struct table *t, const struct view *v, const char *pattern, const struct lbctl_options *o)
{
	uint64_t last = atomic_load_explicit(&t->history->events, memory_order_acquire), first = last, n;
	unsigned count = o->count ? o->count : EVENTS_COUNT, some = 0;
	struct json j = { .out = stdout };
	struct history_event e;
	struct wanted w;

	if (!wanted_take(&w, v, pattern, true))
		return LBCTL_FAILED;
	/* Backwards to the first that is shown, then in order. */
	for (n = last; n > 0 && n + SHM_HISTORY_EVENTS > last && some < count; n--) {
		if (!history_read_event(t, n, &e) || !events_wanted(t, v, &e, &w))
			continue;
		some++;
		first = n;
	}
	if (o->json)
		json_open(&j, NULL, '[');
	for (n = first; some && n <= last; n++) {
		if (!history_read_event(t, n, &e) || !events_wanted(t, v, &e, &w))
			continue;
		if (o->json)
			events_json(&j, t, v, &e);
		else
			events_line(stdout, t, v, &e);
	}
	if (o->json)
		json_close(&j, ']');
	else if (some == 0)
		puts("nothing has happened that is known");
	return LBCTL_OK;
}
