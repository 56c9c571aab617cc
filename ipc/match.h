/* Which servers somebody means who writes a name, or a pattern with * ? [ ]. Supervisor and lbctl. */
#ifndef IPC_MATCH_H
#define IPC_MATCH_H

#include <stdbool.h>

/*
 * What `pattern` is like beside "pool/server". MATCH_NAME: it is one of the two names, "server" or
 * "pool/server", letter by letter; MATCH_PATTERN: it is a pattern that fits one of them. A caller that
 * finds names leaves patterns aside: "[::1]:80" is a name before it is a pattern.
 */
enum match { MATCH_NOT, MATCH_PATTERN, MATCH_NAME };

enum match match_server(const char *pattern, const char *pool, const char *server);

#endif
