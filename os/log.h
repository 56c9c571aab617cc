/*
 * The event log: one line an event, for people. Never blocks: a line that cannot be written is
 * counted, and the count is told when the log can be written again.
 */
#ifndef OS_LOG_H
#define OS_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* target: "stderr", "syslog", or a path. 0, or -1 with errno (the old target stays). */
int log_open(const char *target);
/* Opens the same target again (after logrotate moved the file). */
int log_reopen(void);
/* Who speaks: "supervisor", "worker 3", "health". Kept by pointer copy into a static buffer. */
void log_name(const char *name);
void log_set_level(enum log_level level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Start-up and broken invariants only: says why and exits with status 1. */
_Noreturn void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
