/* Cross-checks: what must be true of a block as a whole, and of the file. */
#include "conf/check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "conf/default.h"
#include "conf/near.h"
#include "conf/parse_sni.h"
#include "conf/parse_route.h"

/* balance first: who has no limit is never full, and nobody behind it would get anything. */
static void check_first(struct parse *p, const struct conf_pool *pool)
{
	const struct conf_server *endless = NULL;

	for (unsigned i = 0; i < pool->nservers; i++) {
		if (pool->server[i].backup)
			continue;
		if (endless) {
			diag_at(&p->diag, p->said[WORDS_POOL_BALANCE], 1, "server \"%s\" has no maxconn, so that nothing comes to those "
			    "behind it; expected one with each server but the last", endless->name);
			return;
		}
		endless = pool->server[i].maxconn == 0 ? &pool->server[i] : NULL;
	}
}

void check_pool(struct parse *p, struct conf_pool *pool)
{
	if (strcmp(pool->balance, words_balance[WORDS_FIRST]) == 0)
		check_first(p, pool);
	/* Servers that report their load are chosen by it. */
	if (!p->said[WORDS_POOL_BALANCE] && pool->check.kind == CONF_CHECK_SEED)
		pool->balance = words_balance[WORDS_LEAST_REQUESTS];
	/* What keeps nothing else apart: browsers take such a cookie only over TLS. */
	if (pool->sticky.cookie && pool->sticky.samesite == CONF_SAMESITE_NONE && !pool->sticky.secure)
		diag_at(&p->diag, p->said[WORDS_POOL_STICKY], 1,
		    "browsers refuse a cookie with samesite none that is not secure; expected the word secure as well");
	if (pool->nservers == 0)
		diag_at(&p->diag, p->opened.line, p->opened.column,
		    "pool \"%s\" has no servers; expected a line server NAME ADDRESS or discover NAME HOST:PORT in it", pool->name);
}

static void check_routes(struct parse *p, const struct conf_listener *l)
{
	unsigned i, j;

	for (i = 1; i < l->nroutes; i++) {
		for (j = 0; j < i; j++) {
			if (!parse_route_covers(&l->route[j], &l->route[i]))
				continue;
			diag_at(&p->diag, p->route_at[i].line, p->route_at[i].column,
			    "this route is never taken, the one of line %u takes everything first; expected the more special one first",
			    p->route_at[j].line);
			break;
		}
	}
}

/* Directives that say something of requests. Those that have a default cannot be told from it, nor do they harm. */
static void check_http_only(struct parse *p)
{
	static const unsigned only[] = { WORDS_LISTEN_REQUEST_FIELD, WORDS_LISTEN_RESPONSE_FIELD, WORDS_LISTEN_TRUSTED,
	    WORDS_LISTEN_ERROR_FILE };

	for (unsigned i = 0; i < sizeof(only) / sizeof(*only); i++)
		if (p->said[only[i]])
			diag_at(&p->diag, p->said[only[i]], 1, "\"%s\" in mode tcp, which does not read requests; expected mode http",
			    words_listen[only[i]].name);
}

static bool check_takes_all(const struct conf_route *r)
{
	return !r->host && !r->path && !r->methods && !r->nheaders;
}

static void check_http(struct parse *p, struct conf_listener *l)
{
	enum conf_forwarded *how[] = { &l->http.forwarded_for, &l->http.forwarded_proto, &l->http.forwarded_host,
	    &l->http.forwarded };

	for (unsigned i = 0; i < sizeof(how) / sizeof(*how); i++)
		if (*how[i] == CONF_FORWARDED_ON)
			*how[i] = CONF_FORWARDED_APPEND;
	if (!p->said[WORDS_LISTEN_MAX_LINE] && l->http.max_request_line > l->max_head)
		l->http.max_request_line = l->max_head;
	if (l->http.max_request_line > l->max_head)
		diag_at(&p->diag, p->said[WORDS_LISTEN_MAX_LINE], 1, "the request line is part of the head; expected at most max-head");
	if (!l->http.request_id && (l->http.request.places | l->http.response.places) & HTTP_PLACE_BIT(HTTP_PLACE_REQUEST_ID))
		diag_at(&p->diag, p->opened.line, p->opened.column, "a value has {request-id}, and requests get none; expected "
		    "request-id on");
}

