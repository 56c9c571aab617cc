/*
 * A unit test is a program that prints TAP: ok(), is_int(), is_str() as often as wanted, then
 * `return done_testing();`. Single-threaded; tests/unit/NAME.c includes this once.
 */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned tap_run, tap_failed;

/* The name is printf-like, and must not start with a digit nor hold a newline or '#'. Returns `good`. */
__attribute__((format(printf, 4, 5)))
static inline bool tap_ok(bool good, const char *file, int line, const char *name, ...)
{
	va_list ap;

	tap_run++;
	printf("%sok %u - ", good ? "" : "not ", tap_run);
	va_start(ap, name);
	vprintf(name, ap);
	va_end(ap);
	putchar('\n');
	if (!good) {
		tap_failed++;
		printf("#   failed at %s:%d\n", file, line);
	}
	fflush(stdout);	/* what was found stays visible when the next case crashes */
	return good;
}

#define ok(good, ...)	tap_ok((good), __FILE__, __LINE__, __VA_ARGS__)

static inline bool tap_is_int(long long got, long long want, const char *name, const char *file, int line)
{
	bool good = tap_ok(got == want, file, line, "%s", name);

	if (!good)
		printf("#   got %lld, want %lld\n", got, want);
	return good;
}

/* is_int(got, want, name): any integer that fits a long long. */
#define is_int(got, want, name)	tap_is_int((long long)(got), (long long)(want), (name), __FILE__, __LINE__)

/* One line of a comment, whatever bytes are in the text. */
static inline void tap_show(const char *label, const char *text)
{
	printf("#   %s ", label);
	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == '\\' || c >= 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	puts(text ? "" : "(null)");
}

static inline bool tap_is_str(const char *got, const char *want, const char *name, const char *file, int line)
{
	bool same = got && want ? strcmp(got, want) == 0 : got == want;
	bool good = tap_ok(same, file, line, "%s", name);

	if (!good) {
		tap_show("got: ", got);
		tap_show("want:", want);
	}
	return good;
}

/* is_str(got, want, name): NUL-terminated; NULL equals only NULL. */
#define is_str(got, want, name)	tap_is_str((got), (want), (name), __FILE__, __LINE__)

/* Prints the plan. Returns the program's exit code. */
static inline int done_testing(void)
{
	printf("1..%u\n", tap_run);
	if (tap_failed)
		printf("# %u of %u failed\n", tap_failed, tap_run);
	fflush(stdout);
	return tap_failed || !tap_run ? 1 : 0;
}

#endif
