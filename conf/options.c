/*
 * The command line: flags, and the seed's positionals. Flags may stand anywhere between these, so it is
 * walked here and not by getopt(3), whose permuting differs between libraries.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/address.h"
#include "conf/conf.h"
#include "conf/default.h"
#include "conf/diag.h"
#include "conf/names.h"
#include "conf/value.h"
#include "conf/words.h"
#include "os/sock.h"

#define OPTIONS_REQUESTS 5	/* -R when it is not given */
#define OPTIONS_WORKERS 4	/* -N when it is not given, without a file */

#define OPTIONS_FLAGS "one of -N -R -m -c -t -T -D -p -v -V -h"
#define OPTIONS_USAGE \
	"usage: loadbalancer [-N workers] [-R requests] [-m http|tcp] [-DtT] [-p file] port server...\n" \
	"       loadbalancer -c file [-N workers] [-DtT] [-p file]\n" \
	"       loadbalancer -h | -v | -V\n"

void conf_usage(FILE *out)
{
	fputs(OPTIONS_USAGE
	      "\n"
	      "  port         where to listen, on all addresses, 1 to 65535\n"
	      "  server       where requests go: port (of this machine), host:port, [ipv6]:port or unix:/path\n"
	      "  -N workers   worker processes, 1 to 64 (4; with -c: what the file says)\n"
	      "  -R requests  check the servers' health also after so many requests (5)\n"
	      "  -m mode      http (requests are balanced) or tcp (connections are)\n"
	      "  -c file      read the configuration from a file, see loadbalancer.conf(5)\n"
	      "  -t           test the configuration and exit\n"
	      "  -T           test it, print it with every default filled in, and exit\n"
	      "  -D           become a daemon; returns when the service is ready\n"
	      "  -p file      write the process id to a file\n"
	      "  -v, -V       print the version; with how it was built\n"
	      "  -h           print this\n"
	      "Flags may stand anywhere; -- ends them.\n", out);
}

