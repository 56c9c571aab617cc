/* The Date of answers. */
#ifndef WORKER_DATE_H
#define WORKER_DATE_H

#include "http/forward.h"
#include "worker/state.h"

/* The seed's command line adds nothing to answers. */
static inline bool date_wanted(void) { return worker.conf->file != NULL; }
/* Date's value now, valid until the next call. The clock is read at most once a second. */
struct http_text date_now(void);

#endif
