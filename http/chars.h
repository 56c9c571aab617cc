/* What bytes may stand where in HTTP. RFC 9110 5.6, RFC 3986. */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__) && !defined(HTTP_PORTABLE)
#include <emmintrin.h>
#endif

enum {
	HTTP_C_TOKEN = 1,	/* tchar */
	HTTP_C_PATH = 2,	/* path of a request target: what RFC 3986 says, and what browsers send besides */
	HTTP_C_QUERY = 4,	/* the same after its '?' */
	HTTP_C_NAME = 8,	/* registered name of a host: unreserved, sub-delims; not '%' */
	HTTP_C_HEX = 16,
	HTTP_C_CTL = 32,	/* controls but HTAB, and DEL: nowhere in a head */
};

extern const uint8_t http_chars[256];

static inline bool http_char_is(char c, unsigned classes)
{
	return http_chars[(unsigned char)c] & classes;
}

static inline bool http_char_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool http_char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* First byte at or after p that is a control (HTTP_C_CTL), or end. Reads nothing at or after end. */
static inline const char *http_chars_text_end(const char *p, const char *end)
{
#if defined(__SSE2__) && !defined(HTTP_PORTABLE)
	const __m128i last_ctl = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);

	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, last_ctl), v);
		__m128i ctl = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), low), _mm_cmpeq_epi8(v, del));
		int mask = _mm_movemask_epi8(ctl);

		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#endif
	while (p < end && !http_char_is(*p, HTTP_C_CTL))
		p++;
	return p;
}

/* First byte at or after p that is of none of these classes, or end. */
static inline const char *http_chars_span(const char *p, const char *end, unsigned classes)
{
	while (p < end && http_char_is(*p, classes))
		p++;
	return p;
}

/* Does text[0..size) equal lower, which is written in small letters, digits and '-', whatever its case? */
bool http_chars_same(const char *text, const char *lower, size_t size);
/* The same of two field names (tokens), neither of them known. */
bool http_chars_same_name(const char *a, const char *b, size_t size);

/*
 * Next element of a comma-separated list of tokens (RFC 9110 5.6.1): from *p on, to end. Returns its
 * size, *element is its start and *p behind it and its comma; 0: no further element; -1: something
 * else than a token, or more empty elements than anybody needs.
 */
int http_chars_list_next(const char **p, const char *end, const char **element);

#endif
