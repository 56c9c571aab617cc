#include "http/chars.h"

#define EMPTY_ELEMENTS_MAX 16	/* in a row, of a list */

#define DIGIT(c)	((c) >= '0' && (c) <= '9')
#define ALPHA(c)	((((c) | 0x20) >= 'a') && (((c) | 0x20) <= 'z'))
#define HEX(c)		(DIGIT(c) || ((((c) | 0x20) >= 'a') && (((c) | 0x20) <= 'f')))
#define CTL(c)		(((c) < 0x20 && (c) != '\t') || (c) == 0x7f)

#define TOKEN(c) \
	(DIGIT(c) || ALPHA(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || (c) == '&' || \
	 (c) == '\'' || (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' || (c) == '^' || (c) == '_' || \
	 (c) == '`' || (c) == '|' || (c) == '~')

#define NAME(c) \
	(DIGIT(c) || ALPHA(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~' || \
	 (c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' || \
	 (c) == '*' || (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=')

/*
 * Targets. Never a fragment, '"', '<', '>' or a byte above 0x7e: nobody sends them in good faith, and
 * readers differ. A backslash is a slash to some readers of paths, so only in a query.
 */
#define QUERY(c)	((c) > 0x20 && (c) < 0x7f && (c) != '#' && (c) != '"' && (c) != '<' && (c) != '>')
#define PATH(c)		(QUERY(c) && (c) != '?' && (c) != '\\')

#define C(c) \
	((TOKEN(c) ? HTTP_C_TOKEN : 0) | (PATH(c) ? HTTP_C_PATH : 0) | (QUERY(c) ? HTTP_C_QUERY : 0) | \
	 (NAME(c) ? HTTP_C_NAME : 0) | (HEX(c) ? HTTP_C_HEX : 0) | (CTL(c) ? HTTP_C_CTL : 0))
#define C4(c)	C(c), C((c) + 1), C((c) + 2), C((c) + 3)
#define C16(c)	C4(c), C4((c) + 4), C4((c) + 8), C4((c) + 12)

const uint8_t http_chars[256] = {
	C16(0x00), C16(0x10), C16(0x20), C16(0x30), C16(0x40), C16(0x50), C16(0x60), C16(0x70),
	C16(0x80), C16(0x90), C16(0xa0), C16(0xb0), C16(0xc0), C16(0xd0), C16(0xe0), C16(0xf0),
};

/* No other byte than a letter becomes a small letter by |0x20; none but controls becomes a digit or '-'. */
bool http_chars_same(const char *text, const char *lower, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((text[i] | 0x20) != lower[i])
			return false;
	return true;
}

bool http_chars_same_name(const char *a, const char *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (a[i] == b[i])
			continue;
		if ((a[i] ^ b[i]) != 0x20 || !ALPHA(a[i]))
			return false;
	}
	return true;
}

int http_chars_list_next(const char **p, const char *end, const char **element)
{
	const char *q = *p, *start;
	unsigned empty = 0;

	for (; q < end && (http_char_is_blank(*q) || *q == ','); q++)
		if (*q == ',' && ++empty > EMPTY_ELEMENTS_MAX)
			return -1;
	*p = *element = start = q;
	if (q == end)
		return 0;
	q = http_chars_span(q, end, HTTP_C_TOKEN);
	if (q == start)
		return -1;
	*p = q;
	while (*p < end && http_char_is_blank(**p))
		(*p)++;
	if (*p < end && *(*p)++ != ',')
		return -1;
	return (int)(q - start);
}
