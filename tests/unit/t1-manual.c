/*
 * The manual against the vocabulary: what the parser knows is described where it belongs, with its default, its
 * range or its choices, and an example; and what is described is known.
 */
#include <stdlib.h>

#include "conf/value.h"
#include "conf/words.h"
#include "tests/unit/tap.h"

static char *manual;

static void slurp(const char *file)
{
	FILE *in = fopen(file, "r");
	size_t n;

	free(manual);
	manual = calloc(1, 1 << 20);
	if (!in || !manual) {
		perror(file);
		exit(1);
	}
	n = fread(manual, 1, (1 << 20) - 1, in);
	fclose(in);
	manual[n] = '\0';
}

static char *text_of(const char *from, size_t n)
{
	char *text = strndup(from, n);

	if (!text)
		exit(1);
	return text;
}

/* A section's text, without its heading, ours to free. */
static char *section(const char *name)
{
	char heading[100], *from, *to;

	snprintf(heading, sizeof heading, "\n.Sh %s\n", name);
	from = strstr(manual, heading);
	if (!from)
		return text_of("", 0);
	from += strlen(heading);
	to = strstr(from, "\n.Sh ");
	return text_of(from, to ? (size_t)(to - from) + 1 : strlen(from));
}

/* Whether the line begins with this macro and this word. */
static bool begins(const char *line, const char *macro, const char *word)
{
	size_t m = strlen(macro), w = strlen(word);

	return strncmp(line, macro, m) == 0 && strncmp(line + m, word, w) == 0 &&
	    (line[m + w] == ' ' || line[m + w] == '\n' || line[m + w] == '\0');
}

static const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line && line[1] ? line + 1 : NULL;
}

/* The description of a directive: from its first .It to the next directive's. Ours to free; NULL: none. */
static char *description(const char *text, const char *name)
{
	const char *line = text, *from, *to;

	while (line && !begins(line, ".It Ic ", name))
		line = next_line(line);
	if (!line)
		return NULL;
	from = line;
	/* Several may share one description. */
	for (to = next_line(line); to && strncmp(to, ".It Ic ", 7) == 0; to = next_line(to))
		;
	while (to && strncmp(to, ".It Ic ", 7) != 0)
		to = next_line(to);
	return text_of(from, to ? (size_t)(to - from) : strlen(from));
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
		char before = at == text ? ' ' : at[-1], after = at[n];

		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", before) &&
		    !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", after ? after : ' '))
			return true;
	}
	return false;
}

/* "local3" where the text says local0 to local7. */
static bool is_in_between(const char *text, const char *word)
{
	size_t n = strlen(word);
	char first[40], last[40];

	if (n == 0 || n >= sizeof first || word[n - 1] < '0' || word[n - 1] > '7')
		return false;
	snprintf(first, sizeof first, "%.*s0", (int)n - 1, word);
	snprintf(last, sizeof last, "%.*s7", (int)n - 1, word);
	return has_word(text, first) && has_word(text, last);
}

static const char *bound(char buf[static VALUE_TEXT_MAX], const struct words_entry *e, uint64_t v)
{
	if (e->type == WORDS_TIME)
		return value_time_text(buf, v);
	if (e->type == WORDS_SIZE || e->type == WORDS_SIZE64)
		return value_size_text(buf, v);
	snprintf(buf, VALUE_TEXT_MAX, e->type == WORDS_PERCENT ? "%llu%%" : "%llu", (unsigned long long)v);
	return buf;
}

/* Of what a value may be, everything is said. */
static void check_values(const struct words_entry *e, const char *text)
{
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX], range[100];

	switch (e->type) {
	case WORDS_UINT:
	case WORDS_PERCENT:
	case WORDS_TIME:
	case WORDS_SIZE:
	case WORDS_SIZE64:
		snprintf(range, sizeof range, "%s to %s", bound(min, e, e->min), bound(max, e, e->max));
		/* A line may end between them. */
		ok(strstr(text, range) || (has_word(text, min) && has_word(text, max)), "  %s: its range, %s", e->name, range);
		break;
	case WORDS_BOOL:
	case WORDS_ENUM:
	case WORDS_CHOICE:
		for (unsigned i = 0; e->choice[i]; i++)
			ok(has_word(text, e->choice[i]) || is_in_between(text, e->choice[i]), "  %s: %s", e->name, e->choice[i]);
		break;
	default:
		break;
	}
	if (e->special)
		ok(has_word(text, e->special), "  %s: %s", e->name, e->special);
}

