/* conf/: values, nearest words, names, addresses, the lexer. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

#include "balance/balance.h"
#include "conf/address.h"
#include "conf/conf.h"
#include "conf/lex.h"
#include "conf/names.h"
#include "conf/near.h"
#include "conf/value.h"
#include "conf/words.h"
#include "tests/unit/tap.h"

typedef int read_fn(const char *text, uint64_t *v);

static void test_good(read_fn *fn, const char *kind, const char *text, uint64_t want)
{
	uint64_t got = 1;
	int r = fn(text, &got);

	ok(r == 0 && got == want, "%s %s is read", kind, text);
}

static void test_bad(read_fn *fn, const char *kind, const char *text, int want)
{
	uint64_t got = 77;

	errno = 0;
	ok(fn(text, &got) == -1 && errno == want, "%s \"%s\" is refused, %s", kind, text, want == ERANGE ? "too large" : "no such form");
	is_int(got, 77, "nothing was stored");
}

static void test_numbers(void)
{
	static const char *const bad[] = {
		"", " ", "-1", "+1", "1 ", " 1", "1.5", "0x10", "1e3", "one", "1s", "1k", "\xd9\xa1", NULL
	};
	unsigned i;

	test_good(value_number, "number", "0", 0);
	test_good(value_number, "number", "007", 7);
	test_good(value_number, "number", "18446744073709551615", UINT64_MAX);
	test_bad(value_number, "number", "18446744073709551616", ERANGE);
	test_bad(value_number, "number", "99999999999999999999999999999999", ERANGE);
	for (i = 0; bad[i]; i++)
		test_bad(value_number, "number", bad[i], EINVAL);
	/* The form is wrong, however large. */
	test_bad(value_number, "number", "99999999999999999999999999x", EINVAL);
}

static void test_times_and_sizes(void)
{
	static const char *const no_time[] = { "", "5", "0", "s", "5 s", "5S", "5sec", "5us", "5d", "1.5s", "-5s", "5s1", "5ms5", NULL };
	static const char *const no_size[] = { "", "k", "5kb", "5K", "5 k", "5t", "-5k", "5.5m", NULL };
	static const uint64_t times[] = { 0, 1, 999, 1000, 1001, 60000, 61000, 90000, 3600000, 5400000, 86400000, 31536000000 };
	static const uint64_t sizes[] = { 0, 1, 1023, 1024, 1025, 15360, 1 << 20, 3 << 20, UINT64_C(1) << 40, UINT64_MAX };
	char text[VALUE_TEXT_MAX];
	unsigned i;

	test_good(value_time, "time", "0s", 0);
	test_good(value_time, "time", "100ms", 100 * CONF_MS);
	test_good(value_time, "time", "5s", 5 * CONF_SECOND);
	test_good(value_time, "time", "2m", 120 * CONF_SECOND);
	test_good(value_time, "time", "1h", 3600 * CONF_SECOND);
	test_good(value_time, "time", "18446744073s", UINT64_C(18446744073) * CONF_SECOND);
	test_bad(value_time, "time", "18446744074s", ERANGE);
	test_bad(value_time, "time", "18446744073709551616ms", ERANGE);
	for (i = 0; no_time[i]; i++)
		test_bad(value_time, "time", no_time[i], EINVAL);

	test_good(value_size, "size", "0", 0);
	test_good(value_size, "size", "64k", 65536);
	test_good(value_size, "size", "1m", 1 << 20);
	test_good(value_size, "size", "3g", UINT64_C(3) << 30);
	test_good(value_size, "size", "17179869183g", UINT64_C(17179869183) << 30);
	test_bad(value_size, "size", "17179869184g", ERANGE);
	for (i = 0; no_size[i]; i++)
		test_bad(value_size, "size", no_size[i], EINVAL);

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		test_good(value_time, "printed time", value_time_text(text, times[i] * CONF_MS), times[i] * CONF_MS);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		test_good(value_size, "printed size", value_size_text(text, sizes[i]), sizes[i]);
	is_str(value_time_text(text, 90 * CONF_SECOND), "90s", "the largest unit that loses nothing");
	is_str(value_size_text(text, 15360), "15k", "of sizes too");
}

