/* Directives of a pool: check, server. */
#include "conf/parse_pool.h"

#include <string.h>

#include "conf/address.h"
#include "conf/default.h"
#include "conf/value.h"

/* "or N requests" behind `every TIME`; word *i is the "or". */
static int parse_pool_or(struct parse *p, unsigned *i, struct conf_check *k)
{
	static const struct words_entry requests = {
		.name = "or", .type = WORDS_UINT64, .offset = offsetof(struct conf_check, requests), .min = 1, .max = INT64_MAX,
	};
	static const char expected[] = "or NUMBER requests, directly behind every TIME";
	char number[WORDS_TEXT_MAX];
	const char *why = "";

	/* Two words before it stands "every" in its right place. */
	if (*i < 2 || strcmp(p->line.word[*i - 2].text, "every") != 0) {
		parse_bad_word(p, *i, "is in the wrong place", expected);
		return -1;
	}
	if (p->line.nwords < *i + 3) {
		diag_at(&p->diag, p->line.line, p->line.end_column, "the line ends too early; expected %s", expected);
		return -1;
	}
	if (words_set(&requests, k, p->line.word[*i + 1].text, &why) < 0) {
		parse_bad_word(p, *i + 1, why, words_expected(number, &requests));
		return -1;
	}
	if (strcmp(p->line.word[*i + 2].text, "requests") != 0) {
		parse_bad_word(p, *i + 2, "is in the wrong place", "the word requests");
		return -1;
	}
	*i += 3;
	return 0;
}

/* Times that were not said follow the ones that were; then all must fit together. */
static void parse_pool_check_times(struct parse *p, struct conf_check *k, const unsigned given[static WORDS_MAX])
{
	char time[VALUE_TEXT_MAX];

	if (!given[WORDS_CHECK_TIMEOUT] && k->timeout_ns > k->interval_ns / 2)
		k->timeout_ns = k->interval_ns / 2 / CONF_MS * CONF_MS;
	if (!given[WORDS_CHECK_DOWN_EVERY] && k->down_interval_ns > k->interval_ns)
		k->down_interval_ns = k->interval_ns;
	/* What follows the interval fits it, so these were said. */
	if (k->timeout_ns >= k->interval_ns) {
		diag_at(&p->diag, p->line.line, given[WORDS_CHECK_TIMEOUT],
		    "the check's timeout is not below its interval; expected less than %s",
		    value_time_text(time, k->interval_ns));
	}
	if (k->down_interval_ns > k->interval_ns) {
		diag_at(&p->diag, p->line.line, given[WORDS_CHECK_DOWN_EVERY],
		    "servers that are down would be probed less often than others; expected at most %s",
		    value_time_text(time, k->interval_ns));
	}
}

void parse_pool_check(struct parse *p, struct conf_pool *pool)
{
	struct conf_check *k = &pool->check;
	unsigned given[WORDS_MAX] = { 0 };
	unsigned i = 2;
	int kind;

	if (parse_count(p, 2, LEX_WORDS_MAX, words_pool[WORDS_POOL_CHECK].own_expected) < 0)
		return;
	kind = words_choice(words_check_kinds, p->line.word[1].text);
	if (kind < 0) {
		parse_unknown_word(p, 1, "is no kind of check", words_check_kinds);
		return;
	}
	k->kind = (enum conf_check_kind)kind;
	if (k->kind == CONF_CHECK_SEED || k->kind == CONF_CHECK_HTTP) {
		const char *path = "/healthcheck";

		if (p->line.nwords > 2 && words_find(words_check, p->line.word[2].text) < 0) {
			path = p->line.word[2].text;
			if (!value_is_url_path(path, true)) {
				parse_bad_word(p, 2, "is not the path of a URL", "\"/\" and at most 999 printable "
				    "characters, no blank and no \"#\"");
				return;
			}
			i = 3;
		}
		k->path = parse_copy(p, path);
	} else if (k->kind == CONF_CHECK_NONE && p->line.nwords > 2) {
		parse_bad_word(p, 2, "is one word too many", "nothing behind check none");
		return;
	}
	while (i < p->line.nwords) {
		if (parse_options(p, &i, words_check, k, "or", given) < 0)
			return;
		if (i < p->line.nwords && parse_pool_or(p, &i, k) < 0)
			return;
	}
	parse_pool_check_times(p, k, given);
}

void parse_pool_server(struct parse *p, struct conf_pool *pool)
{
	unsigned given[WORDS_MAX] = { 0 };
	char word[DIAG_QUOTE_MAX];
	struct conf_server *s;
	struct address a;
	const char *bad;
	unsigned i = 3;
	long line;

	if (parse_count(p, 3, LEX_WORDS_MAX, words_pool[WORDS_POOL_SERVER].own_expected) < 0)
		return;
	if (!value_is_server_name(p->line.word[1].text)) {
		parse_bad_word(p, 1, "is not a server's name", "1 to 63 of letters, digits and . _ - : [ ] / #");
		return;
	}
	line = names_add(&p->names, PARSE_SCOPE_SERVER + p->conf->npools - 1, p->line.word[1].text, p->line.line);
	if (line > 0) {
		diag_at(&p->diag, p->line.line, p->line.word[1].column,
		    "a second server %s in this pool; expected another name, this one is taken on line %ld",
		    diag_quote(word, p->line.word[1].text), line);
		return;
	}
	if (line < 0) {
		p->no_memory = true;
		return;
	}
	bad = address_server(&a, p->line.word[2].text);
	if (bad) {
		diag_at(&p->diag, p->line.line, p->line.word[2].column, "bad address %s: %s; expected %s",
		    diag_quote(word, p->line.word[2].text), bad, ADDRESS_SERVER_FORMS);
		return;
	}
	if (p->nservers == CONF_SERVERS_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many servers; expected at most %u in all pools",
		    CONF_SERVERS_MAX);
		return;
	}
	if (parse_grow(p, &pool->server, pool->nservers, sizeof(*pool->server)) < 0)
		return;
	s = &pool->server[pool->nservers++];
	p->nservers++;
	default_server(s);
	s->name = parse_copy(p, p->line.word[1].text);
	if (a.path[0] != '\0')
		s->path = parse_copy(p, a.path);
	else
		s->host = parse_copy(p, a.host);
	s->port = a.port;
	s->addr = a.addr;
	s->addr_size = a.addr_size;
	parse_options(p, &i, words_server, s, NULL, given);
}
