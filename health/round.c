/*
 * When each server is probed, and what is made of the outcome. Runs in the health process.
 */
#include "health/round.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "health/finding.h"
#include "health/level.h"
#include "health/place.h"
#include "health/publish.h"
#include "os/log.h"

#define EXTRA_BURST	20	/* extra rounds at once, */
#define EXTRA_PERIOD_NS	(100 * CONF_MS)	/* then one in this time: -R 5 under load is no storm of probes */
#define HURRY_BURST	10	/* probes of one server right after findings, */
#define HURRY_PERIOD_NS	(500 * CONF_MS)	/* then one in this time */
#define UNCHECKED_NS	CONF_SECOND	/* check none: how long a finding lasts */

#define OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static void finish(struct round_server *s, enum shm_outcome outcome);

static bool is_empty(const struct round_server *s)
{
	return s->verdict.now == SHM_EMPTY;
}

static bool is_checked(const struct round_server *s)
{
	return s->pool->conf->check.kind != CONF_CHECK_NONE;
}

/* ---- addresses ---- */

static const struct resolve_name *name_of(const struct round_server *s)
{
	return s->name < 0 ? NULL : &s->pool->of->resolve.name[s->name];
}

/* 0: none yet. */
static socklen_t address_of(const struct round_server *s, struct sockaddr_storage *ss)
{
	const struct resolve_name *n = name_of(s);

	if (s->place)
		return is_empty(s) ? 0 : resolve_sockaddr(&s->address, s->conf->port, ss);
	if (!n) {
		*ss = s->conf->addr;
		return s->conf->addr_size;
	}
	return n->n ? resolve_sockaddr(&n->address[s->candidate % n->n], s->conf->port, ss) : 0;
}

/* Writes the address in use into the table, unless it is there. */
static void publish_address(struct round_server *s)
{
	struct table *t = s->pool->of->table;
	struct sockaddr_storage ss, there;
	socklen_t size = address_of(s, &ss);

	if (!size || (table_address(t, s->row, &there) == size && memcmp(&ss, &there, size) == 0))
		return;
	table_set_address(t, s->row, (const struct sockaddr *)&ss, size);
}

/* ---- verdicts ---- */

static void settle(struct round_server *s)
{
	struct round *r = s->pool->of;

	if (s->settled)
		return;
	s->settled = true;
	if (--r->unsettled == 0)
		r->settled();
}

/* Nothing is known of a server that will be probed, so it is too early to say that none is up. */
static bool has_unknown(const struct round_pool *p)
{
	for (unsigned i = 0; i < p->conf->nservers; i++)
		if (p->server[i].verdict.now == SHM_UNKNOWN && !p->server[i].maint)
			return true;
	return false;
}

/* `before` is the verdict that stood; s->verdict and *news are what there is now. */
static void announce(struct round_server *s, uint32_t before, struct publish_news *news)
{
	struct round_pool *p = s->pool;
	struct table *t = p->of->table;
	uint64_t lasted = news->now_ns - atomic_load_explicit(&t->health[s->row].since_ns, memory_order_relaxed);
	uint32_t now = s->verdict.now;

	if (now == SHM_UP && before != SHM_UP)
		p->up++;
	else if (now != SHM_UP && before == SHM_UP)
		p->up--;
	if (now == SHM_UP && before != SHM_UP)
		level_join(s);
	if (before == SHM_EMPTY && now != SHM_EMPTY)
		p->taken++;
	else if (before != SHM_EMPTY && now == SHM_EMPTY)
		p->taken--;
	news->verdict = &s->verdict;
	publish_row(t, s->row, news);

	struct tell_news tell = {
		.pool = p->conf->name, .server = s->conf->name, .before = before, .now = now,
		.outcome = news->outcome, .status = news->status, .up = p->up, .total = p->taken,
		.none_left = now == SHM_DOWN && !p->up && !has_unknown(p), .lasted_ns = lasted, .now_ns = news->now_ns,
		.again_ns = now != SHM_DOWN ? 0 : is_checked(s) ? p->conf->check.down_interval_ns : UNCHECKED_NS,
	};
	if (now != before)
		tell_change(&s->tell, &tell);
	else
		tell_rest(&s->tell, &tell);
}

/* A verdict that no probe gave. */
static void decide(struct round_server *s, uint32_t before, enum shm_outcome outcome)
{
	struct publish_news news = { .outcome = outcome, .now_ns = loop_clock_ns() };

	announce(s, before, &news);
}

