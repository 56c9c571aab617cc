/* The Date of answers. */
#ifndef WORKER_DATE_H
#define WORKER_DATE_H

#include "http/forward.h"

/* Date's value now, valid until the next call. The clock is read at most once a second. */
struct http_text date_now(void);

#endif
