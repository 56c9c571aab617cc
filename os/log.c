/*
 * The event log. Any process; each holds the descriptor it got by fork.
 *
 * Whatever stderr is, it is shared with the shell, the terminal, other programs: its flags are not
 * ours to change. A pipe or a terminal is therefore opened a second time, non-blocking, through
 * /proc/self/fd; where that is not allowed, poll(2) asks for room first. A socket (journald) takes
 * MSG_DONTWAIT. A plain file does not block in this sense. /dev/log is spoken to directly, because
 * syslog(3) blocks when the daemon behind it is slow.
 */
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "os/throttle.h"

#define LOG_TEXT	1024	/* bytes of a message before escaping */
#define LOG_LINE	2048	/* of a whole line; below PIPE_BUF, so that lines of several processes do not mix */
#define LOG_SYSLOG_PATH	"/dev/log"
#define LOG_BURST	200		/* lines of one kind; see throttle.h */

enum log_kind {
	LOG_PLAIN,	/* before log_open() */
	LOG_STDERR,
	LOG_JOURNAL,	/* stderr that ends in the journal: it stamps lines itself and wants <priority> */
	LOG_FILE,
	LOG_SYSLOG,
};

static struct {
	enum log_kind kind;
	int fd;
	bool own;	/* fd is to be closed by us; not so stderr itself */
	bool socket;	/* send(2), not write(2) */
	bool ask;	/* a blocking descriptor: poll before each write */
	char path[PATH_MAX];
	char name[48];
	enum log_level level;
	unsigned facility;	/* of syslog */
	const _Atomic uint32_t *shared;	/* the level for all processes; NULL: none */
	uint64_t dropped;	/* lines given up since the last one that was written */
} lg = { .kind = LOG_PLAIN, .fd = STDERR_FILENO, .ask = true, .name = "loadbalancer", .level = LOG_LEVEL_INFO,
	.facility = 3 /* daemon */ };

static struct throttle kinds = { .burst = LOG_BURST, .due_ns = UINT64_MAX };

static void log_use(enum log_kind kind, int fd, bool own, bool sock, bool ask)
{
	if (lg.own && lg.fd >= 0 && lg.fd != fd)
		close(lg.fd);
	lg.kind = kind;
	lg.fd = fd;
	lg.own = own;
	lg.socket = sock;
	lg.ask = ask;
}

/* systemd names the journal's socket by device and inode; stderr may have been redirected since. */
static bool log_is_journal(const struct stat *st)
{
	const char *e = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	char end;

	return e && sscanf(e, "%llu:%llu%c", &dev, &ino, &end) == 2 && dev == st->st_dev && ino == st->st_ino;
}

static int log_open_stderr(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) < 0)
		return -1;
	if (S_ISSOCK(st.st_mode)) {
		log_use(log_is_journal(&st) ? LOG_JOURNAL : LOG_STDERR, STDERR_FILENO, false, true, false);
	} else if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		enum log_kind kind = log_is_journal(&st) ? LOG_JOURNAL : LOG_STDERR;

		fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0)
			log_use(kind, fd, true, false, false);
		else
			log_use(kind, STDERR_FILENO, false, false, true);
	} else {
		log_use(LOG_STDERR, STDERR_FILENO, false, false, false);
	}
	return 0;
}

static int log_open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);

	if (fd < 0)
		return -1;
	if (path != lg.path)
		snprintf(lg.path, sizeof(lg.path), "%s", path);
	log_use(LOG_FILE, fd, true, false, false);
	return 0;
}

static int log_open_syslog(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = LOG_SYSLOG_PATH };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* Who is not there yet may come: each line tries again, and those that are lost are counted. */
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 && errno != ENOENT && errno != ECONNREFUSED) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	log_use(LOG_SYSLOG, fd, true, true, false);
	return 0;
}

