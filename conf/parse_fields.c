/* Fields, trust and error bodies. */
#include "conf/parse_fields.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/body.h"
#include "conf/parse_route.h"
#include "conf/value.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/name.h"

const char *const parse_fields_ops[] = {
	[HTTP_EDIT_SET] = "set", [HTTP_EDIT_ADD] = "add", [HTTP_EDIT_REMOVE] = "remove", NULL
};

/* ---- request-field, response-field ---- */

/* Word i is a name under which an earlier line has done something that this one would undo. */
static bool parse_fields_contradicts(struct parse *p, const struct conf_edits *e, unsigned i, enum http_edit_op op)
{
	const char *name = p->line.word[i].text;

	for (unsigned k = 0; k < e->n; k++) {
		if (op == HTTP_EDIT_ADD || strcasecmp(e->edit[k].name, name) != 0)
			continue;
		parse_bad_word(p, i, "is changed already by a line above", "lines that add behind the one that sets or removes");
		return true;
	}
	return false;
}

/* Word 3 is the value. */
static int parse_fields_value(struct parse *p, struct http_edit *e)
{
	const char *value = p->line.word[3].text, *bad;
	size_t size = strlen(value), at;

	if (size && (http_char_is_blank(value[0]) || http_char_is_blank(value[size - 1]))) {
		parse_bad_word(p, 3, "begins or ends with a blank, as no value does", "it without");
		return -1;
	}
	if (size > 4096) {
		parse_bad_word(p, 3, "is too long", "at most 4096 bytes");
		return -1;
	}
	if (e->id == HTTP_F_HOST && !http_authority_valid(value, size)) {
		parse_bad_word(p, 3, "is not valid in Host", "HOST or HOST:PORT, without places");
		return -1;
	}
	e->value = parse_copy(p, value);
	if (!e->value)
		return -1;
	bad = http_template_parse(&e->value_template, e->value, HTTP_EDIT_PLACES, &at);
	if (bad) {
		char word[DIAG_QUOTE_MAX];

		diag_at(&p->diag, p->line.line, p->line.word[3].column, "the value of a field: %s at %s; expected {client}, "
		    "{request-id} or {host}, and \"{{\" for a brace", bad, diag_quote(word, e->value + at));
		return -1;
	}
	return 0;
}

static void parse_fields_free_edit(struct http_edit *e)
{
	free(e->name);
	free(e->value);
}

void parse_fields_edit(struct parse *p, struct conf_edits *edits, bool request)
{
	const char *expected = "set NAME VALUE, add NAME VALUE or remove NAME", *why;
	struct http_edit e = { 0 };
	int op;

	if (parse_count(p, 3, 4, expected) < 0)
		return;
	op = words_choice(parse_fields_ops, p->line.word[1].text);
	if (op < 0) {
		parse_unknown_word(p, 1, "is nothing to do with a field", parse_fields_ops);
		return;
	}
	if (parse_count(p, op == HTTP_EDIT_REMOVE ? 3 : 4, op == HTTP_EDIT_REMOVE ? 3 : 4, expected) < 0)
		return;
	why = http_edit_refused(p->line.word[2].text, (enum http_edit_op)op, request);
	if (why) {
		parse_bad_word(p, 2, why, "the name of another field");
		return;
	}
	if (parse_fields_contradicts(p, edits, 2, (enum http_edit_op)op))
		return;
	if (edits->n == CONF_EDITS_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many fields; expected at most %u in a block", CONF_EDITS_MAX);
		return;
	}
	e.op = (uint8_t)op;
	e.name = parse_copy(p, p->line.word[2].text);
	e.name_size = strlen(p->line.word[2].text);
	e.id = (uint8_t)http_name_field(p->line.word[2].text, e.name_size);
	if (!e.name || (op != HTTP_EDIT_REMOVE && parse_fields_value(p, &e) < 0) ||
	    parse_grow(p, &edits->edit, edits->n, sizeof(*edits->edit)) < 0) {
		parse_fields_free_edit(&e);
		return;
	}
	edits->edit[edits->n++] = e;
	edits->places |= e.value_template.places & HTTP_EDIT_PLACES;
	if (e.id == HTTP_F_HOST)
		edits->host = e.value;
}

