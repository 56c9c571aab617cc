/* /etc/resolv.conf and /etc/hosts. Runs in the children of the health process that look names up. */
#include "health/system.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "os/sock.h"

#define DNS_PORT	53
#define SECOND_NS	UINT64_C(1000000000)
#define SYSTEM_LINE_MAX	1024	/* bytes; what is longer is cut */
#define TIMEOUT_MAX_S	5
#define ATTEMPTS_MAX	5
#define NDOTS_MAX	15

/* The next line, without comments, into line; false: no more. */
static bool next_line(const char **at, char line[static SYSTEM_LINE_MAX])
{
	size_t n = strcspn(*at, "\n"), keep = n < SYSTEM_LINE_MAX ? n : SYSTEM_LINE_MAX - 1;

	if (**at == '\0')
		return false;
	memcpy(line, *at, keep);
	line[keep] = '\0';
	line[strcspn(line, "#;")] = '\0';
	*at += n + ((*at)[n] == '\n');
	return true;
}

static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t\r");
	size_t n = strcspn(word, " \t\r");

	if (n == 0)
		return NULL;
	*rest = word + n + (word[n] != '\0');
	word[n] = '\0';
	return word;
}

static bool numeric(char *text, unsigned port, struct sockaddr_storage *ss, socklen_t *size)
{
	char *scope = strchr(text, '%');
	struct sockaddr_in6 *in6 = (void *)ss;

	if (scope)
		*scope++ = '\0';
	if (sock_numeric(text, port, ss, size) < 0)
		return false;
	if (scope && ss->ss_family == AF_INET6)
		in6->sin6_scope_id = if_nametoindex(scope);
	return true;
}

static void add_server(struct query_way *w, char *text)
{
	struct query_server *s = &w->server[w->nservers];

	if (text && w->nservers < QUERY_SERVERS_MAX && numeric(text, DNS_PORT, &s->addr, &s->addr_size))
		w->nservers++;
}

static unsigned bounded(const char *text, unsigned max)
{
	unsigned long v = strtoul(text, NULL, 10);

	return v > max ? max : (unsigned)v;
}

static void set_option(struct system_resolv *r, const char *o)
{
	if (strncmp(o, "ndots:", 6) == 0)
		r->ndots = bounded(o + 6, NDOTS_MAX);
	else if (strncmp(o, "timeout:", 8) == 0 && bounded(o + 8, TIMEOUT_MAX_S))
		r->way.timeout_ns = bounded(o + 8, TIMEOUT_MAX_S) * SECOND_NS;
	else if (strncmp(o, "attempts:", 9) == 0 && bounded(o + 9, ATTEMPTS_MAX))
		r->way.attempts = bounded(o + 9, ATTEMPTS_MAX);
	else if (strcmp(o, "use-vc") == 0)
		r->way.tcp = true;
}

void system_resolv(struct system_resolv *r, const char *text)
{
	char line[SYSTEM_LINE_MAX], *rest, *word;

	memset(r, 0, sizeof *r);
	r->ndots = 1;
	r->way.timeout_ns = SECOND_NS;
	r->way.attempts = 2;
	while (next_line(&text, line)) {
		rest = line;
		word = next_word(&rest);
		if (!word)
			continue;
		if (strcmp(word, "nameserver") == 0) {
			add_server(&r->way, next_word(&rest));
		} else if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0) {
			for (r->nsearch = 0; (word = next_word(&rest)) != NULL;)	/* the last line counts */
				if (r->nsearch < SYSTEM_SEARCH_MAX && strlen(word) < DNS_NAME_MAX)
					strcpy(r->search[r->nsearch++], word);
		} else if (strcmp(word, "options") == 0) {
			while ((word = next_word(&rest)) != NULL)
				set_option(r, word);
		}
	}
	if (r->way.nservers == 0) {
		char local[] = "127.0.0.1";

		add_server(&r->way, local);
	}
}

unsigned system_hosts(const char *text, const char *name, system_host *found, void *arg)
{
	char line[SYSTEM_LINE_MAX], *rest, *word;
	struct sockaddr_storage ss;
	socklen_t size;
	unsigned n = 0;

	while (next_line(&text, line)) {
		rest = line;
		word = next_word(&rest);
		if (!word || !numeric(word, 0, &ss, &size))
			continue;
		while ((word = next_word(&rest)) != NULL) {
			if (!dns_same(word, name))
				continue;
			found(arg, &ss);
			n++;
			break;
		}
	}
	return n;
}
