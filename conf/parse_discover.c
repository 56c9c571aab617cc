/* Directives discover and resolver. */
#include "conf/parse_discover.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "conf/address.h"
#include "conf/default.h"
#include "conf/value.h"
#include "os/sock.h"

#define DISCOVER_NAME_MAX 59	/* "-256" fits behind it */
#define DNS_PORT 53

/* A place for every server that there may be at a time: they have rows, names and figures whoever holds them. */
static void parse_discover_places(struct parse *p, struct conf_pool *pool, const struct conf_discover *d)
{
	char name[DISCOVER_NAME_MAX + 16], word[DIAG_QUOTE_MAX];
	unsigned i;

	if (p->nservers + d->places > CONF_SERVERS_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many servers; expected at most %u in all pools, "
		    "and this name has room for %u", CONF_SERVERS_MAX, d->places);
		return;
	}
	for (i = 0; i < d->places; i++) {
		struct conf_server *s;
		long line;

		if (parse_grow(p, &pool->server, pool->nservers, sizeof(*pool->server)) < 0)
			return;
		s = &pool->server[pool->nservers++];
		p->nservers++;
		snprintf(name, sizeof(name), "%s-%u", d->name, i + 1);
		s->name = parse_copy(p, name);
		s->host = parse_copy(p, d->host);
		s->port = d->port;
		s->weight = d->weight;
		s->maxconn = d->maxconn;
		s->maxconn_least = d->maxconn_least;
		s->backup = d->backup;
		s->discover = pool->ndiscovers;
		if (!s->name || !s->host)
			return;
		line = names_add(&p->names, PARSE_SCOPE_SERVER + p->conf->npools - 1, s->name, p->line.line);
		if (line > 0) {
			diag_at(&p->diag, p->line.line, p->line.word[1].column,
			    "the places of %s would be called like server %s of line %ld; expected another name",
			    diag_quote(word, d->name), s->name, line);
			return;
		}
		if (line < 0) {
			p->no_memory = true;
			return;
		}
	}
}

void parse_discover(struct parse *p, struct conf_pool *pool)
{
	const char *expected = words_pool[WORDS_POOL_DISCOVER].own_expected, *bad = NULL;
	unsigned given[WORDS_MAX] = { 0 };
	char word[DIAG_QUOTE_MAX];
	struct conf_discover *d;
	struct address a = { .port = 0 };
	unsigned i = 3;
	bool srv;

	if (parse_count(p, 3, LEX_WORDS_MAX, expected) < 0)
		return;
	if (!value_is_server_name(p->line.word[1].text) || strlen(p->line.word[1].text) > DISCOVER_NAME_MAX) {
		parse_bad_word(p, 1, "is not a name for its servers", "1 to 59 of letters, digits and . _ - : [ ] / #");
		return;
	}
	srv = strcmp(p->line.word[2].text, "srv") == 0;
	if (srv) {
		if (p->line.nwords < 4) {
			diag_at(&p->diag, p->line.line, p->line.end_column, "the line ends too early; expected %s", expected);
			return;
		}
		if (!address_is_host(p->line.word[3].text))
			bad = "not the name of a service";
		i = 4;
	} else {
		bad = address_server(&a, p->line.word[2].text);
		if (!bad && (a.path[0] != '\0' || a.addr_size > 0))
			bad = "an address, there is nothing to discover behind it";
	}
	if (bad) {
		diag_at(&p->diag, p->line.line, p->line.word[i - 1].column, "bad name %s: %s; expected %s",
		    diag_quote(word, p->line.word[i - 1].text), bad,
		    srv ? "a name such as _http._tcp.app.example.org" : "NAME:PORT, where NAME is looked up in the DNS; "
		    "a line server NAME ADDRESS takes addresses");
		return;
	}
	if (parse_grow(p, &pool->discover, pool->ndiscovers, sizeof(*pool->discover)) < 0)
		return;
	d = &pool->discover[pool->ndiscovers++];
	default_discover(d);
	d->first = pool->nservers;
	d->srv = srv;
	d->port = a.port;
	d->name = parse_copy(p, p->line.word[1].text);
	d->host = parse_copy(p, srv ? p->line.word[3].text : a.host);
	if (!d->name || !d->host)
		return;
	if (parse_options(p, &i, words_discover, d, NULL, given) == 0)
		parse_discover_places(p, pool, d);
}

void parse_discover_resolver(struct parse *p)
{
	const char *expected = words_top[WORDS_TOP_RESOLVER].own_expected;
	struct conf *c = p->conf;
	unsigned i;

	if (parse_count(p, 2, 1 + CONF_RESOLVERS_MAX, expected) < 0)
		return;
	if (p->line.nwords == 2 && strcmp(p->line.word[1].text, "system") == 0)
		return;
	for (i = 1; i < p->line.nwords; i++) {
		struct conf_resolver *r = &c->resolver[c->nresolvers];
		const char *text = p->line.word[i].text;
		struct address a;

		if (sock_numeric(text, DNS_PORT, &r->addr, &r->addr_size) < 0) {
			if (address_server(&a, text) || a.path[0] != '\0' || a.addr_size == 0 || strspn(text, "0123456789") == strlen(text)) {
				parse_bad_word(p, i, "is not the address of a name server",
				    "IPV4, IPV4:PORT, IPV6 or [IPV6]:PORT, or resolver system");
				return;
			}
			r->addr = a.addr;
			r->addr_size = a.addr_size;
		}
		c->nresolvers++;
	}
}
