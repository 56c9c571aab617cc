/*
 * top: on a terminal a picture that follows its size and obeys keys, elsewhere one picture after the
 * other as plain text. Whatever ends it, the terminal is left as it was found.
 */
#include "ctl/top.h"

#include <errno.h>
#include <limits.h>
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
#include "ctl/picture.h"
#include "ctl/screen.h"
#include "ipc/text.h"

#define TOP_INTERVAL_NS	UINT64_C(1000000000)

struct top {
	const struct table *t;
	struct view look[2];
	unsigned now;		/* which is the newer one */
	struct picture style;
	struct termios saved;
	bool raw;		/* the terminal is changed */
	int signals;
	unsigned rows, columns, first;	/* first: lines scrolled away */
	uint64_t interval_ns;
	unsigned lines, shown;	/* of the picture, and of these on the terminal */
	bool paused, help;
	bool typing;		/* a filter is being typed */
	char filter[VIEW_FULL_MAX];	/* which servers; "": all */
	struct wanted wanted;	/* the same, understood */
};

static const char *const top_help[] = {
	" sort: c configuration  n name  s state  r rate  i in flight  e errors  l p99",
	" t only trouble   / only some servers   Esc all   space pause   q quit",
	" j k, arrows: scroll   f b, pages: by pages   g G: first, last",
};

#define TOP_HELP_LINES (sizeof(top_help) / sizeof(top_help[0]))

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
	view_processes(&p->look[p->now]);
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

/* What is typed need not mean anything yet: then a pattern is taken to mean what begins so. */
static void top_filter(struct top *p)
{
	const struct view *v = &p->look[p->now];
	static char begins[VIEW_FULL_MAX + 2];
	bool any = false;

	p->style.wanted = NULL;
	if (!p->filter[0])
		return;
	p->wanted = (struct wanted){ .pattern = p->filter, .is_name = view_is_name(v, p->filter) };
	for (unsigned i = 0; i < v->npools && !p->wanted.is_name; i++)
		p->wanted.is_pool |= strcmp(v->pool[i].name, p->filter) == 0;
	for (unsigned i = 0; i < v->nservers && !any; i++)
		any = wanted_server(&p->wanted, v, &v->server[i]);
	if (!any) {
		snprintf(begins, sizeof(begins), "*%s*", p->filter);
		p->wanted = (struct wanted){ .pattern = begins };
	}
	p->style.wanted = &p->wanted;
}