static void set_again(struct round_server *s, uint64_t wait_ns)
{
	struct timer_wheel *w = &s->pool->of->loop->wheel;

	if (wait_ns == UINT64_MAX)
		timer_cancel(w, &s->again);
	else
		timer_set(w, &s->again, loop_clock_ns() + wait_ns);
}

/* check none: up, for want of better knowledge, if only there is an address. */
static void assume_up(struct round_server *s)
{
	uint32_t before = s->verdict.now;
	struct sockaddr_storage ss;

	if (!address_of(s, &ss)) {
		finish(s, SHM_OUT_NO_ADDRESS);
		return;
	}
	s->verdict = (struct verdict){ .now = SHM_UP };
	decide(s, before, SHM_OUT_NONE);
	settle(s);
}

/* ---- the queue of probes that are due ---- */

static void enqueue(struct round_server *s)
{
	struct round *r = s->pool->of;

	s->state = ROUND_QUEUED;
	s->next = NULL;
	s->prev = r->last;
	*(r->last ? &r->last->next : &r->first) = s;
	r->last = s;
}

static void dequeue(struct round_server *s)
{
	struct round *r = s->pool->of;

	*(s->prev ? &s->prev->next : &r->first) = s->next;
	*(s->next ? &s->next->prev : &r->last) = s->prev;
	s->state = ROUND_IDLE;
}

static void begin(struct round_server *s)
{
	struct sockaddr_storage ss;
	socklen_t size = address_of(s, &ss);

	s->state = ROUND_PROBING;
	s->pool->of->active++;
	probe_start(&s->probe, &s->question, &ss, size);	/* may have ended when it returns */
}

/* Starts what there is room for. Probes that end at once come back here: a loop, not a recursion. */
static void pump(struct round *r)
{
	if (r->pumping)
		return;
	r->pumping = true;
	while (r->first && r->active < r->max_active) {
		struct round_server *s = r->first;

		dequeue(s);
		begin(s);
	}
	r->pumping = false;
}

/* Has the server probed, unless that is under way. */
static void probe(struct round_server *s)
{
	const struct resolve_name *n = name_of(s);

	if (s->state != ROUND_IDLE || is_empty(s))
		return;
	s->tried = 0;
	if (!n || n->n) {
		timer_cancel(&s->pool->of->loop->wheel, &s->again);
		enqueue(s);
		pump(s->pool->of);
	} else if (n->known) {
		finish(s, SHM_OUT_NO_ADDRESS);
	} else {
		s->state = ROUND_NO_ADDRESS;
		set_again(s, s->pool->conf->check.timeout_ns);
	}
}

/* Takes back what probe() began. */
static void stop(struct round_server *s)
{
	if (s->state == ROUND_PROBING) {
		probe_cancel(&s->probe);
		s->pool->of->active--;
	} else if (s->state == ROUND_QUEUED) {
		dequeue(s);
	}
	s->state = ROUND_IDLE;
	timer_cancel(&s->pool->of->loop->wheel, &s->again);
}

/* ---- rounds ---- */

static void round_run(struct round_pool *p);

static uint64_t pool_dispatched(const struct round_pool *p)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < p->conf->nservers; i++)
		sum += publish_dispatched(p->of->table, p->server[i].row);
	return sum;
}

static void set_target(struct round_pool *p, uint64_t target)
{
	p->target = target;
	publish_target(p->of->table, p->conf->row, target);
}

/* So many requests have been dispatched: a round, now or as soon as the limit on them allows. */
static void run_extra(struct round_pool *p)
{
	uint64_t now = loop_clock_ns();

	if (p->outstanding)
		p->extra_due = true;
	else if (bucket_take(&p->bucket, now))
		round_run(p);
	else
		timer_set(&p->of->loop->wheel, &p->extra, bucket_ready_ns(&p->bucket));
}

static void round_ended(struct round_pool *p)
{
	bool interval = p->interval_due, extra = p->extra_due;

	p->interval_due = p->extra_due = false;
	publish_round(p->of->table, p->conf->row);
	if (interval)
		round_run(p);
	else if (extra)
		run_extra(p);
}

static void leave_round(struct round_server *s)
{
	if (!s->in_round)
		return;
	s->in_round = false;
	if (--s->pool->outstanding == 0)
		round_ended(s->pool);
}

