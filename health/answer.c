/*
 * The answer to a probe. Runs in the health process, on bytes that a server chose.
 */
#include "health/answer.h"

#include <string.h>

static const struct http_limits limits = { .line = 1024, .head = ANSWER_MAX, .fields = HTTP_FIELDS_MAX };

void answer_start(struct answer *a, enum conf_check_kind kind)
{
	a->seed = kind == CONF_CHECK_SEED;
	a->in_body = false;
	a->used = a->at = a->body_at = a->body_size = 0;
	a->status = 0;
	a->errors = a->entries = 0;
	http_response_start(&a->head, &limits);
}

char *answer_room(struct answer *a, size_t *room)
{
	*room = sizeof a->buf - a->used;
	return a->buf + a->used;
}

/* One number up to `end`; NULL: there is none, or it does not fit. */
static const char *number(const char *p, const char *end, uint64_t *n)
{
	const char *start = p;

	for (*n = 0; p < end && *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (*n > (UINT64_MAX - digit) / 10)
			return NULL;
		*n = *n * 10 + digit;
	}
	return p > start ? p : NULL;
}

bool answer_seed_body(const char *body, size_t size, uint64_t *errors, uint64_t *entries)
{
	const char *p = body, *end = body + size;
	uint64_t first, second;

	p = number(p, end, &first);
	if (!p || p == end || *p++ != '\n')
		return false;
	p = number(p, end, &second);
	if (!p || (p < end && *p++ != '\n') || p != end)
		return false;
	*errors = first;
	*entries = second;
	return true;
}

static enum shm_outcome judge(struct answer *a)
{
	return answer_seed_body(a->buf + a->body_at, a->body_size, &a->errors, &a->entries)
	    ? SHM_OUT_OK : SHM_OUT_BAD_BODY;
}

static enum shm_outcome feed_body(struct answer *a)
{
	size_t skip, data;

	for (;;) {
		enum http_result r = http_body_next(&a->body, a->buf + a->at, a->used - a->at, &skip, &data);

		if (r == HTTP_BAD)
			return SHM_OUT_BAD_BODY;
		a->at += (uint32_t)skip;
		/* Decoded data never overtakes what is left to decode, so it can lie in the same buffer. */
		memmove(a->buf + a->body_at + a->body_size, a->buf + a->at, data);
		a->at += (uint32_t)data;
		a->body_size += (uint32_t)data;
		if (r == HTTP_DONE)
			return judge(a);
		if (skip + data == 0 || a->at == a->used)
			break;
	}
	return a->used == sizeof a->buf ? SHM_OUT_BODY_TOO_LONG : SHM_OUT_NONE;
}

enum shm_outcome answer_feed(struct answer *a, size_t n)
{
	a->used += (uint32_t)n;
	if (a->in_body)
		return feed_body(a);
	for (;;) {
		switch (http_response_parse(&a->head, a->buf + a->at, a->used - a->at, HTTP_GET)) {
		case HTTP_BAD:
			return SHM_OUT_BAD_HEAD;
		case HTTP_PARTIAL:
			return a->used == sizeof a->buf ? SHM_OUT_BAD_HEAD : SHM_OUT_NONE;
		case HTTP_DONE:
			break;
		}
		a->status = a->head.status;
		a->at += a->head.size;
		if (a->status >= 200 || a->status == 101)
			break;
		/* 100, 103 and their like announce the answer, they are not it. */
		http_response_start(&a->head, &limits);
	}
	if (!a->seed)
		return a->status >= 200 && a->status <= 399 ? SHM_OUT_OK : SHM_OUT_BAD_STATUS;
	if (a->status != 200)
		return SHM_OUT_BAD_STATUS;
	if (a->head.framing == HTTP_LENGTH && a->head.length > sizeof a->buf - a->at)
		return SHM_OUT_BODY_TOO_LONG;
	if (a->head.framing == HTTP_NO_BODY || (a->head.framing == HTTP_LENGTH && a->head.length == 0))
		return SHM_OUT_BAD_BODY;
	http_body_start(&a->body, (enum http_framing)a->head.framing, a->head.length);
	a->in_body = true;
	a->body_at = a->at;
	return feed_body(a);
}

enum shm_outcome answer_eof(struct answer *a)
{
	if (a->used == 0)
		return SHM_OUT_EMPTY;
	if (a->in_body && http_body_eof(&a->body))
		return judge(a);
	return SHM_OUT_TRUNCATED;
}
