/*
 * Connections: the supervisor is asked to pass one end of a socket on to all workers, which tell what they
 * hold (ipc/conns.h). However many there are, only so many are kept here as are shown, the others are counted.
 * What workers say is not trusted: they read what clients send.
 */
#include "ctl/conns.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf/near.h"
#include "ctl/ask.h"
#include "ctl/conns_words.h"
#include "ctl/screen.h"
#include "ipc/conns.h"
#include "ipc/json.h"
#include "ipc/text.h"

#define CONNS_COUNT	30	/* that are shown unless told otherwise */
#define CONNS_TIMEOUT_NS UINT64_C(3000000000)

enum conns_sort { CONNS_BY_TIME, CONNS_BY_AGE, CONNS_BY_BYTES, CONNS_BY_REQUESTS, CONNS_BY_CLIENT, CONNS_SORTS };

static const char *const conns_sorts[CONNS_SORTS + 1] = { "time", "age", "bytes", "requests", "client", NULL };

/* What is kept of a worker that was asked. */
struct conns_worker { uint32_t slot, pid; bool asked, ended; };

struct conns {
	struct conns_one { uint32_t slot; struct conns_record r; } *one;
	unsigned n, wanted;		/* kept; at most so many, the first ones by order */
	uint64_t matched, held, states[CONNS_STATES];
	struct conns_worker worker[SHM_WORKERS_MAX];
	unsigned nworkers;
};

static enum conns_sort conns_sort;	/* for the comparison, which gets no argument */

static uint64_t conns_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(100000000) + (uint64_t)ts.tv_nsec;
}

/* ---- order ---- */

static uint64_t conns_key(const struct conns_record *r)
{
	switch (conns_sort) {
	case CONNS_BY_AGE:
		return r->age_ns;
	case CONNS_BY_BYTES:
		return r->to_server + r->from_server;
	case CONNS_BY_REQUESTS:
		return r->requests;
	default:
		return r->since_ns;
	}
}

/* The most remarkable first: those for which something goes on, and for the longest time. */
static int conns_order(const void *a, const void *b)
{
	const struct conns_record *x = &((const struct conns_one *)a)->r, *y = &((const struct conns_one *)b)->r;
	uint64_t kx = conns_key(x), ky = conns_key(y);
	int c = memcmp(x->client.addr, y->client.addr, sizeof(x->client.addr));

	if (conns_sort == CONNS_BY_TIME && conns_words_busy(x->state) != conns_words_busy(y->state))
		return conns_words_busy(x->state) ? -1 : 1;
	if (conns_sort != CONNS_BY_CLIENT && kx != ky)
		return kx > ky ? -1 : 1;
	return c ? c : x->client.port < y->client.port ? -1 : x->client.port > y->client.port;
}

static void conns_keep(struct conns *k, uint32_t slot, const struct conns_record *r)
{
	k->matched++;
	if (k->n == 2 * k->wanted) {
		qsort(k->one, k->n, sizeof(*k->one), conns_order);
		k->n = k->wanted;
	}
	k->one[k->n++] = (struct conns_one){ slot, *r };
}

/* ---- asking ---- */

static void conns_message(struct conns *k, const char *bytes, size_t size)
{
	struct conns_record r;
	struct conns_head h;

	if (size < sizeof(h))
		return;
	memcpy(&h, bytes, sizeof(h));
	if (h.count > CONNS_BATCH || size != sizeof(h) + h.count * sizeof(r))
		return;
	for (uint32_t i = 0; i < h.count; i++) {
		memcpy(&r, bytes + sizeof(h) + i * sizeof(r), sizeof(r));
		if (r.state >= CONNS_STATES || r.size > sizeof(r.text))
			continue;
		conns_keep(k, h.slot, &r);
	}
	if (h.kind != CONNS_END)
		return;
	k->held += h.held;
	for (unsigned i = 0; i < CONNS_STATES; i++)
		k->states[i] += h.states[i];
	for (unsigned i = 0; i < k->nworkers; i++)
		k->worker[i].ended |= k->worker[i].slot == h.slot;
}