/* Sees administrative changes. True: the server may be probed. */
static bool look_at_admin(struct round_server *s)
{
	struct round_pool *p = s->pool;
	const struct shm_server *row = &p->of->table->server[s->row];
	uint32_t weight = atomic_load_explicit(&row->weight, memory_order_relaxed), before = s->verdict.now;
	uint32_t wanted = atomic_load_explicit(&row->probe_wanted, memory_order_relaxed);
	bool maint = atomic_load_explicit(&row->admin, memory_order_relaxed) == SHM_MAINT;
	bool asked = wanted != s->probe_wanted;

	s->probe_wanted = wanted;
	if (weight && weight != s->weight) {
		s->weight = weight;
		level_start(p);
	}
	if (is_empty(s)) {
		s->maint = maint;
		return false;
	}
	if (maint == s->maint) {
		if (asked && !maint && is_checked(s))
			probe(s);
		return !maint;
	}
	s->maint = maint;
	if (!maint) {
		if (is_checked(s))
			probe(s);
		else
			assume_up(s);
		return true;
	}
	stop(s);
	if (before != SHM_UNKNOWN) {	/* when it comes back nothing is known of it */
		s->verdict = (struct verdict){ .now = SHM_UNKNOWN };
		decide(s, before, SHM_OUT_NONE);
	}
	settle(s);
	leave_round(s);
	return false;
}

static void round_run(struct round_pool *p)
{
	struct timer_wheel *w = &p->of->loop->wheel;

	p->interval_due = p->extra_due = false;
	timer_cancel(w, &p->extra);
	timer_cancel(w, &p->interval);
	timer_set(w, &p->interval, loop_clock_ns() + p->conf->check.interval_ns);
	if (p->conf->check.requests)
		set_target(p, pool_dispatched(p) + p->conf->check.requests);
	level_lift(p);

	p->outstanding = 1;	/* held by this loop: probes may end while it runs */
	for (unsigned i = 0; i < p->conf->nservers; i++) {
		struct round_server *s = &p->server[i];

		if (!look_at_admin(s))
			continue;
		s->in_round = true;
		p->outstanding++;
		probe(s);
	}
	if (--p->outstanding == 0)
		round_ended(p);
}

static void on_interval(struct timer *t)
{
	struct round_pool *p = OF(t, struct round_pool, interval);

	if (p->outstanding)
		p->interval_due = true;
	else
		round_run(p);
}

static void on_extra(struct timer *t)
{
	run_extra(OF(t, struct round_pool, extra));
}

/* ---- what a probe's end leads to ---- */

/* Connections that another address of the same name may yet take. */
static bool is_address_trouble(enum shm_outcome outcome)
{
	return outcome == SHM_OUT_REFUSED || outcome == SHM_OUT_UNREACHABLE || outcome == SHM_OUT_CONNECT_TIMEOUT;
}

static void finish(struct round_server *s, enum shm_outcome outcome)
{
	struct round *r = s->pool->of;
	const struct conf_check *check = &s->pool->conf->check;
	const struct resolve_name *n = name_of(s);
	uint32_t before = s->verdict.now;
	bool probed = s->state == ROUND_PROBING;
	struct publish_news news = { .outcome = outcome, .probed = true, .now_ns = loop_clock_ns() };

	if (probed) {
		r->active--;
		news.status = s->probe.status;
		news.latency_ns = s->probe.latency_ns;
	}
	s->state = ROUND_IDLE;
	if (n && is_address_trouble(outcome)) {
		s->candidate++;
		if (outcome != SHM_OUT_CONNECT_TIMEOUT && ++s->tried < n->n) {
			enqueue(s);
			pump(r);
			return;
		}
		resolve_soon(&r->resolve, (uint32_t)s->name);
	}
	if (outcome == SHM_OUT_OK) {
		publish_address(s);
		if (check->kind == CONF_CHECK_SEED) {
			news.figures = true;
			news.entries = s->probe.entries;
			news.errors = s->probe.errors;
			news.base = publish_finished(r->table, s->row);
		}
	}
	verdict_probe(&s->verdict, check, outcome);
	announce(s, before, &news);
	set_again(s, verdict_wait_ns(&s->verdict, check));
	settle(s);
	leave_round(s);
	pump(r);
}

static void on_probed(struct probe *p)
{
	finish(OF(p, struct round_server, probe), p->outcome);
}

static void on_again(struct timer *t)
{
	struct round_server *s = OF(t, struct round_server, again);

	if (s->state == ROUND_NO_ADDRESS)
		finish(s, SHM_OUT_NO_ADDRESS);
	else if (!look_at_admin(s))
		return;
	else if (is_checked(s))
		probe(s);
	else if (s->verdict.now != SHM_UP)
		assume_up(s);
}

