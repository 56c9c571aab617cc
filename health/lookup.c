/* The addresses of a name. Runs in the children of the health process that look names up. */
#include "health/lookup.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/system.h"
#include "os/loop.h"

#define FILE_BYTES_MAX	(1u << 20)	/* of /etc/hosts; what is behind is not read */
#define TARGETS_MAX	LOOKUP_ADDRESSES_MAX

/* A small file as text; NULL: it cannot be had. */
static char *slurp(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(FILE_BYTES_MAX + 1);
	size_t n = 0;
	ssize_t k;

	while (text && n < FILE_BYTES_MAX && (k = read(fd, text + n, FILE_BYTES_MAX - n)) > 0)
		n += (size_t)k;
	if (fd >= 0)
		close(fd);
	if (text)
		text[strnlen(text, n)] = text[n] = '\0';
	return text;
}

/* ---- gathering ---- */

struct gather {
	const struct lookup_question *q;
	struct lookup_answer *a;
};

static bool is_wanted(enum conf_family want, unsigned family)
{
	return want == CONF_FAMILY_IPV4 ? family == AF_INET : want == CONF_FAMILY_IPV6 ? family == AF_INET6 : true;
}

static void add(struct lookup_answer *a, const struct lookup_address *x)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (memcmp(a->address[i].bytes, x->bytes, sizeof x->bytes) == 0 && a->address[i].family == x->family &&
		    a->address[i].scope == x->scope && a->address[i].port == x->port)
			return;
	if (a->n < LOOKUP_ADDRESSES_MAX)
		a->address[a->n++] = *x;
}

