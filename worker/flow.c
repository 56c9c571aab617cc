/* Moving bytes. Worker only. */
#include "worker/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "worker/custody.h"

#define TURN_BYTES	(512 * 1024)	/* what one direction may move before others get their turn */
#define JOIN_BYTES	2048		/* copied behind the head: cheaper than a write of two pieces */
#define SPLICE_LEFT	(48 * 1024)	/* known to come: below it copying is cheaper */
#define SPLICE_FULL	2		/* full buffers in a row after which an open-ended stream counts as bulk */

static bool wants_splice(const struct flow *f, const struct conn *from, uint64_t left)
{
	if (!f->splice || from->in)
		return false;
	return f->full >= SPLICE_FULL || (left >= SPLICE_LEFT && left != UINT64_MAX);
}

/* Source to pipe. Bytes, 0 at the end, CONN_AGAIN, CONN_ERROR. */
static long fill(struct flow *f, struct conn *from, uint64_t left)
{
	size_t want = f->pipe->room < left ? f->pipe->room : (size_t)left;
	ssize_t n;

	if (from->owed && custody_discard(from) < 0)
		return CONN_ERROR;
	do
		n = splice(from->h.fd, NULL, f->pipe->fd[1], NULL, want, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		f->pipe->held = (uint32_t)n;
		return n;
	}
	from->rd = false;
	if (n == 0) {
		from->eof = true;
		return 0;
	}
	return errno == EAGAIN ? CONN_AGAIN : CONN_ERROR;
}

/* Pipe to sink, all of it if the sink takes it. Bytes, CONN_AGAIN, CONN_ERROR. */
static long drain(struct flow *f, struct conn *to, bool more)
{
	ssize_t n;

	do
		n = splice(f->pipe->fd[0], NULL, to->h.fd, NULL, f->pipe->held,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		f->pipe->held -= (uint32_t)n;
		return n;
	}
	to->wr = false;
	return n < 0 && errno == EAGAIN ? CONN_AGAIN : CONN_ERROR;
}

enum flow_result flow_pump(struct flow *f, struct conn *from, struct conn *to, struct buf *head, uint64_t *left)
{
	uint64_t start = f->moved;

	for (;;) {
		/* What is in hand goes first. */
		uint32_t h = buf_size(head), body = buf_size(from->in);
		if (body > *left)
			body = (uint32_t)*left;
		if (h > 0 && body > 0 && body <= JOIN_BYTES && body <= buf_room(head)) {
			memcpy(head->data + head->end, from->in->data + from->in->at, body);
			head->end += body;
			conn_take(from, body);
			if (*left != UINT64_MAX)
				*left -= body;
			h += body;
			body = 0;
		}
		if (h + body > 0) {
			if (!to->wr)
				return FLOW_WAIT_WRITE;
			long n = conn_write(to, h ? head->data + head->at : NULL, h,
			    body ? from->in->data + from->in->at : NULL, body, f->fin && body == *left);
			if (n < 0)
				return n == CONN_AGAIN ? FLOW_WAIT_WRITE : FLOW_WRITE_ERROR;
			f->moved += (uint64_t)n;
			uint32_t took = (uint32_t)n < h ? (uint32_t)n : h;
			if (took)
				head->at += took;
			if ((took = (uint32_t)n - took) > 0) {
				conn_take(from, took);
				if (*left != UINT64_MAX)
					*left -= took;
			}
			if ((uint32_t)n < h + body)
				continue;
		}
		if (f->pipe) {
			if (!to->wr)
				return FLOW_WAIT_WRITE;
			long n = drain(f, to, *left > 0 && *left != UINT64_MAX);
			if (n < 0)
				return n == CONN_AGAIN ? FLOW_WAIT_WRITE : FLOW_WRITE_ERROR;
			f->moved += (uint64_t)n;
			if (f->pipe->held > 0)
				continue;
			pipe_give(&f->pipe);
		}
		if (*left == 0)
			return FLOW_DONE;
		if (from->eof)
			return FLOW_EOF;
		if (!from->rd)
			return FLOW_WAIT_READ;
		if (f->moved - start >= TURN_BYTES)
			return FLOW_YIELD;

		if (wants_splice(f, from, *left) && (f->pipe = pipe_take()) != NULL) {
			long n = fill(f, from, *left);
			if (n <= 0)
				pipe_give(&f->pipe);
			if (n == CONN_AGAIN)
				return FLOW_WAIT_READ;
			if (n == CONN_ERROR)
				return FLOW_READ_ERROR;
			if (n > 0 && *left != UINT64_MAX)
				*left -= (uint64_t)n;
			if (n > 0 && n < BUF_SIZE / 4)
				f->full = 0;	/* it trickles now: copying costs less */
			continue;
		}
		int n = conn_read(from);
		if (n == CONN_AGAIN)
			return FLOW_WAIT_READ;
		if (n == CONN_ERROR)
			return FLOW_READ_ERROR;
		f->full = n == BUF_SIZE ? f->full + 1 : 0;
	}
}

