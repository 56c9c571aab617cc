/* Directives of a pool that say which server gets a request: balance, sticky, retry-on, hedge. */
#include "conf/parse_place.h"

#include <string.h>

#include "conf/value.h"

#define PLACE_TOKEN "1 to 255 of letters, digits and ! # $ % & ' * + - . ^ _ ` | ~"

/* balance hash KEY [NAME] */
static void parse_place_hash(struct parse *p, struct conf_pool *pool)
{
	static const char expected[] = "balance hash source, path, header NAME or cookie NAME";
	bool named;
	int key;

	if (parse_count(p, 3, 4, expected) < 0)
		return;
	key = words_choice(words_hashes, p->line.word[2].text);
	if (key < 0) {
		parse_unknown_word(p, 2, "is nothing to hash", words_hashes);
		return;
	}
	named = key == CONF_HASH_HEADER || key == CONF_HASH_COOKIE;
	if (parse_count(p, named ? 4 : 3, named ? 4 : 3, expected) < 0)
		return;
	if (named && !value_is_token(p->line.word[3].text)) {
		parse_bad_word(p, 3, "is no such name", PLACE_TOKEN);
		return;
	}
	pool->balance = words_balance[WORDS_HASH];
	pool->hash = (enum conf_hash)key;
	if (named)
		pool->hash_name = parse_copy(p, p->line.word[3].text);
}

void parse_place_balance(struct parse *p, struct conf_pool *pool)
{
	char list[WORDS_TEXT_MAX];
	int n;

	words_list(list, words_balance);
	if (parse_count(p, 2, LEX_WORDS_MAX, list) < 0)
		return;
	n = words_choice(words_balance, p->line.word[1].text);
	if (n < 0) {
		parse_unknown_word(p, 1, "is not known", words_balance);
	} else if (n == WORDS_HASH) {
		parse_place_hash(p, pool);
	} else if (parse_count(p, 2, 2, list) == 0) {
		pool->balance = words_balance[n];
	}
}

void parse_place_sticky(struct parse *p, struct conf_pool *pool)
{
	static const char *const kinds[] = { "cookie", NULL };
	unsigned given[WORDS_MAX] = { 0 };
	unsigned i = 3;

	if (parse_count(p, 3, LEX_WORDS_MAX, words_pool[WORDS_POOL_STICKY].own_expected) < 0)
		return;
	if (words_choice(kinds, p->line.word[1].text) < 0) {
		parse_unknown_word(p, 1, "is nothing to stick by", kinds);
		return;
	}
	if (!value_is_token(p->line.word[2].text)) {
		parse_bad_word(p, 2, "is not a cookie's name", PLACE_TOKEN);
		return;
	}
	pool->sticky.cookie = parse_copy(p, p->line.word[2].text);
	parse_options(p, &i, words_sticky, pool, NULL, given);
}

void parse_place_retry_on(struct parse *p, struct conf_pool *pool)
{
	unsigned i;
	int n;

	if (parse_count(p, 2, LEX_WORDS_MAX, words_pool[WORDS_POOL_RETRY_ON].own_expected) < 0)
		return;
	pool->retry_on = 0;
	if (p->line.nwords == 2 && strcmp(p->line.word[1].text, "none") == 0)
		return;
	for (i = 1; i < p->line.nwords; i++) {
		n = words_choice(words_retry_on, p->line.word[i].text);
		if (n < 0) {
			parse_unknown_word(p, i, "is nothing to retry on", words_retry_on);
			return;
		}
		if (pool->retry_on & 1u << n) {
			parse_bad_word(p, i, "stands here twice", "it once");
			return;
		}
		pool->retry_on |= 1u << n;
	}
}

/* hedge off | on | TIME */
void parse_place_hedge(struct parse *p, struct conf_pool *pool)
{
	static const struct words_entry fixed = {
		.name = "hedge", .type = WORDS_TIME, .offset = offsetof(struct conf_pool, hedge_ns), .min = CONF_MS,
		.max = 3600 * CONF_SECOND, .special = "off", .special_value = 0,
	};
	const char *why = "";

	if (parse_count(p, 2, 2, words_pool[WORDS_POOL_HEDGE].own_expected) < 0)
		return;
	if (strcmp(p->line.word[1].text, "on") == 0)
		pool->hedge_ns = CONF_HEDGE_LEARNED;
	else if (words_set(&fixed, pool, p->line.word[1].text, &why) < 0)
		parse_bad_word(p, 1, why, words_pool[WORDS_POOL_HEDGE].own_expected);
}
