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
/* A reload has ended without success: why. */
void notify_reload_refused(const char *why);
/* The new program was not content, or could not be tried: why. */
void notify_upgrade_refused(const char *why);
/* A reload begins. */
void notify_reloading(void);
/* The end begins; 0: at once, else it may take so long. */
void notify_stopping(uint64_t grace_ns);
/*
 * In the heir, first thing when the supervisor, process `before`, has died: the manager sees the death at the
 * same moment, and must hear soon who the main process is now. The watchdog is ours to calm from here on.
 */
void notify_succeed(pid_t before);

#endif