/* Until all workers have closed their ends, or the time is over. */
static void conns_receive(struct conns *k, int fd, uint64_t end_ns)
{
	char message[CONNS_MESSAGE_MAX];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		ssize_t n = recv(fd, message, sizeof(message), MSG_DONTWAIT);
		uint64_t now = conns_clock_ns();

		if (n > 0) {
			conns_message(k, message, (size_t)n);
			continue;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR) || now >= end_ns)
			return;
		if (poll(&p, 1, (int)((end_ns - now + 999999) / 100000)) < 0 && errno != EINTR)
			return;
	}
}

/* "asked SLOT PID", "not SLOT PID", a line each. */
static void conns_workers(struct conns *k, const char *text)
{
	unsigned slot, pid;
	char word[8];

	for (const char *at = text; at && *at; at = strchr(at, '\n'), at += at != NULL) {
		if (k->nworkers == SHM_WORKERS_MAX || sscanf(at, "%7s %u %u", word, &slot, &pid) != 3)
			continue;
		k->worker[k->nworkers++] = (struct conns_worker){ .slot = slot, .pid = pid, .asked = strcmp(word, "asked") == 0 };
	}
}

static enum lbctl_exit conns_ask_all(struct conns *k, const struct table *t, const struct lbctl_options *o,
				     const struct conns_filter *f)
{
	uint64_t timeout_ns = o->timeout_set ? o->timeout_ns : CONNS_TIMEOUT_NS, end_ns = conns_clock_ns() + timeout_ns;
	char filter[CONNS_FILTER_MAX], request[CONNS_FILTER_MAX + 16], *text = NULL;
	int pair[2], room = 1 << 20;
	enum lbctl_exit result;

	if (conns_filter_write(f, filter, sizeof(filter)) < 0) {
		fputs("lbctl: the filter is too long\n", stderr);
		return LBCTL_USAGE;
	}
	snprintf(request, sizeof(request), "conns %s\n", filter);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		perror("lbctl: socketpair");
		return LBCTL_FAILED;
	}
	/* What they send is accounted to their end; the more fits, the sooner they are done. */
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	result = ask_supervisor(t, o, request, pair[1], timeout_ns, &text);
	close(pair[1]);
	if (result == LBCTL_OK) {
		conns_workers(k, text);
		conns_receive(k, pair[0], end_ns);
		qsort(k->one, k->n, sizeof(*k->one), conns_order);
		k->n = k->n > k->wanted ? k->wanted : k->n;
	} else if (text) {
		fprintf(stderr, "lbctl: %s", text);
	}
	close(pair[0]);
	free(text);
	return result;
}

/* ---- showing ---- */

static const struct view_server *conns_server(const struct view *v, uint32_t row)
{
	for (unsigned i = 0; row != SEEN_NONE && i < v->nservers; i++)
		if (v->server[i].row == row)
			return &v->server[i];
	return NULL;
}

static char *conns_where(char buf[static VIEW_FULL_MAX], const struct view *v, const struct conns_record *r)
{
	const struct view_server *s = conns_server(v, r->server);

	if (s)
		return view_full_name(v, s, buf);
	snprintf(buf, VIEW_FULL_MAX, "-");
	for (unsigned i = 0; r->pool != SEEN_NONE && i < v->npools; i++)
		if (v->pool[i].row == r->pool)
			snprintf(buf, VIEW_FULL_MAX, "%s", v->pool[i].name);
	return buf;
}

static const char *conns_listener_name(const struct view *v, uint32_t row)
{
	for (unsigned i = 0; i < v->nlisteners; i++)
		if (v->listener[i].row == row)
			return v->listener[i].name;
	return "?";
}

static char *conns_request(char *buf, size_t room, const struct conns_record *r)
{
	char *cut;

	view_text(buf, room, r->text, r->size);
	cut = strstr(buf, " HTTP/1.");
	if (cut)
		*cut = '\0';
	return buf;
}

