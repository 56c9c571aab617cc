#include "http/authority.h"

#include "http/chars.h"

/* dec-octet 4 times, nothing else. */
static bool ipv4(const char *p, const char *end)
{
	for (int octet = 0; octet < 4; octet++) {
		const char *start;
		unsigned value = 0;

		if (octet && (p == end || *p++ != '.'))
			return false;
		for (start = p; p < end && http_char_is_digit(*p) && p - start < 3; p++)
			value = value * 10 + (unsigned)(*p - '0');
		if (p == start || value > 255 || (*start == '0' && p - start > 1))
			return false;
	}
	return p == end;
}

/* Eight groups of up to four hex digits; one run of zero groups may be "::"; the last two may be an IPv4 address. */
static bool ipv6(const char *p, const char *end)
{
	int groups = 0;
	bool gap = false;

	if (p < end && *p == ':') {
		if (end - p < 2 || p[1] != ':')
			return false;
		gap = true;
		p += 2;
	}
	while (p < end) {
		const char *start = p;

		p = http_chars_span(p, end, HTTP_C_HEX);
		if (p < end && *p == '.') {
			if (!ipv4(start, end))
				return false;
			groups += 2;
			break;
		}
		if (p == start || p - start > 4 || ++groups > 8)
			return false;
		if (p == end)
			break;
		if (*p++ != ':' || p == end)
			return false;
		if (*p == ':') {
			if (gap)
				return false;
			gap = true;
			p++;
		}
	}
	return gap ? groups <= 7 : groups == 8;
}

/* "v" HEX+ "." and then what a name may hold, or ':'. */
static bool ip_future(const char *p, const char *end)
{
	const char *start = ++p;

	p = http_chars_span(p, end, HTTP_C_HEX);
	if (p == start || p == end || *p++ != '.' || p == end)
		return false;
	while (p < end && (*p == ':' || http_char_is(*p, HTTP_C_NAME)))
		p++;
	return p == end;
}

bool http_authority_valid(const char *text, size_t size)
{
	const char *p = text, *end;
	unsigned port = 0;

	if (!size)
		return false;
	end = text + size;
	if (p < end && *p == '[') {
		const char *start = ++p;

		while (p < end && *p != ']')
			p++;
		if (p == end || p == start)
			return false;
		if ((*start | 0x20) == 'v' ? !ip_future(start, p) : !ipv6(start, p))
			return false;
		p++;
	} else {
		for (;; p += 3) {
			p = http_chars_span(p, end, HTTP_C_NAME);
			if (p == end || *p != '%')
				break;
			if (end - p < 3 || !http_char_is(p[1], HTTP_C_HEX) || !http_char_is(p[2], HTTP_C_HEX))
				return false;
		}
		if (p == text)
			return false;
	}
	if (p == end)
		return true;
	if (*p++ != ':')
		return false;
	for (; p < end && http_char_is_digit(*p) && port <= 65535; p++)
		port = port * 10 + (unsigned)(*p - '0');
	return p == end && port <= 65535;
}