static int options_bad(FILE *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int options_bad(FILE *err, const char *fmt, ...)
{
	va_list ap;

	fputs("loadbalancer: ", err);
	va_start(ap, fmt);
	vfprintf(err, fmt, ap);
	va_end(ap);
	fputs("\n" OPTIONS_USAGE, err);
	return -1;
}

/* A number from 1 to max. */
static int options_number(char flag, const char *text, uint64_t max, uint64_t *v, FILE *err)
{
	char word[DIAG_QUOTE_MAX];

	if (value_number(text, v) == 0 && *v >= 1 && *v <= max)
		return 0;
	return options_bad(err, "bad value %s for -%c; expected a number from 1 to %llu", diag_quote(word, text), flag,
	    (unsigned long long)max);
}

/* The pid file's path, absolute: it is printed by -T, and removed from wherever the daemon stands at its end. */
static int options_pid_file(struct conf_options *o, const char *text, FILE *err)
{
	char *here, *path;

	if (text[0] == '\0')
		return options_bad(err, "empty value for -p; expected a file");
	here = text[0] == '/' ? strdup("") : getcwd(NULL, 0);
	if (!here || asprintf(&path, text[0] == '/' ? "%s%s" : "%s/%s", here, text) < 0) {
		free(here);
		return options_bad(err, "cannot tell where %s is: %s", text, strerror(errno));
	}
	free(here);
	free(o->pid_file);
	o->pid_file = path;
	return 0;
}

/* A flag that takes a value. */
static int options_value(struct conf_options *o, char flag, const char *text, FILE *err)
{
	char word[DIAG_QUOTE_MAX];
	uint64_t v;
	int mode;

	switch (flag) {
	case 'N':
		if (options_number(flag, text, CONF_WORKERS_MAX, &v, err) < 0)
			return -1;
		o->workers = (unsigned)v;
		o->workers_set = true;
		return 0;
	case 'R':
		if (options_number(flag, text, INT64_MAX, &o->requests, err) < 0)
			return -1;
		o->requests_set = true;
		return 0;
	case 'm':
		mode = words_choice(words_modes, text);
		if (mode < 0)
			return options_bad(err, "bad value %s for -m; expected http or tcp", diag_quote(word, text));
		o->mode = (enum conf_mode)mode;
		o->mode_set = true;
		return 0;
	case 'c':
		if (text[0] == '\0')
			return options_bad(err, "empty value for -c; expected a file");
		o->conf_file = text;
		return 0;
	default:
		return options_pid_file(o, text, err);
	}
}

/* One argument that begins with "-": several flags may share it. *i moves on when a value is the next argument. */
static int options_flags(struct conf_options *o, int argc, char **argv, int *i, FILE *err)
{
	const char *at = argv[*i] + 1;
	char word[DIAG_QUOTE_MAX];

	if (strcmp(at, "-help") == 0)
		at = "h";
	else if (strcmp(at, "-version") == 0)
		at = "v";
	else if (*at == '-')
		return options_bad(err, "unknown flag %s; expected %s", diag_quote(word, argv[*i]), OPTIONS_FLAGS);
	for (; *at; at++) {
		switch (*at) {
		case 't': o->test = true; break;
		case 'T': o->print = true; break;
		case 'D': o->daemon = true; break;
		case 'v': o->version = true; break;
		case 'V': o->build = true; break;
		case 'h': o->help = true; break;
		case 'N': case 'R': case 'm': case 'c': case 'p':
			if (at[1] != '\0')
				return options_value(o, *at, at + 1, err);
			if (*i + 1 >= argc)
				return options_bad(err, "-%c has no value; expected one behind it", *at);
			++*i;
			return options_value(o, *at, argv[*i], err);
		default:
			return options_bad(err, "unknown flag %s; expected %s",
			    diag_quote(word, (const char[]){ '-', *at, '\0' }), OPTIONS_FLAGS);
		}
	}
	return 0;
}

static int options_positional(struct conf_options *o, const char *text, FILE *err)
{
	char word[DIAG_QUOTE_MAX];
	struct address a;
	const char *bad;

	if (o->port == 0) {
		if (address_port(text, &o->port) == 0)
			return 0;
		return options_bad(err, "bad port %s; expected a number from 1 to 65535", diag_quote(word, text));
	}
	bad = address_server(&a, text);
	if (bad)
		return options_bad(err, "bad server %s: %s; expected %s", diag_quote(word, text), bad, ADDRESS_SERVER_FORMS);
	if (o->nservers == CONF_SERVERS_MAX)
		return options_bad(err, "too many servers; expected at most %u", CONF_SERVERS_MAX);
	o->server[o->nservers++] = text;
	return 0;
}

/* What must be true of the flags together. */
static int options_check(const struct conf_options *o, FILE *err)
{
	if (o->conf_file) {
		if (o->port)
			return options_bad(err, "-c and a port; expected the one or the other");
		if (o->requests_set)
			return options_bad(err, "-c and -R; expected check ... or NUMBER requests in the file");
		if (o->mode_set)
			return options_bad(err, "-c and -m; expected mode in the file");
		return 0;
	}
	if (o->port == 0)
		return options_bad(err, "no port; expected a port and at least one server, or -c file");
	if (o->nservers == 0)
		return options_bad(err, "no server; expected at least one behind the port");
	return 0;
}

int conf_options(struct conf_options *o, int argc, char **argv, FILE *err)
{
	bool flags = true;
	int i;

	memset(o, 0, sizeof(*o));
	o->workers = OPTIONS_WORKERS;
	o->requests = OPTIONS_REQUESTS;
	o->server = calloc(argc > 0 ? (size_t)argc : 1, sizeof(*o->server));
	if (!o->server)
		return options_bad(err, "not enough memory");
	for (i = 1; i < argc; i++) {
		if (flags && strcmp(argv[i], "--") == 0) {
			flags = false;
		} else if (flags && argv[i][0] == '-' && argv[i][1] != '\0') {
			if (options_flags(o, argc, argv, &i, err) < 0)
				goto fail;
		} else if (options_positional(o, argv[i], err) < 0) {
			goto fail;
		}
	}
	if (!o->help && !o->version && !o->build && options_check(o, err) < 0)
		goto fail;
	return 0;
fail:
	conf_options_free(o);
	return -1;
}

void conf_options_free(struct conf_options *o)
{
	free(o->server);
	free(o->pid_file);
	o->server = NULL;
	o->pid_file = NULL;
	o->nservers = 0;
}

/*
 * A name for the table out of what was written, "8080" or "unix:/run/app.sock": of a long one the end,
 * which differs more than the beginning; "#2" and so on for the same server again. -1: no memory.
 */
static int options_name(struct names *names, struct conf_server *s, const char *text)
{
	const size_t most = 63, suffix = 6;	/* "#16384" */
	size_t size = strlen(text), i;
	char *name = malloc(most + 1);
	unsigned again = 1;
	long taken;

	if (!name)
		return -1;
	s->name = name;
	if (size > most - suffix)
		text += size - (most - suffix);
	strcpy(name, text);
	size = strlen(name);
	for (i = 0; i < size; i++) {
		char one[2] = { name[i], '\0' };
		if (!value_is_server_name(one) || name[i] == '#')
			name[i] = '_';
	}
	while ((taken = names_add(names, 0, name, 1)) > 0)
		snprintf(name + size, suffix + 1, "#%u", ++again);
	return taken < 0 ? -1 : 0;
}

static int options_server(struct conf_pool *pool, const char *text, struct names *names, FILE *err)
{
	struct conf_server *s = &pool->server[pool->nservers++];
	char word[DIAG_QUOTE_MAX];
	struct address a;
	const char *bad = address_server(&a, text);

	if (bad) {
		fprintf(err, "loadbalancer: bad server %s: %s\n", diag_quote(word, text), bad);
		return -1;
	}
	default_server(s);
	s->port = a.port;
	s->addr = a.addr;
	s->addr_size = a.addr_size;
	if (a.path[0] != '\0')
		s->path = strdup(a.path);
	else
		s->host = strdup(a.host);
	if ((!s->path && !s->host) || options_name(names, s, text) < 0) {
		fprintf(err, "loadbalancer: not enough memory\n");
		return -1;
	}
	return 0;
}

/* All addresses: IPv4 must work, IPv6 is left out where the kernel has none. */
static int options_bind(struct conf_bind *b, const char *host, uint16_t port)
{
	char text[SOCK_TEXT_MAX];

	b->fd = -1;
	if (sock_numeric(host, port, &b->addr, &b->addr_size) < 0)
		return -1;
	b->text = strdup(sock_text((const struct sockaddr *)&b->addr, b->addr_size, text, sizeof(text)));
	return b->text ? 0 : -1;
}

struct conf *conf_command_line(const struct conf_options *o, FILE *err)
{
	struct names names = { 0 };
	struct conf *c = calloc(1, sizeof(*c));
	struct conf_listener *l;
	struct conf_pool *pool;
	unsigned i;

	if (!c || default_conf(c) < 0)
		goto no_memory;
	c->seed = true;
	c->heir = false;	/* whoever starts it by hand and kills it by hand wants it gone */
	c->workers = o->workers_set ? o->workers : OPTIONS_WORKERS;
	c->max_servers = o->nservers > DEFAULT_MAX_SERVERS ? o->nservers : DEFAULT_MAX_SERVERS;
	if (o->pid_file && !(c->pid_file = strdup(o->pid_file)))
		goto no_memory;

	c->pool = calloc(1, sizeof(*c->pool));
	c->listener = calloc(1, sizeof(*c->listener));
	if (!c->pool || !c->listener)
		goto no_memory;
	c->npools = c->nlisteners = 1;

	pool = c->pool;
	default_pool(pool);
	pool->balance = words_balance[WORDS_LEAST_REQUESTS];
	pool->check.kind = CONF_CHECK_SEED;
	pool->check.requests = o->requests_set ? o->requests : OPTIONS_REQUESTS;
	pool->connect_timeout_ns = 5 * CONF_SECOND;
	pool->answer_timeout_ns = 5 * CONF_SECOND;
	pool->retry_budget = UINT32_MAX;
	pool->name = strdup("default");
	pool->check.path = strdup("/healthcheck");
	pool->server = calloc(o->nservers, sizeof(*pool->server));
	if (!pool->name || !pool->check.path || !pool->server)
		goto no_memory;
	for (i = 0; i < o->nservers; i++)
		if (options_server(pool, o->server[i], &names, err) < 0)
			goto fail;

	l = c->listener;
	if (default_listener(l) < 0)
		goto no_memory;
	l->mode = o->mode;
	l->pool = 0;
	l->http.forwarded_for = CONF_FORWARDED_OFF;
	l->http.trace = true;
	free(l->http.via);
	l->http.via = NULL;
	l->http.max_request_line = l->max_head;
	l->name = strdup("default");
	l->bind = calloc(2, sizeof(*l->bind));
	if (!l->name || !l->bind)
		goto no_memory;
	l->nbinds = 2;
	if (options_bind(&l->bind[0], "0.0.0.0", o->port) < 0 ||
	    options_bind(&l->bind[1], "::", o->port) < 0)
		goto no_memory;
	l->bind[1].optional = true;
	names_free(&names);
	return c;
no_memory:
	fprintf(err, "loadbalancer: not enough memory\n");
fail:
	names_free(&names);
	conf_free(c);
	return NULL;
}
