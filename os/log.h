/*
 * The event log: one line an event, for people. Never blocks: a line that cannot be written is
 * counted, and the count is told when the log can be written again. What happens again and again is told a
 * number of times, and then counted.
 *
 * Until log_open() lines go to stderr as "loadbalancer: text", for whoever typed the command.
 */
#ifndef OS_LOG_H
#define OS_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* target: "stderr", "syslog", or a path. 0, or -1 with errno (the old target stays). */
int log_open(const char *target);
/* Opens the same target again (after logrotate moved the file). 0, or -1 with errno (the old file stays). */
int log_reopen(void);
/* The descriptor that lines go to, for lists of what to keep open; -1: none. */
int log_fd(void);
/* Whether the target is a file, which an unprivileged process cannot open anew. */
int log_is_file(void);
/* Takes over fd as the target's new file: for a process that may not open it, from one that may. */
void log_adopt(int fd);
/* Who speaks: "supervisor", "worker 3", "health". Copied. */
void log_name(const char *name);
void log_set_level(enum log_level level);
/* Of syslog, as syslog(3) numbers them; 3, daemon, unless told otherwise. */
void log_set_facility(unsigned facility);
/* From now on the level is what stands there, where another process may change it; 0 there: the one that was set.
 * NULL: no more. The word must stay mapped. */
void log_share_level(const _Atomic uint32_t *level);
enum log_level log_get_level(void);
/* Lines of one kind (one format) in ten seconds, debug and fatal ones aside; what is more is counted, and the count
 * told at the end of the ten seconds, for which log_tick() is called then. 200 unless told otherwise; 0: no limit. */
void log_burst(unsigned lines);
/* CLOCK_MONOTONIC at which there will be something to tell; UINT64_MAX: nothing. The loop calls both; who ends calls
 * log_tick(UINT64_MAX). */
uint64_t log_due_ns(void);
void log_tick(uint64_t now_ns);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Start-up and broken invariants only: says why and exits with status 1. */
_Noreturn void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
