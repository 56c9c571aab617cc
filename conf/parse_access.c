/*
 * access-log. A format is taken apart here, once, into pieces that the workers put together for each line
 * without a search.
 */
#include "conf/parse_access.h"

#include <stdlib.h>
#include <string.h>

#include "conf/near.h"
#include "conf/value.h"
#include "http/chars.h"
#include "http/name.h"

#define EXPECTED "access-log off, stdout, stderr, syslog or PATH, and perhaps: format combined, extended, json or a text"
#define EXPECTED_FORMAT "format combined, extended, json or a text with {places}"
#define FIELD "field:"
#define FORMAT_MAX 2048		/* bytes of a format's text */

static const char *const whats[CONF_ACCESS_WHATS] = {
	[CONF_ACCESS_TEXT] = "",
	[CONF_ACCESS_CLIENT] = "client", [CONF_ACCESS_CLIENT_PORT] = "client-port",
	[CONF_ACCESS_TIME] = "time", [CONF_ACCESS_TIME_ISO] = "time-iso",
	[CONF_ACCESS_LISTENER] = "listener", [CONF_ACCESS_SCHEME] = "scheme",
	[CONF_ACCESS_REQUEST] = "request", [CONF_ACCESS_METHOD] = "method", [CONF_ACCESS_TARGET] = "target",
	[CONF_ACCESS_VERSION] = "version", [CONF_ACCESS_HOST] = "host", [CONF_ACCESS_FIELD] = "field:NAME",
	[CONF_ACCESS_STATUS] = "status", [CONF_ACCESS_BYTES_BODY] = "bytes-body", [CONF_ACCESS_BYTES_IN] = "bytes-in",
	[CONF_ACCESS_BYTES_OUT] = "bytes-out", [CONF_ACCESS_POOL] = "pool", [CONF_ACCESS_SERVER] = "server",
	[CONF_ACCESS_REUSED] = "reused", [CONF_ACCESS_HEAD] = "head", [CONF_ACCESS_QUEUE] = "queue",
	[CONF_ACCESS_CONNECT] = "connect", [CONF_ACCESS_FIRST] = "first", [CONF_ACCESS_TOTAL] = "total",
	[CONF_ACCESS_RETRIES] = "retries", [CONF_ACCESS_WHY] = "why", [CONF_ACCESS_FAILURE] = "failure",
	[CONF_ACCESS_END] = "end", [CONF_ACCESS_REQUEST_ID] = "request-id", [CONF_ACCESS_NTH] = "nth",
	[CONF_ACCESS_WORKER] = "worker",
};

#define COMBINED "{client} - - [{time}] \"{request}\" {status} {bytes-body} \"{field:Referer}\" \"{field:User-Agent}\""

static const char *const formats[] = {
	[CONF_ACCESS_COMBINED] = COMBINED,
	[CONF_ACCESS_EXTENDED] = COMBINED " {listener} {pool}/{server} head={head} queue={queue} connect={connect} first={first} "
	    "total={total} retries={retries} why={why} end={end} in={bytes-in} out={bytes-out} id={request-id}",
	/* Names of members and, between blanks, what they hold. */
	[CONF_ACCESS_JSON] = "time {time-iso} listener {listener} client {client} client_port {client-port} nth {nth} "
	    "scheme {scheme} host {host} method {method} target {target} version {version} request {request} "
	    "status {status} referer {field:Referer} user_agent {field:User-Agent} pool {pool} server {server} reused {reused} "
	    "why {why} retries {retries} failure {failure} head_ms {head} queue_ms {queue} connect_ms {connect} "
	    "first_ms {first} total_ms {total} bytes_in {bytes-in} bytes_out {bytes-out} bytes_body {bytes-body} end {end} "
	    "request_id {request-id} worker {worker}",
	NULL
};
const char *const parse_access_formats[] = {
	[CONF_ACCESS_COMBINED] = "combined", [CONF_ACCESS_EXTENDED] = "extended", [CONF_ACCESS_JSON] = "json", NULL
};

/* ---- a format ---- */

static int add_piece(struct parse *p, struct conf_access *a, struct conf_access_piece piece)
{
	if (a->npieces == CONF_ACCESS_PIECES_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many places in the format; expected at most %d",
		    CONF_ACCESS_PIECES_MAX / 2);
		return -1;
	}
	if (parse_grow(p, &a->piece, a->npieces, sizeof(*a->piece)) < 0)
		return -1;
	a->piece[a->npieces++] = piece;
	return 0;
}

static int add_text(struct parse *p, struct conf_access *a, size_t at, size_t size)
{
	if (size == 0)
		return 0;
	return add_piece(p, a, (struct conf_access_piece){ .what = CONF_ACCESS_TEXT, .at = (uint32_t)at, .size = (uint16_t)size });
}

