/* conf/: files: what is understood, what is refused and how it is said, what is printed. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/parse.h"
#include "tests/unit/tap.h"

static char *messages;
static size_t messages_size;

/* Parses a text that a test holds; what is said about it is in `messages`. */
static struct conf *parse(const char *text)
{
	size_t size = strlen(text);
	char *buf = malloc(size + 1);
	struct conf *c;
	FILE *err;

	free(messages);
	messages = NULL;
	err = open_memstream(&messages, &messages_size);
	memcpy(buf, text, size);
	c = parse_buffer(buf, size, "F", err);
	fclose(err);
	free(buf);
	return c;
}

static char *printed(const struct conf *c)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	conf_print(c, out);
	fclose(out);
	return text;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_template(const struct http_template *a, const struct http_template *b)
{
	return a->n == b->n && a->places == b->places && memcmp(a->piece, b->piece, a->n * sizeof(*a->piece)) == 0;
}

static bool same_edits(const struct conf_edits *a, const struct conf_edits *b)
{
	bool same = a->n == b->n && a->places == b->places && same_text(a->host, b->host);
	unsigned i;

	for (i = 0; same && i < a->n; i++)
		same = a->edit[i].op == b->edit[i].op && a->edit[i].id == b->edit[i].id && same_text(a->edit[i].name, b->edit[i].name) &&
		    a->edit[i].name_size == b->edit[i].name_size && same_text(a->edit[i].value, b->edit[i].value) &&
		    same_template(&a->edit[i].value_template, &b->edit[i].value_template);
	return same;
}

static bool same_pool(const struct conf_pool *a, const struct conf_pool *b)
{
	bool same = same_text(a->name, b->name) && a->balance == b->balance && a->check.kind == b->check.kind &&
	    same_text(a->check.path, b->check.path) && a->check.interval_ns == b->check.interval_ns &&
	    a->check.down_interval_ns == b->check.down_interval_ns && a->check.timeout_ns == b->check.timeout_ns &&
	    a->check.requests == b->check.requests && a->check.rise == b->check.rise && a->check.fall == b->check.fall &&
	    a->eject == b->eject && a->send_proxy == b->send_proxy && a->retries == b->retries && a->retry_on == b->retry_on && a->retry_budget == b->retry_budget && a->hedge_ns == b->hedge_ns && a->queue_target_ns == b->queue_target_ns && a->queue_interval_ns == b->queue_interval_ns && a->queue == b->queue &&
	    same_edits(&a->request, &b->request) && same_edits(&a->response, &b->response) &&
	    a->queue_timeout_ns == b->queue_timeout_ns && a->hash == b->hash && same_text(a->hash_name, b->hash_name) &&
	    same_text(a->sticky.cookie, b->sticky.cookie) && a->sticky.samesite == b->sticky.samesite &&
	    a->sticky.secure == b->sticky.secure && a->sticky.max_age_ns == b->sticky.max_age_ns && a->connect_timeout_ns == b->connect_timeout_ns &&
	    a->answer_timeout_ns == b->answer_timeout_ns && a->stall_timeout_ns == b->stall_timeout_ns &&
	    a->keepalive_ns == b->keepalive_ns && a->keepalive_max == b->keepalive_max && a->nservers == b->nservers;
	unsigned i;

	for (i = 0; same && i < a->nservers; i++) {
		const struct conf_server *s = &a->server[i], *t = &b->server[i];

		same = same_text(s->name, t->name) && same_text(s->host, t->host) && same_text(s->path, t->path) &&
		    s->port == t->port && s->addr_size == t->addr_size && memcmp(&s->addr, &t->addr, sizeof(s->addr)) == 0 &&
		    s->weight == t->weight && s->maxconn == t->maxconn && s->backup == t->backup && s->discover == t->discover;
	}
	same = same && a->ndiscovers == b->ndiscovers;
	for (i = 0; same && i < a->ndiscovers; i++) {
		const struct conf_discover *d = &a->discover[i], *e = &b->discover[i];

		same = same_text(d->name, e->name) && same_text(d->host, e->host) && d->srv == e->srv && d->port == e->port &&
		    d->first == e->first && d->places == e->places && d->every_ns == e->every_ns && d->hold_ns == e->hold_ns &&
		    d->family == e->family && d->weight == e->weight && d->maxconn == e->maxconn && d->maxconn_least == e->maxconn_least && d->backup == e->backup;
	}
	return same;
}

static bool same_body(const struct conf_body *a, const struct conf_body *b)
{
	return same_text(a->path, b->path) && same_text(a->type, b->type);
}

static bool same_errors(const struct conf_errors *a, const struct conf_errors *b)
{
	bool same = a->n == b->n;
	unsigned i;

	for (i = 0; same && i < a->n; i++)
		same = a->error[i].status == b->error[i].status && same_body(&a->error[i].body, &b->error[i].body);
	return same;
}

static bool same_http(const struct conf_http *a, const struct conf_http *b)
{
	return a->forwarded_for == b->forwarded_for && a->forwarded_proto == b->forwarded_proto &&
	    a->forwarded_host == b->forwarded_host && a->forwarded == b->forwarded && a->scheme == b->scheme &&
	    a->trust.listed == b->trust.listed && a->trust.unix_sockets == b->trust.unix_sockets &&
	    a->trust.nnets == b->trust.nnets &&
	    (!a->trust.nnets || memcmp(a->trust.net, b->trust.net, a->trust.nnets * sizeof(*a->trust.net)) == 0) &&
	    a->request_id == b->request_id && a->trace == b->trace && a->has_paths == b->has_paths &&
	    same_text(a->via, b->via) && same_edits(&a->request, &b->request) && same_edits(&a->response, &b->response) &&
	    same_errors(&a->errors, &b->errors) && a->retry_after_ns == b->retry_after_ns && a->max_fields == b->max_fields &&
	    a->max_requests == b->max_requests && a->max_request_line == b->max_request_line;
}

static bool same_route(const struct conf_route *a, const struct conf_route *b)
{
	bool same = same_text(a->host, b->host) && a->host_size == b->host_size && same_text(a->path, b->path) &&
	    a->path_size == b->path_size && same_text(a->methods, b->methods) && a->method_bits == b->method_bits &&
	    a->nheaders == b->nheaders && a->action == b->action && a->pool == b->pool && a->status == b->status &&
	    same_text(a->target, b->target) && same_template(&a->target_template, &b->target_template) &&
	    same_body(&a->body, &b->body);
	unsigned i;

	for (i = 0; same && i < a->nheaders; i++)
		same = same_text(a->header[i].name, b->header[i].name) && a->header[i].name_size == b->header[i].name_size &&
		    a->header[i].id == b->header[i].id && same_text(a->header[i].value, b->header[i].value) &&
		    a->header[i].value_size == b->header[i].value_size;
	return same;
}

static bool same_trust(const struct conf_trust *a, const struct conf_trust *b)
{
	return a->listed == b->listed && a->unix_sockets == b->unix_sockets && a->nnets == b->nnets &&
	    (!a->nnets || memcmp(a->net, b->net, a->nnets * sizeof(*a->net)) == 0);
}