static void test_names_and_paths(void)
{
	char name[65];

	ok(value_is_name("a") && value_is_name("web-1.example_B"), "names");
	ok(!value_is_name("") && !value_is_name("a b") && !value_is_name("a/b") && !value_is_name("\xc3\xa4"), "no names");
	memset(name, 'x', sizeof(name));
	name[63] = '\0';
	ok(value_is_name(name), "a name of 63 bytes");
	strcpy(name + 63, "x");
	ok(!value_is_name(name) && !value_is_server_name(name), "none of 64: the table has room for 63");
	ok(value_is_server_name("[::1]:80#2") && value_is_server_name("unix:/run/a"), "a server can be called as its address");
	ok(!value_is_server_name("a b") && !value_is_server_name("a{"), "but not everything");
	ok(value_is_url_path("/", false) && value_is_url_path("/a/b?c=d", true), "paths");
	ok(!value_is_url_path("/a?b", false) && !value_is_url_path("a", true) && !value_is_url_path("", true) &&
	    !value_is_url_path("/a b", true) && !value_is_url_path("/a\rb", true) && !value_is_url_path("/#", true), "no paths");
}

static void test_near(void)
{
	static const struct { const char *a, *b; unsigned d; } pairs[] = {
		{ "", "", 0 }, { "", "abc", 3 }, { "abc", "", 3 }, { "abc", "abc", 0 }, { "ABC", "abc", 0 },
		{ "blance", "balance", 1 }, { "balnace", "balance", 1 }, { "wieght", "weight", 1 }, { "kitten", "sitting", 3 },
		{ "ca", "abc", 3 }, { "ab", "ba", 1 }, { "listner", "listen", 2 },
	};
	char word[80];
	struct near n;
	unsigned i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		ok(near_distance(pairs[i].a, pairs[i].b) == pairs[i].d && near_distance(pairs[i].b, pairs[i].a) == pairs[i].d,
		    "from '%s' to '%s' it is %u", pairs[i].a, pairs[i].b, pairs[i].d);
	}
	memset(word, 'a', sizeof(word));
	word[63] = '\0';
	is_int(near_distance(word, ""), 63, "the longest words that are compared");
	word[63] = 'a';
	word[64] = '\0';
	is_int(near_distance(word, word), NEAR_MAX, "longer ones are near to nothing");

	near_start(&n, "sever");
	for (i = 0; words_pool[i].name; i++)
		near_try(&n, words_pool[i].name);
	is_str(n.best, "server", "sever is server");
	near_start(&n, "zzz");
	for (i = 0; words_pool[i].name; i++)
		near_try(&n, words_pool[i].name);
	is_str(n.best, NULL, "zzz is nothing");
	near_start(&n, "");
	near_try(&n, "a");
	near_try(&n, "");
	is_str(n.best, NULL, "nor is an empty word");
	near_start(&n, "x");
	near_try(&n, "b");
	is_str(n.best, NULL, "nothing that shares no letter");
}

static void test_name_set(void)
{
	static char name[5000][8];
	struct names set = { 0 };
	unsigned i, wrong = 0;

	for (i = 0; i < 5000; i++) {
		snprintf(name[i], sizeof(name[i]), "n%u", i);
		wrong += names_add(&set, 1, name[i], i + 1) != 0;
	}
	is_int(wrong, 0, "all of 5000 names are new");
	for (i = 0; i < 5000; i++)
		wrong += names_add(&set, 1, name[i], 9999) != (long)i + 1;
	is_int(wrong, 0, "each is known with its line");
	is_int(names_add(&set, 2, "n7", 3), 0, "another scope has names of its own");
	names_free(&set);
}

static void test_address_good(const char *text, bool bind, const char *host, const char *path, unsigned port, int family)
{
	struct address a;
	const char *bad = bind ? address_bind(&a, text) : address_server(&a, text);

	if (ok(!bad, "%s %s", bind ? "bind" : "server", text))
		ok(strcmp(a.host, host) == 0 && strcmp(a.path, path) == 0 && a.port == port &&
		    (family == AF_UNSPEC ? a.addr_size == 0 : a.addr.ss_family == family && a.addr_size > 0), "is understood");
	else
		printf("# %s\n", bad);
}