/* Index of the field in a->field; -1: cannot be, with a message. */
static int find_field(struct parse *p, struct conf_access *a, const char *name, size_t size)
{
	struct conf_access_field *f;

	for (unsigned i = 0; i < a->nfields; i++)
		if (a->field[i].size == size && http_chars_same_name(a->field[i].name, name, size))
			return (int)i;
	if (a->nfields == CONF_ACCESS_FIELDS_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many fields in the format; expected at most %d",
		    CONF_ACCESS_FIELDS_MAX);
		return -1;
	}
	if (parse_grow(p, &a->field, a->nfields, sizeof(*a->field)) < 0)
		return -1;
	f = &a->field[a->nfields];
	f->name = strndup(name, size);
	if (!f->name) {
		p->no_memory = true;
		return -1;
	}
	f->size = (uint8_t)size;
	f->id = (uint8_t)http_name_field(name, size);
	return (int)a->nfields++;
}

static int bad_place(struct parse *p, unsigned word, const char *name, size_t size)
{
	char text[64], quoted[DIAG_QUOTE_MAX];
	struct near near;

	snprintf(text, sizeof(text), "%.*s", (int)(size < sizeof(text) ? size : sizeof(text) - 1), name);
	near_start(&near, text);
	for (unsigned i = 1; i < CONF_ACCESS_WHATS; i++)
		near_try(&near, whats[i]);
	diag_at(&p->diag, p->line.line, p->line.word[word].column, "there is no place %s in a format; %s%s%s",
	    diag_quote(quoted, text), near.best ? "did you mean {" : "expected one of those in loadbalancer.conf(5)",
	    near.best ? near.best : "", near.best ? "}?" : "");
	return -1;
}

/* What stands between braces. */
static int add_place(struct parse *p, struct conf_access *a, unsigned word, const char *name, size_t size)
{
	static const size_t prefix = sizeof(FIELD) - 1;

	if (size > prefix && strncmp(name, FIELD, prefix) == 0) {
		char token[256];
		int field;

		if (size - prefix >= sizeof(token))
			return bad_place(p, word, name, size);
		memcpy(token, name + prefix, size - prefix);
		token[size - prefix] = '\0';
		if (!value_is_token(token))
			return bad_place(p, word, name, size);
		field = find_field(p, a, token, size - prefix);
		return field < 0 ? -1 : add_piece(p, a, (struct conf_access_piece){ .what = CONF_ACCESS_FIELD, .field = (uint8_t)field });
	}
	for (unsigned i = 1; i < CONF_ACCESS_WHATS; i++)
		if (i != CONF_ACCESS_FIELD && strlen(whats[i]) == size && memcmp(whats[i], name, size) == 0)
			return add_piece(p, a, (struct conf_access_piece){ .what = (uint8_t)i });
	return bad_place(p, word, name, size);
}

static int compile(struct parse *p, struct conf_access *a, unsigned word)
{
	const char *text = a->text;
	size_t from = 0, i = 0;

	while (text[i]) {
		const char *end;

		if (text[i] != '{') {
			i++;
			continue;
		}
		if (text[i + 1] == '{') {	/* the first belongs to the text, the second is passed over */
			if (add_text(p, a, from, i + 1 - from) < 0)
				return -1;
			from = i += 2;
			continue;
		}
		end = strchr(text + i, '}');
		if (!end) {
			diag_at(&p->diag, p->line.line, p->line.word[word].column,
			    "a \"{\" without \"}\" in the format; expected {NAME}, or {{ for a brace");
			return -1;
		}
		if (add_text(p, a, from, i - from) < 0 || add_place(p, a, word, text + i + 1, (size_t)(end - text) - i - 1) < 0)
			return -1;
		from = i = (size_t)(end - text) + 1;
	}
	return add_text(p, a, from, i - from);
}

/* The names and places of the table above, as {"name":place,"name":place}. */
static int compile_json(struct parse *p, struct conf_access *a)
{
	const char *at = formats[CONF_ACCESS_JSON];
	size_t n = 0;

	a->text = malloc(2 * strlen(at) + 8);
	if (!a->text) {
		p->no_memory = true;
		return -1;
	}
	while (*at) {
		size_t name = strcspn(at, " "), place, from = n;

		a->text[n] = n ? ',' : '{';
		a->text[n + 1] = '"';
		memcpy(a->text + n + 2, at, name);
		memcpy(a->text + n + 2 + name, "\":", 2);
		n += name + 4;
		at += name + 1;
		place = strcspn(at, " ");
		if (add_text(p, a, from, n - from) < 0 || add_place(p, a, 0, at + 1, place - 2) < 0)
			return -1;
		at += place + (at[place] == ' ');
	}
	memcpy(a->text + n, "}", 2);
	return add_text(p, a, n, 1);
}

