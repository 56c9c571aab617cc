/* Values of the configuration and the command line. */
#include "conf/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "http/chars.h"
#include "shm_stats.h"

struct value_unit {
	const char *name;
	uint64_t factor;
};

int value_percent(const char *text, uint64_t *v)
{
	size_t size = strlen(text);
	char digits[24];

	if (size < 2 || size > sizeof(digits) || text[size - 1] != '%') {
		errno = EINVAL;
		return -1;
	}
	memcpy(digits, text, size - 1);
	digits[size - 1] = '\0';
	return value_number(digits, v);
}

/* The smallest comes first: what is printed is always a whole number of these. */
static const struct value_unit value_times[] = {
	{ "ms", CONF_MS },
	{ "s", CONF_SECOND },
	{ "m", 60 * CONF_SECOND },
	{ "h", 3600 * CONF_SECOND },
	{ NULL, 0 },
};

static const struct value_unit value_sizes[] = {
	{ "", 1 },
	{ "k", UINT64_C(1) << 10 },
	{ "m", UINT64_C(1) << 20 },
	{ "g", UINT64_C(1) << 30 },
	{ NULL, 0 },
};

/* Reads the digits at *text and leaves *text behind them. */
static int value_digits(const char **text, uint64_t *v)
{
	const char *at = *text;
	uint64_t n = 0;
	bool fits = true;

	if (*at < '0' || *at > '9') {
		errno = EINVAL;
		return -1;
	}
	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');
		if (n > (UINT64_MAX - digit) / 10)
			fits = false;
		else
			n = n * 10 + digit;
	}
	*text = at;
	*v = n;
	if (!fits) {
		errno = ERANGE;
		return -1;
	}
	return 0;
}

static int value_with_unit(const char *text, const struct value_unit *unit, uint64_t *v)
{
	uint64_t n = 0;
	int err = value_digits(&text, &n) < 0 ? errno : 0;

	if (err == EINVAL)
		goto invalid;
	while (unit->name && strcmp(unit->name, text) != 0)
		unit++;
	if (!unit->name)
		goto invalid;
	if (err || n > UINT64_MAX / unit->factor) {
		errno = ERANGE;
		return -1;
	}
	*v = n * unit->factor;
	return 0;
invalid:
	errno = EINVAL;
	return -1;
}

int value_number(const char *text, uint64_t *v)
{
	static const struct value_unit none[] = { { "", 1 }, { NULL, 0 } };

	return value_with_unit(text, none, v);
}

int value_time(const char *text, uint64_t *ns)
{
	return value_with_unit(text, value_times, ns);
}

int value_size(const char *text, uint64_t *bytes)
{
	return value_with_unit(text, value_sizes, bytes);
}

static const char *value_text(char buf[static VALUE_TEXT_MAX], const struct value_unit *unit, const char *zero, uint64_t v)
{
	if (v == 0) {
		snprintf(buf, VALUE_TEXT_MAX, "%s", zero);
		return buf;
	}
	while (unit[1].name && v % unit[1].factor == 0)
		unit++;
	snprintf(buf, VALUE_TEXT_MAX, "%" PRIu64 "%s", v / unit->factor, unit->name);
	return buf;
}

const char *value_time_text(char buf[static VALUE_TEXT_MAX], uint64_t ns)
{
	return value_text(buf, value_times, "0s", ns);
}

const char *value_size_text(char buf[static VALUE_TEXT_MAX], uint64_t bytes)
{
	return value_text(buf, value_sizes, "0", bytes);
}

#define VALUE_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static bool value_is_made_of(const char *text, const char *bytes)
{
	size_t size = strlen(text);

	return size > 0 && size < SHM_NAME_MAX && strspn(text, bytes) == size;
}

bool value_is_name(const char *text)
{
	return value_is_made_of(text, VALUE_LETTERS);
}

bool value_is_server_name(const char *text)
{
	return value_is_made_of(text, VALUE_LETTERS ":[]/#");
}

bool value_is_token(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && size < 256 && http_chars_span(text, text + size, HTTP_C_TOKEN) == text + size;
}

bool value_is_url_path(const char *text, bool query_too)
{
	size_t size = strlen(text);

	if (text[0] != '/' || size > 1000)
		return false;
	for (; *text; text++) {
		if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f || *text == '#')
			return false;
		if (*text == '?' && !query_too)
			return false;
	}
	return true;
}