static bool same_listener(const struct conf_listener *a, const struct conf_listener *b)
{
	bool same = same_text(a->name, b->name) && a->nbinds == b->nbinds && a->mode == b->mode && a->nroutes == b->nroutes &&
	    a->pool == b->pool && a->backlog == b->backlog && a->head_timeout_ns == b->head_timeout_ns &&
	    a->body_timeout_ns == b->body_timeout_ns && a->idle_timeout_ns == b->idle_timeout_ns &&
	    a->send_timeout_ns == b->send_timeout_ns && a->linger_timeout_ns == b->linger_timeout_ns &&
	    a->max_connections == b->max_connections && a->tunnel_timeout_ns == b->tunnel_timeout_ns &&
	    a->max_body == b->max_body && a->max_head == b->max_head && a->splice == b->splice &&
	    a->abort_on_close == b->abort_on_close &&
	    a->accept_proxy == b->accept_proxy && same_trust(&a->proxy_from, &b->proxy_from) && a->nsnis == b->nsnis && a->sni_required == b->sni_required &&
	    same_http(&a->http, &b->http);
	unsigned i;

	for (i = 0; same && i < a->nbinds; i++)
		same = same_text(a->bind[i].text, b->bind[i].text) && a->bind[i].addr_size == b->bind[i].addr_size &&
		    memcmp(&a->bind[i].addr, &b->bind[i].addr, sizeof(a->bind[i].addr)) == 0 &&
		    a->bind[i].optional == b->bind[i].optional && a->bind[i].fd == b->bind[i].fd;
	for (i = 0; same && i < a->nsnis; i++)
		same = same_text(a->sni[i].name, b->sni[i].name) && a->sni[i].pool == b->sni[i].pool;
	for (i = 0; same && i < a->nroutes; i++)
		same = same_route(&a->route[i], &b->route[i]);
	return same;
}

static bool same_conf(const struct conf *a, const struct conf *b)
{
	bool same = a->seed == b->seed && a->workers == b->workers && same_text(a->user, b->user) &&
	    same_text(a->group, b->group) && same_text(a->pid_file, b->pid_file) && same_text(a->log, b->log) &&
	    a->max_servers == b->max_servers && a->max_connections == b->max_connections && a->grace_ns == b->grace_ns && a->drain_ns == b->drain_ns &&
	    a->hang_ns == b->hang_ns && a->npools == b->npools && a->nlisteners == b->nlisteners &&
	    a->nresolvers == b->nresolvers && memcmp(a->resolver, b->resolver, sizeof(a->resolver)) == 0 &&
	    same_errors(&a->errors, &b->errors);
	unsigned i;

	for (i = 0; same && i < a->npools; i++)
		same = same_pool(&a->pool[i], &b->pool[i]);
	for (i = 0; same && i < a->nlisteners; i++)
		same = same_listener(&a->listener[i], &b->listener[i]);
	return same;
}

/* What is printed reads back as the same, and prints the same again. */
static void test_round_trip(const struct conf *c, const char *name)
{
	char *first = printed(c), *second;
	struct conf *again = parse(first);

	is_str(messages, "", "what is printed can be read");
	if (!again) {
		ok(false, "%s", name);
		free(first);
		return;
	}
	ok(same_conf(c, again), "%s: it means the same", name);
	second = printed(again);
	is_str(second, first, "and is printed the same");
	conf_free(again);
	free(first);
	free(second);
}

static struct conf *read_good(const char *text, const char *name)
{
	struct conf *c = parse(text);

	if (!c || messages_size > 0) {
		ok(false, "%s", name);
		tap_show("said:", messages);
		exit(1);
	}
	test_round_trip(c, name);
	return c;
}

#define LISTEN "listen l {\nbind 127.0.0.1:80\nto p\n}\n"

static void test_defaults(void)
{
	struct conf *c = read_good("pool p {\nserver a 8080\n}\n" LISTEN, "the least that makes sense");
	const struct conf_pool *p = &c->pool[0];
	const struct conf_listener *l = &c->listener[0];

	is_str(c->file, "F", "its file");
	ok(!c->seed && c->workers >= 1 && c->workers <= CONF_WORKERS_MAX, "errors have their own status, workers are counted");
	ok(!c->user && !c->group && !c->pid_file && strcmp(c->log, "stderr") == 0, "nothing said of user, group, pid");
	ok(c->max_servers == 1024 && c->grace_ns == 30 * CONF_SECOND && c->drain_ns == 3600 * CONF_SECOND &&
	    c->hang_ns == 10 * CONF_SECOND, "the rest outside of blocks");
	is_str(p->balance, "adaptive", "balance without figures from the servers");
	ok(p->check.kind == CONF_CHECK_TCP && !p->check.path && p->check.interval_ns == 5 * CONF_SECOND &&
	    p->check.down_interval_ns == 500 * CONF_MS && p->check.timeout_ns == 2 * CONF_SECOND && p->check.requests == 0 &&
	    p->check.rise == 1 && p->check.fall == 1, "check tcp");
	ok(p->retries == UINT32_MAX && p->connect_timeout_ns == 3 * CONF_SECOND && p->answer_timeout_ns == 60 * CONF_SECOND &&
	    p->stall_timeout_ns == 60 * CONF_SECOND && p->keepalive_ns == 30 * CONF_SECOND && p->keepalive_max == 128, "the pool");
	ok(p->retry_on == (CONF_RETRY_CONNECT | CONF_RETRY_RESET) && p->retry_budget == 20 && p->queue == 1000 &&
	    p->queue_timeout_ns == 5 * CONF_SECOND && !p->sticky.cookie && !p->hash_name && p->hedge_ns == 0 && p->queue_target_ns == 0 &&
	    p->queue_interval_ns == 100 * CONF_MS, "its retries and its queue");
	ok(c->max_connections == UINT32_MAX && l->max_connections == UINT32_MAX && l->linger_timeout_ns == 2 * CONF_SECOND,
	    "no limit of connections");
	ok(p->server[0].weight == 1 && p->server[0].maxconn == 0 && !p->server[0].backup, "the server");
	ok(l->mode == CONF_MODE_HTTP && l->backlog == 4096 && l->head_timeout_ns == 10 * CONF_SECOND &&
	    l->body_timeout_ns == 60 * CONF_SECOND && l->idle_timeout_ns == 75 * CONF_SECOND &&
	    l->send_timeout_ns == 60 * CONF_SECOND && l->tunnel_timeout_ns == 3600 * CONF_SECOND && l->max_body == UINT64_MAX &&
	    l->max_head == 15360 && l->splice && !l->abort_on_close && l->http.forwarded_for == CONF_FORWARDED_APPEND && l->bind[0].fd == -1 && l->bind[0].line == 5, "the listener");
	conf_free(c);

	c = read_good("pool p {\nserver a 8080\ncheck load\n}\n" LISTEN, "check load");
	is_str(c->pool[0].balance, "least-requests", "balance by their figures");
	is_str(c->pool[0].check.path, "/healthcheck", "path of the seed");
	conf_free(c);
	c = read_good("pool p {\nserver a 8080\ncheck load /x\nbalance random\n}\n" LISTEN, "check load, another balance");
	is_str(c->pool[0].balance, "random", "which counts");
	conf_free(c);
	c = read_good("pool p {\nserver a 8080\nbalance least-requests\ncheck none\n}\n" LISTEN, "least requests without check load");
	conf_free(c);
	c = read_good("pool p {\nserver a 8080\ncheck tcp every 1s\n}\n" LISTEN, "a short interval");
	ok(c->pool[0].check.timeout_ns == 500 * CONF_MS && c->pool[0].check.down_interval_ns == 500 * CONF_MS,
	    "the timeout is half of it");
	conf_free(c);
	c = read_good("pool p {\nserver a 8080\ncheck tcp every 10ms\n}\n" LISTEN, "the shortest");
	ok(c->pool[0].check.timeout_ns == 5 * CONF_MS && c->pool[0].check.down_interval_ns == 10 * CONF_MS, "still fits");
	conf_free(c);
}

