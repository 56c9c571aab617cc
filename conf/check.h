/* Cross-checks: what must be true of a block as a whole, and of the file. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/parse.h"

/* When a block closes; p->opened is where it began. Both also fill in defaults that depend on what was said. */
void check_pool(struct parse *p, struct conf_pool *pool);
void check_listener(struct parse *p, struct conf_listener *l);
/* The bind just added to l (its last one), which stands at the given column. */
void check_bind(struct parse *p, const struct conf_listener *l, unsigned column);
/* Whether some request is answered with the status page. */
bool check_serves(const struct conf_listener *l);
/* At the end of the file: resolves references to pools, and looks at totals. */
void check_file(struct parse *p);

#endif