/*
 * A lookup of the server's name has ended. Stays with the address in use for as long as the name
 * has it; true: there is another one now.
 */
static bool follow_name(struct round_server *s, const struct resolve_name *n)
{
	struct sockaddr_storage ss, used;
	socklen_t size = table_address(s->pool->of->table, s->row, &used);

	for (s->candidate = 0; s->candidate < n->n; s->candidate++)
		if (size && address_of(s, &ss) == size && memcmp(&ss, &used, size) == 0)
			return false;
	s->candidate = 0;
	if (!n->n)
		return false;
	if (size)
		log_info("server %s/%s: the address of %s has changed", s->pool->conf->name, s->conf->name, n->question.host);
	publish_address(s);
	return true;
}

static void on_resolved(void *arg, uint32_t name)
{
	struct round *r = arg;

	place_resolved(r, name);

	for (unsigned k = 0; k < r->conf->npools; k++) {
		for (unsigned i = 0; i < r->pool[k].conf->nservers; i++) {
			struct round_server *s = &r->pool[k].server[i];
			bool moved, waited;

			if (s->name != (int)name)
				continue;
			moved = follow_name(s, &r->resolve.name[name]);
			waited = s->state == ROUND_NO_ADDRESS;
			if (waited || (moved && s->state == ROUND_PROBING))
				stop(s);
			if (s->maint || !(waited || moved))
				continue;
			if (is_checked(s))
				probe(s);
			else if (s->verdict.now != SHM_UP)
				assume_up(s);
		}
	}
}

/* ---- places ---- */

void round_take_place(struct round_server *s, const struct lookup_address *a)
{
	uint32_t before = s->verdict.now;

	s->address = *a;
	s->verdict = (struct verdict){ .now = SHM_UNKNOWN };
	publish_address(s);	/* first: workers that see the verdict must find it */
	decide(s, before, SHM_OUT_NONE);
	if (s->maint)
		settle(s);
	else if (is_checked(s))
		probe(s);
	else
		assume_up(s);
}

void round_leave_place(struct round_server *s)
{
	uint32_t before = s->verdict.now;

	stop(s);
	s->verdict = (struct verdict){ .now = SHM_EMPTY };
	decide(s, before, SHM_OUT_NONE);
	settle(s);
	leave_round(s);
	pump(s->pool->of);
}

void round_settle_place(struct round_server *s)
{
	if (is_empty(s))
		settle(s);
}

/* ---- workers' findings ---- */

static void found(struct round_server *s, enum shm_outcome outcome)
{
	uint32_t before = s->verdict.now;

	if (s->maint || is_empty(s) || !verdict_finding(&s->verdict))
		return;
	/* What a probe that is under way would say may be older than this. */
	if (s->state == ROUND_PROBING)
		stop(s);
	decide(s, before, outcome);
	settle(s);
	if (!is_checked(s))
		set_again(s, UNCHECKED_NS);
	else if (bucket_take(&s->hurry, loop_clock_ns()))
		probe(s);
	else if (s->state == ROUND_IDLE)
		set_again(s, s->pool->conf->check.down_interval_ns);
}

static void look_at_findings(struct round *r)
{
	if (finding_look(r, r->looked ? found : NULL))
		r->looked = true;
	else
		timer_set(&r->loop->wheel, &r->look, loop_clock_ns() + CONF_MS);
}

static void on_look(struct timer *t)
{
	look_at_findings(OF(t, struct round, look));
}

/* Requests that workers may have in hand: seen by them as reaching a target, and not counted yet. */
static uint64_t in_hand(const struct table *t)
{
	uint64_t n = 0;

	for (uint32_t slot = table_next_live(t, 1); slot < t->max_workers; slot = table_next_live(t, slot + 1))
		n++;
	return n;
}

void round_wake(struct round *r)
{
	uint64_t slack = in_hand(r->table);

	look_at_findings(r);
	for (unsigned k = 0; k < r->conf->npools; k++) {
		struct round_pool *p = &r->pool[k];

		for (unsigned i = 0; i < p->conf->nservers; i++)
			look_at_admin(&p->server[i]);
		if (p->target != UINT64_MAX && pool_dispatched(p) + slack >= p->target) {
			set_target(p, UINT64_MAX);	/* until the next round starts: it must not wake us again */
			run_extra(p);
		}
	}
}

/* ---- start ---- */

