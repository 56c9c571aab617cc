/* Directives of a listener: bind, to, route. */
#include "conf/parse_listen.h"

#include <stdlib.h>
#include <string.h>

#include "conf/address.h"
#include "conf/check.h"
#include "conf/value.h"
#include "os/sock.h"

static struct conf_bind *parse_listen_add_bind(struct parse *p, struct conf_listener *l, const char *text,
    const struct sockaddr_storage *addr, socklen_t size)
{
	struct conf_bind *b;

	if (p->nbinds == CONF_BINDS_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many addresses; expected at most %u in all listeners",
		    CONF_BINDS_MAX);
		return NULL;
	}
	if (parse_grow(p, &l->bind, l->nbinds, sizeof(*l->bind)) < 0)
		return NULL;
	b = &l->bind[l->nbinds++];
	p->nbinds++;
	b->fd = -1;
	b->line = (int)p->line.line;
	b->addr = *addr;
	b->addr_size = size;
	b->text = parse_copy(p, text);
	if (b->text)
		check_bind(p, l, p->line.word[1].column);
	return b;
}

/* "*:PORT": the IPv4 half must work, the IPv6 half is left out where the kernel has none. */
static void parse_listen_bind_any(struct parse *p, struct conf_listener *l, uint16_t port)
{
	static const char *const host[2] = { "0.0.0.0", "::" };
	struct sockaddr_storage ss;
	char text[SOCK_TEXT_MAX];
	struct conf_bind *b;
	socklen_t size;
	int i;

	for (i = 0; i < 2; i++) {
		if (sock_numeric(host[i], port, &ss, &size) < 0)
			abort();	/* constants are numeric */
		sock_text((const struct sockaddr *)&ss, size, text, sizeof(text));
		b = parse_listen_add_bind(p, l, text, &ss, size);
		if (!b)
			return;
		b->optional = i == 1;
	}
}

void parse_listen_bind(struct parse *p, struct conf_listener *l)
{
	char word[DIAG_QUOTE_MAX];
	struct conf_bind *b;
	struct address a;
	const char *bad;
	bool optional;

	if (parse_count(p, 2, 3, words_listen[WORDS_LISTEN_BIND].own_expected) < 0)
		return;
	optional = p->line.nwords == 3;
	if (optional && strcmp(p->line.word[2].text, "optional") != 0) {
		static const char *const choice[] = { "optional", NULL };
		parse_unknown_word(p, 2, "is not an option here", choice);
		return;
	}
	bad = address_bind(&a, p->line.word[1].text);
	if (bad) {
		diag_at(&p->diag, p->line.line, p->line.word[1].column, "bad address %s: %s; expected %s",
		    diag_quote(word, p->line.word[1].text), bad, ADDRESS_BIND_FORMS);
		return;
	}
	if (optional && (a.any || a.addr.ss_family != AF_INET6)) {
		parse_bad_word(p, 2, "is only for IPv6", "the end of the line, or an address [IPV6]:PORT");
		return;
	}
	if (a.any) {
		parse_listen_bind_any(p, l, a.port);
		return;
	}
	b = parse_listen_add_bind(p, l, p->line.word[1].text, &a.addr, a.addr_size);
	if (b)
		b->optional = optional;
}

/* Word i is a pool's name; whether there is such a pool is seen at the end of the file. */
static void parse_listen_refer(struct parse *p, unsigned i, int route)
{
	struct parse_reference *r;

	if (parse_grow(p, &p->ref, p->nrefs, sizeof(*p->ref)) < 0)
		return;
	r = &p->ref[p->nrefs++];
	r->listener = p->conf->nlisteners - 1;
	r->route = route;
	r->name = p->line.word[i].text;
	r->at = (struct parse_position){ p->line.line, p->line.word[i].column };
}

void parse_listen_to(struct parse *p)
{
	if (parse_count(p, 2, 2, words_listen[WORDS_LISTEN_TO].own_expected) == 0)
		parse_listen_refer(p, 1, -1);
}

/* Lower case in place, as hosts are compared. */
static bool parse_listen_host(char *text)
{
	char *at;

	for (at = text; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at | 0x20);
	return address_is_host(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

void parse_listen_route(struct parse *p, struct conf_listener *l)
{
	const char *expected = words_listen[WORDS_LISTEN_ROUTE].own_expected;
	struct conf_route *r;
	char *value;
	int match;

	if (parse_count(p, 5, 5, expected) < 0)
		return;
	match = words_choice(words_matches, p->line.word[1].text);
	if (match < 0) {
		parse_unknown_word(p, 1, "is nothing to route by", words_matches);
		return;
	}
	value = p->line.word[2].text;
	if (match == CONF_MATCH_HOST && !parse_listen_host(value)) {
		parse_bad_word(p, 2, "is not a host name", "a name such as www.example.org, or *.example.org");
		return;
	}
	if (match == CONF_MATCH_PATH && !value_is_url_path(value, false)) {
		parse_bad_word(p, 2, "is not the beginning of a path", "\"/\" and at most 999 printable characters, "
		    "no blank, \"?\" or \"#\"");
		return;
	}
	if (strcmp(p->line.word[3].text, "to") != 0) {
		parse_bad_word(p, 3, "is in the wrong place", expected);
		return;
	}
	if (l->nroutes == CONF_ROUTES_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many routes; expected at most %u in a listener",
		    CONF_ROUTES_MAX);
		return;
	}
	if (parse_grow(p, &l->route, l->nroutes, sizeof(*l->route)) < 0)
		return;
	/* Positions outlive their listener and are overwritten by the next one's. */
	if (!p->route_at && !(p->route_at = calloc(CONF_ROUTES_MAX, sizeof(*p->route_at)))) {
		p->no_memory = true;
		return;
	}
	p->route_at[l->nroutes] = (struct parse_position){ p->line.line, p->line.word[2].column };
	r = &l->route[l->nroutes++];
	r->match = (enum conf_match)match;
	r->value_size = strlen(value);
	r->value = parse_copy(p, value);
	parse_listen_refer(p, 4, (int)l->nroutes - 1);
}