static void test_addresses(void)
{
	static const char *const bad_server[] = {
		"", "0", "65536", "99999999999999999999", "-1", "80a", "localhost", "localhost:", ":80", "a:0", "a:65536", "a:b", "a:80:",
		"::1", "::1:80", "[::1]", "[::1]80", "[]:80", "[1.2.3.4]:80", "[::g]:80", "[::1:80", "::1]:80", "1.2.3:80",
		"1.2.3.4.5:80", "256.1.1.1:80", "1.2.3.0x4:80", "12:80", "*:80", "a b:80", "a/b:80", ".a:80", "a..b:80", "-a:80",
		"unix:", "unix:a", "unix:./a", "/tmp/a", "http://a:80", "a:+80", "a: 80", "\xc3\xa4:80", NULL
	};
	static const char *const bad_bind[] = { "80", "*", "*:", "*:0", "*:65536", "example.org:80", "[*]:80", "1.2.3.4", "[::1]", NULL };
	char text[400], label[70];
	struct address a;
	unsigned i;

	test_address_good("8080", false, "localhost", "", 8080, AF_INET);
	test_address_good("localhost:1", false, "localhost", "", 1, AF_INET);
	test_address_good("10.0.0.1:65535", false, "10.0.0.1", "", 65535, AF_INET);
	test_address_good("[::1]:80", false, "::1", "", 80, AF_INET6);
	test_address_good("[::ffff:1.2.3.4]:80", false, "::ffff:1.2.3.4", "", 80, AF_INET6);
	test_address_good("app-1.example_x.org:80", false, "app-1.example_x.org", "", 80, AF_UNSPEC);
	test_address_good("app.example.org.:80", false, "app.example.org.", "", 80, AF_UNSPEC);
	test_address_good("unix:/run/a b:80", false, "", "/run/a b:80", 0, AF_UNIX);
	test_address_good("*:80", true, "*", "", 80, AF_UNSPEC);
	test_address_good("0.0.0.0:80", true, "0.0.0.0", "", 80, AF_INET);
	test_address_good("[::]:80", true, "::", "", 80, AF_INET6);
	test_address_good("unix:/run/a", true, "", "/run/a", 0, AF_UNIX);
	address_server(&a, "8080");
	ok(((struct sockaddr_in *)&a.addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
	    ((struct sockaddr_in *)&a.addr)->sin_port == htons(8080), "a port alone is 127.0.0.1");
	for (i = 0; bad_server[i]; i++)
		ok(address_server(&a, bad_server[i]) != NULL, "no server: '%s'", bad_server[i]);
	for (i = 0; bad_bind[i]; i++)
		ok(address_bind(&a, bad_bind[i]) != NULL, "no bind: '%s'", bad_bind[i]);

	snprintf(text, sizeof(text), "unix:/%0106d", 0);
	ok(address_server(&a, text) == NULL && strlen(a.path) == 107, "a path of 107 bytes");
	snprintf(text, sizeof(text), "unix:/%0107d", 0);
	ok(address_server(&a, text) != NULL, "one of 108 is too long");
	memset(label, 'a', sizeof(label));
	label[63] = '\0';
	snprintf(text, sizeof(text), "%s.%s.%s.%.61s:80", label, label, label, label);
	ok(address_server(&a, text) == NULL, "a name of 253 bytes");
	snprintf(text, sizeof(text), "%s.%s.%s.%.62s:80", label, label, label, label);
	ok(address_server(&a, text) != NULL, "one of 254 is too long");
	label[63] = 'a';
	label[64] = '\0';
	snprintf(text, sizeof(text), "%s:80", label);
	ok(address_server(&a, text) != NULL, "so is a label of 64");
}

static void test_algorithms(void)
{
	unsigned i, n = 0;

	for (i = 0; words_balance[i]; i++)
		ok(balance_find(words_balance[i]) != NULL, "balance/ has %s", words_balance[i]);
	while (balance_all[n])
		n++;
	is_int(n, i, "and nothing that cannot be said");
}

/* Tables must fit the arrays that remember what was said. */
static void test_tables(void)
{
	static const struct words_entry *const table[] = { words_top, words_pool, words_listen, words_check, words_server };
	unsigned i, n;

	for (i = 0; i < 5; i++) {
		for (n = 0; table[i][n].name; n++)
			if (words_find(table[i], table[i][n].name) != (int)n)
				ok(false, "%s stands twice", table[i][n].name);
		ok(n < WORDS_MAX, "table %u has %u words", i, n);
	}
}

/* Lexes a copy of text with room for exactly what the lexer may touch. */
static char *lexed;
static void lex_text(struct lex *l, const char *text, size_t size)
{
	free(lexed);
	lexed = malloc(size + 1);
	memcpy(lexed, text, size);
	lex_start(l, lexed, size);
}

static void test_lex_bad(const char *text, unsigned line, unsigned column)
{
	struct lex_line l;
	struct lex lex;
	int r;

	lex_text(&lex, text, strlen(text));
	while ((r = lex_next(&lex, &l)) > 0)
		;
	if (!ok(r == -1 && l.line == line && l.bad_column == column, "bad line %u, column %u", line, column))
		printf("# %d: line %u, column %u: %s\n", r, l.line, r < 0 ? l.bad_column : 0, r < 0 ? l.bad : "");
}

static void test_lex(void)
{
	static const char text[] = "\xef\xbb\xbf  pool  app { # comment\r\n"
	    "\n# nothing\n \t\n"
	    "a\t\"b c\" \"\\\"\\\\\" \"\" d#e \"{\"\n"
	    " } \n"
	    "{\n"
	    "\xc3\xa4\xc3\xb6 x\n"
	    "last";
	struct lex_line l;
	struct lex lex;

	lex_text(&lex, text, sizeof(text) - 1);
	is_int(lex_next(&lex, &l), 1, "a line");
	ok(l.line == 1 && l.nwords == 2 && l.opens && !l.closes && l.brace_column == 13, "that opens a block");
	is_str(l.word[0].text, "pool", "its first word");
	is_int(l.word[0].column, 3, "where it stands");
	is_int(lex_next(&lex, &l), 1, "a line behind empty ones");
	ok(l.line == 5 && l.nwords == 6 && !l.opens, "with its number");
	is_str(l.word[1].text, "b c", "a quoted word");
	is_str(l.word[2].text, "\"\\", "escapes");
	is_str(l.word[3].text, "", "an empty one");
	is_str(l.word[4].text, "d#e", "# inside a word is nothing special");
	is_str(l.word[5].text, "{", "a quoted brace is a word");
	ok(lex_next(&lex, &l) == 1 && l.closes && l.nwords == 0 && l.brace_column == 2, "a line that closes a block");
	ok(lex_next(&lex, &l) == 1 && l.opens && l.nwords == 0, "a brace alone");
	ok(lex_next(&lex, &l) == 1 && l.word[1].column == 4, "columns are characters");
	ok(lex_next(&lex, &l) == 1 && l.nwords == 1 && l.end_column == 5, "the last line needs no end");
	is_int(lex_next(&lex, &l), 0, "the end");
	is_int(lex_next(&lex, &l), 0, "stays the end");

	test_lex_bad("a \"b", 1, 3);
	test_lex_bad("ok\n \"b\\\"\nb\"", 2, 2);
	test_lex_bad("a \"b\\n\"", 1, 5);
	test_lex_bad("a \"b\\", 1, 5);
	test_lex_bad("a \"b\"c", 1, 6);
	test_lex_bad("a b\"c\"", 1, 4);
	test_lex_bad("a\x01", 1, 2);
	test_lex_bad("a \"\x7f\"", 1, 4);
	test_lex_bad("a\rb", 1, 2);
	test_lex_bad("a { b", 1, 5);
	test_lex_bad("a { {", 1, 5);
	test_lex_bad("} a", 1, 3);
	test_lex_bad("a }", 1, 3);
	test_lex_bad("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3", 1, 65);
	lex_text(&lex, "a\0b", 3);
	ok(lex_next(&lex, &l) == -1 && l.bad_column == 2, "NUL is a control character");
	lex_text(&lex, "", 0);
	is_int(lex_next(&lex, &l), 0, "an empty buffer");
	free(lexed);
}

int main(void)
{
	test_numbers();
	test_times_and_sizes();
	test_names_and_paths();
	test_near();
	test_name_set();
	test_addresses();
	test_algorithms();
	test_tables();
	test_lex();
	return done_testing();
}