/* Directives that are there or not, instead of having a default. */
static bool has_default(const char *name)
{
	static const char *const none[] = { "pool", "listen", "server", "discover", "bind", "to", "route", "serve", "error-file", "request-field",
	    "response-field" };

	for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
		if (strcmp(name, none[i]) == 0)
			return false;
	return true;
}

static bool is_block(const char *name)
{
	return strcmp(name, "pool") == 0 || strcmp(name, "listen") == 0;
}

static void check_block(const char *heading, const struct words_entry *table)
{
	char *text = section(heading), example[100];

	ok(text[0] != '\0', "section %s", heading);
	for (const struct words_entry *e = table; e->name; e++) {
		char *about = description(text, e->name);

		ok(about != NULL, "%s is described in %s", e->name, heading);
		if (!about)
			continue;
		if (has_default(e->name))
			ok(strstr(about, "efault") != NULL, "  %s: its default", e->name);
		snprintf(example, sizeof example, "\n.D1 Ic %s ", e->name);
		if (!is_block(e->name))
			ok(strstr(about, example) != NULL, "  %s: an example", e->name);
		check_values(e, about);
		free(about);
	}
	for (const char *line = text; line; line = next_line(line)) {
		char name[100] = "";

		if (strncmp(line, ".It Ic ", 7) == 0 && sscanf(line + 7, "%99[a-z0-9-]", name) == 1 && words_find(table, name) < 0)
			ok(false, "%s is described in %s, and known there", name, heading);
	}
	free(text);
}

static void check_options(const char *directive, const struct words_entry *table)
{
	char *text = section("POOLS"), *about = description(text, directive);

	for (const struct words_entry *e = table; about && e->name; e++) {
		ok(has_word(about, e->name), "%s: %s", directive, e->name);
		if (strcmp(e->name, "maxconn") != 0 && strcmp(e->name, "weight") != 0)
			check_values(e, about);
	}
	ok(about != NULL, "%s has a description", directive);
	free(about);
	free(text);
}

/* What loadbalancer-migrate(7) calls a directive is one: the words behind .Ic, up to a value. */
static void check_migration(void)
{
	unsigned known = 0;

	for (const char *line = manual; line; line = next_line(line)) {
		char text[200], *word, *rest;
		size_t n = strcspn(line, "\n");

		if (strncmp(line, ".Ic ", 4) != 0 || n >= sizeof text)
			continue;
		memcpy(text, line, n);
		text[n] = '\0';
		for (word = strtok_r(text + 4, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
			if (strcmp(word, "No") == 0 || strcmp(word, "Cm") == 0 || strcmp(word, "Ar") == 0)
				break;
			if (strlen(word) == 1)
				continue;
			if (words_find(words_top, word) >= 0 || words_find(words_pool, word) >= 0 || words_find(words_listen, word) >= 0)
				known++;
			else
				ok(false, "loadbalancer-migrate(7): %s is a directive", word);
		}
	}
	ok(known > 80, "loadbalancer-migrate(7) names directives that are there: %u times", known);
}

int main(void)
{
	slurp("man/loadbalancer.conf.5");
	check_block("OUTSIDE OF BLOCKS", words_top);
	check_block("POOLS", words_pool);
	check_block("LISTENERS", words_listen);
	check_options("check", words_check);
	check_options("server", words_server);
	check_options("discover", words_discover);
	check_options("sticky", words_sticky);
	slurp("man/loadbalancer-migrate.7");
	check_migration();
	free(manual);
	return done_testing();
}
