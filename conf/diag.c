/* The configuration's complaints. */
#include "conf/diag.h"

#include <stdarg.h>
#include <string.h>

void diag_at(struct diag *d, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	d->errors++;
	if (d->errors == DIAG_MAX + 1)
		fprintf(d->out, "%s:%u:%u: more errors follow; expected these to be mended first\n", d->file, line, column);
	if (d->errors > DIAG_MAX)
		return;
	fprintf(d->out, "%s:%u:%u: ", d->file, line, column);
	va_start(ap, fmt);
	vfprintf(d->out, fmt, ap);
	va_end(ap);
	fputc('\n', d->out);
}

const char *diag_quote(char buf[static DIAG_QUOTE_MAX], const char *text)
{
	/* Behind the last byte: an escape (4), the dots (3), the mark and NUL. */
	const size_t room = DIAG_QUOTE_MAX - 9;
	size_t n = 0;

	buf[n++] = '"';
	for (; *text && n < room; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c >= 0x7f)
			n += (size_t)snprintf(buf + n, 5, "\\x%02x", c);
		else
			buf[n++] = (char)c;
	}
	snprintf(buf + n, DIAG_QUOTE_MAX - n, "%s", *text ? "...\"" : "\"");
	return buf;
}