static const char everything[] =
    "resolver 127.0.0.1:8600 fd00::53 [::1]:5353\n"
    "workers 7\nuser u\ngroup \"g h\"\npid \"/run/l b.pid\"\nlog /var/log/lb\nmax-servers 99\nerror-status 500\n"
    "max-connections 5\ngrace-timeout 0s\ndrain-timeout 2m\nhang-timeout 1500ms\n"
    "listen first {\nbind *:80\nbind [::1]:81 optional\nbind unix:/run/x\nmode http\nbacklog 1\nhead-timeout 1ms\n"
    "body-timeout 2ms\nidle-timeout 3ms\nsend-timeout 4ms\nlinger-timeout 5ms\nmax-connections 6\ntunnel-timeout 168h\nmax-body 10000\nmax-head 1k\nsplice off\nabort-on-close on\naccept-proxy any\nproxy-from 10.0.0.0/8 fd00::/8 unix\n"
    "forwarded-for off\nto b\nroute host *.Example.ORG to a\nroute host www.example.net to b\nroute path /static/ to a\n"
    "route path \"/a{b\" to b\n}\n"
    "pool a {\nbalance round-robin\ncheck http /x?y=z timeout 3s every 4s or 100 requests rise 2 fall 3 down-every 1s\n"
    "eject on\nsend-proxy v2\nretries 0\nretry-on timeout 503\nretry-budget 0%\nhedge 25ms\nqueue-target 3ms\nqueue-interval 2s\nqueue 0\nqueue-timeout 1ms\nconnect-timeout 1s\nanswer-timeout 2s\nstall-timeout 3s\nkeepalive-timeout 4s\nkeepalive-max 0\n"
    "server one 10.0.0.1:80 weight 256 backup\nserver \"two#2\" [::1]:80 backup\nserver three app.example.org:1 maxconn learned\n"
    "server 4 \"unix:/run/with blank\" weight 1 maxconn 2..200\n}\n"
    "pool b {\nretries 1000\nretry-on none\nretry-budget unlimited\nhedge on\nbalance hash source\nserver one 1 maxconn 7\n}\n"
    "pool c {\nbalance hash header X-Key\nsticky cookie LB samesite none secure max-age 2h\ndiscover app app.local.:8080\nserver one 1\n"
    "discover \"s#\" srv _http._tcp.s.local places 3 every 100ms hold forever family both weight 4 maxconn 5 backup\n}\n"
    "listen second {\nmode tcp\nbind 10.1.1.1:80\nbind 10.1.1.2:82\nto b\nmax-body unlimited\n"
    "accept-proxy v1\nno-sni refuse\nroute sni WWW.Example.org to a\nroute sni *.example.ORG to b\n}\n";

static void test_everything(void)
{
	char *good = strdup(everything), *at = strstr(good, "bind 10.1.1.1:80");
	const struct conf_listener *l;
	const struct conf_pool *p;
	struct conf *c;

	/* *:80 has 10.1.1.1:80 already. */
	at[15] = '1';
	c = read_good(good, "everything that can be said");
	ok(c->seed && c->workers == 7 && c->max_servers == 99 && c->grace_ns == 0 && c->drain_ns == 120 * CONF_SECOND &&
	    c->hang_ns == 1500 * CONF_MS, "outside of blocks");
	ok(strcmp(c->user, "u") == 0 && strcmp(c->group, "g h") == 0 && strcmp(c->pid_file, "/run/l b.pid") == 0 &&
	    strcmp(c->log, "/var/log/lb") == 0, "texts");
	l = &c->listener[0];
	ok(l->nbinds == 4 && !l->bind[0].optional && l->bind[1].optional && l->bind[2].optional && !l->bind[3].optional, "binds");
	is_str(l->bind[1].text, "[::]:80", "the star's IPv6 half");
	ok(l->backlog == 1 && l->head_timeout_ns == CONF_MS && l->body_timeout_ns == 2 * CONF_MS && l->idle_timeout_ns == 3 * CONF_MS &&
	    l->send_timeout_ns == 4 * CONF_MS && l->tunnel_timeout_ns == 168 * 3600 * CONF_SECOND && l->max_body == 10000 &&
	    l->max_head == 1024 && !l->splice && l->abort_on_close && l->http.forwarded_for == CONF_FORWARDED_OFF && l->pool == 1 && l->mode == CONF_MODE_HTTP, "the listener");
	ok(l->nroutes == 4 && l->route[0].host && !l->route[0].path && l->route[2].path && !l->route[2].host && l->route[0].pool == 0 &&
	    l->route[1].pool == 1 && l->route[2].path_size == 8, "routes");
	is_str(l->route[0].host, "*.example.org", "hosts in lower case");
	p = &c->pool[0];
	ok(p->check.kind == CONF_CHECK_HTTP && p->check.interval_ns == 4 * CONF_SECOND && p->check.timeout_ns == 3 * CONF_SECOND &&
	    p->check.down_interval_ns == CONF_SECOND && p->check.requests == 100 && p->check.rise == 2 && p->check.fall == 3, "the check");
	ok(p->retries == 0 && p->connect_timeout_ns == CONF_SECOND && p->answer_timeout_ns == 2 * CONF_SECOND &&
	    p->stall_timeout_ns == 3 * CONF_SECOND && p->keepalive_ns == 4 * CONF_SECOND && p->keepalive_max == 0, "the pool");
	ok(p->nservers == 4 && p->server[0].weight == 256 && p->server[0].backup &&
	    p->server[1].backup && p->server[1].addr.ss_family == AF_INET6 && p->server[2].addr_size == 0 &&
	    strcmp(p->server[2].host, "app.example.org") == 0 && strcmp(p->server[3].path, "/run/with blank") == 0 &&
	    !p->server[3].host, "its servers");
	ok(p->server[0].maxconn == 0 && p->server[0].maxconn_least == 0 && p->server[2].maxconn == 1000 && p->server[2].maxconn_least == 1 &&
	    p->server[3].maxconn == 200 && p->server[3].maxconn_least == 2 && c->pool[1].server[0].maxconn_least == 0, "and their limits");
	ok(p->retry_on == (CONF_RETRY_TIMEOUT | CONF_RETRY_503) && p->retry_budget == 0 && p->hedge_ns == 25 * CONF_MS && p->queue_target_ns == 3 * CONF_MS &&
	    p->queue_interval_ns == 2 * CONF_SECOND && p->queue == 0 && p->queue_timeout_ns == CONF_MS,
	    "its retries and its queue");
	ok(c->pool[1].retries == 1000 && c->pool[1].retry_on == 0 && c->pool[1].retry_budget == UINT32_MAX && c->pool[1].hedge_ns == CONF_HEDGE_LEARNED &&
	    strcmp(c->pool[1].balance, "hash") == 0 && c->pool[1].hash == CONF_HASH_SOURCE && c->pool[1].server[0].maxconn == 7, "the other pool");
	ok(c->pool[2].hash == CONF_HASH_HEADER && strcmp(c->pool[2].hash_name, "X-Key") == 0 && strcmp(c->pool[2].sticky.cookie, "LB") == 0 &&
	    c->pool[2].sticky.samesite == CONF_SAMESITE_NONE && c->pool[2].sticky.secure &&
	    c->pool[2].sticky.max_age_ns == 7200 * CONF_SECOND, "hash and cookie");
	ok(c->max_connections == 5 && l->max_connections == 6 && l->linger_timeout_ns == 5 * CONF_MS, "limits of connections");
	ok(c->listener[1].mode == CONF_MODE_TCP && c->listener[1].pool == 1 && c->listener[1].max_body == UINT64_MAX, "the other listener");
	l = &c->listener[1];
	ok(c->listener[0].proxy_from.listed && c->listener[0].proxy_from.nnets == 2 && c->listener[0].proxy_from.unix_sockets &&
	    !l->proxy_from.listed, "who may send them");
	ok(c->listener[0].accept_proxy == CONF_PROXY_ANY && l->accept_proxy == CONF_PROXY_V1 && c->pool[0].send_proxy == CONF_PROXY_V2 &&
	    c->pool[1].send_proxy == CONF_PROXY_OFF, "PROXY headers");
	p = &c->pool[2];
	ok(c->nresolvers == 3 && ((const struct sockaddr_in *)&c->resolver[0].addr)->sin_port == htons(8600) &&
	    ((const struct sockaddr_in6 *)&c->resolver[1].addr)->sin6_port == htons(53), "name servers");
	ok(p->ndiscovers == 2 && p->nservers == 14 && p->discover[0].places == 10 && p->discover[0].hold_ns == 30 * CONF_SECOND &&
	    p->discover[0].every_ns == 0 && p->discover[0].family == CONF_FAMILY_ANY && p->discover[0].port == 8080, "a discovery, and what it is when little is said");
	ok(p->discover[1].first == 11 && p->discover[1].srv && p->discover[1].every_ns == 100 * CONF_MS &&
	    p->discover[1].hold_ns == UINT64_MAX && p->discover[1].family == CONF_FAMILY_BOTH, "another, of which all is said");
	ok(p->server[0].discover == 1 && p->server[10].discover == 0 && p->server[13].discover == 2 && p->server[13].weight == 4 &&
	    p->server[13].maxconn == 5 && p->server[13].backup && strcmp(p->server[13].name, "s#-3") == 0 &&
	    strcmp(p->server[13].host, "_http._tcp.s.local") == 0 && p->server[13].addr_size == 0, "its places are servers");
	ok(c->pool[0].eject && !c->pool[1].eject, "outliers");
	ok(l->sni_required && l->nsnis == 2 && l->sni[0].pool == 0 && l->sni[1].pool == 1 && l->sni[0].size == 15 &&
	    !strcmp(l->sni[0].name, "www.example.org") && !strcmp(l->sni[1].name, "*.example.org"), "routes by SNI");
	conf_free(c);

	/* The same with the line ends of another system, tabs, comments and blank lines in between. */
	free(good);
	c = read_good("# x\r\n\r\npool p {\t# y\r\n\tserver\ta\t8080\t# z\r\n}\r\n" LISTEN "  # end", "line ends and comments");
	conf_free(c);
}

