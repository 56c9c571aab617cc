/* conf/: the command line: flags anywhere, every bad argument, the configuration that it stands for. */
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"
#include "tests/unit/tap.h"

#define ARGS_MAX 32

static char *messages;
static size_t messages_size;

/* Splits line at blanks ("''" is an empty argument) into argv[0..], after the program's name. */
static int split(char *line, char *argv[ARGS_MAX])
{
	int argc = 0;
	char *at;

	argv[argc++] = (char *)"loadbalancer";
	for (at = strtok(line, " "); at; at = strtok(NULL, " "))
		argv[argc++] = strcmp(at, "''") == 0 ? at + 2 : at;
	argv[argc] = NULL;
	return argc;
}

static int options(struct conf_options *o, const char *line)
{
	static char copy[1024];
	static char *argv[ARGS_MAX + 1];
	FILE *err;
	int r;

	snprintf(copy, sizeof(copy), "%s", line);
	free(messages);
	messages = NULL;
	err = open_memstream(&messages, &messages_size);
	r = conf_options(o, split(copy, argv), argv, err);
	fclose(err);
	return r;
}

static void test_good(const char *line, unsigned workers, uint64_t requests, unsigned port, const char *servers)
{
	struct conf_options o;
	char got[256] = "";
	unsigned i;

	if (!ok(options(&o, line) == 0 && messages_size == 0, "good: %s", line)) {
		tap_show("said:", messages);
		return;
	}
	for (i = 0; i < o.nservers; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "", o.server[i]);
	ok(o.workers == workers && o.requests == requests && o.port == port, "its figures");
	is_str(got, servers, "its servers");
	conf_options_free(&o);
}

static const struct { const char *line, *want; } bads[] = {
	{ "", "no port; expected a port and at least one server, or -c file" },
	{ "8080", "no server; expected at least one behind the port" },
	{ "-N 4 8080 -R 3", "no server; expected at least one behind the port" },
	{ "-N 4", "no port; expected a port and at least one server, or -c file" },
	{ "-N", "-N has no value; expected one behind it" },
	{ "8080 8081 -N", "-N has no value; expected one behind it" },
	{ "8080 8081 -R", "-R has no value; expected one behind it" },
	{ "8080 8081 -c", "-c has no value; expected one behind it" },
	{ "8080 8081 -p", "-p has no value; expected one behind it" },
	{ "8080 8081 -m", "-m has no value; expected one behind it" },
	{ "8080 8081 -N four", "bad value \"four\" for -N; expected a number from 1 to 64" },
	{ "8080 8081 -N 0", "bad value \"0\" for -N; expected a number from 1 to 64" },
	{ "8080 8081 -N -1", "bad value \"-1\" for -N; expected a number from 1 to 64" },
	{ "8080 8081 -N 65", "bad value \"65\" for -N; expected a number from 1 to 64" },
	{ "8080 8081 -N4x", "bad value \"4x\" for -N; expected a number from 1 to 64" },
	{ "8080 8081 -N 99999999999999999999", "bad value \"99999999999999999999\" for -N; expected a number from 1 to 64" },
	{ "8080 8081 -N ''", "bad value \"\" for -N; expected a number from 1 to 64" },
	{ "8080 8081 -N -R 3", "bad value \"-R\" for -N; expected a number from 1 to 64" },
	{ "8080 8081 -R 0", "bad value \"0\" for -R; expected a number from 1 to 9223372036854775807" },
	{ "8080 8081 -R -5", "bad value \"-5\" for -R; expected a number from 1 to 9223372036854775807" },
	{ "8080 8081 -R 1.5", "bad value \"1.5\" for -R; expected a number from 1 to 9223372036854775807" },
	{ "8080 8081 -R 9223372036854775808",
	    "bad value \"9223372036854775808\" for -R; expected a number from 1 to 9223372036854775807" },
	{ "8080 8081 -m udp", "bad value \"udp\" for -m; expected http or tcp" },
	{ "8080 8081 -q", "unknown flag \"-q\"; expected one of -N -R -m -c -t -T -D -p -v -V -h" },
	{ "8080 8081 -tq", "unknown flag \"-q\"; expected one of -N -R -m -c -t -T -D -p -v -V -h" },
	{ "8080 8081 --quick", "unknown flag \"--quick\"; expected one of -N -R -m -c -t -T -D -p -v -V -h" },
	{ "8080 -8081", "unknown flag \"-8\"; expected one of -N -R -m -c -t -T -D -p -v -V -h" },
	{ "0 8081", "bad port \"0\"; expected a number from 1 to 65535" },
	{ "65536 8081", "bad port \"65536\"; expected a number from 1 to 65535" },
	{ "port 8081", "bad port \"port\"; expected a number from 1 to 65535" },
	{ "'' 8081", "bad port \"\"; expected a number from 1 to 65535" },
	{ "- 8081", "bad port \"-\"; expected a number from 1 to 65535" },
	{ "localhost:80 8081", "bad port \"localhost:80\"; expected a number from 1 to 65535" },
	{ "8080 65536", "bad server \"65536\": the port is not a number from 1 to 65535; expected PORT, HOST:PORT, [IPV6]:PORT or "
	    "unix:/PATH" },
	{ "8080 0", "bad server \"0\": the port is not a number from 1 to 65535; expected PORT, HOST:PORT, [IPV6]:PORT or unix:/PATH" },
	{ "8080 8081 ''", "bad server \"\": the port is missing; expected PORT, HOST:PORT, [IPV6]:PORT or unix:/PATH" },
	{ "8080 8081 host", "bad server \"host\": the port is missing; expected PORT, HOST:PORT, [IPV6]:PORT or unix:/PATH" },
	{ "8080 -- -5", "bad server \"-5\": the port is missing; expected PORT, HOST:PORT, [IPV6]:PORT or unix:/PATH" },
	{ "-c f 8080", "-c and a port; expected the one or the other" },
	{ "8080 8081 -c f", "-c and a port; expected the one or the other" },
	{ "-c f -R 3", "-c and -R; expected check ... or NUMBER requests in the file" },
	{ "-c f -m tcp", "-c and -m; expected mode in the file" },
	{ "-c ''", "empty value for -c; expected a file" },
	{ "8080 8081 -p ''", "empty value for -p; expected a file" },
};