static int set_format(struct parse *p, struct conf_access *a, const char *name, unsigned word)
{
	for (unsigned i = 0; parse_access_formats[i]; i++) {
		if (strcmp(parse_access_formats[i], name) != 0)
			continue;
		a->format = (enum conf_access_format)i;
		if (i == CONF_ACCESS_JSON)
			return compile_json(p, a);
		a->text = parse_copy(p, formats[i]);
		return a->text ? compile(p, a, word) : -1;
	}
	if (!strchr(name, '{')) {
		parse_unknown_word(p, word, "is no format and has no {places}", parse_access_formats);
		return -1;
	}
	if (strlen(name) > FORMAT_MAX) {
		parse_bad_word(p, word, "is too long", "a format of at most 2048 bytes");
		return -1;
	}
	a->format = CONF_ACCESS_OWN;
	a->text = parse_copy(p, name);
	return a->text ? compile(p, a, word) : -1;
}

/* ---- the directive ---- */

/* Each target is there once. -1 after a message. */
static int find_log(struct parse *p, const char *target, int facility)
{
	struct conf *c = p->conf;

	for (unsigned i = 0; i < c->naccess_logs; i++)
		if (strcmp(c->access_log[i].target, target) == 0 && c->access_log[i].facility == facility)
			return (int)i;
	if (c->naccess_logs == CONF_ACCESS_LOGS_MAX) {
		parse_bad_word(p, 1, "is one access log too many", "at most 32 different ones");
		return -1;
	}
	if (parse_grow(p, &c->access_log, c->naccess_logs, sizeof(*c->access_log)) < 0)
		return -1;
	c->access_log[c->naccess_logs].fd = -1;
	c->access_log[c->naccess_logs].facility = facility;
	c->access_log[c->naccess_logs].target = parse_copy(p, target);
	return c->access_log[c->naccess_logs].target ? (int)c->naccess_logs++ : -1;
}

void parse_access_off(struct conf_access *a)
{
	*a = (struct conf_access){ .log = CONF_NO_LOG };
}

void parse_access(struct parse *p, struct conf_access *a)
{
	static const char *const targets[] = { "off", "stdout", "stderr", "syslog", NULL };
	static const char *const options[] = { "format", "facility", NULL };
	const char *target, *format = parse_access_formats[CONF_ACCESS_COMBINED];
	unsigned i, format_at = 0, given[2] = { 0 };
	int known, log, facility = -1, option;

	if (parse_count(p, 2, 6, EXPECTED) < 0)
		return;
	target = p->line.word[1].text;
	known = words_choice(targets, target);
	if (known < 0 && (target[0] != '/' || strlen(target) > 4095)) {
		parse_unknown_word(p, 1, "is neither off, stdout, stderr, syslog nor an absolute path", targets);
		return;
	}
	if (known == 0) {
		parse_count(p, 2, 2, "nothing behind access-log off");
		return;
	}
	for (i = 2; i < p->line.nwords; i += 2) {
		option = words_choice(options, p->line.word[i].text);
		if (option < 0) {
			parse_unknown_word(p, i, "is not an option here", options);
			return;
		}
		if (given[option]++) {
			parse_bad_word(p, i, "again", "it once");
			return;
		}
		if (i + 1 == p->line.nwords) {
			parse_count(p, i + 2, LEX_WORDS_MAX, option == 0 ? EXPECTED_FORMAT : "facility daemon, user or local0 to local7");
			return;
		}
		if (option == 0) {
			format = p->line.word[i + 1].text;
			format_at = i + 1;
			continue;
		}
		facility = words_choice(words_facilities, p->line.word[i + 1].text);
		if (facility < 0) {
			parse_unknown_word(p, i + 1, "is no facility", words_facilities);
			return;
		}
		if (strcmp(target, "syslog") != 0) {
			parse_bad_word(p, i, "without syslog", "access-log syslog facility NAME");
			return;
		}
	}
	log = find_log(p, target, facility);
	if (log >= 0 && set_format(p, a, format, format_at) == 0)
		a->log = (unsigned)log;
}

static int copy_access(struct conf_access *to, const struct conf_access *from)
{
	*to = (struct conf_access){ .log = from->log, .format = from->format };
	if (from->log == CONF_NO_LOG)
		return 0;
	to->text = strdup(from->text);
	to->piece = malloc(from->npieces * sizeof(*to->piece));
	to->field = malloc((from->nfields + 1) * sizeof(*to->field));
	if (!to->text || !to->piece || !to->field)
		return -1;
	memcpy(to->piece, from->piece, from->npieces * sizeof(*to->piece));
	to->npieces = from->npieces;
	for (; to->nfields < from->nfields; to->nfields++) {
		to->field[to->nfields] = from->field[to->nfields];
		to->field[to->nfields].name = strdup(from->field[to->nfields].name);
		if (!to->field[to->nfields].name)
			return -1;
	}
	return 0;
}

void parse_access_inherit(struct parse *p)
{
	struct conf *c = p->conf;

	for (unsigned i = 0; i < c->nlisteners; i++)
		if (!c->listener[i].access_set && copy_access(&c->listener[i].access, &c->access) < 0)
			p->no_memory = true;
}

void parse_access_free(struct conf_access *a)
{
	for (unsigned i = 0; i < a->nfields; i++)
		free(a->field[i].name);
	free(a->field);
	free(a->piece);
	free(a->text);
}