struct bad {
	const char *text;
	const char *want;	/* the messages, whole */
};

#define POOL "pool p {\nserver a 8080\n}\n"

static const struct bad bads[] = {
	{ "", "F:1:1: there is nothing to listen on; expected a block listen NAME {\n" },
	{ "wokers 4\n" POOL LISTEN, "F:1:1: unknown directive \"wokers\" outside of blocks; did you mean \"workers\"?\n" },
	{ "qqq 4\n" POOL LISTEN, "F:1:1: unknown directive \"qqq\" outside of blocks; expected workers, max-servers, pool, listen, error-file, "
	    "access-log, resolver, user, group, pid, control, control-group, log, log-level, log-facility, error-status, max-connections, grace-timeout, drain-timeout, hang-timeout, custody, scheduling, io-uring or heir\n" },
	{ POOL LISTEN "workers 0\n", "F:8:9: \"0\" is out of range; expected a number from 1 to 64 or auto\n" },
	{ POOL LISTEN "workers 65\n", "F:8:9: \"65\" is out of range; expected a number from 1 to 64 or auto\n" },
	{ POOL LISTEN "workers 99999999999999999999\n",
	    "F:8:9: \"99999999999999999999\" is out of range; expected a number from 1 to 64 or auto\n" },
	{ POOL LISTEN "workers four\n", "F:8:9: \"four\" is not a number; expected a number from 1 to 64 or auto\n" },
	{ POOL LISTEN "workers", "F:8:8: the line ends too early; expected a number from 1 to 64 or auto\n" },
	{ POOL LISTEN "workers 1 2", "F:8:11: \"2\" is one word too many; expected a number from 1 to 64 or auto\n" },
	{ POOL LISTEN "workers 1\nworkers 1", "F:9:1: \"workers\" again; expected it once, it is already on line 8\n" },
	{ POOL LISTEN "workers 1 {\nqqq\n}", "F:8:11: \"workers\" opens no block; expected the end of the line\n" },
	{ POOL LISTEN "pid lb.pid", "F:8:5: \"lb.pid\" is not an absolute path; expected an absolute path\n" },
	{ POOL LISTEN "log file", "F:8:5: \"file\" is not an absolute path; expected stderr, syslog or an absolute path\n" },
	{ POOL LISTEN "user \"\"", "F:8:6: \"\" is no name; expected the name of a user\n" },
	{ POOL LISTEN "error-status 501", "F:8:14: \"501\" is not known; did you mean \"500\"?\n" },
	{ POOL LISTEN "grace-timeout 5\n",
	    "F:8:15: \"5\" is not a time; expected a time from 0s to 168h with its unit (ms, s, m or h)\n" },
	{ POOL LISTEN "hang-timeout 2h\n",
	    "F:8:14: \"2h\" is out of range; expected a time from 100ms to 1h with its unit (ms, s, m or h)\n" },
	{ POOL LISTEN "max-servers 16385\n", "F:8:13: \"16385\" is out of range; expected a number from 1 to 16384\n" },
	{ "max-servers 1\npool p {\nserver a 1\nserver b 1\n}\n" LISTEN,
	    "F:1:1: there are 2 servers; expected max-servers to be at least that\n" },
	/* blocks */
	{ POOL LISTEN "}", "F:8:1: \"}\" closes nothing; expected a directive\n" },
	{ POOL LISTEN "pool q {\nserver a 1\n", "F:8:6: the block is not closed; expected \"}\" before the end of the file\n" },
	{ POOL LISTEN "pool q\n{\nserver a 1\n}\n", "F:8:7: \"{\" is missing; expected pool NAME {\n" },
	{ POOL LISTEN "{\nserver a 1\n}\n", "F:8:1: \"{\" alone on a line; expected it at the end of the line of its block\n" },
	{ POOL LISTEN "pool {\nserver a 1\n}\n", "F:8:7: the line ends too early; expected pool NAME {\n" },
	{ POOL LISTEN "pool q r {\nserver a 1\n}\n", "F:8:8: \"r\" is one word too many; expected pool NAME {\n" },
	{ POOL LISTEN "pool q{\n", "F:8:6: \"q{\" is not a name; expected 1 to 63 of letters, digits, \".\", \"_\" and \"-\"\n"
	    "F:8:6: the block is not closed; expected \"}\" before the end of the file\n" },
	{ POOL LISTEN "pool q { server a 1 }\n", "F:8:10: text behind \"{\"; expected the end of the line\n" },
	{ POOL LISTEN "pool q { server a 1\nserver b 1\n}\n", "F:8:10: text behind \"{\"; expected the end of the line\n" },
	{ POOL LISTEN "pool q {\nserver a 1\n} pool r {\n}\n", "F:10:3: text behind \"}\"; expected the end of the line\n" },
	{ POOL LISTEN POOL, "F:8:6: a second pool \"p\"; expected another name, this one is taken on line 1\n" },
	{ POOL LISTEN "listen l {\nbind 127.0.0.1:81\nto p\n}\n",
	    "F:8:8: a second listener \"l\"; expected another name, this one is taken on line 4\n" },
	{ "pool p {\nserver a 1\n" LISTEN,
	    "F:3:1: \"listen\" begins inside a block; expected \"}\" before it, to close the block of line 1\n" },
	{ POOL LISTEN "backend x {\nserver a 1\nfoo {\n}\n}\n", "F:8:1: unknown directive \"backend\" outside of blocks; expected workers, "
	    "max-servers, pool, listen, error-file, access-log, resolver, user, group, pid, control, control-group, log, log-level, log-facility, error-status, max-connections, grace-timeout, drain-timeout, hang-timeout, custody, scheduling, io-uring or heir\n" },
	{ "bind *:80\n" POOL LISTEN, "F:1:1: \"bind\" stands outside of blocks; expected it in a listener\n" },
	{ "pool p {\nserver a 8080\nmode tcp\n}\n" LISTEN, "F:3:1: \"mode\" stands in a pool; expected it in a listener\n" },
	{ "pool p {\nserver a 8080\nworkers 3\n}\n" LISTEN, "F:3:1: \"workers\" stands in a pool; expected it outside of blocks\n" },
	{ "pool p {\nserver a \"8080\n}\n" LISTEN, "F:2:10: quotation mark without its end; expected a second \" on the same line\n" },
	/* pools */
	{ "resolver x\npool p {\nserver a 1\n}\n" LISTEN, "F:1:10: \"x\" is not the address of a name server; expected IPV4, "
	    "IPV4:PORT, IPV6 or [IPV6]:PORT, or resolver system\n" },
	{ "resolver 1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4\npool p {\nserver a 1\n}\n" LISTEN, "F:1:34: \"4.4.4.4\" is one word too many; expected "
	    "resolver system, or up to 3 IP addresses, with or without a port\n" },
	{ "resolver 53\npool p {\nserver a 1\n}\n" LISTEN, "F:1:10: \"53\" is not the address of a name server; expected IPV4, "
	    "IPV4:PORT, IPV6 or [IPV6]:PORT, or resolver system\n" },
	{ "pool p {\ndiscover a srv\n}\n" LISTEN, "F:2:15: the line ends too early; expected discover NAME HOST:PORT, or discover NAME srv SERVICE\n" },
	{ "pool p {\ndiscover a 10.0.0.1:80\n}\n" LISTEN, "F:2:12: bad name \"10.0.0.1:80\": an address, there is nothing to discover "
	    "behind it; expected NAME:PORT, where NAME is looked up in the DNS; a line server NAME ADDRESS takes addresses\n" },
	{ "pool p {\ndiscover a srv \"_x._y.b c\"\n}\n" LISTEN, "F:2:16: bad name \"_x._y.b c\": not the name of a service; expected "
	    "a name such as _http._tcp.app.example.org\n" },
	{ "pool p {\ndiscover a b.c:80 places 257\n}\n" LISTEN, "F:2:26: \"257\" is out of range; expected a number from 1 to 256\n" },
	{ "pool p {\ndiscover a b.c:80 famly ipv4\n}\n" LISTEN, "F:2:19: \"famly\" is not an option here; did you mean \"family\"?\n" },
	{ "pool p {\nserver a-2 1\ndiscover a b.c:80\n}\n" LISTEN, "F:3:10: the places of \"a\" would be called like server a-2 of line 2; "
	    "expected another name\n" },
	{ "pool p {\ndiscover aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b.c:80\n}\n" LISTEN, "F:2:10: "
	    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" is not a name for its servers; expected 1 to 59 of "
	    "letters, digits and . _ - : [ ] / #\n" },
	{ "max-servers 9\npool p {\ndiscover a b.c:80\n}\n" LISTEN, "F:1:1: there are 10 servers; expected max-servers to be at least that\n" },
	{ "pool p {\n}\n" LISTEN, "F:1:6: pool \"p\" has no servers; expected a line server NAME ADDRESS or discover NAME HOST:PORT in it\n" },
	{ "pool p {\nserver a 1\nserver a 2\n}\n" LISTEN,
	    "F:3:8: a second server \"a\" in this pool; expected another name, this one is taken on line 2\n" },
	{ "pool p {\nserver a\n}\n" LISTEN, "F:2:9: the line ends too early; expected server NAME ADDRESS\n" },
	{ "pool p {\nserver a,b 1\n}\n" LISTEN,
	    "F:2:8: \"a,b\" is not a server's name; expected 1 to 63 of letters, digits and . _ - : [ ] / #\n" },
	{ "pool p {\nserver a 10.0.0.1\n}\n" LISTEN, "F:2:10: bad address \"10.0.0.1\": the port is missing; expected PORT, HOST:PORT, "
	    "[IPV6]:PORT or unix:/PATH\n" },
	{ "pool p {\nserver a 1 wieght 2\n}\n" LISTEN, "F:2:12: \"wieght\" is not an option here; did you mean \"weight\"?\n" },
	{ "pool p {\nserver a 1 weight\n}\n" LISTEN, "F:2:18: \"weight\" has no value; expected a number from 1 to 256\n" },
	{ "pool p {\nserver a 1 weight 0\n}\n" LISTEN, "F:2:19: \"0\" is out of range; expected a number from 1 to 256\n" },
	{ "pool p {\nserver a 1 weight 257\n}\n" LISTEN, "F:2:19: \"257\" is out of range; expected a number from 1 to 256\n" },
	{ "pool p {\nserver a 1 weight 4294967297\n}\n" LISTEN,
	    "F:2:19: \"4294967297\" is out of range; expected a number from 1 to 256\n" },
	{ "pool p {\nserver a 1 weight 2 weight 2\n}\n" LISTEN,
	    "F:2:21: \"weight\" again; expected it once, it is already in column 12\n" },
	{ "pool p {\nserver a 1\nbalance least-conections\n}\n" LISTEN,
	    "F:3:9: \"least-conections\" is not known; did you mean \"least-connections\"?\n" },
	{ "pool p {\nserver a 1\nbalance best\n}\n" LISTEN, "F:3:9: \"best\" is not known; expected least-connections, least-requests, "
	    "round-robin, random, hash, adaptive or first\n" },
	{ "pool p {\nserver a 1\nbalance\n}\n" LISTEN, "F:3:8: the line ends too early; expected least-connections, least-requests, "
	    "round-robin, random, hash, adaptive or first\n" },
	{ "pool p {\nserver a 1\nbalance random 2\n}\n" LISTEN, "F:3:16: \"2\" is one word too many; expected least-connections, "
	    "least-requests, round-robin, random, hash, adaptive or first\n" },
	{ "pool p {\nserver a 1\nbalance hash\n}\n" LISTEN,
	    "F:3:13: the line ends too early; expected balance hash source, path, header NAME or cookie NAME\n" },
	{ "pool p {\nserver a 1\nbalance hash soruce\n}\n" LISTEN, "F:3:14: \"soruce\" is nothing to hash; did you mean \"source\"?\n" },
	{ "pool p {\nserver a 1\nbalance hash cookie\n}\n" LISTEN,
	    "F:3:20: the line ends too early; expected balance hash source, path, header NAME or cookie NAME\n" },
	{ "pool p {\nserver a 1\nbalance hash path /x\n}\n" LISTEN,
	    "F:3:19: \"/x\" is one word too many; expected balance hash source, path, header NAME or cookie NAME\n" },
	{ "pool p {\nserver a 1\nbalance hash header X:\n}\n" LISTEN, "F:3:21: \"X:\" is no such name; expected 1 to 255 of letters, digits "
	    "and ! # $ % & ' * + - . ^ _ ` | ~\n" },
	{ "pool p {\nserver a 1\nsticky cookie\n}\n" LISTEN, "F:3:14: the line ends too early; expected sticky cookie NAME\n" },
	{ "pool p {\nserver a 1\nsticky source LB\n}\n" LISTEN, "F:3:8: \"source\" is nothing to stick by; expected cookie\n" },
	{ "pool p {\nserver a 1\nsticky cookie L=B\n}\n" LISTEN, "F:3:15: \"L=B\" is not a cookie's name; expected 1 to 255 of letters, "
	    "digits and ! # $ % & ' * + - . ^ _ ` | ~\n" },
	{ "pool p {\nserver a 1\nsticky cookie LB samesite lex\n}\n" LISTEN,
	    "F:3:27: \"lex\" is not known; expected lax, strict or none\n" },
	{ "pool p {\nserver a 1\nsticky cookie LB samesite none\n}\n" LISTEN,
	    "F:3:1: browsers refuse a cookie with samesite none that is not secure; expected the word secure as well\n" },
	{ "pool p {\nserver a 1\nsticky cookie LB max-age 0s\n}\n" LISTEN, "F:3:26: \"0s\" is out of range; expected a time from 1s to 9600h "
	    "with its unit (ms, s, m or h) or session\n" },
	{ "pool p {\nserver a 1\nretry-on\n}\n" LISTEN,
	    "F:3:9: the line ends too early; expected retry-on none, or some of connect, reset, timeout, 429, 500, 502, 503 and 504\n" },
	{ "pool p {\nserver a 1\nretry-on connect 501\n}\n" LISTEN,
	    "F:3:18: \"501\" is nothing to retry on; did you mean \"502\"?\n" },
	{ "pool p {\nserver a 1\nretry-on reset 503 reset\n}\n" LISTEN, "F:3:20: \"reset\" stands here twice; expected it once\n" },
	{ "pool p {\nserver a 1\nretry-budget 20\n}\n" LISTEN,
	    "F:3:14: \"20\" is not a percentage; expected from 0% to 1000% or unlimited\n" },
	{ "pool p {\nserver a 1\nretry-budget 1001%\n}\n" LISTEN,
	    "F:3:14: \"1001%\" is out of range; expected from 0% to 1000% or unlimited\n" },
	{ "pool p {\nserver a 1\nqueue 1000001\n}\n" LISTEN, "F:3:7: \"1000001\" is out of range; expected a number from 0 to 1000000\n" },
	{ "pool p {\nserver a 1\nqueue-timeout 0s\n}\n" LISTEN,
	    "F:3:15: \"0s\" is out of range; expected a time from 1ms to 1h with its unit (ms, s, m or h)\n" },
	{ "pool p {\nserver a 1 maxconn 0\n}\n" LISTEN, "F:2:20: \"0\" is out of range; expected a number from 1 to 1000000, two of them as LEAST..MOST, learned or unlimited\n" },
	{ "pool p {\nserver a 1\nbalance hash path\n}\nlisten l {\nbind *:80\nmode tcp\nto p\n}\n", "F:8:4: pool \"p\" goes by what requests "
	    "say, and this listener has mode tcp, which does not read requests; expected balance hash source, or mode http\n" },
	{ "pool p {\nserver a 1\nsticky cookie LB\n}\nlisten l {\nbind *:80\nmode tcp\nto p\n}\n", "F:8:4: pool \"p\" has a sticky cookie, "
	    "and this listener has mode tcp, which does not read requests; expected balance hash source, or mode http\n" },
	{ POOL LISTEN "max-connections 0\n", "F:8:17: \"0\" is out of range; expected a number from 1 to 10000000 or unlimited\n" },
	{ "pool p {\nserver a 1\ncheck\n}\n" LISTEN, "F:3:6: the line ends too early; expected check load PATH, http PATH, tcp or none\n" },
	{ "pool p {\nserver a 1\ncheck seed\n}\n" LISTEN, "F:3:7: \"seed\" is no kind of check; expected load, http, tcp or none\n" },
	{ "pool p {\nserver a 1\ncheck htpp /\n}\n" LISTEN, "F:3:7: \"htpp\" is no kind of check; did you mean \"http\"?\n" },
	{ "pool p {\nserver a 1\ncheck tcp\ncheck tcp\n}\n" LISTEN, "F:4:1: \"check\" again; expected it once, it is already on line 3\n" },
	{ "pool p {\nserver a 1\ncheck http x\n}\n" LISTEN, "F:3:12: \"x\" is not the path of a URL; expected \"/\" and at most 999 printable "
	    "characters, no blank and no \"#\"\n" },
	{ "pool p {\nserver a 1\ncheck tcp /x\n}\n" LISTEN, "F:3:11: \"/x\" is not an option here; expected every, down-every, timeout, "
	    "rise or fall\n" },
	{ "pool p {\nserver a 1\ncheck none every 1s\n}\n" LISTEN, "F:3:12: \"every\" is one word too many; expected nothing behind check none\n" },
	{ "pool p {\nserver a 1\ncheck tcp every 5\n}\n" LISTEN,
	    "F:3:17: \"5\" is not a time; expected a time from 10ms to 24h with its unit (ms, s, m or h)\n" },
	{ "pool p {\nserver a 1\ncheck tcp every 1s timeout 1s\n}\n" LISTEN,
	    "F:3:20: the check's timeout is not below its interval; expected less than 1s\n" },
	{ "pool p {\nserver a 1\ncheck tcp timeout 5s\n}\n" LISTEN,
	    "F:3:11: the check's timeout is not below its interval; expected less than 5s\n" },
	{ "pool p {\nserver a 1\ncheck tcp down-every 6s\n}\n" LISTEN,
	    "F:3:11: servers that are down would be probed less often than others; expected at most 5s\n" },
	{ "pool p {\nserver a 1\ncheck tcp every 5s or\n}\n" LISTEN,
	    "F:3:22: the line ends too early; expected or NUMBER requests, directly behind every TIME\n" },
	{ "pool p {\nserver a 1\ncheck tcp every 5s or x requests\n}\n" LISTEN,
	    "F:3:23: \"x\" is not a number; expected a number from 1 to 9223372036854775807\n" },
	{ "pool p {\nserver a 1\ncheck tcp every 5s or 0 requests\n}\n" LISTEN,
	    "F:3:23: \"0\" is out of range; expected a number from 1 to 9223372036854775807\n" },
	{ "pool p {\nserver a 1\ncheck tcp every 5s or 5 request\n}\n" LISTEN,
	    "F:3:25: \"request\" is in the wrong place; expected the word requests\n" },
	{ "pool p {\nserver a 1\ncheck tcp or 5 requests\n}\n" LISTEN,
	    "F:3:11: \"or\" is in the wrong place; expected or NUMBER requests, directly behind every TIME\n" },
	{ "pool p {\nserver a 1\ncheck tcp every 5s or 5 requests or 6 requests\n}\n" LISTEN,
	    "F:3:34: \"or\" is in the wrong place; expected or NUMBER requests, directly behind every TIME\n" },
	{ "pool p {\nserver a 1\nretries 1001\n}\n" LISTEN, "F:3:9: \"1001\" is out of range; expected a number from 0 to 1000 or all\n" },
	{ "pool p {\nserver a 1 maxconn 0\n}\n" LISTEN,
	    "F:2:20: \"0\" is out of range; expected a number from 1 to 1000000, two of them as LEAST..MOST, learned or unlimited\n" },
	{ "pool p {\nserver a 1 maxconn 9..3\n}\n" LISTEN,
	    "F:2:20: \"9..3\" is no range; expected a number from 1 to 1000000, two of them as LEAST..MOST, learned or unlimited\n" },
	{ "pool p {\nserver a 1 maxconn 2..unlimited\n}\n" LISTEN,
	    "F:2:20: \"2..unlimited\" is no range; expected a number from 1 to 1000000, two of them as LEAST..MOST, learned or unlimited\n" },
	{ "pool p {\nserver a 1 maxconn unlimited..2\n}\n" LISTEN,
	    "F:2:20: \"unlimited..2\" is no range; expected a number from 1 to 1000000, two of them as LEAST..MOST, learned or unlimited\n" },
	{ "pool p {\nserver a 1 maxconn 2...3\n}\n" LISTEN,
	    "F:2:20: \"2...3\" is not a number; expected a number from 1 to 1000000, two of them as LEAST..MOST, learned or unlimited\n" },
	{ "pool p {\nserver a 1 maxconn 2\nserver b 2\nserver c 3\nbalance first\n}\n" LISTEN,
	    "F:5:1: server \"b\" has no maxconn, so that nothing comes to those behind it; expected one with each server but the last\n" },
	{ "pool p {\nserver a 1\nhedge 0ms\n}\n" LISTEN,
	    "F:3:7: \"0ms\" is out of range; expected off, on or a time from 1ms to 1h with its unit (ms, s, m or h)\n" },
	{ "pool p {\nserver a 1\nhedge p95\n}\n" LISTEN,
	    "F:3:7: \"p95\" is not a time; expected off, on or a time from 1ms to 1h with its unit (ms, s, m or h)\n" },
	{ "pool p {\nserver a 1\nhege on\n}\n" LISTEN, "F:3:1: unknown directive \"hege\" in a pool; did you mean \"hedge\"?\n" },
	{ "pool p {\nserver a 1\nkeepalive-max -1\n}\n" LISTEN, "F:3:15: \"-1\" is not a number; expected a number from 0 to 65535\n" },
	/* listeners */
	{ POOL "listen l {\nto p\n}\n", "F:4:8: listener \"l\" has no address; expected a line bind ADDRESS in it\n" },
	{ POOL "listen l {\nbind *:80\n}\n", "F:4:8: listener \"l\" has no pool; expected a line to POOL in it\n" },
	{ POOL "listen l {\nbind *:80\nto q\n}\n", "F:6:4: there is no pool \"q\"; expected the name of a pool of this file\n" },
	{ "pool static {\nserver a 1\n}\nlisten l {\nbind *:80\nto sttaic\n}\n",
	    "F:6:4: there is no pool \"sttaic\"; did you mean \"static\"?\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute path /x to q\n}\n",
	    "F:7:18: there is no pool \"q\"; expected the name of a pool of this file\n" },
	{ POOL "listen l {\nbind 80\nto p\n}\n",
	    "F:5:6: bad address \"80\": the port is missing; expected IPV4:PORT, [IPV6]:PORT, *:PORT or unix:/PATH\n" },
	{ POOL "listen l {\nbind www:80\nto p\n}\n", "F:5:6: bad address \"www:80\": names are not looked up here; expected IPV4:PORT, "
	    "[IPV6]:PORT, *:PORT or unix:/PATH\n" },
	{ POOL "listen l {\nbind 127.0.0.1:80 optional\nto p\n}\n",
	    "F:5:19: \"optional\" is only for IPv6; expected the end of the line, or an address [IPV6]:PORT\n" },
	{ POOL "listen l {\nbind [::1]:80 optionl\nto p\n}\n", "F:5:15: \"optionl\" is not an option here; did you mean \"optional\"?\n" },
	{ POOL LISTEN "listen m {\nbind 127.0.0.1:80\nto p\n}\n",
	    "F:9:6: address 127.0.0.1:80 is taken, line 5 has 127.0.0.1:80; expected each address once\n" },
	{ POOL LISTEN "listen m {\nbind *:80\nto p\n}\n",
	    "F:9:6: address 0.0.0.0:80 is taken, line 5 has 127.0.0.1:80; expected each address once\n" },
	{ POOL "listen l {\nbind [::1]:80\nbind [0:0::1]:80\nto p\n}\n",
	    "F:6:6: address [0:0::1]:80 is taken, line 5 has [::1]:80; expected each address once\n" },
	{ POOL "listen l {\nbind unix:/a\nbind unix:/a\nto p\n}\n",
	    "F:6:6: address unix:/a is taken, line 5 has unix:/a; expected each address once\n" },
	{ POOL "listen l {\nbind *:80\nto p\nto p\n}\n", "F:7:1: \"to\" again; expected it once, it is already on line 6\n" },
	{ POOL "listen l {\nbind *:80\nto p\nmode udp\n}\n", "F:7:6: \"udp\" is not known; expected http or tcp\n" },
	{ POOL "listen l {\nbind *:80\nto p\nmode tcp\nroute path / to p\n}\n",
	    "F:8:7: a route in mode tcp, which does not read requests; expected mode http\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute cookie x to p\n}\n", "F:7:7: \"cookie\" is nothing to route by; expected host, path, method, "
	    "header, to, redirect, answer or serve\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute path x to p\n}\n", "F:7:12: \"x\" is not the beginning of a path; expected \"/\" and at most "
	    "999 printable characters, no blank, \"?\" or \"#\"\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute host a*.b to p\n}\n",
	    "F:7:12: \"a*.b\" is not a host name; expected a name such as www.example.org, or *.example.org\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute host a.b methd p\n}\n", "F:7:16: \"methd\" is nothing to route by; did you mean \"method\"?\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute host a.b\n}\n", "F:7:15: the line ends too early; expected route CONDITION ... to POOL, "
	    "redirect STATUS TARGET, answer STATUS [FILE] or serve status\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute host *.b.c to p\nroute host a.B.C to p\n}\n", "F:8:7: this route is never taken, the one "
	    "of line 7 takes everything first; expected the more special one first\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute path /a to p\nroute path /a/b to p\n}\n", "F:8:7: this route is never taken, the one "
	    "of line 7 takes everything first; expected the more special one first\n" },
	{ POOL "listen l {\nbind *:80\nto p\nmax-head 17k\n}\n",
	    "F:7:10: \"17k\" is out of range; expected a size from 1k to 16k (bytes, or with k, m or g)\n" },
	{ POOL "listen l {\nbind *:80\nto p\nmax-body 5M\n}\n",
	    "F:7:10: \"5M\" is not a size; expected a size from 0 to 1048576g (bytes, or with k, m or g) or unlimited\n" },
	{ POOL "listen l {\nbind *:80\nto p\naccept-proxy on\n}\n", "F:7:14: \"on\" is not known; expected off, v1, v2 or any\n" },
	{ "pool p {\nserver a 1\neject 5\n}\n" LISTEN, "F:3:7: \"5\" is not known; expected off or on\n" },
	{ POOL "listen l {\nbind *:80\nto p\nproxy-from 10.0.0.0/8\n}\n",
	    "F:7:1: proxy-from, and no PROXY headers are accepted; expected accept-proxy v1, v2 or any as well\n" },
	{ "pool p {\nserver a 1\nsend-proxy any\n}\n" LISTEN, "F:3:12: \"any\" is not known; expected off, v1 or v2\n" },
	{ POOL "listen l {\nbind *:80\nto p\nno-sni refuse\n}\n",
	    "F:7:1: \"no-sni refuse\" in mode http, which does not read TLS; expected mode tcp\n" },
	{ POOL "listen l {\nbind *:80\nto p\nroute sni a.b to p\n}\n",
	    "F:7:1: a route by the name in a ClientHello in mode http, which does not read TLS; expected mode tcp\n" },
	{ POOL "listen l {\nbind *:80\nmode tcp\nto p\nroute sni a..b to p\n}\n",
	    "F:8:11: \"a..b\" is not the name of a host; expected a name such as www.example.org, or *.example.org\n" },
	{ POOL "listen l {\nbind *:80\nmode tcp\nto p\nroute sni a.b at p\n}\n",
	    "F:8:15: \"at\" is in the wrong place; expected route sni NAME to POOL\n" },
	{ POOL "listen l {\nbind *:80\nmode tcp\nto p\nroute sni a.b\n}\n", "F:8:14: the line ends too early; expected route sni NAME to POOL\n" },
	{ POOL "listen l {\nbind *:80\nmode tcp\nto p\nroute sni a.b to q\n}\n", "F:8:18: there is no pool \"q\"; expected the name of a pool of "
	    "this file\n" },
	{ POOL "listen l {\nbind *:80\nmode tcp\nto p\nroute sni *.b.c to p\nroute sni a.B.C to p\n}\n", "F:9:11: this route is never taken, the "
	    "one of line 8 takes everything first; expected the more special one first\n" },
	{ POOL "listen l {\nbind *:80\nto p\nsplice yes\n}\n", "F:7:8: \"yes\" is not known; expected off or on\n" },
	{ POOL "listen l {\nbind *:80\nto p\nbacklog 0\n}\n", "F:7:9: \"0\" is out of range; expected a number from 1 to 65535\n" },
	/* several in one file; a pool that could not be named is not missed */
	{ "pool p! {\nserver a 1\nserver a 0\n}\nlisten l {\nbind *:0\nto p\n}\nworkers x\n",
	    "F:1:6: \"p!\" is not a name; expected 1 to 63 of letters, digits, \".\", \"_\" and \"-\"\n"
	    "F:3:8: a second server \"a\" in this pool; expected another name, this one is taken on line 2\n"
	    "F:6:6: bad address \"*:0\": the port is not a number from 1 to 65535; expected IPV4:PORT, [IPV6]:PORT, *:PORT or unix:/PATH\n"
	    "F:9:9: \"x\" is not a number; expected a number from 1 to 64 or auto\n" },
	/* what people wrote is quoted so that it can do no harm */
	{ POOL LISTEN "workers \xc3\xa4\xff\n", "F:8:9: \"\\xc3\\xa4\\xff\" is not a number; expected a number from 1 to 64 or auto\n" },
	{ POOL LISTEN "workers aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhh\n",
	    "F:8:9: \"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg...\" is not a number; "
	    "expected a number from 1 to 64 or auto\n" },
	{ NULL, NULL }
};