void parse_fields_free_edits(struct conf_edits *e)
{
	for (unsigned i = 0; i < e->n; i++)
		parse_fields_free_edit(&e->edit[i]);
	free(e->edit);
}

/* ---- trusted-proxies ---- */

/* ADDRESS or ADDRESS/BITS. NULL, or what is wrong with it. */
static const char *parse_fields_cidr(struct conf_cidr *c, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	uint64_t bits;

	memset(c, 0, sizeof(*c));
	if (size >= sizeof(address))
		return "is not an address";
	memcpy(address, text, size);
	address[size] = '\0';
	c->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(c->family, address, c->addr) != 1)
		return "is not an address";
	bits = c->family == AF_INET ? 32 : 128;
	if (slash) {
		uint64_t n;

		if (value_number(slash + 1, &n) < 0 || n > bits)
			return "has no valid number of bits";
		bits = n;
	}
	c->bits = (uint8_t)bits;
	for (unsigned i = 0; i < sizeof(c->addr); i++) {
		unsigned keep = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : (unsigned)bits - 8 * i;

		if (c->addr[i] & (0xffu >> keep))
			return "has bits of the address behind those that count";
	}
	return NULL;
}

void parse_fields_trust(struct parse *p, struct conf_trust *t)
{
	const char *expected = "all, none, or networks such as 10.0.0.0/8, fd00::/8 and unix";

	if (parse_count(p, 2, LEX_WORDS_MAX, expected) < 0)
		return;
	if (strcmp(p->line.word[1].text, "all") == 0) {
		parse_count(p, 2, 2, "all alone");
		return;
	}
	t->listed = true;
	if (strcmp(p->line.word[1].text, "none") == 0) {
		parse_count(p, 2, 2, "none alone");
		return;
	}
	for (unsigned i = 1; i < p->line.nwords; i++) {
		struct conf_cidr net;
		const char *bad;

		if (strcmp(p->line.word[i].text, "unix") == 0) {
			t->unix_sockets = true;
			continue;
		}
		bad = parse_fields_cidr(&net, p->line.word[i].text);
		if (bad) {
			parse_bad_word(p, i, bad, expected);
			return;
		}
		if (parse_grow(p, &t->net, t->nnets, sizeof(*t->net)) < 0)
			return;
		t->net[t->nnets++] = net;
	}
}

/* ---- error-file ---- */

void parse_fields_error(struct parse *p, struct conf_errors *errors)
{
	/* What the balancer itself may answer. */
	static const char *const statuses[] = { "400", "405", "408", "413", "414", "417", "431", "500", "501", "502", "503", "504",
	    "505", NULL };
	struct conf_error e = { 0 };

	if (parse_count(p, 3, 5, "error-file STATUS FILE, and maybe type TYPE") < 0)
		return;
	if (words_choice(statuses, p->line.word[1].text) < 0) {
		char list[WORDS_TEXT_MAX];

		parse_bad_word(p, 1, "is no status that the balancer answers with", words_list(list, statuses));
		return;
	}
	e.status = (unsigned)strtoul(p->line.word[1].text, NULL, 10);
	for (unsigned i = 0; i < errors->n; i++) {
		if (errors->error[i].status != e.status)
			continue;
		parse_bad_word(p, 1, "again", "each status once in a block");
		return;
	}
	if (parse_route_body(p, 2, &e.body) < 0 || parse_grow(p, &errors->error, errors->n, sizeof(*errors->error)) < 0) {
		body_free(&e.body);
		return;
	}
	errors->error[errors->n++] = e;
}

void parse_fields_free_errors(struct conf_errors *e)
{
	for (unsigned i = 0; i < e->n; i++)
		body_free(&e->error[i].body);
	free(e->error);
}