static int init_server(struct round_pool *p, struct round_server *s, const struct conf_server *c)
{
	struct round *r = p->of;
	uint32_t weight = atomic_load_explicit(&r->table->server[c->row].weight, memory_order_relaxed);

	s->conf = c;
	s->pool = p;
	s->row = c->row;
	s->weight = weight ? weight : 1;
	s->probe_wanted = atomic_load_explicit(&r->table->server[c->row].probe_wanted, memory_order_relaxed);
	publish_recall(r->table, c->row, &s->verdict);
	if (c->discover)
		place_recall(s);
	s->settled = s->verdict.now != SHM_UNKNOWN && !is_empty(s);
	r->unsettled += !s->settled;
	p->up += s->verdict.now == SHM_UP;
	p->taken += !is_empty(s);
	s->again.cb = on_again;
	probe_init(&s->probe, r->loop, on_probed);
	bucket_init(&s->hurry, HURRY_BURST, HURRY_PERIOD_NS);
	tell_init(&s->tell);
	s->name = c->addr_size || !c->host || c->discover ? -1 : resolve_add(&r->resolve, c->host);
	if (s->name < 0 && !c->addr_size && c->host && !c->discover)
		return -1;
	return probe_question(&s->question, p->conf, c);
}

int round_init(struct round *r, struct loop *loop, const struct conf *conf, struct table *table, unsigned max_active,
    void (*settled)(void), void (*rank)(uint32_t row, uint32_t weight, bool backup))
{
	memset(r, 0, sizeof *r);
	r->loop = loop;
	r->conf = conf;
	r->table = table;
	r->max_active = max_active;
	r->settled = settled;
	r->rank = rank;
	r->look.cb = on_look;
	for (unsigned k = 0; k < conf->npools; k++)
		r->nservers += conf->pool[k].nservers;
	r->pool = calloc(conf->npools + 1, sizeof *r->pool);
	r->seen = calloc((size_t)table->max_workers * r->nservers + 1, sizeof *r->seen);
	if (!r->pool || !r->seen || resolve_init(&r->resolve, loop, conf, r->nservers, on_resolved, r) < 0)
		return -1;
	for (unsigned k = 0; k < conf->npools; k++) {
		struct round_pool *p = &r->pool[k];

		p->of = r;
		p->conf = &conf->pool[k];
		p->target = UINT64_MAX;
		p->interval.cb = on_interval;
		p->extra.cb = on_extra;
		bucket_init(&p->bucket, EXTRA_BURST, EXTRA_PERIOD_NS);
		p->server = calloc(p->conf->nservers + 1, sizeof *p->server);
		p->join = calloc(p->conf->nservers + 1, sizeof *p->join);
		if (!p->server || !p->join)
			return -1;
		for (unsigned i = 0; i < p->conf->nservers; i++)
			if (init_server(p, &p->server[i], &p->conf->server[i]) < 0)
				return -1;
	}
	return place_init(r);
}

/* check none has no rounds: what there is to do at the start is done here. */
static void start_unchecked(struct round_pool *p)
{
	for (unsigned i = 0; i < p->conf->nservers; i++) {
		struct round_server *s = &p->server[i];
		struct sockaddr_storage ss;

		if (!look_at_admin(s))
			continue;
		if (!address_of(s, &ss)) {
			if (!s->settled) {
				s->state = ROUND_NO_ADDRESS;
				set_again(s, p->conf->check.timeout_ns);
			}
		} else if (s->verdict.now == SHM_UNKNOWN) {
			assume_up(s);
		} else if (s->verdict.now == SHM_DOWN) {
			set_again(s, UNCHECKED_NS);
		}
	}
}

void round_start(struct round *r)
{
	look_at_findings(r);
	for (unsigned k = 0; k < r->conf->npools; k++) {
		struct round_pool *p = &r->pool[k];

		set_target(p, UINT64_MAX);
		publish_unresolved(r->table, p->conf->row, 0);
		level_start(p);
		for (unsigned i = 0; i < p->conf->nservers; i++) {
			publish_address(&p->server[i]);
			if (is_empty(&p->server[i]))	/* not to be taken for a server that has not been probed yet */
				decide(&p->server[i], SHM_EMPTY, SHM_OUT_NONE);
		}
	}
	resolve_start(&r->resolve);
	if (!r->unsettled)
		r->settled();
	for (unsigned k = 0; k < r->conf->npools; k++) {
		if (r->pool[k].conf->check.kind == CONF_CHECK_NONE)
			start_unchecked(&r->pool[k]);
		else
			round_run(&r->pool[k]);
	}
}