static void test_bad(void)
{
	const struct bad *b;

	for (b = bads; b->text; b++) {
		struct conf *c = parse(b->text);

		ok(!c, "case %d is refused", (int)(b - bads));
		is_str(messages, b->want, "with these words");
		conf_free(c);
	}
}

static void test_many_errors(void)
{
	char text[4096] = "";
	unsigned i, lines = 0;
	struct conf *c;
	char *at;

	for (i = 0; i < 100; i++)
		strcat(text, "wrong\n");
	c = parse(text);
	for (at = messages; (at = strchr(at, '\n')); at++)
		lines++;
	ok(!c && lines == 11, "ten messages and one that there are more");
	ok(strstr(messages, "F:11:1: more errors follow; "), "which says so");
}

/* Every beginning of a file is read or refused with words, never silently and never with a crash. */
static void test_beginnings(void)
{
	unsigned i, wrong = 0;

	for (i = 0; i < sizeof(everything); i++) {
		char *text = strndup(everything, i);
		struct conf *c = parse(text);

		wrong += c ? messages_size > 0 : messages_size == 0;
		conf_free(c);
		free(text);
	}
	is_int(wrong, 0, "every beginning of a file");
}

static void test_limits(void)
{
	char *text = NULL;
	struct conf *c;
	size_t size;
	unsigned i;
	FILE *out;

	for (i = 0; i < 2; i++) {
		unsigned n = CONF_SERVERS_MAX + i, k;

		out = open_memstream(&text, &size);
		fprintf(out, LISTEN "pool p {\n");
		for (k = 0; k < n; k++)
			fprintf(out, "server s%u 10.0.%u.%u:80\n", k, k / 256, k % 256);
		fprintf(out, "}\n");
		fclose(out);
		c = parse(text);
		ok(i == 0 ? c && c->max_servers == CONF_SERVERS_MAX : !c, "with %u servers", n);
		if (i)
			is_str(messages, "F:16390:1: too many servers; expected at most 16384 in all pools\n", "one too many");
		conf_free(c);
		free(text);
	}
	for (i = 0; i < 2; i++) {
		unsigned n = CONF_POOLS_MAX + i, k;

		out = open_memstream(&text, &size);
		for (k = 0; k < n; k++)
			fprintf(out, "pool p%u {\nserver a 80\n}\nlisten l%u {\nbind 127.0.0.1:%u\nto p%u\n}\n", k, k, k + 1, k);
		fclose(out);
		c = parse(text);
		ok(i == 0 ? c != NULL : !c, "with %u pools and listeners", n);
		if (i)
			is_str(messages, "F:1793:1: too many pools; expected at most 256\n"
			    "F:1796:1: too many listeners; expected at most 256\n", "one too many");
		conf_free(c);
		free(text);
	}
}

static void test_file(void)
{
	char name[] = "/tmp/t1-conf.XXXXXX";
	int fd = mkstemp(name);
	struct conf *c;
	char want[200];
	FILE *err;

	ok(fd >= 0 && write(fd, POOL LISTEN, sizeof(POOL LISTEN) - 1) > 0, "a file");
	c = conf_read(name, stdout);
	ok(c && strcmp(c->file, name) == 0, "is read");
	conf_free(c);
	close(fd);
	unlink(name);
	free(messages);
	err = open_memstream(&messages, &messages_size);
	ok(!conf_read(name, err), "one that is gone is not");
	fclose(err);
	snprintf(want, sizeof(want), "%s:1:1: cannot read it: %s; expected a configuration file\n", name, strerror(ENOENT));
	is_str(messages, want, "and says why");
	free(messages);
	err = open_memstream(&messages, &messages_size);
	ok(!conf_read("/tmp", err), "nor is a directory");
	fclose(err);
}

int main(void)
{
	test_defaults();
	test_everything();
	test_bad();
	test_many_errors();
	test_beginnings();
	test_limits();
	test_file();
	free(messages);
	return done_testing();
}
