/* The configuration's parser: lines, blocks, directives with one value. */
#include "conf/parse.h"

#include <stdlib.h>
#include <string.h>

#include "conf/check.h"
#include "conf/default.h"
#include "conf/near.h"
#include "conf/parse_access.h"
#include "conf/parse_discover.h"
#include "conf/parse_fields.h"
#include "conf/parse_listen.h"
#include "conf/parse_place.h"
#include "conf/parse_pool.h"
#include "conf/parse_sni.h"
#include "conf/parse_route.h"
#include "conf/value.h"

static const struct words_entry *parse_table(enum parse_block in)
{
	return in == PARSE_POOL ? words_pool : in == PARSE_LISTEN ? words_listen : words_top;
}

static const char *parse_place(enum parse_block in)
{
	return in == PARSE_POOL ? "in a pool" : in == PARSE_LISTEN ? "in a listener" : "outside of blocks";
}

static struct conf_pool *parse_open_pool(struct parse *p)
{
	return &p->conf->pool[p->conf->npools - 1];
}

static struct conf_listener *parse_open_listener(struct parse *p)
{
	return &p->conf->listener[p->conf->nlisteners - 1];
}

void parse_bad_word(struct parse *p, unsigned i, const char *what, const char *expected)
{
	char word[DIAG_QUOTE_MAX];

	diag_at(&p->diag, p->line.line, p->line.word[i].column, "%s %s; expected %s",
	    diag_quote(word, p->line.word[i].text), what, expected);
}

void parse_unknown_word(struct parse *p, unsigned i, const char *what, const char *const *choice)
{
	char word[DIAG_QUOTE_MAX], list[WORDS_TEXT_MAX];
	struct near near;
	unsigned k;

	near_start(&near, p->line.word[i].text);
	for (k = 0; choice[k]; k++)
		near_try(&near, choice[k]);
	if (near.best) {
		diag_at(&p->diag, p->line.line, p->line.word[i].column, "%s %s; did you mean \"%s\"?",
		    diag_quote(word, p->line.word[i].text), what, near.best);
		return;
	}
	parse_bad_word(p, i, what, words_list(list, choice));
}

int parse_count(struct parse *p, unsigned min, unsigned max, const char *expected)
{
	if (p->line.nwords < min) {
		diag_at(&p->diag, p->line.line, p->line.end_column, "the line ends too early; expected %s", expected);
		return -1;
	}
	if (p->line.nwords > max) {
		parse_bad_word(p, max, "is one word too many", expected);
		return -1;
	}
	return 0;
}

int parse_options(struct parse *p, unsigned *i, const struct words_entry *table, void *object, const char *until,
    unsigned given[static WORDS_MAX])
{
	char word[DIAG_QUOTE_MAX], expected[WORDS_TEXT_MAX];
	const char *why = "";

	while (*i < p->line.nwords) {
		const struct lex_word *w = &p->line.word[*i];
		const struct words_entry *e;
		int n = words_find(table, w->text), r;

		if (n < 0 && until && strcmp(w->text, until) == 0)
			return 0;
		if (n < 0) {
			const char *choice[WORDS_MAX + 1];
			unsigned k;

			for (k = 0; table[k].name; k++)
				choice[k] = table[k].name;
			choice[k] = NULL;
			parse_unknown_word(p, *i, "is not an option here", choice);
			return -1;
		}
		e = &table[n];
		if (given[n]) {
			diag_at(&p->diag, p->line.line, w->column, "%s again; expected it once, it is already in column %u",
			    diag_quote(word, w->text), given[n]);
			return -1;
		}
		given[n] = w->column;
		++*i;
		if (e->type == WORDS_FLAG) {
			words_set(e, object, "", &why);
			continue;
		}
		if (*i == p->line.nwords) {
			diag_at(&p->diag, p->line.line, p->line.end_column, "\"%s\" has no value; expected %s", e->name,
			    words_expected(expected, e));
			return -1;
		}
		r = words_set(e, object, p->line.word[*i].text, &why);
		if (r == -2)
			p->no_memory = true;
		if (r == -1)
			parse_bad_word(p, *i, why, words_expected(expected, e));
		if (r < 0)
			return -1;
		++*i;
	}
	return 0;
}

int parse_grow(struct parse *p, void *array, size_t n, size_t element)
{
	char **at = array, *bigger;

	/* Room doubles whenever the number of elements is a power of two, so it need not be kept anywhere. */
	if ((n & (n - 1)) == 0) {
		bigger = realloc(*at, (n ? 2 * n : 1) * element);
		if (!bigger) {
			p->no_memory = true;
			return -1;
		}
		*at = bigger;
	}
	memset(*at + n * element, 0, element);
	return 0;
}