static void test_bad(void)
{
	struct conf_options o;
	char line[400];
	unsigned i;

	for (i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		char *end;

		ok(options(&o, bads[i].line) == -1, "bad: %s", bads[i].line);
		snprintf(line, sizeof(line), "loadbalancer: %s", bads[i].want);
		end = strchr(messages, '\n');
		if (end)
			*end = '\0';
		is_str(messages, line, "one line says why");
		ok(end && strncmp(end + 1, "usage: loadbalancer ", 20) == 0, "usage behind it");
	}
}

static void test_flags(void)
{
	struct conf_options o;
	char want[4200], here[4096];

	ok(options(&o, "-h") == 0 && o.help, "-h alone");
	conf_options_free(&o);
	ok(options(&o, "--help") == 0 && o.help, "--help");
	conf_options_free(&o);
	ok(options(&o, "--version") == 0 && o.version, "--version");
	conf_options_free(&o);
	ok(options(&o, "-v") == 0 && o.version && !o.build, "-v alone");
	conf_options_free(&o);
	ok(options(&o, "-V") == 0 && o.build, "-V alone");
	conf_options_free(&o);
	ok(options(&o, "-tTD 80 81 -mtcp") == 0 && o.test && o.print && o.daemon && o.mode == CONF_MODE_TCP && o.mode_set,
	    "flags that share an argument");
	conf_options_free(&o);
	ok(options(&o, "-Dc file -N 9 -p/run/x.pid") == 0 && o.daemon && strcmp(o.conf_file, "file") == 0 && o.workers_set &&
	    o.workers == 9 && strcmp(o.pid_file, "/run/x.pid") == 0, "the last of them with a value");
	conf_options_free(&o);
	ok(options(&o, "80 81 -p one -p x.pid") == 0, "the last -p counts");
	snprintf(want, sizeof(want), "%s/x.pid", getcwd(here, sizeof(here)));
	is_str(o.pid_file, want, "and is made absolute");
	conf_options_free(&o);
}

