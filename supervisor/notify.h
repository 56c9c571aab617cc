/*
 * Telling a service manager what the program is about, by systemd's protocol: a datagram of text to
 * the socket that NOTIFY_SOCKET names. Where there is none every function does nothing.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include "supervisor/state.h"

/* Reads the environment, and starts the watchdog's timer when one is asked for. */
void notify_init(struct supervisor *s);
/* A start or a reload has ended; `status` is what people see. */
void notify_ready(const char *status);
/* A reload begins. */
void notify_reloading(void);
void notify_stopping(void);

#endif