bool check_serves(const struct conf_listener *l)
{
	for (unsigned i = 0; i < l->nroutes; i++)
		if (l->route[i].action == CONF_ROUTE_SERVE)
			return true;
	return l->serve;
}

/* What no route takes needs a place: a pool, or the status page. */
static void check_rest(struct parse *p, const struct conf_listener *l)
{
	unsigned to = p->said[WORDS_LISTEN_TO], serve = p->said[WORDS_LISTEN_SERVE];
	bool all = l->nroutes > 0 && check_takes_all(&l->route[l->nroutes - 1]);

	if ((to || serve) && all)
		diag_at(&p->diag, to ? to : serve, 1, "nothing is left for %s, the route of line %u takes everything; "
		    "expected one of them", to ? "this pool" : "this page", p->route_at[l->nroutes - 1].line);
	else if (to && serve)
		diag_at(&p->diag, serve, 1, "nothing is left to be served, the pool of line %u takes everything; expected one of them, "
		    "or a line route path /status serve status", to);
	if (!to && !serve && !all)
		diag_at(&p->diag, p->opened.line, p->opened.column,
		    "listener \"%s\" has no pool; expected a line to POOL in it", l->name);
	if (serve && l->mode == CONF_MODE_TCP)
		diag_at(&p->diag, serve, 1, "\"serve\" in mode tcp, which does not read requests; expected mode http");
	if (p->said[WORDS_LISTEN_SERVE_TO] && !check_serves(l))
		diag_at(&p->diag, p->said[WORDS_LISTEN_SERVE_TO], 1,
		    "serve-to, and nothing is served here; expected a line serve status as well");
}

void check_listener(struct parse *p, struct conf_listener *l)
{
	if (l->nbinds == 0)
		diag_at(&p->diag, p->opened.line, p->opened.column,
		    "listener \"%s\" has no address; expected a line bind ADDRESS in it", l->name);
	check_rest(p, l);
	if (l->mode == CONF_MODE_TCP && l->nroutes > 0)
		diag_at(&p->diag, p->route_at[0].line, p->route_at[0].column,
		    "a route in mode tcp, which does not read requests; expected mode http");
	if (l->mode == CONF_MODE_TCP)
		check_http_only(p);
	parse_sni_check(p, l);
	if (p->said[WORDS_LISTEN_PROXY_FROM] && l->accept_proxy == CONF_PROXY_OFF)
		diag_at(&p->diag, p->said[WORDS_LISTEN_PROXY_FROM], 1,
		    "proxy-from, and no PROXY headers are accepted; expected accept-proxy v1, v2 or any as well");
	check_routes(p, l);
	check_http(p, l);
}

/* Port in *port, true when it is an IP address; *any: all addresses of the family. */
static bool check_ip(const struct conf_bind *b, unsigned *port, bool *any)
{
	if (b->addr.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&b->addr;
		*port = in->sin_port;
		*any = in->sin_addr.s_addr == INADDR_ANY;
		return true;
	}
	if (b->addr.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&b->addr;
		*port = in6->sin6_port;
		*any = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
		return true;
	}
	return false;
}

/* The kernel gives a port to one listening socket: twice the same address, or an address and all of its family. */
static bool check_collide(const struct conf_bind *a, const struct conf_bind *b)
{
	unsigned port_a, port_b;
	bool any_a, any_b;

	if (a->addr.ss_family != b->addr.ss_family)
		return false;
	if (!check_ip(a, &port_a, &any_a) || !check_ip(b, &port_b, &any_b))
		return strcmp(((const struct sockaddr_un *)&a->addr)->sun_path,
		    ((const struct sockaddr_un *)&b->addr)->sun_path) == 0;
	if (port_a != port_b)
		return false;
	if (any_a || any_b)
		return true;
	if (a->addr.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->addr)->sin_addr.s_addr ==
		    ((const struct sockaddr_in *)&b->addr)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)&a->addr)->sin6_addr,
	    &((const struct sockaddr_in6 *)&b->addr)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

void check_bind(struct parse *p, const struct conf_listener *l, unsigned column)
{
	const struct conf_bind *b = &l->bind[l->nbinds - 1];
	const struct conf *c = p->conf;
	unsigned i, j;

	for (i = 0; i < c->nlisteners; i++) {
		for (j = 0; j < c->listener[i].nbinds; j++) {
			const struct conf_bind *other = &c->listener[i].bind[j];

			if (other == b || !check_collide(b, other))
				continue;
			diag_at(&p->diag, (unsigned)b->line, column,
			    "address %s is taken, line %d has %s; expected each address once", b->text, other->line, other->text);
			return;
		}
	}
}

