/* Addresses of servers and listeners. Nothing is looked up here: a name is left to the health process. */
#include "conf/address.h"

#include <string.h>

#include "conf/value.h"
#include "os/sock.h"

static const char address_bad_port[] = "the port is not a number from 1 to 65535";

int address_port(const char *text, uint16_t *port)
{
	uint64_t n;

	if (value_number(text, &n) < 0 || n < 1 || n > 65535)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

bool address_is_host(const char *text)
{
	size_t label = 0, size = strlen(text);

	if (size == 0 || size >= ADDRESS_HOST_MAX || text[0] == '-')
		return false;
	for (; *text; text++) {
		char c = *text;
		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
		if (++label > 63)
			return false;
	}
	return true;
}

/* "10.0.0" and "300.1.1.1" are mistyped numbers, not names: resolvers make surprising addresses of them. */
static bool address_looks_numeric(const char *host)
{
	size_t size = strlen(host);
	const char *last;

	if (size > 0 && host[size - 1] == '.')
		return false;
	last = strrchr(host, '.');
	last = last ? last + 1 : host;
	return strspn(last, "0123456789") == strlen(last) || strncmp(last, "0x", 2) == 0;
}

static const char *address_unix(struct address *a, const char *path)
{
	if (path[0] != '/')
		return "the path of a unix socket does not begin with \"/\"";
	if (strlen(path) >= sizeof(a->path) || sock_unix(path, &a->addr, &a->addr_size) < 0)
		return "the path of a unix socket is longer than 107 bytes";
	strcpy(a->path, path);
	return NULL;
}

/* text is a host and a port around the colon. */
static const char *address_host_port(struct address *a, const char *text, const char *colon)
{
	const char *host = text, *end = colon;
	bool brackets = text[0] == '[';

	if (brackets) {
		if (colon == text || colon[-1] != ']')
			return "\"]:\" is missing";
		host++;
		end--;
	}
	if ((size_t)(end - host) >= sizeof(a->host))
		return "the host is too long";
	if (end == host)
		return "the host is missing";
	memcpy(a->host, host, (size_t)(end - host));
	a->host[end - host] = '\0';
	if (!brackets && strchr(a->host, ':'))
		return "an IPv6 address stands in brackets";
	if (address_port(colon + 1, &a->port) < 0)
		return address_bad_port;
	if (brackets) {
		if (!strchr(a->host, ':') || sock_numeric(a->host, a->port, &a->addr, &a->addr_size) < 0)
			return "not an IPv6 address";
		return NULL;
	}
	if (strcmp(a->host, "localhost") == 0)
		return sock_numeric("127.0.0.1", a->port, &a->addr, &a->addr_size) < 0 ? "no IPv4" : NULL;
	if (strcmp(a->host, "*") == 0) {
		a->any = true;
		return NULL;
	}
	if (sock_numeric(a->host, a->port, &a->addr, &a->addr_size) == 0)
		return NULL;
	a->addr_size = 0;
	if (address_looks_numeric(a->host))
		return "not an IPv4 address";
	if (!address_is_host(a->host))
		return "not a host name";
	return NULL;
}

static const char *address_parse(struct address *a, const char *text)
{
	const char *colon;

	memset(a, 0, sizeof(*a));
	if (strncmp(text, "unix:", 5) == 0)
		return address_unix(a, text + 5);
	if (text[0] == '/')
		return "a unix socket begins with \"unix:\"";
	colon = strrchr(text, ':');
	if (!colon || strchr(colon, ']'))
		return "the port is missing";
	return address_host_port(a, text, colon);
}

const char *address_server(struct address *a, const char *text)
{
	const char *bad;

	/* A port alone means this machine. */
	if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
		memset(a, 0, sizeof(*a));
		if (address_port(text, &a->port) < 0)
			return address_bad_port;
		strcpy(a->host, "localhost");
		return sock_numeric("127.0.0.1", a->port, &a->addr, &a->addr_size) < 0 ? "no IPv4" : NULL;
	}
	bad = address_parse(a, text);
	if (!bad && a->any)
		return "\"*\" is not one server";
	return bad;
}

const char *address_bind(struct address *a, const char *text)
{
	const char *bad = address_parse(a, text);

	if (!bad && !a->any && a->addr_size == 0)
		return "names are not looked up here";
	return bad;
}