char *parse_copy(struct parse *p, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		p->no_memory = true;
	return copy;
}

/* Passes over the lines of a block that cannot be understood, up to its "}". */
static void parse_skip_block(struct parse *p)
{
	unsigned depth = 1;

	while (depth > 0 && lex_next(&p->lex, &p->line) != 0) {
		if (p->line.opens)
			depth++;
		if (p->line.closes)
			depth--;
	}
}

static void parse_close(struct parse *p)
{
	/* What is missing in a block may just be what could not be read. */
	if (p->diag.errors == p->errors_before) {
		if (p->in == PARSE_POOL)
			check_pool(p, parse_open_pool(p));
		else
			check_listener(p, parse_open_listener(p));
	}
	p->in = PARSE_TOP;
}

/* pool NAME { and listen NAME {: opens the block even when its line is wrong, so that what is in it gets read. */
static int parse_open(struct parse *p, enum parse_block block)
{
	const char *kind = block == PARSE_POOL ? "pool" : "listener";
	const char *expected = block == PARSE_POOL ? "pool NAME {" : "listen NAME {";
	uint32_t scope = block == PARSE_POOL ? PARSE_SCOPE_POOL : PARSE_SCOPE_LISTENER;
	struct conf *c = p->conf;
	char word[DIAG_QUOTE_MAX];
	char *name = NULL;
	long line;

	p->errors_before = p->diag.errors;
	p->opened = (struct parse_position){ p->line.line, p->line.word[p->line.nwords > 1 ? 1 : 0].column };
	p->brace_due = !p->line.opens;
	memset(p->said, 0, sizeof(p->said));
	p->in = block;

	if (parse_count(p, 2, 2, expected) == 0) {
		const char *text = p->line.word[1].text;

		if (!value_is_name(text)) {
			parse_bad_word(p, 1, "is not a name", "1 to 63 of letters, digits, \".\", \"_\" and \"-\"");
		} else if ((line = names_add(&p->names, scope, text, p->line.line)) > 0) {
			diag_at(&p->diag, p->line.line, p->opened.column,
			    "a second %s %s; expected another name, this one is taken on line %ld", kind,
			    diag_quote(word, text), line);
		} else if (line < 0) {
			p->no_memory = true;
		} else {
			name = parse_copy(p, text);
			if (p->brace_due)
				diag_at(&p->diag, p->line.line, p->line.end_column, "\"{\" is missing; expected %s", expected);
		}
	}
	if (!name && block == PARSE_POOL)
		p->pool_unnamed = true;

	if ((block == PARSE_POOL ? c->npools : c->nlisteners) ==
	    (block == PARSE_POOL ? CONF_POOLS_MAX : CONF_LISTENERS_MAX)) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many %ss; expected at most %u", kind,
		    block == PARSE_POOL ? CONF_POOLS_MAX : CONF_LISTENERS_MAX);
		free(name);
		return -1;
	}
	if (block == PARSE_POOL) {
		if (parse_grow(p, &c->pool, c->npools, sizeof(*c->pool)) < 0)
			goto fail;
		c->npools++;
		default_pool(parse_open_pool(p));
		parse_open_pool(p)->name = name;
	} else {
		if (parse_grow(p, &c->listener, c->nlisteners, sizeof(*c->listener)) < 0)
			goto fail;
		c->nlisteners++;
		if (default_listener(parse_open_listener(p)) < 0) {
			p->no_memory = true;
			goto fail;
		}
		parse_open_listener(p)->name = name;
	}
	return 0;
fail:
	free(name);
	return -1;
}

/* A directive with one value, as its entry describes it. */
static void parse_set(struct parse *p, const struct words_entry *e, void *object)
{
	char expected[WORDS_TEXT_MAX];
	const char *why = "";
	int r;

	if (e == &words_top[WORDS_TOP_WORKERS] && p->line.nwords == 2 && strcmp(p->line.word[1].text, e->special) == 0) {
		p->conf->workers = default_workers();
		return;
	}
	words_expected(expected, e);
	if (parse_count(p, 2, 2, expected) < 0)
		return;
	r = words_set(e, object, p->line.word[1].text, &why);
	if (r == -2) {
		p->no_memory = true;
	} else if (r < 0 && e->choice) {
		parse_unknown_word(p, 1, why, e->choice);
	} else if (r < 0) {
		parse_bad_word(p, 1, why, expected);
	}
}