static void add_sockaddr(const struct lookup_question *q, struct lookup_answer *a, const struct sockaddr *sa)
{
	struct lookup_address x = { .family = sa->sa_family };

	if (!is_wanted(q->family, sa->sa_family))
		return;
	if (sa->sa_family == AF_INET) {
		memcpy(x.bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		memcpy(x.bytes, &in6->sin6_addr, 16);
		x.scope = in6->sin6_scope_id;
	} else
		return;
	add(a, &x);
}

static int by_order(const void *va, const void *vb)
{
	const struct lookup_address *a = va, *b = vb;
	int d;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	d = memcmp(a->bytes, b->bytes, sizeof a->bytes);
	if (d)
		return d;
	return a->port < b->port ? -1 : a->port > b->port;
}

/* Family any of a discovery: IPv4 alone, if there is any. A server with both would be there twice. */
static bool prefers_ipv4(const struct lookup_question *q)
{
	return q->family == CONF_FAMILY_ANY && !q->any_will_do;
}

static void prefer_ipv4(const struct lookup_question *q, struct lookup_answer *a)
{
	uint32_t n = 0;

	for (uint32_t i = 0; prefers_ipv4(q) && i < a->n; i++)
		if (a->address[i].family == AF_INET)
			a->address[n++] = a->address[i];
	if (n)
		a->n = n;
}

/* ---- the DNS ---- */

/* What an address is given by its SRV record. */
struct target {
	const struct dns_record *srv;
	const char *name;
};

static void add_record(struct lookup_answer *a, const struct dns_record *r, const struct target *t)
{
	struct lookup_address x = { .family = r->type == DNS_A ? AF_INET : AF_INET6 };

	memcpy(x.bytes, r->address, sizeof x.bytes);
	if (t) {
		x.port = t->srv->port;
		x.priority = t->srv->priority;
		x.weight = t->srv->weight;
	}
	add(a, &x);
	if (r->ttl_s < a->ttl_s)
		a->ttl_s = r->ttl_s;
}

static bool is_unsure(enum query_result r)
{
	return r == QUERY_WAITING || r == QUERY_FAILED || r == QUERY_LOCAL;
}

/*
 * A name's A and AAAA, both asked: what they come to. any: one is enough, and IPv4 alone decides if it has an answer.
 */
static enum query_result both(const struct lookup_question *q, const struct query *v4, const struct query *v6)
{
	bool lenient = q->any_will_do, any = q->family == CONF_FAMILY_ANY;

	if (q->family == CONF_FAMILY_IPV4)
		return v4->result;
	if (q->family == CONF_FAMILY_IPV6)
		return v6->result;
	if (v4->result == QUERY_OK && (lenient || any || !is_unsure(v6->result)))
		return QUERY_OK;
	if (v6->result == QUERY_OK && (lenient || !is_unsure(v4->result)))
		return QUERY_OK;
	if (is_unsure(v4->result))
		return v4->result;
	if (is_unsure(v6->result))
		return v6->result;
	return v4->result == QUERY_NO_NAME ? QUERY_NO_NAME : QUERY_NO_DATA;
}

/* Addresses of n names at once, at most QUERY_AT_ONCE / 2. Adds what it finds; the worst result of them all. */
static enum query_result addresses(const struct lookup_question *q, const struct query_way *way, uint64_t until_ns,
    const struct target *t, unsigned n, bool srv, struct lookup_answer *a)
{
	struct query query[QUERY_AT_ONCE];
	enum query_result worst = QUERY_OK;
	unsigned asked = 0;

	memset(query, 0, sizeof query);
	for (unsigned i = 0; i < n; i++) {
		query[asked++] = (struct query){ .name = t[i].name, .type = q->family == CONF_FAMILY_IPV6 ? DNS_AAAA : DNS_A };
		if (q->family == CONF_FAMILY_ANY || q->family == CONF_FAMILY_BOTH)
			query[asked++] = (struct query){ .name = t[i].name, .type = DNS_AAAA };
	}
	query_run(query, asked, way, until_ns);
	for (unsigned i = 0; i < n; i++) {
		const struct query *v4 = &query[i * asked / n], *v6 = &query[(i + 1) * asked / n - 1];
		enum query_result r = both(q, v4, v6);

		if (prefers_ipv4(q) && v4->result == QUERY_OK)
			v6 = v4;
		for (const struct query *x = v4; r == QUERY_OK && x <= v6; x++)
			for (unsigned k = 0; k < x->n && x->result == QUERY_OK; k++)
				if (!x->record[k].extra)
					add_record(a, &x->record[k], srv ? &t[i] : NULL);
		if (srv && !is_unsure(r))
			r = QUERY_OK;	/* a target that is not there is no server */
		if (r != QUERY_OK) {
			worst = r;
			a->rcode = v4->rcode ? v4->rcode : v6->rcode;
		}
	}
	query_free(query, asked);
	return worst;
}

/* Addresses that came with the SRV records themselves. True: there were some. */
static bool from_extra(const struct lookup_question *q, const struct query *srv, const struct target *t,
    struct lookup_answer *a)
{
	uint16_t type = q->family == CONF_FAMILY_IPV6 ? DNS_AAAA : DNS_A;
	bool found = false;

	/* Of both families, or of IPv6 where there may be IPv4, only a question of its own tells whether it is all. */
	if (q->family == CONF_FAMILY_BOTH)
		return false;
	for (unsigned i = 0; i < srv->n; i++) {
		const struct dns_record *r = &srv->record[i];

		if (!r->extra || r->type != type || !dns_same(r->name, t->name))
			continue;
		add_record(a, r, t);
		found = true;
	}
	return found;
}

static enum query_result services(const struct lookup_question *q, const char *name, const struct query_way *way,
    uint64_t until_ns, struct lookup_answer *a)
{
	struct query srv = { .name = name, .type = DNS_SRV };
	struct target *t = calloc(TARGETS_MAX, sizeof *t);
	enum query_result r = QUERY_LOCAL;
	unsigned n = 0;

	if (!t)
		return r;
	query_run(&srv, 1, way, until_ns);
	r = srv.result;
	a->rcode = srv.rcode;
	for (unsigned i = 0; r == QUERY_OK && i < srv.n && n < TARGETS_MAX; i++) {
		if (srv.record[i].extra)
			continue;
		if (srv.record[i].ttl_s < a->ttl_s)
			a->ttl_s = srv.record[i].ttl_s;
		t[n] = (struct target){ .srv = &srv.record[i], .name = srv.record[i].name };
		if (!from_extra(q, &srv, &t[n], a))
			n++;
	}
	for (unsigned i = 0; r == QUERY_OK && i < n; i += QUERY_AT_ONCE / 2)
		r = addresses(q, way, until_ns, t + i, n - i < QUERY_AT_ONCE / 2 ? n - i : QUERY_AT_ONCE / 2, true, a);
	if (r == QUERY_OK && a->n == 0)
		r = QUERY_NO_DATA;
	query_free(&srv, 1);
	free(t);
	return r;
}

static void ask(const struct lookup_question *q, const char *name, const struct query_way *way, uint64_t until_ns,
    struct lookup_answer *a)
{
	struct target t = { .name = name };

	a->n = 0;
	a->ttl_s = UINT32_MAX;
	a->result = q->srv ? services(q, name, way, until_ns, a) : addresses(q, way, until_ns, &t, 1, false, a);
}

/* As resolver(5) does it: names with dots first as they are, others first with the search domains behind them. */
static void ask_searching(const struct lookup_question *q, const struct system_resolv *r, uint64_t until_ns,
    struct lookup_answer *a)
{
	size_t size = strlen(q->host);
	enum query_result first = QUERY_WAITING;
	unsigned dots = 0;
	bool absolute;

	for (const char *c = q->host; *c; c++)
		dots += *c == '.';
	absolute = size && q->host[size - 1] == '.';
	if (absolute || dots >= r->ndots) {
		ask(q, q->host, &r->way, until_ns, a);
		if (absolute || (a->result != QUERY_NO_NAME && a->result != QUERY_NO_DATA))
			return;
		first = a->result;
	}
	for (unsigned i = 0; i < r->nsearch; i++) {
		char name[2 * DNS_NAME_MAX];

		snprintf(name, sizeof name, "%s.%s", q->host, r->search[i]);
		ask(q, name, &r->way, until_ns, a);
		if (a->result != QUERY_NO_NAME && a->result != QUERY_NO_DATA && a->result != QUERY_LOCAL)
			return;
	}
	if (first == QUERY_WAITING)
		ask(q, q->host, &r->way, until_ns, a);
	else
		a->result = first;
}

/* ---- the machine ---- */

static void found_host(void *arg, const struct sockaddr_storage *ss)
{
	struct gather *g = arg;

	add_sockaddr(g->q, g->a, (const struct sockaddr *)ss);
}

static bool in_hosts(const struct lookup_question *q, struct lookup_answer *a)
{
	struct gather g = { .q = q, .a = a };
	char *text = slurp("/etc/hosts");

	a->n = 0;
	if (text)
		system_hosts(text, q->host, found_host, &g);
	free(text);
	prefer_ipv4(q, a);
	return a->n > 0;
}

/* Whatever else nsswitch.conf(5) names: systemd-resolved's own names, mDNS, ... */
static bool in_library(const struct lookup_question *q, struct lookup_answer *a)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *list = NULL;

	a->n = 0;
	if (getaddrinfo(q->host, NULL, &hints, &list))
		return false;
	for (const struct addrinfo *x = list; x; x = x->ai_next)
		add_sockaddr(q, a, x->ai_addr);
	freeaddrinfo(list);
	prefer_ipv4(q, a);
	return a->n > 0;
}

