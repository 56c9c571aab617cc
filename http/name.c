#include "http/name.h"

#include <string.h>

/*
 * Equal to `lower`, of `size` bytes, whatever the case; both a constant at every call, so this becomes
 * a few compares of words. See http_chars_same() for why |0x20 is right. The last words overlap.
 */
static inline __attribute__((always_inline)) bool same(const char *text, const char *lower, size_t size)
{
	const uint64_t cases = UINT64_C(0x2020202020202020);
	uint64_t a8, b8;
	uint32_t a4, b4;

	if (size >= 8) {
		for (size_t i = 0; i < size; i += 8) {
			size_t at = i + 8 <= size ? i : size - 8;

			memcpy(&a8, text + at, 8);
			memcpy(&b8, lower + at, 8);
			if ((a8 | cases) != b8)
				return false;
		}
		return true;
	}
	if (size >= 4) {
		memcpy(&a4, text, 4);
		memcpy(&b4, lower, 4);
		if ((a4 | (uint32_t)cases) != b4)
			return false;
		memcpy(&a4, text + size - 4, 4);
		memcpy(&b4, lower + size - 4, 4);
		return (a4 | (uint32_t)cases) == b4;
	}
	for (size_t i = 0; i < size; i++)
		if ((text[i] | 0x20) != lower[i])
			return false;
	return true;
}

#define IF_SAME(lower, id) \
	do { if (same(name, (lower), sizeof(lower) - 1)) return (id); } while (0)

enum http_field_id http_name_field(const char *name, size_t size)
{
	/* By size first, then by the first letter: at most one whole comparison. */
	switch (size) {
	case 2:
		IF_SAME("te", HTTP_F_TE);
		break;
	case 3:
		IF_SAME("via", HTTP_F_VIA);
		break;
	case 4:
		IF_SAME("host", HTTP_F_HOST);
		IF_SAME("date", HTTP_F_DATE);
		break;
	case 6:
		IF_SAME("cookie", HTTP_F_COOKIE);
		IF_SAME("server", HTTP_F_SERVER);
		IF_SAME("expect", HTTP_F_EXPECT);
		break;
	case 7:
		switch (name[0] | 0x20) {
		case 'u': IF_SAME("upgrade", HTTP_F_UPGRADE); break;
		case 't': IF_SAME("trailer", HTTP_F_TRAILER); break;
		case 'r': IF_SAME("referer", HTTP_F_REFERER); break;
		}
		break;
	case 9:
		IF_SAME("forwarded", HTTP_F_FORWARDED);
		break;
	case 10:
		switch (name[0] | 0x20) {
		case 'u': IF_SAME("user-agent", HTTP_F_USER_AGENT); break;
		case 'c': IF_SAME("connection", HTTP_F_CONNECTION); break;
		case 'k': IF_SAME("keep-alive", HTTP_F_KEEP_ALIVE); break;
		case 's': IF_SAME("set-cookie", HTTP_F_SET_COOKIE); break;
		}
		break;
	case 11:
		IF_SAME("retry-after", HTTP_F_RETRY_AFTER);
		break;
	case 12:
		IF_SAME("x-request-id", HTTP_F_X_REQUEST_ID);
		IF_SAME("max-forwards", HTTP_F_MAX_FORWARDS);
		break;
	case 14:
		IF_SAME("content-length", HTTP_F_CONTENT_LENGTH);
		IF_SAME("http2-settings", HTTP_F_HTTP2_SETTINGS);
		break;
	case 15:
		IF_SAME("x-forwarded-for", HTTP_F_X_FORWARDED_FOR);
		break;
	case 16:
		IF_SAME("x-forwarded-host", HTTP_F_X_FORWARDED_HOST);
		IF_SAME("proxy-connection", HTTP_F_PROXY_CONNECTION);
		break;
	case 17:
		IF_SAME("transfer-encoding", HTTP_F_TRANSFER_ENCODING);
		IF_SAME("x-forwarded-proto", HTTP_F_X_FORWARDED_PROTO);
		break;
	case 18:
		IF_SAME("proxy-authenticate", HTTP_F_PROXY_AUTHENTICATE);
		break;
	case 19:
		IF_SAME("proxy-authorization", HTTP_F_PROXY_AUTHORIZATION);
		break;
	}
	return HTTP_FIELD_OTHER;
}

/* Methods are case-sensitive. RFC 9110 9.1 */
enum http_method http_name_method(const char *name, size_t size)
{
	switch (size) {
	case 3:
		if (!memcmp(name, "GET", 3))
			return HTTP_GET;
		if (!memcmp(name, "PUT", 3))
			return HTTP_PUT;
		break;
	case 4:
		if (!memcmp(name, "POST", 4))
			return HTTP_POST;
		if (!memcmp(name, "HEAD", 4))
			return HTTP_HEAD;
		break;
	case 5:
		if (!memcmp(name, "PATCH", 5))
			return HTTP_PATCH;
		if (!memcmp(name, "TRACE", 5))
			return HTTP_TRACE;
		break;
	case 6:
		if (!memcmp(name, "DELETE", 6))
			return HTTP_DELETE;
		break;
	case 7:
		if (!memcmp(name, "OPTIONS", 7))
			return HTTP_OPTIONS;
		if (!memcmp(name, "CONNECT", 7))
			return HTTP_CONNECT;
		break;
	}
	return HTTP_METHOD_OTHER;
}