static void conns_line(FILE *out, const struct view *v, const struct conns_record *r, bool wide, unsigned columns)
{
	char client[SEEN_CLIENT_MAX], where[VIEW_FULL_MAX], since[TEXT_MAX], age[TEXT_MAX], sent[TEXT_MAX], got[TEXT_MAX];
	char request[4 * SEEN_TEXT_MAX + 1], line[4 * VIEW_FULL_MAX];

	seen_client_text(client, &r->client);
	conns_where(where, v, r);
	text_age(since, r->since_ns);
	if (wide)
		snprintf(line, sizeof(line), "%-21s %-10s %-8s %7s %7s %6u %7s %7s  %-18s %s%s", client,
			 conns_listener_name(v, r->listener), conns_words[r->state], since, text_age(age, r->age_ns), r->requests,
			 text_count(sent, (double)r->to_server), text_count(got, (double)r->from_server), where,
			 conns_request(request, sizeof(request), r), r->failures ? "  (tried before)" : "");
	else
		snprintf(line, sizeof(line), "%-21s %-8s %7s  %-16s %s", client, conns_words[r->state], since, where,
			 conns_request(request, sizeof(request), r));
	fprintf(out, "%.*s\n", (int)(columns ? columns : sizeof(line)), line);
}

static void conns_summary(FILE *out, const struct conns *k)
{
	bool any = false;

	fprintf(out, "%" PRIu64 " connection%s", k->held, k->held == 1 ? "" : "s");
	for (unsigned i = 0; i < CONNS_STATES; i++) {
		if (!k->states[i])
			continue;
		fprintf(out, "%s%" PRIu64 " %s", any ? ", " : ": ", k->states[i], conns_words[i]);
		any = true;
	}
	if (k->matched != k->held)
		fprintf(out, "; %" PRIu64 " fit", k->matched);
	fputc('\n', out);
}

