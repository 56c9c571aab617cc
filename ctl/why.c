/*
 * Choices as workers wrote them down (worker/explain.c), newest last: who was chosen, by what rule, against
 * whom, and who was passed over and why. What the request was comes from the object that only some may read.
 */
#include "ctl/why.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/wanted.h"
#include "ipc/json.h"
#include "ipc/seen.h"
#include "ipc/text.h"

#define WHY_LARGE 16	/* servers: an algorithm that looks at some only looks at all of so many */
#define WHY_COUNT 20	/* choices that are shown unless told otherwise */

struct why_candidate {
	const struct view_server *server;	/* NULL: gone from the table */
	uint32_t inflight, latency_us, silent_us, weight, ramp, errors, streak, standing, outcome;
	float figure;
};

struct why_choice {
	uint64_t at_ns, number;
	const struct view_pool *pool;		/* NULL: gone */
	uint32_t slot, rule, how, tried, compared, servers, shown, waited_us;
	struct why_candidate of[SHM_CHOICE_SHOWN];
	bool requested;				/* `request` is there */
	struct seen_request request;
};

static uint32_t why_get(const _Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static const struct view_server *why_server(const struct view *v, uint32_t row)
{
	for (unsigned i = 0; i < v->nservers; i++)
		if (v->server[i].row == row)
			return &v->server[i];
	return NULL;
}

/* Copies a record out. False: nothing is there, or it is being written. */
static bool why_read(struct why_choice *c, const struct view *v, const struct shm_choice *from)
{
	uint32_t seq = atomic_load_explicit(&from->seq, memory_order_acquire);
	uint32_t row[SHM_CHOICE_SHOWN], pool;

	memset(c, 0, sizeof(*c));
	if (seq & 1)
		return false;
	c->at_ns = atomic_load_explicit(&from->at_ns, memory_order_relaxed);
	c->number = atomic_load_explicit(&from->number, memory_order_relaxed);
	pool = why_get(&from->pool);
	c->rule = why_get(&from->rule) & 0xff;
	c->how = why_get(&from->rule) >> 8;
	c->tried = why_get(&from->tried);
	c->compared = why_get(&from->compared);
	c->servers = why_get(&from->servers);
	c->shown = why_get(&from->shown);
	c->waited_us = why_get(&from->waited_us);
	for (unsigned i = 0; i < SHM_CHOICE_SHOWN; i++) {
		const struct shm_candidate *k = &from->of[i];
		struct why_candidate *to = &c->of[i];
		uint32_t figure = why_get(&k->figure), weight = why_get(&k->weight), errors = why_get(&k->errors);
		uint32_t standing = why_get(&k->standing);

		row[i] = why_get(&k->server);
		memcpy(&to->figure, &figure, sizeof(figure));
		to->inflight = why_get(&k->inflight);
		to->latency_us = why_get(&k->latency_us);
		to->silent_us = why_get(&k->silent_us);
		to->weight = weight & 0xffff;
		to->ramp = weight >> 16;
		to->errors = errors & 0xffff;
		to->streak = errors >> 16;
		to->standing = standing & 0xff;
		to->outcome = standing >> 8;
	}
	atomic_thread_fence(memory_order_acquire);
	if (why_get(&from->seq) != seq || c->at_ns == 0 || c->shown == 0 || c->shown > SHM_CHOICE_SHOWN)
		return false;
	for (unsigned i = 0; i < c->shown; i++)
		c->of[i].server = why_server(v, row[i]);
	for (unsigned i = 0; i < v->npools; i++)
		if (v->pool[i].row == pool)
			c->pool = &v->pool[i];
	return true;
}

static int why_by_time(const void *a, const void *b)
{
	const struct why_choice *x = a, *y = b;

	return x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

/* All that are there, oldest first; to be freed. NULL: no memory. */
static struct why_choice *why_all(struct table *t, const struct view *v, unsigned *n)
{
	struct why_choice *all = NULL, *more;
	unsigned room = 0;

	*n = 0;
	for (uint32_t slot = 1; slot < t->max_workers; slot++) {
		for (unsigned special = 0; special < 2; special++) {
			if (atomic_load_explicit(&t->choices[slot].written[special], memory_order_acquire) == 0)
				continue;	/* untouched memory stays untouched */
			if (room < *n + SHM_CHOICES) {
				room = 2 * room + SHM_CHOICES;
				more = realloc(all, room * sizeof(*all));
				if (!more) {
					free(all);
					return NULL;
				}
				all = more;
			}
			for (unsigned i = 0; i < SHM_CHOICES; i++) {
				struct why_choice *c = &all[*n];

				if (!why_read(c, v, &t->choices[slot].ring[special][i]))
					continue;
				c->slot = slot;
				c->requested = t->seen && seen_get_request(t, slot, special, i, &c->request) &&
				    c->request.number == c->number;
				++*n;
			}
		}
	}
	if (all)
		qsort(all, *n, sizeof(*all), why_by_time);
	return all ? all : malloc(1);
}

/* ---- which ---- */

static bool why_matches(const struct view *v, const struct why_choice *c, const struct wanted *w)
{
	if (!w->pattern)
		return true;
	for (unsigned i = 0; i < c->shown; i++)
		if (c->of[i].server && wanted_server(w, v, c->of[i].server))
			return true;
	return false;
}

/* ---- as people read it ---- */

static const char *why_name(const struct why_candidate *k)
{
	return k->server ? k->server->name : "(gone)";
}

/* "app1 48102 entries", "app3 2, weight 2": what the rule compared, with its unit where it is said first. */
static void why_figures(FILE *out, const struct why_choice *c, const struct why_candidate *k)
{
	bool first = k == c->of;
	char a[TEXT_MAX];

	fputs(why_name(k), out);
	switch (c->rule) {
	case SHM_RULE_LEAST_REQUESTS:
		fprintf(out, " %.0f%s", (double)k->figure * (k->weight ? k->weight : 1), first ? " entries" : "");
		if (k->inflight)
			fprintf(out, " (%u in flight)", k->inflight);
		break;
	case SHM_RULE_ROUND_ROBIN:
		if (!first)
			fprintf(out, " %.2g turns %s", fabs((double)(k->figure - c->of->figure)),
				k->figure < c->of->figure ? "earlier, but above its share" : "later");
		break;
	default:
		fprintf(out, " %u%s", k->inflight, first || c->rule == SHM_RULE_ADAPTIVE ? " in flight" : "");
	}
	if (c->rule == SHM_RULE_ADAPTIVE) {
		if (k->latency_us)
			fprintf(out, ", %s", text_latency(a, (uint64_t)k->latency_us * 1000));
		if (k->silent_us >= 1000)
			fprintf(out, ", silent for %s", text_age(a, (uint64_t)k->silent_us * 1000));
		if (k->errors)
			fprintf(out, ", %.1f%% errors", k->errors / 10.0);
		if (k->streak)
			fprintf(out, ", %u in a row", k->streak);
		if (k->ramp < 100)
			fprintf(out, ", slow start %u%%", k->ramp);
	}
	if (k->weight > 1 && c->rule != SHM_RULE_HASH && c->rule != SHM_RULE_STICKY)
		fprintf(out, ", weight %u", k->weight);
	/* Its figure is a product that has no unit: how much dearer than the one chosen tells more. */
	if (c->rule == SHM_RULE_ADAPTIVE && !first && c->of[0].figure > 0) {
		double dearer = (double)(k->figure / c->of[0].figure);

		if (dearer >= 1.05)
			fprintf(out, ": %.*f times dearer", dearer < 10 ? 1 : 0, dearer);
		else
			fputs(": as good", out);
	}
}

static const char *why_rule(uint32_t rule)
{
	static const char *const text[SHM_RULE_COUNT] = {
		[SHM_RULE_LEAST_REQUESTS] = "least requests",
		[SHM_RULE_LEAST_CONNECTIONS] = "least connections",
		[SHM_RULE_ROUND_ROBIN] = "its turn",
		[SHM_RULE_RANDOM] = "by lot",
		[SHM_RULE_HASH] = "its key's own",
		[SHM_RULE_ADAPTIVE] = "adaptive",
		[SHM_RULE_FIRST] = "first with room",
		[SHM_RULE_HASH_NEXT] = "next on its key's way",
		[SHM_RULE_STICKY] = "its cookie's",
		[SHM_RULE_ONLY] = "the only one",
	};

	return rule < SHM_RULE_COUNT && text[rule] ? text[rule] : "?";
}

static void why_how(FILE *out, const struct why_choice *c)
{
	char age[TEXT_MAX];

	if (c->how & SHM_HOW_RETRY)
		fprintf(out, "; try %u", c->tried + 1);
	if (c->how & SHM_HOW_HEDGE)
		fputs("; a second copy, the first server kept silent", out);
	if (c->how & SHM_HOW_QUEUED)
		fprintf(out, "; it had waited %s for room", c->waited_us ? text_latency(age, (uint64_t)c->waited_us * 1000) : "a moment");
	if (c->how & SHM_HOW_BACKUP)
		fputs("; a backup: no ordinary server could be chosen", out);
	if (c->how & SHM_HOW_UNPROBED)
		fputs("; nobody is known to be up yet", out);
	if (c->how & SHM_HOW_PANIC)
		fputs("; panic: too few are left, all are used", out);
	if (c->how & SHM_HOW_UNSTUCK)
		fputs("; its cookie's server could not be chosen", out);
}

static void why_line(FILE *out, const struct view *v, const struct why_choice *c)
{
	char when[TEXT_MAX], text[4 * SEEN_TEXT_MAX + 1], client[SEEN_CLIENT_MAX];
	unsigned compared = 1, i;
	const char *cut;

	while (compared < c->shown && c->of[compared].standing == SHM_STOOD_COMPARED)
		compared++;
	fprintf(out, "%s.%03u %s: %s", text_clock(when, v, c->at_ns), (unsigned)(text_part_ns(v, c->at_ns) / 1000000),
		c->pool ? c->pool->name : "(gone)", why_name(&c->of[0]));
	if (c->rule != SHM_RULE_ONLY)
		fprintf(out, " of %u", c->rule == SHM_RULE_HASH || !c->compared ? c->servers : c->compared);
	/* Of a large pool some are looked at. */
	if (c->compared && c->servers > WHY_LARGE && c->compared <= WHY_LARGE && c->rule != SHM_RULE_HASH && c->rule != SHM_RULE_HASH_NEXT)
		fprintf(out, " drawn from %u", c->servers);
	fprintf(out, ": %s", why_rule(c->rule));
	fputs(" (", out);
	why_figures(out, c, &c->of[0]);
	for (i = 1; i < compared; i++) {
		fputs("; ", out);
		why_figures(out, c, &c->of[i]);
	}
	if (c->compared > compared)
		fprintf(out, "; %u more", c->compared - compared);
	fputc(')', out);
	for (i = compared; i < c->shown; i++) {
		const struct why_candidate *k = &c->of[i];

		fprintf(out, "%s%s (%s%s%s)", i == compared ? "; not " : ", ", why_name(k), table_standing_text(k->standing),
			k->outcome ? ": " : "", k->outcome ? seen_cause_text(k->outcome) : "");
	}
	why_how(out, c);
	fputc('\n', out);
	if (!c->requested)
		return;
	view_text(text, sizeof(text), c->request.text, c->request.size);
	cut = strstr(text, " HTTP/");
	fprintf(out, "             for %s", seen_client_text(client, &c->request.client));
	if (c->request.size)
		fprintf(out, " %.*s", cut ? (int)(cut - text) : (int)strlen(text), text);
	fputc('\n', out);
}

/* What became of one server in what was shown: the question behind most questions. */
static void why_summary(FILE *out, const struct view *v, const struct why_choice *all, unsigned n, const struct wanted *w)
{
	unsigned chosen = 0, dearer = 0, stood[SHM_STOOD_COUNT] = { 0 }, seen = 0;

	for (unsigned k = 0; k < n; k++) {
		for (unsigned i = 0; i < all[k].shown; i++) {
			const struct why_candidate *c = &all[k].of[i];

			if (!c->server || !wanted_server(w, v, c->server))
				continue;
			seen++;
			chosen += i == 0;
			dearer += i > 0 && c->standing == SHM_STOOD_COMPARED;
			if (i > 0 && c->standing != SHM_STOOD_COMPARED && c->standing < SHM_STOOD_COUNT)
				stood[c->standing]++;
		}
	}
	fprintf(out, "%s: in %u choice%s that %s written down, chosen %u time%s", w->pattern, seen, seen == 1 ? "" : "s",
		seen == 1 ? "was" : "were", chosen, chosen == 1 ? "" : "s");
	if (dearer)
		fprintf(out, ", another was better %u time%s", dearer, dearer == 1 ? "" : "s");
	for (unsigned i = 1; i < SHM_STOOD_COUNT; i++)
		if (stood[i])
			fprintf(out, ", %s %u time%s", table_standing_text(i), stood[i], stood[i] == 1 ? "" : "s");
	fputc('\n', out);
}

/* ---- as JSON ---- */

static void why_json_candidate(struct json *j, const struct view *v, const struct why_candidate *k, bool chosen)
{
	char full[VIEW_FULL_MAX];

	json_open(j, NULL, '{');
	if (k->server)
		json_string(j, "server", view_full_name(v, k->server, full));
	else
		json_null(j, "server");
	json_bool(j, "chosen", chosen);
	json_string(j, "standing", table_standing_text(k->standing));
	if (k->outcome)
		json_string(j, "why", seen_cause_text(k->outcome));
	json_uint(j, "in_flight", k->inflight);
	json_number(j, "figure", (double)k->figure);
	json_uint(j, "weight", k->weight);
	json_number(j, "slow_start", k->ramp / 100.0);
	json_number(j, "latency_seconds", k->latency_us / 1e6);
	json_number(j, "silent_seconds", k->silent_us / 1e6);
	json_number(j, "errors_percent", k->errors / 10.0);
	json_uint(j, "errors_in_a_row", k->streak);
	json_close(j, '}');
}

static void why_json(struct json *j, const struct view *v, const struct why_choice *c)
{
	char how[TABLE_HOW_MAX], client[SEEN_CLIENT_MAX], text[4 * SEEN_TEXT_MAX + 1];

	json_open(j, NULL, '{');
	json_uint(j, "time_unix_ms", text_unix_ms(v, c->at_ns));
	json_uint(j, "worker", c->slot);
	if (c->pool)
		json_string(j, "pool", c->pool->name);
	else
		json_null(j, "pool");
	json_string(j, "rule", table_rule_text(c->rule));
	table_how_text(how, c->how);
	json_open(j, "special", '[');
	for (char *at = how, *word; (word = strsep(&at, "+"));)
		if (*word)
			json_string(j, NULL, word);
	json_close(j, ']');
	json_uint(j, "servers", c->servers);
	json_uint(j, "compared", c->compared);
	json_uint(j, "failed_before", c->tried);
	json_number(j, "waited_seconds", c->waited_us / 1e6);
	if (c->requested) {
		json_string(j, "client", seen_client_text(client, &c->request.client));
		json_string(j, "request", view_text(text, sizeof(text), c->request.text, c->request.size));
	}
	json_open(j, "candidates", '[');
	for (unsigned i = 0; i < c->shown; i++)
		why_json_candidate(j, v, &c->of[i], i == 0);
	json_close(j, ']');
	json_close(j, '}');
}

/* ---- the command ---- */

enum lbctl_exit why_command(struct table *t, const struct lbctl_options *o)
{
	enum lbctl_exit result = LBCTL_TABLE;
	struct why_choice *all = NULL;
	struct wanted w;
	unsigned n = 0, some = 0, count = o->count ? o->count : WHY_COUNT;
	bool may = seen_open(t) == 0 || errno != EACCES;
	struct view v;

	memset(&v, 0, sizeof(v));
	if (view_take(&v, t, false) < 0 || !(all = why_all(t, &v, &n))) {
		fputs("lbctl: not enough memory\n", stderr);
		goto out;
	}
	result = LBCTL_FAILED;
	if (!wanted_take(&w, &v, o->nargs ? o->arg[0] : NULL, true))
		goto out;
	result = LBCTL_OK;
	for (unsigned i = 0; i < n; i++)
		if (why_matches(&v, &all[i], &w))
			all[some++] = all[i];
	unsigned from = some > count ? some - count : 0;
	if (o->json) {
		struct json j = { .out = stdout };

		json_open(&j, NULL, '[');
		for (unsigned i = from; i < some; i++)
			why_json(&j, &v, &all[i]);
		json_close(&j, ']');
		goto out;
	}
	for (unsigned i = from; i < some; i++)
		why_line(stdout, &v, &all[i]);
	if (some == 0)
		puts(w.pattern ? "no choice that was written down has it" : "no request has been given to a server yet");
	else if (w.pattern && !w.is_pool)
		why_summary(stdout, &v, all, some, &w);
	if (some && !may)
		fputs("what the requests were may see only root, and the user and the group of the control socket\n", stderr);
out:
	free(all);
	view_free(&v);
	return result;
}
