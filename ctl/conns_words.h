/* What chooses connections on the command line: "wait app1 from 10.0.0.0/8 for 2s". */
#ifndef CTL_CONNS_WORDS_H
#define CTL_CONNS_WORDS_H

#include "ctl/lbctl.h"
#include "ipc/conns.h"
#include "ipc/view.h"

/* Not LBCTL_OK: after a message. */
enum lbctl_exit conns_words_read(struct conns_filter *f, const struct view *v, char **word_at, int n);
/* Whether something goes on in a connection of this state. */
bool conns_words_busy(uint32_t state);

#endif
