/* worker/access_line: every byte, wherever it stands, so that it can neither end a line nor a string. */
#include "tests/unit/tap.h"
#include "worker/access_line.h"

static char got[8192];

static size_t escape(bool json, const char *text, size_t size)
{
	struct http_out o = { .at = got, .end = got + sizeof(got) };

	access_line_escape(&o, json, text, size);
	*o.at = '\0';
	return http_out_size(&o, got);
}

/* The same, byte by byte. */
static size_t slowly(char *out, bool json, const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned c = (unsigned char)text[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			out[n++] = (char)c;
		else if (json && (c == '"' || c == '\\'))
			n += (size_t)sprintf(out + n, "\\%c", (int)c);	/* NOLINT: room for all */
		else
			n += (size_t)sprintf(out + n, json ? "\\u%04X" : "\\x%02X", c);	/* NOLINT */
	}
	return n;
}

int main(void)
{
	char text[64], want[512];
	unsigned wrong = 0, seed = 1;

	for (int json = 0; json < 2; json++)
		for (unsigned c = 0; c < 256; c++)
			for (size_t size = 1; size <= 20; size++)
				for (size_t at = 0; at < size; at++) {
					memset(text, 'a', size);
					text[at] = (char)c;
					size_t n = slowly(want, json, text, size);
					wrong += escape(json, text, size) != n || memcmp(got, want, n) != 0;
				}
	is_int(wrong, 0, "each byte at each place");
	for (unsigned round = 0; round < 200000; round++) {
		size_t size = round % 41;
		for (size_t i = 0; i < size; i++) {
			seed = seed * 1103515245 + 12345;
			/* Around the borders: what is plain, and what is not. */
			text[i] = "\x1f\x20\x21\x22\x23\x5b\x5c\x5d\x7e\x7f\x80\xff\0\x01xy"[seed >> 20 & 15];
		}
		size_t n = slowly(want, round & 1, text, size);
		wrong += escape(round & 1, text, size) != n || memcmp(got, want, n) != 0;
	}
	is_int(wrong, 0, "mixed");
	struct http_out o = { .at = got, .end = got + 10 };
	access_line_escape(&o, false, "\x01\x02\x03\x04", 4);
	ok(o.full && o.at <= got + 10, "what does not fit is not written beyond the room");
	return done_testing();
}