/* A word that is no directive here: says where it belongs, or what it may have meant. */
static void parse_unknown_directive(struct parse *p)
{
	static const enum parse_block blocks[] = { PARSE_TOP, PARSE_POOL, PARSE_LISTEN };
	const struct words_entry *table = parse_table(p->in);
	char word[DIAG_QUOTE_MAX], list[WORDS_TEXT_MAX];
	const struct lex_word *w = &p->line.word[0];
	struct near near;
	unsigned i;

	diag_quote(word, w->text);
	for (i = 0; i < 3; i++) {
		if (blocks[i] != p->in && words_find(parse_table(blocks[i]), w->text) >= 0) {
			diag_at(&p->diag, p->line.line, w->column, "%s stands %s; expected it %s", word,
			    parse_place(p->in), parse_place(blocks[i]));
			return;
		}
	}
	near_start(&near, w->text);
	for (i = 0; table[i].name; i++)
		near_try(&near, table[i].name);
	if (near.best)
		diag_at(&p->diag, p->line.line, w->column, "unknown directive %s %s; did you mean \"%s\"?", word,
		    parse_place(p->in), near.best);
	else
		diag_at(&p->diag, p->line.line, w->column, "unknown directive %s %s; expected %s", word,
		    parse_place(p->in), words_table_list(list, table));
}

/* Directives that may stand more than once in their block. */
static bool parse_repeats(enum parse_block in, int n)
{
	switch (in) {
	case PARSE_TOP: return n == WORDS_TOP_POOL || n == WORDS_TOP_LISTEN || n == WORDS_TOP_ERROR_FILE;
	case PARSE_POOL: return n == WORDS_POOL_SERVER || n == WORDS_POOL_DISCOVER || n == WORDS_POOL_REQUEST_FIELD ||
	    n == WORDS_POOL_RESPONSE_FIELD;
	case PARSE_LISTEN: return n == WORDS_LISTEN_BIND || n == WORDS_LISTEN_ROUTE || n == WORDS_LISTEN_REQUEST_FIELD ||
	    n == WORDS_LISTEN_RESPONSE_FIELD || n == WORDS_LISTEN_ERROR_FILE;
	}
	return false;
}

static void parse_top_directive(struct parse *p, int n)
{
	if (n == WORDS_TOP_POOL || n == WORDS_TOP_LISTEN) {
		if (parse_open(p, n == WORDS_TOP_POOL ? PARSE_POOL : PARSE_LISTEN) < 0) {
			p->in = PARSE_TOP;
			p->brace_due = false;
			if (p->line.opens)
				parse_skip_block(p);
		}
		return;
	}
	if (n == WORDS_TOP_ERROR_FILE)
		parse_fields_error(p, &p->conf->errors);
	else if (n == WORDS_TOP_ACCESS_LOG)
		parse_access(p, &p->conf->access);
	else if (n == WORDS_TOP_RESOLVER)
		parse_discover_resolver(p);
	else
		parse_set(p, &words_top[n], p->conf);
}

static void parse_pool_directive(struct parse *p, int n)
{
	struct conf_pool *pool = parse_open_pool(p);

	if (n == WORDS_POOL_CHECK)
		parse_pool_check(p, pool);
	else if (n == WORDS_POOL_SERVER)
		parse_pool_server(p, pool);
	else if (n == WORDS_POOL_DISCOVER)
		parse_discover(p, pool);
	else if (n == WORDS_POOL_BALANCE)
		parse_place_balance(p, pool);
	else if (n == WORDS_POOL_STICKY)
		parse_place_sticky(p, pool);
	else if (n == WORDS_POOL_RETRY_ON)
		parse_place_retry_on(p, pool);
	else if (n == WORDS_POOL_HEDGE)
		parse_place_hedge(p, pool);
	else if (n == WORDS_POOL_REQUEST_FIELD || n == WORDS_POOL_RESPONSE_FIELD)
		parse_fields_edit(p, n == WORDS_POOL_REQUEST_FIELD ? &pool->request : &pool->response, n == WORDS_POOL_REQUEST_FIELD);
	else
		parse_set(p, &words_pool[n], pool);
}

static void parse_listen_directive(struct parse *p, int n)
{
	struct conf_listener *l = parse_open_listener(p);

	if (n == WORDS_LISTEN_BIND)
		parse_listen_bind(p, l);
	else if (n == WORDS_LISTEN_TO)
		parse_listen_to(p);
	else if (n == WORDS_LISTEN_ROUTE && parse_sni_is(p))
		parse_sni_route(p, l);
	else if (n == WORDS_LISTEN_ROUTE)
		parse_route(p, l);
	else if (n == WORDS_LISTEN_REQUEST_FIELD || n == WORDS_LISTEN_RESPONSE_FIELD)
		parse_fields_edit(p, n == WORDS_LISTEN_REQUEST_FIELD ? &l->http.request : &l->http.response,
		    n == WORDS_LISTEN_REQUEST_FIELD);
	else if (n == WORDS_LISTEN_TRUSTED)
		parse_fields_trust(p, &l->http.trust);
	else if (n == WORDS_LISTEN_PROXY_FROM)
		parse_fields_trust(p, &l->proxy_from);
	else if (n == WORDS_LISTEN_SERVE)
		l->serve = parse_route_serve(p, 0) == 0;
	else if (n == WORDS_LISTEN_SERVE_TO)
		parse_fields_trust(p, &l->serve_to);
	else if (n == WORDS_LISTEN_ERROR_FILE)
		parse_fields_error(p, &l->http.errors);
	else if (n == WORDS_LISTEN_ACCESS_LOG) {
		l->access_set = true;
		parse_access(p, &l->access);
	}
	else
		parse_set(p, &words_listen[n], l);
}

