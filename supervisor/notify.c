/* Notifying a service manager: sd_notify(3) without its library. */
#include "supervisor/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/log.h"

#define NOTIFY_END_NS	(10 * CONF_SECOND)	/* from the end of the grace timeout to the end of the process, amply */

static struct {
	struct sockaddr_un to;
	socklen_t to_size;	/* 0: nobody wants to know */
	struct loop *loop;
	struct timer watchdog;
	uint64_t watchdog_ns;	/* between two signs of life; 0: none are wanted */
	bool failed;		/* said so already */
} notify;

/* A socket for each message: there are few, and the manager may have been restarted in between. Never blocks. */
static void notify_send(const char *text)
{
	int fd;

	if (!notify.to_size)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&notify.to, notify.to_size) >= 0) {
		notify.failed = false;
	} else if (!notify.failed) {
		notify.failed = true;
		log_warn("the service manager cannot be told: %s", strerror(errno));
	}
	if (fd >= 0)
		close(fd);
}

static void notify_alive(struct timer *t)
{
	notify_send("WATCHDOG=1");
	timer_set(&notify.loop->wheel, t, notify.loop->now_ns + notify.watchdog_ns);
}

/* A number in the environment; 0: none, or not one. */
static uint64_t notify_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long long n;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return *end || errno ? 0 : n;
}

void notify_init(struct supervisor *s)
{
	const char *path = getenv("NOTIFY_SOCKET");
	uint64_t usec, pid;

	notify.loop = &s->loop;
	if (!path || (path[0] != '/' && path[0] != '@') || !path[1] || strlen(path) >= sizeof(notify.to.sun_path))
		return;
	notify.to.sun_family = AF_UNIX;
	memcpy(notify.to.sun_path, path, strlen(path));
	if (path[0] == '@')	/* an abstract name: a zero byte in front, and none behind */
		notify.to.sun_path[0] = '\0';
	notify.to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] == '/'));

	usec = notify_number("WATCHDOG_USEC");
	pid = notify_number("WATCHDOG_PID");
	if (usec == 0 || usec > UINT64_MAX / 1000 || (pid && pid != (uint64_t)getpid()))
		return;
	/* Twice in the time allowed, as is the custom. The loop that sends it is the one that has to be alive. */
	notify.watchdog_ns = usec * 1000 / 2;
	notify.watchdog.cb = notify_alive;
	/* The first at once: who takes over does not know when the last one was. */
	notify_alive(&notify.watchdog);
}

void notify_ready(const char *status)
{
	char text[256];

	/* MAINPID: with -D the manager knows another pid. One line: what comes after a newline would be a field. */
	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d\nSTATUS=%.*s", (int)getpid(), (int)strcspn(status, "\n"), status);
	notify_send(text);
}

void notify_reload_refused(const char *why)
{
	char text[256];

	/* The first error says most. */
	snprintf(text, sizeof(text), "serving; the last reload was refused: %.*s", (int)strcspn(why, "\n"), why);
	notify_ready(text);
}

void notify_upgrade_refused(const char *why)
{
	char text[256];

	/* Nothing had been begun as far as the manager knows: its state stays. */
	snprintf(text, sizeof(text), "STATUS=serving; the last upgrade was refused: %.*s", (int)strcspn(why, "\n"), why);
	notify_send(text);
}

void notify_reloading(void)
{
	char text[128];

	/* The clock is CLOCK_MONOTONIC on both sides: by it the manager knows which of its requests is meant. */
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reading the configuration",
		 loop_clock_ns() / 1000);
	notify_send(text);
}

void notify_stopping(uint64_t grace_ns)
{
	char text[128];

	/* A grace timeout longer than the manager's own patience is not cut short by it. */
	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=%s", (grace_ns + NOTIFY_END_NS) / 1000,
		 grace_ns ? "finishing what is in flight" : "stopping at once");
	notify_send(text);
}

void notify_succeed(pid_t before)
{
	char text[128];

	snprintf(text, sizeof(text), "%d", (int)getpid());
	if (notify_number("WATCHDOG_PID") == (uint64_t)before && setenv("WATCHDOG_PID", text, 1) < 0)
		log_error("the service manager's watchdog gets no signs of life: %s", strerror(errno));
	snprintf(text, sizeof(text), "MAINPID=%d\nSTATUS=the supervisor was killed; its heir takes over", (int)getpid());
	notify_send(text);
}
