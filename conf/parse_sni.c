/* Routes by the name in a ClientHello. */
#include "conf/parse_sni.h"

#include <string.h>

#include "conf/address.h"
#include "conf/parse_listen.h"

bool parse_sni_is(const struct parse *p)
{
	return p->line.nwords > 1 && strcmp(p->line.word[1].text, "sni") == 0;
}

/* Lower case in place, as names are compared; "*." may stand in front. */
static bool parse_sni_name(char *text)
{
	char *at;

	for (at = text; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at | 0x20);
	return address_is_host(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

/* Everything that `later` matches, `earlier` matches as well. */
static bool parse_sni_covers(const struct conf_sni *earlier, const char *later, size_t size)
{
	size_t tail = earlier->size - 1;

	if (earlier->size == size && memcmp(earlier->name, later, size) == 0)
		return true;
	/* "*.example.org" takes every name that ends in ".example.org", but not that alone. */
	return earlier->name[0] == '*' && size > tail && memcmp(earlier->name + 1, later + size - tail, tail) == 0;
}

void parse_sni_route(struct parse *p, struct conf_listener *l)
{
	static const char expected[] = "route sni NAME to POOL";
	struct conf_sni *r;
	char *name;
	unsigned i;

	if (parse_count(p, 5, 5, expected) < 0)
		return;
	name = p->line.word[2].text;
	if (!parse_sni_name(name)) {
		parse_bad_word(p, 2, "is not the name of a host", "a name such as www.example.org, or *.example.org");
		return;
	}
	if (strcmp(p->line.word[3].text, "to") != 0) {
		parse_bad_word(p, 3, "is in the wrong place", expected);
		return;
	}
	for (i = 0; i < l->nsnis; i++)
		if (parse_sni_covers(&l->sni[i], name, strlen(name))) {
			diag_at(&p->diag, p->line.line, p->line.word[2].column,
			    "this route is never taken, the one of line %u takes everything first; expected the more special one first",
			    l->sni[i].line);
			return;
		}
	if (l->nsnis == CONF_ROUTES_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many routes; expected at most %u in a listener",
		    CONF_ROUTES_MAX);
		return;
	}
	if (parse_grow(p, &l->sni, l->nsnis, sizeof(*l->sni)) < 0)
		return;
	r = &l->sni[l->nsnis++];
	r->line = p->line.line;
	r->size = strlen(name);
	r->name = parse_copy(p, name);
	parse_listen_refer(p, 4, (int)l->nsnis - 1);
	if (!p->no_memory)
		p->ref[p->nrefs - 1].sni = true;
}

void parse_sni_check(struct parse *p, const struct conf_listener *l)
{
	if (l->mode == CONF_MODE_TCP)
		return;
	if (l->nsnis > 0)
		diag_at(&p->diag, l->sni[0].line, 1,
		    "a route by the name in a ClientHello in mode http, which does not read TLS; expected mode tcp");
	if (l->sni_required)
		diag_at(&p->diag, p->said[words_find(words_listen, "no-sni")], 1,
		    "\"no-sni refuse\" in mode http, which does not read TLS; expected mode tcp");
}
