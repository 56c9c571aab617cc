/* Directives of a listener: bind, to. */
#include "conf/parse_listen.h"

#include <stdlib.h>
#include <string.h>

#include "conf/address.h"
#include "conf/check.h"
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
void parse_listen_refer(struct parse *p, unsigned i, int route)
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