static void conns_json(const struct conns *k, const struct view *v)
{
	char client[SEEN_CLIENT_MAX], where[VIEW_FULL_MAX], text[4 * SEEN_TEXT_MAX + 1], how[TABLE_HOW_MAX];
	struct json j = { .out = stdout };

	json_open(&j, NULL, '{');
	json_uint(&j, "connections", k->held);
	json_uint(&j, "matched", k->matched);
	json_open(&j, "states", '{');
	for (unsigned i = 0; i < CONNS_STATES; i++)
		json_uint(&j, conns_words[i], k->states[i]);
	json_close(&j, '}');
	json_open(&j, "shown", '[');
	for (unsigned i = 0; i < k->n; i++) {
		const struct conns_record *r = &k->one[i].r;

		json_open(&j, NULL, '{');
		json_string(&j, "client", seen_client_text(client, &r->client));
		json_string(&j, "listener", conns_listener_name(v, r->listener));
		json_uint(&j, "worker", k->one[i].slot);
		json_uint(&j, "descriptor", r->descriptor);
		json_string(&j, "state", conns_words[r->state]);
		json_number(&j, "state_seconds", (double)r->since_ns / 1e9);
		json_number(&j, "age_seconds", (double)r->age_ns / 1e9);
		json_uint(&j, "requests", r->requests);
		json_string(&j, "server", conns_where(where, v, r));
		json_string(&j, "rule", table_rule_text(r->rule));
		json_string(&j, "special", table_how_text(how, r->how));
		json_uint(&j, "servers_failed", r->failures);
		json_uint(&j, "bytes_to_server", r->to_server);
		json_uint(&j, "bytes_from_server", r->from_server);
		json_string(&j, "request", view_text(text, sizeof(text), r->text, r->size));
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_open(&j, "workers_missing", '[');
	for (unsigned i = 0; i < k->nworkers; i++)
		if (!k->worker[i].ended)
			json_uint(&j, NULL, k->worker[i].slot);
	json_close(&j, ']');
	json_close(&j, '}');
}

static bool conns_missing(const struct conns *k, const struct view *v, uint64_t timeout_ns)
{
	bool any = false;

	for (unsigned i = 0; i < k->nworkers; i++) {
		const struct conns_worker *w = &k->worker[i];
		uint32_t active = 0;

		if (w->ended)
			continue;
		for (unsigned n = 0; n < v->nworkers; n++)
			if (v->worker[n].slot == w->slot)
				active = v->worker[n].active;
		if (w->asked)
			fprintf(stderr, "lbctl: worker %u (pid %u) has not told all within %.1f s: it has %u connections; lbctl show "
				"workers tells more\n", w->slot, w->pid, (double)timeout_ns / 1e9, active);
		else
			fprintf(stderr, "lbctl: worker %u could not be asked: it is stuck, or being replaced; it has %u connections\n",
				w->slot, active);
		any = true;
	}
	return any;
}

static int conns_sort_read(const char *word)
{
	struct near near;

	conns_sort = CONNS_BY_TIME;
	if (!word)
		return 0;
	near_start(&near, word);
	for (unsigned i = 0; conns_sorts[i]; i++) {
		near_try(&near, conns_sorts[i]);
		if (strcmp(conns_sorts[i], word) == 0) {
			conns_sort = (enum conns_sort)i;
			return 0;
		}
	}
	fprintf(stderr, "lbctl: cannot sort connections by %s; %s%s\n", word, near.best ? "did you mean " :
		"expected time, age, bytes, requests or client", near.best ? near.best : "");
	return -1;
}

enum lbctl_exit conns_show(const struct table *t, const struct lbctl_options *o)
{
	struct conns *k = calloc(1, sizeof(*k));
	enum lbctl_exit result = LBCTL_TABLE;
	struct conns_filter f;
	struct view v;

	memset(&v, 0, sizeof(v));
	if (!k || view_take(&v, t, false) < 0)
		goto no_memory;
	k->wanted = o->count ? o->count : CONNS_COUNT;
	if (k->wanted > 100000)
		k->wanted = 100000;
	k->one = malloc(2 * (size_t)k->wanted * sizeof(*k->one));
	if (!k->one)
		goto no_memory;
	result = LBCTL_USAGE;
	if (conns_sort_read(o->sort) < 0)
		goto out;
	result = conns_words_read(&f, &v, o->arg + 1, o->nargs - 1);
	if (result != LBCTL_OK)
		goto out;
	result = conns_ask_all(k, t, o, &f);
	if (result != LBCTL_OK)
		goto out;
	if (o->json) {
		conns_json(k, &v);
	} else {
		unsigned columns = screen_columns(STDOUT_FILENO);
		bool wide = columns == 0 || columns >= 120;

		conns_summary(stdout, k);
		if (k->n && wide)
			printf("%-21s %-10s %-8s %7s %7s %6s %7s %7s  %-18s %s\n", "CLIENT", "LISTENER", "STATE", "FOR", "AGE", "REQS",
			       "SENT", "GOT", "SERVER", "REQUEST");
		else if (k->n)
			printf("%-21s %-8s %7s  %-16s %s\n", "CLIENT", "STATE", "FOR", "SERVER", "REQUEST");
		for (unsigned i = 0; i < k->n; i++)
			conns_line(stdout, &v, &k->one[i].r, wide, columns);
		if (k->matched > k->n)
			printf("%" PRIu64 " more: -n NUMBER shows more, words choose (lbctl show conns busy, wait, SERVER, from ADDRESS ...)\n",
			       k->matched - k->n);
	}
	if (conns_missing(k, &v, o->timeout_set ? o->timeout_ns : CONNS_TIMEOUT_NS))
		result = LBCTL_FAILED;
	goto out;
no_memory:
	fputs("lbctl: not enough memory\n", stderr);
out:
	if (k)
		free(k->one);
	free(k);
	view_free(&v);
	return result;
}