int log_open(const char *target)
{
	tzset();	/* reads /etc/localtime now and not in the middle of an event */
	if (strcmp(target, "stderr") == 0)
		return log_open_stderr();
	if (strcmp(target, "syslog") == 0)
		return log_open_syslog();
	if (strlen(target) >= sizeof(lg.path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return log_open_file(target);
}

int log_reopen(void)
{
	switch (lg.kind) {
	case LOG_FILE:
		return log_open_file(lg.path);
	case LOG_SYSLOG:
		return log_open_syslog();
	default:
		return 0;
	}
}

int log_fd(void)
{
	return lg.fd;
}

int log_is_file(void)
{
	return lg.kind == LOG_FILE;
}

void log_adopt(int fd)
{
	log_use(LOG_FILE, fd, true, false, false);
}

void log_name(const char *name)
{
	snprintf(lg.name, sizeof(lg.name), "%s", name);
	/* After a fork: what the parent has held back, the parent tells. */
	kinds = (struct throttle){ .burst = kinds.burst, .due_ns = UINT64_MAX };
}

void log_set_level(enum log_level level)
{
	lg.level = level;
}

void log_set_facility(unsigned facility)
{
	lg.facility = facility;
}

void log_share_level(const _Atomic uint32_t *level)
{
	lg.shared = level;
}

enum log_level log_get_level(void)
{
	uint32_t level = lg.shared ? atomic_load_explicit(lg.shared, memory_order_relaxed) : 0;

	return level >= LOG_LEVEL_ERROR && level <= LOG_LEVEL_DEBUG ? (enum log_level)level : lg.level;
}

/* 0, or -1: the line was not taken. */
static int log_put(const char *line, size_t n)
{
	ssize_t r;

	if (lg.fd < 0)
		return -1;
	if (lg.ask) {
		struct pollfd p = { .fd = lg.fd, .events = POLLOUT };

		if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
			return -1;
	}
	do
		r = lg.socket ? send(lg.fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(lg.fd, line, n);
	while (r < 0 && errno == EINTR);
	if (r < 0 && lg.kind == LOG_SYSLOG && errno != EAGAIN && errno != ENOBUFS && errno != EMSGSIZE) {
		/* The syslog daemon was restarted: its socket is another one now. */
		if (log_open_syslog() == 0)
			r = send(lg.fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return r == (ssize_t)n ? 0 : -1;
}

/*
 * What is logged may come from a client: nothing in it may move a terminal's cursor or forge a
 * second line. Everything but printable ASCII becomes \xNN. Returns the bytes written to `out`,
 * which has room for `room`.
 */
static size_t log_escape(char *out, size_t room, const char *in)
{
	static const char digit[16] = "0123456789abcdef";
	size_t n = 0;

	for (; *in && n + 4 <= room; in++) {
		unsigned char c = (unsigned char)*in;

		if (c == '\\') {
			out[n++] = '\\';
			out[n++] = '\\';
		} else if (c >= 0x20 && c < 0x7f) {
			out[n++] = (char)c;
		} else {
			out[n++] = '\\';
			out[n++] = 'x';
			out[n++] = digit[c >> 4];
			out[n++] = digit[c & 15];
		}
	}
	return n;
}

/* "2026-01-31T12:00:00.123+01:00" */
static size_t log_stamp(char *out, size_t room)
{
	struct timespec ts;
	struct tm tm;
	char zone[8];
	size_t n;
	int ms;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (!localtime_r(&ts.tv_sec, &tm))
		return 0;
	n = strftime(out, room, "%Y-%m-%dT%H:%M:%S", &tm);
	if (strftime(zone, sizeof(zone), "%z", &tm) != 5)
		return n;
	ms = snprintf(out + n, room - n, ".%03ld%.3s:%.2s", ts.tv_nsec / 1000000, zone, zone + 3);
	return ms < 0 ? n : n + (size_t)ms;
}

static const char *log_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARN:
		return "warning";
	case LOG_LEVEL_INFO:
		return "info";
	default:
		return "debug";
	}
}

/* What stands before the text; depends on who reads the target. */
static size_t log_prefix(char *out, size_t room, enum log_level level)
{
	char stamp[48];
	struct tm tm;
	time_t t;
	int n;

	switch (lg.kind) {
	case LOG_PLAIN:
		n = snprintf(out, room, "loadbalancer: %s", level == LOG_LEVEL_WARN ? "warning: " : "");
		break;
	case LOG_JOURNAL:
		n = snprintf(out, room, "<%d>%s[%d]: ", (int)level, lg.name, (int)getpid());
		break;
	case LOG_SYSLOG:
		t = time(NULL);
		if (!localtime_r(&t, &tm) || !strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm))
			stamp[0] = '\0';
		n = snprintf(out, room, "<%d>%s loadbalancer[%d]: %s: %s%s", (int)(lg.facility << 3) | (int)level, stamp,
			     (int)getpid(), lg.name, level < LOG_LEVEL_INFO ? log_word(level) : "",
			     level < LOG_LEVEL_INFO ? ": " : "");
		break;
	default:
		stamp[log_stamp(stamp, sizeof(stamp) - 1)] = '\0';
		n = snprintf(out, room, "%s %s[%d] %s: ", stamp, lg.name, (int)getpid(), log_word(level));
		break;
	}
	return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static int log_write(enum log_level level, const char *text)
{
	char line[LOG_LINE];
	size_t n = log_prefix(line, sizeof(line) / 2, level);

	n += log_escape(line + n, sizeof(line) - n - 1, text);
	if (lg.kind != LOG_SYSLOG)
		line[n++] = '\n';
	return log_put(line, n);
}

static void log_tell(enum log_level level, const char *text)
{
	if (lg.dropped) {
		char note[96];

		snprintf(note, sizeof(note), "%llu lines were dropped here: the log could not be written",
			 (unsigned long long)lg.dropped);
		if (log_write(LOG_LEVEL_WARN, note) == 0)
			lg.dropped = 0;
	}
	if (lg.dropped || log_write(level, text) < 0)
		lg.dropped++;
}

static uint64_t log_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void log_tick(uint64_t now_ns)
{
	const struct throttle_kind *k;
	char text[THROTTLE_TEXT + 80];
	unsigned held;

	while ((k = throttle_due(&kinds, now_ns, &held))) {
		snprintf(text, sizeof(text), "%s (this is the last of %u such lines in %u s that were left out)", k->text, held,
			 (unsigned)(THROTTLE_NS / 1000000000));
		log_tell((enum log_level)k->level, text);
	}
}

uint64_t log_due_ns(void)
{
	return kinds.due_ns;
}

void log_burst(unsigned lines)
{
	kinds.burst = lines;
}

static void log_event(enum log_level level, bool always, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));
static void log_event(enum log_level level, bool always, const char *fmt, va_list ap)
{
	struct throttle_kind *held = NULL;
	char text[LOG_TEXT];
	int err = errno;	/* callers log between a failure and looking at its errno */
	int n;

	if (level > log_get_level())
		return;
	if (!always) {
		uint64_t now_ns = log_clock_ns();

		log_tick(now_ns);
		held = throttle_hold(&kinds, fmt, now_ns);
	}
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		snprintf(text, sizeof(text), "(a message that cannot be formatted: %.200s)", fmt);
	else if ((size_t)n >= sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	if (held) {
		held->level = (int)level;
		snprintf(held->text, sizeof(held->text), "%.*s", THROTTLE_TEXT - 1, text);
	} else {
		log_tell(level, text);
	}
	errno = err;
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_event(LOG_LEVEL_ERROR, false, fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_event(LOG_LEVEL_WARN, false, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_event(LOG_LEVEL_INFO, false, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_event(LOG_LEVEL_DEBUG, true, fmt, ap);	/* who asks for these wants them all */
	va_end(ap);
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_event(LOG_LEVEL_ERROR, true, fmt, ap);
	va_end(ap);
	exit(1);
}