/* Where the index of the pool belongs. */
static unsigned *check_referred(const struct conf *c, const struct parse_reference *r)
{
	struct conf_listener *l = &c->listener[r->listener];

	return r->route < 0 ? &l->pool : r->sni ? &l->sni[r->route].pool : &l->route[r->route].pool;
}

static void check_reference(struct parse *p, const struct parse_reference *r)
{
	char word[DIAG_QUOTE_MAX];
	struct conf *c = p->conf;
	struct near near;
	unsigned i;

	near_start(&near, r->name);
	for (i = 0; i < c->npools; i++) {
		if (!c->pool[i].name)
			continue;
		if (strcmp(c->pool[i].name, r->name) == 0) {
			*check_referred(c, r) = i;
			return;
		}
		near_try(&near, c->pool[i].name);
	}
	if (p->pool_unnamed)
		return;
	diag_quote(word, r->name);
	if (near.best)
		diag_at(&p->diag, r->at.line, r->at.column, "there is no pool %s; did you mean \"%s\"?", word, near.best);
	else
		diag_at(&p->diag, r->at.line, r->at.column, "there is no pool %s; expected the name of a pool of this file",
		    word);
}

/* In mode tcp nobody reads cookies, paths or fields. */
static void check_places(struct parse *p)
{
	const struct conf *c = p->conf;
	unsigned i;

	for (i = 0; i < p->nrefs; i++) {
		const struct conf_listener *l = &c->listener[p->ref[i].listener];
		const struct conf_pool *pool = &c->pool[*check_referred(c, &p->ref[i])];
		bool hash = strcmp(pool->balance, words_balance[WORDS_HASH]) == 0 && pool->hash != CONF_HASH_SOURCE;

		if (l->mode == CONF_MODE_TCP && (hash || pool->sticky.cookie))
			diag_at(&p->diag, p->ref[i].at.line, p->ref[i].at.column,
			    "pool \"%s\" %s, and this listener has mode tcp, which does not read requests; expected balance "
			    "hash source, or mode http", pool->name, hash ? "goes by what requests say" : "has a sticky cookie");
	}
}

static void check_control(struct parse *p)
{
	unsigned path = p->said_top[words_find(words_top, "control")];
	unsigned group = p->said_top[words_find(words_top, "control-group")];
	const struct sockaddr_un *un = NULL;

	if (p->diag.errors > 0)
		return;
	if (path && strlen(p->conf->control) >= sizeof(un->sun_path))
		diag_at(&p->diag, path, 1, "the path is too long for a socket; expected at most %zu bytes", sizeof(un->sun_path) - 1);
	if (group && !path)
		diag_at(&p->diag, group, 1, "a group for a control socket that is not there; expected a line control PATH as well");
}

void check_file(struct parse *p)
{
	struct conf *c = p->conf;
	size_t i;

	for (i = 0; i < p->nrefs; i++)
		check_reference(p, &p->ref[i]);
	if (p->diag.errors == 0)
		check_places(p);
	if (c->seed && p->diag.errors == 0 && p->said_top[WORDS_TOP_ERROR_FILE])
		diag_at(&p->diag, p->said_top[WORDS_TOP_ERROR_FILE], 1,
		    "an error-file, and error-status 500, which leaves no room for it; expected one of them");
	check_control(p);
	if (c->nlisteners == 0 && p->diag.errors == 0)
		diag_at(&p->diag, p->lex.line ? p->lex.line : 1, 1, "there is nothing to listen on; expected a block listen NAME {");
	/* Room is for what is there and for what a reload may add. */
	if (!p->said_top[WORDS_TOP_MAX_SERVERS])
		c->max_servers = p->nservers > DEFAULT_MAX_SERVERS ? p->nservers : DEFAULT_MAX_SERVERS;
	else if (c->max_servers < p->nservers && p->diag.errors == 0)
		diag_at(&p->diag, p->said_top[WORDS_TOP_MAX_SERVERS], 1,
		    "there are %u servers; expected max-servers to be at least that", p->nservers);
}
