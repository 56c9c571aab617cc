/*
 * What this machine says of names: /etc/resolv.conf and /etc/hosts. Pure readers of text; who calls them has the
 * file in memory.
 */
#ifndef HEALTH_SYSTEM_H
#define HEALTH_SYSTEM_H

#include "health/query.h"

#define SYSTEM_SEARCH_MAX 8	/* domains */

/* resolv.conf(5). */
struct system_resolv {
	struct query_way way;
	unsigned ndots;
	unsigned nsearch;
	char search[SYSTEM_SEARCH_MAX][DNS_NAME_MAX];
};

/* Fills *r from the text, defaults where it says nothing: the server of this machine, 1 s a try, 2 attempts, ndots 1. */
void system_resolv(struct system_resolv *r, const char *text);

typedef void system_host(void *arg, const struct sockaddr_storage *ss);
/* Calls found() for each address of the name in a file like /etc/hosts. Returns how many. */
unsigned system_hosts(const char *text, const char *name, system_host *found, void *arg);

#endif
