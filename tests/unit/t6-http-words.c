/*
 * The words of HTTP: names of fields and methods, authorities, characters, reasons.
 */
#include "http/authority.h"
#include "http/chars.h"
#include "http/name.h"

#include "tests/unit/edge.h"
#include "tests/unit/tap.h"

static struct edge edge;

static const char *const method_names[] = {
	[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE",
	[HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE", [HTTP_PATCH] = "PATCH", [HTTP_CONNECT] = "CONNECT",
};

static void names(void)
{
	static const struct { const char *name; enum http_field_id id; } all[] = {
		{ "host", HTTP_F_HOST }, { "content-length", HTTP_F_CONTENT_LENGTH },
		{ "transfer-encoding", HTTP_F_TRANSFER_ENCODING }, { "connection", HTTP_F_CONNECTION },
		{ "keep-alive", HTTP_F_KEEP_ALIVE }, { "proxy-connection", HTTP_F_PROXY_CONNECTION },
		{ "upgrade", HTTP_F_UPGRADE }, { "te", HTTP_F_TE }, { "trailer", HTTP_F_TRAILER },
		{ "expect", HTTP_F_EXPECT }, { "date", HTTP_F_DATE }, { "server", HTTP_F_SERVER }, { "via", HTTP_F_VIA },
		{ "x-forwarded-for", HTTP_F_X_FORWARDED_FOR }, { "x-forwarded-proto", HTTP_F_X_FORWARDED_PROTO },
		{ "x-forwarded-host", HTTP_F_X_FORWARDED_HOST }, { "forwarded", HTTP_F_FORWARDED },
		{ "x-request-id", HTTP_F_X_REQUEST_ID }, { "cookie", HTTP_F_COOKIE }, { "set-cookie", HTTP_F_SET_COOKIE },
		{ "proxy-authenticate", HTTP_F_PROXY_AUTHENTICATE }, { "proxy-authorization", HTTP_F_PROXY_AUTHORIZATION },
		{ "http2-settings", HTTP_F_HTTP2_SETTINGS }, { "max-forwards", HTTP_F_MAX_FORWARDS },
		{ "retry-after", HTTP_F_RETRY_AFTER }, { "referer", HTTP_F_REFERER }, { "user-agent", HTTP_F_USER_AGENT },
	};
	unsigned known = 1;	/* HTTP_FIELD_OTHER */

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char text[32];
		size_t size = strlen(all[i].name);
		bool good = true;

		/* Each with its case changed, its letters replaced, and its ends cut off. */
		for (size_t k = 0; k < size; k++) {
			memcpy(text, all[i].name, size);
			if (text[k] >= 'a' && text[k] <= 'z')
				text[k] = (char)(text[k] - 32);
			good &= http_name_field(edge_put(&edge, text, size), size) == all[i].id;
			for (int c = 0x21; c < 0x7f; c++) {
				text[k] = (char)c;
				if (!http_char_is((char)c, HTTP_C_TOKEN) || (c | 0x20) == all[i].name[k])
					continue;
				good &= http_name_field(edge_put(&edge, text, size), size) == HTTP_FIELD_OTHER;
			}
		}
		good &= http_name_field(all[i].name, size - 1) != all[i].id;
		snprintf(text, sizeof(text), "%s-", all[i].name);
		good &= http_name_field(text, size + 1) == HTTP_FIELD_OTHER;
		ok(good, "name %s", all[i].name);
		known++;
	}
	is_int(known, HTTP_FIELD_IDS, "all known names were tried");
	for (unsigned m = 1; m < sizeof(method_names) / sizeof(*method_names); m++) {
		char *at = edge_put(&edge, method_names[m], strlen(method_names[m]));
		bool good = http_name_method(at, strlen(method_names[m])) == m &&
		    http_name_method(at, strlen(method_names[m]) - 1) == HTTP_METHOD_OTHER;

		at[0] |= 0x20;
		ok(good && http_name_method(at, strlen(method_names[m])) == HTTP_METHOD_OTHER, "method %s", method_names[m]);
	}
}

static void authorities(void)
{
	static const char *const good[] = {
		"a", "example.com", "example.com.", "a-b_c~d", "127.0.0.1", "1", "example.com:", "example.com:0", "example.com:80",
		"example.com:65535", "example.com:00080", "a%20b", "%41", "!$&'()*+,;=", "xn--bcher-kva.example",
		"999.999.999.999", "[::]", "[::1]", "[::1]:", "[::1]:80", "[1:2:3:4:5:6:7:8]", "[1::8]", "[1:2:3:4:5:6:7::]",
		"[::2:3:4:5:6:7:8]", "[1::3:4:5:6:7:8]", "[ABCD:abcd:0123::]", "[::ffff:1.2.3.4]", "[64:ff9b::192.0.2.33]",
		"[1:2:3:4:5:6:1.2.3.4]", "[::255.255.255.255]", "[::0.0.0.0]", "[v1.a]", "[vF.a:b]", "[V1f.!$&]",
	};
	static const char *const bad[] = {
		"", ":", ":80", "a:b", "a:65536", "a:99999999999999999999", "a:-1", "a:80a", "a:80:80", "a b", " a", "a ", "a/", "a?",
		"a#", "a@b", "@a", "a\\b", "a\"", "a<", "a>", "a[", "a]", "a{", "a|b", "a^b", "a`b", "%", "%4", "%4g", "%g4", "a%",
		"\xc3\xa9", "a\t", "[", "]", "[]", "[:]", "[:::]", "[::1", "::1", "[::1]80", "[::1]:x", "[::1]:65536", "[::1]a", "[[::1]]",
		"[1]", "[1:]", "[:1]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8:]", "[:1:2:3:4:5:6:7:8]",
		"[1::2::3]", "[::1::]", "[1:2:3:4::5:6:7:8]", "[::1:2:3:4:5:6:7:8]", "[12345::]", "[::12345]", "[g::]", "[::-1]",
		"[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1.2.3]", "[::1.2.3.4.5]", "[::1.2.3.256]", "[::1.2.3.04]", "[::1.2.3.4:5]",
		"[1.2.3.4]", "[::1.2..4]", "[::.1.2.3]", "[1:2:3:4:5:6:7:1.2.3.4]", "[1:2:3:4:5:1.2.3.4]", "[::1.2.3.4 ]", "[::1.2.3.]",
		"[v]", "[v1]", "[v1.]", "[v.a]", "[vg.a]", "[v1.a/]", "[v1.%41]", "[::1]:80 ", "[ ::1]", "[::1 ]",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ok(http_authority_valid(edge_put(&edge, good[i], strlen(good[i])), strlen(good[i])), "authority: %zu. %s", i, good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!ok(!http_authority_valid(edge_put(&edge, bad[i], strlen(bad[i])), strlen(bad[i])), "no authority: %zu", i))
			tap_show("text:", bad[i]);
	ok(!http_authority_valid("a\0b", 3), "no authority: NUL within");
}

/* The search for control characters, at every offset and size around its steps of 16. */
static void text_end(void)
{
	bool good = true;

	for (size_t size = 0; size <= 70; size++) {
		char *p = edge_room(&edge, size);

		memset(p, 'a', size);
		good &= http_chars_text_end(p, p + size) == p + size;
		for (size_t i = 0; i < size; i++) {
			for (int c = 0; c < 256; c++) {
				bool ctl = (c < 0x20 && c != '\t') || c == 0x7f;

				p[i] = (char)c;
				if (i && c % 7 == 0)
					p[i - 1] = '\t';
				good &= http_chars_text_end(p, p + size) == (ctl ? p + i : p + size);
			}
			p[i] = '\r';
			if (i + 1 < size)
				p[i + 1] = '\0';
			good &= http_chars_text_end(p, p + size) == p + i;
			memset(p, 'a', size);
		}
	}
	ok(good, "control characters are found wherever they stand");
}

static void tables(void)
{
	static const char idempotent[] = { HTTP_GET, HTTP_HEAD, HTTP_OPTIONS, HTTP_TRACE, HTTP_PUT, HTTP_DELETE };

	for (unsigned m = 0; m <= HTTP_CONNECT; m++)
		ok(http_idempotent((enum http_method)m) == (memchr(idempotent, (int)m, sizeof(idempotent)) != NULL),
		    "safe to repeat: method %u", m);
	is_str(http_reason(200), "OK", "reason of 200");
	is_str(http_reason(431), "Request Header Fields Too Large", "reason of 431");
	is_str(http_reason(599), "", "reason of an unknown status");
	is_str(http_reason(0), "", "reason of nothing");
}

int main(void)
{
	edge = edge_make(4096);
	names();
	authorities();
	text_end();
	tables();
	return done_testing();
}
