/*
 * Where a request goes: the first route of its listener whose conditions it meets. Pure: the parsed head
 * and the configuration are all it looks at.
 */
#ifndef WORKER_ROUTE_H
#define WORKER_ROUTE_H

#include "conf/conf.h"

enum { ROUTE_DEFAULT = -1, ROUTE_AMBIGUOUS = -2 };

/*
 * Index of the route, ROUTE_DEFAULT: none takes it, the listener's own pool does. ROUTE_AMBIGUOUS: servers
 * might read its path or host as one for which another route was meant; answer 400. `at` is where the
 * head's bytes are.
 */
int route_find(const struct conf_listener *l, const struct http_head *h, const char *at);

/* Path of the request, without its query; "/" where the target has none. */
struct http_text route_path(const struct http_head *h, const char *at);
/* Host of the request, without port and without the dot that may end it; may be empty. */
struct http_text route_host(const struct http_head *h, const char *at);

#endif
