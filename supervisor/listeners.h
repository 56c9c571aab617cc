/*
 * Listening sockets: opened, kept or dropped as configurations follow each other.
 */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include "supervisor/state.h"

/*
 * The listeners that `conf` wants: those that are open already by their address, the others opened
 * now. All or nothing; nothing that serves is touched. 0, or -1 with a message in err[size].
 */
int listeners_plan(struct supervisor *s, struct conf *conf, struct listeners *plan, char *err, size_t size);
/* Closes what the plan had opened. */
void listeners_abandon(struct supervisor *s, struct listeners *plan);
/* The plan becomes what is served. What it does not contain is closed. */
void listeners_commit(struct supervisor *s, const struct conf *conf, struct listeners *plan);
/* Those that the plan drops give what waits at them to the workers that serve now. */
void listeners_last_rounds(struct supervisor *s, const struct listeners *plan);
/*
 * Lets no new handshake begin, so that those under way can end before the listeners are closed: a connection that
 * its client takes for established is not lost. Who comes now tries again a second later.
 */
void listeners_deafen(struct supervisor *s);
/* Closes all. */
void listeners_close(struct supervisor *s);

#endif
