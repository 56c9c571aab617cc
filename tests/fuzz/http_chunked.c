/*
 * Fuzz target: chunked bodies. In pieces they say the same as at once, and the same as a second reader that
 * works on whole lines; what was read is written as chunks, and read again.
 */
#include <stdint.h>

#include "http/body.h"

#include "tests/fuzz/strict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX 4096

struct outcome {
	enum http_result result;
	size_t used, size;
	char data[MAX];
};

/* ---- the second reader: RFC 9112 7.1 as it is written, from the front to the end ---- */

static bool token(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", p[i]))
			return false;
	return n > 0;
}

static size_t blanks(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i;
}

/* *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), and nothing else on the line */
static bool extensions(const char *p, size_t n)
{
	while (n) {
		size_t i = blanks(p, n), k;

		if (i == n || p[i] != ';')
			return false;
		i++;
		i += blanks(p + i, n - i);
		for (k = i; k < n && token(p + k, 1); k++)
			;
		if (k == i)
			return false;
		i = k;
		k += blanks(p + k, n - k);
		if (k < n && p[k] == '=') {
			k++;
			k += blanks(p + k, n - k);
			i = k;
			if (k < n && p[k] == '"') {
				for (k++; k < n && p[k] != '"'; k++) {
					if (p[k] == '\\' && ++k == n)
						return false;
					if (((unsigned char)p[k] < 0x20 && p[k] != '\t') || p[k] == 0x7f)
						return false;
				}
				if (k == n)
					return false;
				k++;
			} else {
				for (; k < n && token(p + k, 1); k++)
					;
				if (k == i)
					return false;
			}
			i = k;
		}
		p += i;
		n -= i;
	}
	return true;
}

/* Size of the line at p up to its CRLF; -1: no CRLF; -2: a CR or LF that is not part of one comes first. */
static long line_size(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			return -2;
		if (p[i] == '\r')
			return i + 1 == n ? -1 : p[i + 1] == '\n' ? (long)i : -2;
	}
	return -1;
}

static bool trailer(const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);

	if (!colon || !token(p, (size_t)(colon - p)))
		return false;
	for (const char *q = colon; q < p + n; q++)
		if (((unsigned char)*q < 0x20 && *q != '\t') || *q == 0x7f)
			return false;
	return true;
}

static void second_reader(struct outcome *o, const char *p, size_t n)
{
	const char *from = p;
	long line;

	*o = (struct outcome){ .result = HTTP_PARTIAL };
	for (;;) {
		unsigned long long left = 0;
		size_t digits = 0;

		line = line_size(p, n);
		if (line < 0)
			break;
		for (; digits < (size_t)line && strchr("0123456789abcdefABCDEF", p[digits]) && p[digits]; digits++) {
			if (left >> 59)
				goto bad;
			left = left * 16 + (unsigned long long)(p[digits] <= '9' ? p[digits] - '0' : (p[digits] & 0x5f) - 'A' + 10);
		}
		if (!digits || left > INT64_MAX || !extensions(p + digits, (size_t)line - digits))
			goto bad;
		p += line + 2;
		n -= (size_t)line + 2;
		if (!left) {
			while ((line = line_size(p, n)) > 0) {
				if (!trailer(p, (size_t)line))
					goto bad;
				p += line + 2;
				n -= (size_t)line + 2;
			}
			if (line < 0)
				break;
			o->used = (size_t)(p + 2 - from);
			o->result = HTTP_DONE;
			return;
		}
		if (left > n) {
			memcpy(o->data + o->size, p, n);
			o->size += n;
			return;
		}
		memcpy(o->data + o->size, p, left);
		o->size += left;
		p += left;
		n -= left;
		if (n && p[0] != '\r')
			goto bad;
		if (n > 1 && p[1] != '\n')
			goto bad;
		if (n < 2)
			return;
		p += 2;
		n -= 2;
	}
	if (line == -1)
		return;
bad:
	o->result = HTTP_BAD;
}

/* ---- the reader under test, fed as a worker feeds it ---- */

static void feed(struct http_body *b, struct outcome *o, const char *p, size_t upto)
{
	while (o->result == HTTP_PARTIAL) {
		size_t skip = 99, data = 99, n = upto - o->used;

		o->result = http_body_next(b, p + o->used, n, &skip, &data);
		MUST(skip <= n && data <= n - skip && o->size + data <= sizeof(o->data));
		MUST(o->result != HTTP_BAD || (!skip && !data && b->why));
		memcpy(o->data + o->size, p + o->used + skip, data);
		o->size += data;
		o->used += skip + data;
		if (o->result == HTTP_PARTIAL && !(skip + data)) {
			MUST(!n);
			break;
		}
	}
	MUST(b->total == o->size);
	MUST(http_body_eof(b) == (o->result == HTTP_DONE));
}

static void same(const struct outcome *a, const struct outcome *b)
{
	MUST(a->result == b->result && a->size == b->size && !memcmp(a->data, b->data, a->size));
	MUST(a->result != HTTP_DONE || a->used == b->used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, other;
	static char chunks[3 * MAX];
	struct http_body b;
	size_t n = 0, cut;
	char *p;

	if (size > MAX / 2)
		return 0;
	p = strict_copy(data, size, size);
	http_body_start(&b, HTTP_CHUNKED, 0);
	whole = (struct outcome){ .result = HTTP_PARTIAL };
	feed(&b, &whole, p, size);

	second_reader(&other, p, size);
	if (size <= 1000) {	/* below all limits, which it does not have */
		if (other.result == HTTP_PARTIAL)	/* it waits for whole lines */
			MUST(whole.result != HTTP_DONE);
		else
			MUST(whole.result == other.result);
		if (whole.result == HTTP_DONE)
			same(&whole, &other);
		MUST(whole.size == other.size && !memcmp(whole.data, other.data, whole.size));
	}
	strict_free(p, size);

	p = strict_copy(data, size, 0);
	http_body_start(&b, HTTP_CHUNKED, 0);
	other = (struct outcome){ .result = HTTP_PARTIAL };
	for (size_t i = 0; i <= size && other.result == HTTP_PARTIAL; i++) {
		ASAN_UNPOISON_MEMORY_REGION(p, i);
		feed(&b, &other, p, i);
	}
	same(&whole, &other);
	strict_free(p, size);

	cut = size ? data[size / 2] * size / 256 : 0;
	p = strict_copy(data, size, cut);
	http_body_start(&b, HTTP_CHUNKED, 0);
	other = (struct outcome){ .result = HTTP_PARTIAL };
	feed(&b, &other, p, cut);
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	feed(&b, &other, p, size);
	same(&whole, &other);
	strict_free(p, size);

	/* As chunks of ours, of sizes taken from the input, it comes back the same. */
	for (size_t at = 0; at < whole.size;) {
		size_t take = 1 + data[at % size] % (whole.size - at);

		n += http_chunk_head(chunks + n, take);
		memcpy(chunks + n, whole.data + at, take);
		memcpy(chunks + n + take, "\r\n", 2);
		n += take + 2;
		at += take;
		if (n > sizeof(chunks) - MAX)
			return 0;
	}
	memcpy(chunks + n, "0\r\n\r\nnext", 9);
	http_body_start(&b, HTTP_CHUNKED, 0);
	other = (struct outcome){ .result = HTTP_PARTIAL };
	feed(&b, &other, chunks, n + 9);
	MUST(other.result == HTTP_DONE && other.used == n + 5 && other.size == whole.size);
	MUST(!memcmp(other.data, whole.data, whole.size));
	return 0;
}