static void by_system(const struct lookup_question *q, uint64_t until_ns, struct lookup_answer *a)
{
	struct system_resolv *r = malloc(sizeof *r);
	char *text = slurp("/etc/resolv.conf");
	enum query_result result;
	uint32_t rcode;

	a->result = QUERY_LOCAL;
	if (!r)
		goto out;
	if (!q->srv && in_hosts(q, a)) {
		a->result = QUERY_OK;
		a->ttl_s = LOOKUP_TTL_S;
		goto out;
	}
	system_resolv(r, text ? text : "");
	ask_searching(q, r, until_ns, a);
	result = a->result;
	rcode = a->rcode;
	if (result != QUERY_OK && !q->srv && in_library(q, a)) {
		result = QUERY_OK;
		a->ttl_s = LOOKUP_TTL_S;
	}
	a->result = result;
	a->rcode = rcode;
out:
	free(text);
	free(r);
}

void lookup(const struct conf *conf, const struct lookup_question *q, struct lookup_answer *a)
{
	uint64_t until_ns = loop_clock_ns() + LOOKUP_NS;
	struct query_way way = { .nservers = conf->nresolvers, .timeout_ns = CONF_SECOND, .attempts = 2 };

	memset(a, 0, sizeof *a);
	for (unsigned i = 0; i < conf->nresolvers; i++)
		way.server[i] = (struct query_server){ conf->resolver[i].addr, conf->resolver[i].addr_size };
	if (conf->nresolvers)
		ask(q, q->host, &way, until_ns, a);
	else
		by_system(q, until_ns, a);
	if (a->result != QUERY_OK)
		a->n = 0;
	else if (!q->any_will_do)
		qsort(a->address, a->n, sizeof *a->address, by_order);
}

const char *lookup_text(char buf[static LOOKUP_TEXT_MAX], enum query_result result, uint32_t rcode)
{
	static const char *const said[] = { [1] = "format error", [2] = "server failure", [4] = "not implemented", [5] = "refused" };

	switch (result) {
	case QUERY_OK:
		return strcpy(buf, "ok");
	case QUERY_NO_NAME:
		return strcpy(buf, "there is no such name");
	case QUERY_NO_DATA:
		return strcpy(buf, "the name has no usable address");
	case QUERY_FAILED:
		if (rcode < sizeof said / sizeof *said && said[rcode])
			snprintf(buf, LOOKUP_TEXT_MAX, "the name server says: %s", said[rcode]);
		else
			snprintf(buf, LOOKUP_TEXT_MAX, "the name server refuses with code %u", rcode);
		return buf;
	case QUERY_LOCAL:
		return strcpy(buf, "the question could not be asked");
	case QUERY_WAITING:
		break;
	}
	return strcpy(buf, "no answer from a name server in time");
}
