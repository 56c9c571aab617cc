/*
 * top: on a terminal a picture that follows its size and obeys keys, elsewhere one picture after the
 * other as plain text. Whatever ends it, the terminal is left as it was found.
 */
#include "ctl/top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "conf/near.h"
#include "ctl/find.h"
#include "ctl/screen.h"
#include "ctl/show.h"

#define TOP_INTERVAL_NS	UINT64_C(1000000000)

struct top {
	const struct table *t;
	struct view look[2];
	unsigned now;		/* which is the newer one */
	struct show_style style;
	struct termios saved;
	bool raw;		/* the terminal is changed */
	int signals;
	unsigned rows, columns, first;	/* first: lines scrolled away */
	bool paused, help;
};

static uint64_t top_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static int top_look(struct top *p)
{
	p->now = !p->now;
	if (view_take(&p->look[p->now], p->t, true) < 0)
		return -1;
	if (p->look[!p->now].now_ns)
		view_compare(&p->look[p->now], &p->look[!p->now]);
	return 0;
}

/* ---- the terminal ---- */

static int top_open_terminal(struct top *p)
{
	struct termios raw;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || tcgetattr(STDIN_FILENO, &p->saved) < 0)
		return -1;
	p->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (p->signals < 0)
		return -1;
	raw = p->saved;
	raw.c_lflag &= (tcflag_t)~(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return -1;
	p->raw = true;
	fputs("\033[?1049h\033[?25l", stdout);	/* the other screen, no cursor */
	return 0;
}

static void top_close_terminal(struct top *p)
{
	if (!p->raw)
		return;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &p->saved);
	close(p->signals);
	p->raw = false;
}

static void top_measure(struct top *p)
{
	struct winsize w;

	p->rows = 24;
	p->columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col) {
		p->rows = w.ws_row;
		p->columns = w.ws_col;
	}
}

/* One line, cut at the edge. Escape sequences take no room; all text is ASCII. */
static void top_line(FILE *out, const char *line, size_t n, unsigned columns)
{
	unsigned column = 0;

	for (size_t i = 0; i < n; i++) {
		if (line[i] == '\033') {
			while (i < n && line[i] != 'm')
				fputc(line[i++], out);
			if (i < n)
				fputc('m', out);
		} else if (column < columns) {
			fputc(line[i], out);
			column++;
		}
	}
	fputs("\033[0m\033[K", out);
}

static int top_draw(struct top *p)
{
	char *text = NULL, status[256];
	size_t size = 0;
	unsigned lines = 0, row = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -1;
	show_screen(out, &p->look[p->now], &p->style);
	if (fclose(out) == EOF) {
		free(text);
		return -1;
	}
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	if (lines < p->rows)
		p->first = 0;
	else if (p->first > lines - (p->rows - 1))
		p->first = lines - (p->rows - 1);
	fputs("\033[H", stdout);
	lines = 0;
	for (const char *at = text, *end; at && *at && row + 1 < p->rows; at = end + 1) {
		end = strchr(at, '\n');
		if (!end)
			break;
		if (lines++ < p->first)
			continue;
		top_line(stdout, at, (size_t)(end - at), p->columns);
		fputs("\r\n", stdout);
		row++;
	}
	fputs("\033[J", stdout);
	if (p->help)
		snprintf(status, sizeof(status), " sort: c configured  n name  s state  r rate  i in flight  e errors  l latency"
			 "   arrows, j k: scroll   space: pause   q: quit");
	else
		snprintf(status, sizeof(status), " sorted by %s%s   h: keys   q: quit", show_sorts[p->style.sort],
			 p->paused ? ", PAUSED" : "");
	printf("\033[%u;1H\033[7m%-*.*s\033[0m", p->rows, (int)p->columns, (int)p->columns, status);
	fflush(stdout);
	free(text);
	return 0;
}

/* Returns whether to go on. */
static bool top_key(struct top *p, char key)
{
	static const char sort[] = "cnsriel";	/* by enum show_sort */
	const char *at = strchr(sort, key);

	if (key == 'q' || key == 3)
		return false;
	if (key && at)
		p->style.sort = (enum show_sort)(at - sort);
	else if (key == 'h' || key == '?')
		p->help = !p->help;
	else if (key == ' ')
		p->paused = !p->paused;
	else if (key == 'j')
		p->first++;
	else if (key == 'k' && p->first)
		p->first--;
	return true;
}

