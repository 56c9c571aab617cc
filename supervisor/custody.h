/*
 * The supervisor's side of custody (ipc/book.h): it keeps a copy of each client's descriptor that it hands to a worker,
 * and when the worker dies, gives those whose conversation somebody else can go on with to others.
 */
#ifndef SUPERVISOR_CUSTODY_H
#define SUPERVISOR_CUSTODY_H

#include "supervisor/state.h"

/* For a place, before its first worker is forked. Without memory there is no custody, which the log says. */
void custody_open(struct worker *w);
/* For the fork; NULL: none. */
struct book *custody_of(const struct worker *w);
/* Closes all copies. */
void custody_close(struct worker *w);

/* Gives each record of the message a ticket of w, as far as there are places; before it is sent. */
void custody_hold(struct worker *w, struct handoff_msg *m);
/* It was sent: keeps the descriptors that have tickets, closes the others. */
void custody_sent(const struct handoff_msg *m);
/* It was not sent: the tickets are void, the descriptors stay the caller's. */
void custody_void(struct worker *w, struct handoff_msg *m);
/* The connection has come back by the channel: our copy goes. */
void custody_returned(struct worker *w, struct handoff_record *r);
/* It waits in the channel of a dead worker, for the successor. */
void custody_waits(struct worker *w, const struct handoff_record *r);
/* Closes copies of connections that have ended. */
void custody_sweep(struct worker *w);

/* The worker is dead and its channel has been read: sorts what it held. */
void custody_bereave(struct worker *w);
/* Whether some of that is still to be given away. */
bool custody_pending(const struct worker *w);
/* Gives away as much as finds a place now. */
void custody_turn(struct supervisor *s);
/* Connections that wait for that. */
unsigned custody_orphans(const struct supervisor *s);

void custody_init(struct supervisor *s);

#endif