static void parse_directive(struct parse *p)
{
	struct lex_line *line = &p->line;
	char word[DIAG_QUOTE_MAX];
	unsigned *said;
	int n, top;
	bool block;

	n = words_find(parse_table(p->in), line->word[0].text);
	top = words_find(words_top, line->word[0].text);
	if (n < 0 && p->in != PARSE_TOP && line->opens && (top == WORDS_TOP_POOL || top == WORDS_TOP_LISTEN)) {
		diag_at(&p->diag, line->line, line->word[0].column, "%s begins inside a block; expected \"}\" before it, "
		    "to close the block of line %u", diag_quote(word, line->word[0].text), p->opened.line);
		parse_close(p);
		n = top;
	}
	if (n < 0) {
		parse_unknown_directive(p);
		if (line->opens)
			parse_skip_block(p);
		return;
	}
	block = p->in == PARSE_TOP && (n == WORDS_TOP_POOL || n == WORDS_TOP_LISTEN);
	if (line->opens && !block) {
		diag_at(&p->diag, line->line, line->brace_column, "%s opens no block; expected the end of the line",
		    diag_quote(word, line->word[0].text));
		parse_skip_block(p);
		return;
	}
	said = p->in == PARSE_TOP ? p->said_top : p->said;
	if (said[n] && !parse_repeats(p->in, n)) {
		diag_at(&p->diag, line->line, line->word[0].column, "%s again; expected it once, it is already on line %u",
		    diag_quote(word, line->word[0].text), said[n]);
		return;
	}
	said[n] = line->line;
	if (p->in == PARSE_POOL)
		parse_pool_directive(p, n);
	else if (p->in == PARSE_LISTEN)
		parse_listen_directive(p, n);
	else
		parse_top_directive(p, n);
}

static void parse_lines(struct parse *p)
{
	struct lex_line *line = &p->line;
	int r;

	while (!p->no_memory && (r = lex_next(&p->lex, line)) != 0) {
		bool brace_due = p->brace_due;

		p->brace_due = false;
		if (r < 0) {
			diag_at(&p->diag, line->line, line->bad_column, "%s; expected %s", line->bad, line->expected);
			if (line->closes && p->in != PARSE_TOP)
				parse_close(p);
			if (line->opens)
				parse_skip_block(p);
		} else if (line->closes && p->in == PARSE_TOP) {
			diag_at(&p->diag, line->line, line->brace_column, "\"}\" closes nothing; expected a directive");
		} else if (line->closes) {
			parse_close(p);
		} else if (line->nwords > 0) {
			parse_directive(p);
		} else if (!brace_due) {
			diag_at(&p->diag, line->line, line->brace_column,
			    "\"{\" alone on a line; expected it at the end of the line of its block");
			parse_skip_block(p);
		}
	}
	if (p->in != PARSE_TOP && !p->no_memory)
		diag_at(&p->diag, p->opened.line, p->opened.column, "the block is not closed; expected \"}\" before the end "
		    "of the file");
}

struct conf *parse_buffer(char *buf, size_t size, const char *file, FILE *err)
{
	struct parse *p = calloc(1, sizeof(*p));	/* too large for a stack */
	struct conf *c = NULL;

	if (!p || !(p->conf = calloc(1, sizeof(*p->conf))))
		goto no_memory;
	p->diag.out = err;
	p->diag.file = file;
	p->conf->file = strdup(file);
	if (!p->conf->file || default_conf(p->conf) < 0)
		goto no_memory;
	lex_start(&p->lex, buf, size);
	parse_lines(p);
	if (!p->no_memory)
		check_file(p);
	if (!p->no_memory && p->diag.errors == 0)
		parse_access_inherit(p);
	if (p->no_memory)
		goto no_memory;
	if (p->diag.errors == 0) {
		c = p->conf;
		p->conf = NULL;
	}
	goto out;
no_memory:
	fprintf(err, "%s:1:1: not enough memory; expected to have some\n", file);
out:
	if (p) {
		names_free(&p->names);
		free(p->ref);
		free(p->route_at);
		conf_free(p->conf);
	}
	free(p);
	return c;
}
