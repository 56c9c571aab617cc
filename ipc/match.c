/* Names and patterns of servers. */
#include "ipc/match.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum match match_server(const char *pattern, const char *pool, const char *server)
{
	char full[1024];

	snprintf(full, sizeof(full), "%s/%s", pool, server);
	if (strcmp(pattern, server) == 0 || strcmp(pattern, full) == 0)
		return MATCH_NAME;
	/* A leading dot is nothing special here, and names may contain slashes. */
	if (fnmatch(pattern, full, 0) == 0 || fnmatch(pattern, server, 0) == 0)
		return MATCH_PATTERN;
	return MATCH_NOT;
}
