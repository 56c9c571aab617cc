/* Addresses of servers and listeners, as people write them. */
#ifndef CONF_ADDRESS_H
#define CONF_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_HOST_MAX 254	/* RFC 1035 2.3.4: 253 bytes as text, and NUL */
#define ADDRESS_PATH_MAX 108	/* sun_path */

struct address {
	char host[ADDRESS_HOST_MAX];	/* without brackets; "" for a unix socket, "localhost" for a port alone */
	char path[ADDRESS_PATH_MAX];	/* of a unix socket; "" otherwise */
	uint16_t port;
	bool any;			/* "*": all addresses of both families; addr is not set */
	struct sockaddr_storage addr;
	socklen_t addr_size;		/* 0: a name that must be resolved, or `any` */
};

#define ADDRESS_SERVER_FORMS "PORT, HOST:PORT, [IPV6]:PORT or unix:/PATH"
#define ADDRESS_BIND_FORMS "IPV4:PORT, [IPV6]:PORT, *:PORT or unix:/PATH"

/* NULL, or what is wrong with it. */
const char *address_server(struct address *a, const char *text);
const char *address_bind(struct address *a, const char *text);

/* "PORT" from 1 to 65535: 0, or -1. */
int address_port(const char *text, uint16_t *port);
/* A host's name: letters, digits, "-", "_" in labels of at most 63 bytes. */
bool address_is_host(const char *text);

#endif
