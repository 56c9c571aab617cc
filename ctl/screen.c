/* The terminal. */
#include "ctl/screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

unsigned screen_columns(int fd)
{
	struct winsize w;

	if (!isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80;
}

/* no-color.org: any value but an empty one. */
bool screen_colors(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no && *no) && !(term && term[0] == 'd' && term[1] == 'u');
}

void screen_ink(FILE *out, bool color, enum screen_ink ink)
{
	static const char *const code[] = { "\033[0m", "\033[1;31m", "\033[33m", "\033[1m" };

	if (color)
		fputs(code[ink], out);
}

/* How many bytes of the line fit, up to a space if there is one; escape sequences take no room. */
static size_t screen_fit(const char *line, size_t size, unsigned columns)
{
	size_t space = 0;
	unsigned column = 0;

	for (size_t i = 0; i < size; i++) {
		if (line[i] == '\033') {
			while (i + 1 < size && line[i] != 'm')
				i++;
			continue;
		}
		if (line[i] == ' ')
			space = i;
		if (column++ == columns)
			return space ? space : i;
	}
	return size;
}

void screen_wrap(FILE *out, const char *text, unsigned columns)
{
	for (const char *at = text; *at; ) {
		size_t size = strcspn(at, "\n");
		bool first = true;

		if (!at[size]) {	/* no line, but an escape sequence behind the last one */
			fputs(at, out);
			return;
		}
		do {
			size_t n = screen_fit(at, size, first || columns < 20 ? columns : columns - 4);

			fprintf(out, "%s%.*s\n", first ? "" : "    ", (int)n, at);
			at += n;
			size -= n;
			for (; size && *at == ' '; at++)
				size--;
			first = false;
		} while (size);
		at++;
	}
}