/* Arrow keys come as three bytes. */
static bool top_keys(struct top *p)
{
	char buf[64];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;	/* the terminal is gone */
	for (ssize_t i = 0; i < n; i++) {
		char key = buf[i];

		if (key == '\033' && i + 2 < n && buf[i + 1] == '[') {
			key = buf[i + 2] == 'A' ? 'k' : buf[i + 2] == 'B' ? 'j' : 0;
			i += 2;
		}
		if (!top_key(p, key))
			return false;
	}
	return true;
}

/* Until the next look is due. Returns whether to go on. */
static bool top_wait(struct top *p, uint64_t until_ns)
{
	struct pollfd fd[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = p->signals, .events = POLLIN } };
	struct signalfd_siginfo si;
	uint64_t now;

	while ((now = top_clock_ns()) < until_ns) {
		int n = poll(fd, 2, (int)((until_ns - now + 999999) / 1000000));

		if (n < 0 && errno != EINTR)
			return false;
		if (n <= 0)
			continue;
		while (read(p->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
			if (si.ssi_signo != SIGWINCH)
				return false;
			top_measure(p);
		}
		if (fd[0].revents && !top_keys(p))
			return false;
		if (top_draw(p) < 0)
			return false;
	}
	return true;
}

/* ---- the command ---- */

static int top_sort(enum show_sort *sort, const char *word)
{
	struct near near;

	*sort = SHOW_CONFIGURED;
	if (!word)
		return 0;
	near_start(&near, word);
	for (unsigned i = 0; show_sorts[i]; i++) {
		if (strcmp(show_sorts[i], word) == 0) {
			*sort = (enum show_sort)i;
			return 0;
		}
		near_try(&near, show_sorts[i]);
	}
	fprintf(stderr, "lbctl: cannot sort by %s; ", word);
	if (near.best)
		fprintf(stderr, "did you mean %s?\n", near.best);
	else
		fprintf(stderr, "expected configured, name, state, rate, inflight, errors or p99\n");
	return -1;
}

enum lbctl_exit top_command(const struct table *t, const struct lbctl_options *o)
{
	uint64_t interval = o->interval_set && o->interval_ns ? o->interval_ns : TOP_INTERVAL_NS, next;
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct top p = { .t = t, .signals = -1, .style = { .lately = true } };
	enum lbctl_exit result = LBCTL_OK;
	uint64_t seen_ns = top_clock_ns();	/* the supervisor, last */
	unsigned drawn = 0;

	if (top_sort(&p.style.sort, o->sort) < 0)
		return LBCTL_USAGE;
	p.style.color = terminal && screen_colors(STDOUT_FILENO);
	if (terminal && top_open_terminal(&p) < 0)
		terminal = false;
	top_measure(&p);
	for (next = top_clock_ns();;) {
		if (!p.paused && top_look(&p) < 0) {
			result = LBCTL_TABLE;
			break;
		}
		if (!terminal) {
			if (drawn)
				fputc('\n', stdout);
			show_screen(stdout, &p.look[p.now], &p.style);
			fflush(stdout);
		} else if (top_draw(&p) < 0) {
			break;
		}
		if (ferror(stdout) || (o->count && ++drawn >= o->count))
			break;
		drawn += !o->count;
		if (p.look[p.now].supervisor_state) {
			seen_ns = p.look[p.now].now_ns;
		} else if (find_is_over(t, p.look[p.now].now_ns - seen_ns)) {
			result = LBCTL_NONE;
			break;
		}
		next += interval;
		if (terminal) {
			if (!top_wait(&p, next))
				break;
		} else {
			struct timespec until = { .tv_sec = (time_t)(next / 1000000000), .tv_nsec = (long)(next % 1000000000) };

			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		}
	}
	top_close_terminal(&p);
	if (result == LBCTL_NONE)
		fprintf(stderr, "lbctl: the instance has ended\n");
	view_free(&p.look[0]);
	view_free(&p.look[1]);
	return result;
}