static void top_status(const struct top *p, char *status, size_t room)
{
	char when[TEXT_MAX], interval[TEXT_MAX], lines[64] = "";
	const struct view *v = &p->look[p->now];

	if (p->lines > p->shown)
		snprintf(lines, sizeof(lines), "  lines %u-%u of %u", p->first + 1, p->first + p->shown, p->lines);
	if (p->typing)
		snprintf(status, room, " servers, pool or pattern: %s_   Enter: done   Esc: all", p->filter);
	else
		snprintf(status, room, " %s%s  every %s  by %s%s%s%s%s  h: keys  q: quit", text_clock(when, v, v->now_ns),
			 p->paused ? " PAUSED" : "", text_age(interval, p->interval_ns), picture_sorts[p->style.sort],
			 p->style.trouble ? "  only trouble" : "", p->filter[0] ? "  filter " : "", p->filter, lines);
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
	char *text = NULL, status[VIEW_FULL_MAX + 256];
	size_t size = 0;
	unsigned lines = 0, row = 0, below = 1 + (p->help ? (unsigned)TOP_HELP_LINES : 0), rows = p->rows > below ? p->rows - below : 1;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -1;
	p->style.columns = p->columns;
	top_filter(p);
	picture_draw(out, &p->look[p->now], &p->style);
	if (fclose(out) == EOF) {
		free(text);
		return -1;
	}
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	p->lines = lines;
	p->shown = lines < rows ? lines : rows;
	if (lines <= rows)
		p->first = 0;
	else if (p->first > lines - rows)
		p->first = lines - rows;
	fputs("\033[H", stdout);
	lines = 0;
	for (const char *at = text, *end; at && *at && row < rows; at = end + 1) {
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
	for (unsigned i = 0; p->help && i < TOP_HELP_LINES && rows + i < p->rows; i++)
		printf("\033[%u;1H\033[7m%-*.*s\033[0m", rows + i + 1, (int)p->columns, (int)p->columns, top_help[i]);
	top_status(p, status, sizeof(status));
	printf("\033[%u;1H\033[7m%-*.*s\033[0m", p->rows, (int)p->columns, (int)p->columns, status);
	fflush(stdout);
	free(text);
	return 0;
}

static void top_type(struct top *p, char key)
{
	size_t n = strlen(p->filter);

	if (key == '\n' || key == '\r') {
		p->typing = false;
	} else if (key == '\033' || key == 3) {
		p->typing = false;
		p->filter[0] = '\0';
	} else if (key == 0x7f || key == '\b') {
		if (n)
			p->filter[n - 1] = '\0';
	} else if (key > 0x20 && key < 0x7f && n + 1 < sizeof(p->filter)) {
		p->filter[n] = key;
		p->filter[n + 1] = '\0';
	}
}

/* Returns whether to go on. */
static bool top_key(struct top *p, char key)
{
	static const char sort[] = "cnsriel";	/* by enum picture_sort */
	const char *at = strchr(sort, key);
	unsigned page = p->rows > 2 ? p->rows - 2 : 1;

	if (p->typing) {
		top_type(p, key);
		return true;
	}
	if (key == 'q' || key == 3)
		return false;
	if (key && at)
		p->style.sort = (enum picture_sort)(at - sort);
	else if (key == 'h' || key == '?')
		p->help = !p->help;
	else if (key == ' ')
		p->paused = !p->paused;
	else if (key == 't')
		p->style.trouble = !p->style.trouble;
	else if (key == '/')
		p->typing = true;
	else if (key == '\033')
		p->filter[0] = '\0';
	else if (key == 'j')
		p->first++;
	else if (key == 'k' && p->first)
		p->first--;
	else if (key == 'f')
		p->first += page;
	else if (key == 'b')
		p->first -= p->first > page ? page : p->first;
	else if (key == 'g')
		p->first = 0;
	else if (key == 'G')
		p->first = UINT_MAX / 2;
	return true;
}

/* Arrows and the like come as an escape and more. `at` is behind the escape. Returns bytes; 0: it was the key of that name. */
static size_t top_escape(const char *at, char *key)
{
	static const struct { const char *bytes; char key; } named[] = {
		{ "[A", 'k' }, { "OA", 'k' }, { "[B", 'j' }, { "OB", 'j' }, { "[5~", 'b' }, { "[6~", 'f' }, { "[H", 'g' }, { "[1~", 'g' },
		{ "[F", 'G' }, { "[4~", 'G' },
	};
	size_t n = 1;

	if (at[0] != '[' && at[0] != 'O')
		return 0;
	while (at[n] && (at[n] < 0x40 || at[n] > 0x7e))
		n++;
	n += at[n] != '\0';
	*key = 0;
	for (unsigned i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (strlen(named[i].bytes) == n && strncmp(at, named[i].bytes, n) == 0)
			*key = named[i].key;
	return n;
}

static bool top_keys(struct top *p)
{
	char buf[64];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf) - 1);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;	/* the terminal is gone */
	buf[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		char key = buf[i];
		size_t more = key == '\033' ? top_escape(buf + i + 1, &key) : 0;

		i += (ssize_t)more;
		if (!(more && (p->typing || !key)) && !top_key(p, key))
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

static int top_sort(enum picture_sort *sort, const char *word)
{
	struct near near;

	*sort = PICTURE_CONFIGURED;
	if (!word)
		return 0;
	near_start(&near, word);
	for (unsigned i = 0; picture_sorts[i]; i++) {
		if (strcmp(picture_sorts[i], word) == 0) {
			*sort = (enum picture_sort)i;
			return 0;
		}
		near_try(&near, picture_sorts[i]);
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
	struct top p = { .t = t, .signals = -1, .interval_ns = interval, .style = { .lately = true } };
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
			picture_draw(stdout, &p.look[p.now], &p.style);
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
