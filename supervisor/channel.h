/*
 * The supervisor's end of a worker's channel: what is said to a worker, what it says.
 */
#ifndef SUPERVISOR_CHANNEL_H
#define SUPERVISOR_CHANNEL_H

#include "supervisor/state.h"

/* Makes the pair and registers our end. 0, or -1 with errno. */
int channel_open(struct worker *w);
/* Registers our end of a pair that a predecessor made. */
int channel_adopt(struct worker *w);
void channel_close(struct worker *w);

/* Says it now, or as soon as there is room. */
void channel_tell(struct worker *w, enum handoff_type type);
/* Registers for what is waited for at the moment: room, messages. */
void channel_watch(struct worker *w);

/* Reads what the worker sent, as far as its connections find a place. Returns whether nothing is left. */
bool channel_receive(struct worker *w);
/*
 * Takes from the worker's own end what it has not received and gives it to others, as far as they have room.
 * For a worker that is dead, or hangs. Returns whether nothing is left.
 */
bool channel_take_back(struct worker *w);
/* Puts something into the channel of a worker that hangs, which it takes when it comes round. 0, or -1 with errno. */
int channel_ping(struct worker *w);
/* Asks the worker for its connections (HANDOFF_ASK). 0, or -1 with errno: it was not asked. */
int channel_ask(struct worker *w, int fd, const char *filter, size_t size);
/* Whether the worker has taken everything that was sent. */
bool channel_is_empty(const struct worker *w);
/* How many connections wait in the channel of a worker that is dead. */
uint64_t channel_count(struct worker *w);

#endif