/* The caller has made sure of the room. */
static void put(struct buf *out, const char *s, size_t n)
{
	memcpy(out->data + out->end, s, n);
	out->end += (uint32_t)n;
}

/*
 * Moves as much as fits from from->in to out. False: the framing is not valid.
 */
static bool reframe(struct http_body *body, struct conn *from, struct buf *out, bool chunked, uint32_t *span, bool *over,
    bool *keep)
{
	enum { FRAMING = HTTP_CHUNK_HEAD_MAX + 2 + 5 };	/* a chunk's, and the last chunk's */

	for (;;) {
		if (*over || buf_size(from->in) == 0)
			return true;
		if (keep && *keep && buf_room(out) <= FRAMING)
			*keep = false;
		if (!keep || !*keep)
			buf_compact(out);
		if (buf_room(out) <= FRAMING)
			return true;
		if (*span == 0) {
			size_t skip, data;
			enum http_result r = http_body_next(body, from->in->data + from->in->at, buf_size(from->in), &skip, &data);
			if (r == HTTP_BAD || (r == HTTP_PARTIAL && skip + data == 0))
				return false;
			*span = (uint32_t)data;
			if (skip)
				conn_take(from, (uint32_t)skip);
			if (r == HTTP_DONE) {
				if (chunked)
					put(out, "0\r\n\r\n", 5);
				*over = true;
			}
			continue;
		}
		uint32_t n = buf_room(out) - FRAMING;
		if (n > *span)
			n = *span;
		if (chunked)
			out->end += (uint32_t)http_chunk_head(out->data + out->end, n);
		put(out, from->in->data + from->in->at, n);
		if (chunked)
			put(out, "\r\n", 2);
		conn_take(from, n);
		*span -= n;
	}
}

enum flow_result flow_pump_chunked(struct flow *f, struct http_body *body, struct conn *from, struct conn *to,
    struct buf *out, bool chunked, uint32_t *span, bool *over, bool *keep)
{
	uint64_t start = f->moved;

	for (;;) {
		if (to->sending)
			return FLOW_WAIT_WRITE;
		if (!reframe(body, from, out, chunked, span, over, keep))
			return FLOW_BAD;
		if (buf_size(out) > 0) {
			if (!to->wr)
				return FLOW_WAIT_WRITE;
			long n = conn_write(to, out->data + out->at, buf_size(out), NULL, 0, f->fin && *over);
			if (n < 0)
				return n == CONN_AGAIN ? FLOW_WAIT_WRITE : FLOW_WRITE_ERROR;
			f->moved += (uint64_t)n;
			out->at += (uint32_t)n;
			if (out->at < out->end)
				continue;
			if (!keep || !*keep)
				out->at = out->end = 0;
		}
		if (*over)
			return FLOW_DONE;
		if (buf_size(from->in) > 0)
			continue;
		if (from->eof)
			return FLOW_EOF;
		if (!from->rd)
			return FLOW_WAIT_READ;
		if (f->moved - start >= TURN_BYTES)
			return FLOW_YIELD;
		int n = conn_read(from);
		if (n == CONN_AGAIN)
			return FLOW_WAIT_READ;
		if (n == CONN_ERROR)
			return FLOW_READ_ERROR;
	}
}

void flow_end(struct flow *f)
{
	pipe_give(&f->pipe);
}