static void test_command_line(void)
{
	const struct conf_server *s;
	struct conf_options o;
	struct conf *c;

	options(&o, "1234 8080 8081 8080 [::1]:80 8080 unix:/run/a#b.sock -R 7 -p /x");
	c = conf_load(&o, stdout);
	conf_options_free(&o);
	if (!c) {
		ok(false, "the seed's command line is taken");
		return;
	}
	ok(c->seed && !c->file && c->workers == 4 && c->npools == 1 && c->nlisteners == 1 && c->max_servers == 1024 &&
	    strcmp(c->pid_file, "/x") == 0, "the seed's command line");
	ok(strcmp(c->pool->balance, "least-requests") == 0 && c->pool->check.kind == CONF_CHECK_SEED &&
	    strcmp(c->pool->check.path, "/healthcheck") == 0 && c->pool->check.requests == 7 &&
	    c->pool->check.interval_ns == 5 * CONF_SECOND && c->pool->check.timeout_ns == 2 * CONF_SECOND &&
	    c->pool->connect_timeout_ns == 5 * CONF_SECOND && c->pool->answer_timeout_ns == 5 * CONF_SECOND, "its pool");
	s = c->pool->server;
	ok(c->pool->nservers == 6 && strcmp(s[0].name, "8080") == 0 && strcmp(s[1].name, "8081") == 0 &&
	    strcmp(s[2].name, "8080#2") == 0 && strcmp(s[3].name, "[::1]:80") == 0 && strcmp(s[4].name, "8080#3") == 0 &&
	    strcmp(s[5].name, "unix:/run/a_b.sock") == 0, "names of its servers");
	ok(s[2].port == 8080 && s[2].addr_size > 0 && s[2].weight == 1 && strcmp(s[5].path, "/run/a#b.sock") == 0, "addresses");
	ok(c->listener->nbinds == 2 && !c->listener->bind[0].optional && c->listener->bind[1].optional &&
	    strcmp(c->listener->bind[0].text, "0.0.0.0:1234") == 0 && strcmp(c->listener->bind[1].text, "[::]:1234") == 0 &&
	    c->listener->bind[0].fd == -1 && c->listener->http.forwarded_for == CONF_FORWARDED_OFF && c->listener->http.trace && !c->listener->http.via && c->listener->mode == CONF_MODE_HTTP, "its listener");
	conf_free(c);
}

/* Names stay unique, valid and short enough whatever the servers are called. */
static void test_long_names(void)
{
	char *argv[8] = { (char *)"loadbalancer", (char *)"80" }, a[130], b[130];
	struct conf_options o;
	struct conf *c;

	snprintf(a, sizeof(a), "unix:/%0100d/a b", 0);
	snprintf(b, sizeof(b), "unix:/%0101d/a b", 0);
	argv[2] = argv[3] = a;
	argv[4] = b;
	ok(conf_options(&o, 5, argv, stdout) == 0, "long paths");
	c = conf_load(&o, stdout);
	conf_options_free(&o);
	ok(c != NULL, "are taken");
	if (!c)
		return;
	is_str(c->pool->server[0].name, "00000000000000000000000000000000000000000000000000000/a_b", "the end of it is the name");
	is_str(c->pool->server[1].name, "00000000000000000000000000000000000000000000000000000/a_b#2", "of the same again too");
	is_str(c->pool->server[2].name, "00000000000000000000000000000000000000000000000000000/a_b#3", "and of one that ends alike");
	conf_free(c);
}

static void test_override(void)
{
	char name[] = "/tmp/t1-options.XXXXXX", line[100];
	static const char text[] = "workers 3\npid /a\npool p {\nserver a 80\n}\nlisten l {\nbind *:81\nto p\n}\n";
	int fd = mkstemp(name);
	struct conf_options o;
	struct conf *c;

	ok(fd >= 0 && write(fd, text, sizeof(text) - 1) > 0, "a file");
	close(fd);
	snprintf(line, sizeof(line), "-c %s", name);
	options(&o, line);
	c = conf_load(&o, stdout);
	ok(c && c->workers == 3 && strcmp(c->pid_file, "/a") == 0 && !c->seed, "what it says counts");
	conf_free(c);
	conf_options_free(&o);
	snprintf(line, sizeof(line), "-c %s -N 5 -p /b", name);
	options(&o, line);
	c = conf_load(&o, stdout);
	ok(c && c->workers == 5 && strcmp(c->pid_file, "/b") == 0, "but for -N and -p");
	conf_free(c);
	conf_options_free(&o);
	unlink(name);
}

int main(void)
{
	test_good("8080 8081", 4, 5, 8080, "8081");
	test_good("-N 7 1234 8080 -R 3 8081", 7, 3, 1234, "8080 8081");
	test_good("1234 1235 -R 2 1236 -N 11", 11, 2, 1234, "1235 1236");
	test_good("-N7 -R3 1234 8080", 7, 3, 1234, "8080");
	test_good("1234 -N 64 8080 -R 9223372036854775807", 64, INT64_MAX, 1234, "8080");
	test_good("-N 7 -N 8 1234 8080", 8, 5, 1234, "8080");
	test_good("-N 7 -- 1234 8080", 7, 5, 1234, "8080");
	test_good("1234 -- 8080", 4, 5, 1234, "8080");
	test_good("65535 1 1 1", 4, 5, 65535, "1 1 1");
	test_good("1 localhost:2 [::1]:3 unix:/x 10.0.0.1:4 example.org:5", 4, 5, 1,
	    "localhost:2 [::1]:3 unix:/x 10.0.0.1:4 example.org:5");
	test_bad();
	test_flags();
	test_command_line();
	test_long_names();
	test_override();
	free(messages);
	return done_testing();
}
