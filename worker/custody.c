/* Custody of clients' connections. Worker only. */
#include "worker/custody.h"

#include <errno.h>
#include <sys/socket.h>

#include "os/log.h"
#include "worker/state.h"

/*
 * Taking answered bytes out of the socket is a system call of its own. So they stay for some requests, and come again
 * before the next one when that is looked at. Measured on 16 cores, 9 rounds of 0, 1, 2, 4 and 8 in turn: no difference above
 * the noise of 10 %; more of them only holds more of the kernel's memory.
 */
#define SKIP_BYTES	1024
#define SKIP_TIMES	2
/*
 * More than this is taken out of the socket at once. The kernel counts the memory of what came together until the last
 * byte of it is read: a few bytes left of a large piece can keep the receive window shut, and what would be read next, or
 * the rest of a head, never comes.
 */
#define PEEK_BYTES	(BUF_SIZE / 4 * 3)
/* A head in more pieces than that is read as usual, or one that comes byte by byte would be copied anew with each byte. */
#define PEEK_TIMES	8

_Static_assert(BUF_SIZE <= BOOK_SKIP_MAX && SKIP_TIMES < 15 && PEEK_TIMES < 15, "they fit their fields");

static struct book_word word_of(const struct conn *c)
{
	return book_unpack(atomic_load_explicit(&worker.book->word[book_place(c->custody)], memory_order_relaxed));
}

static void say(const struct conn *c, enum book_state state, uint16_t skip, uint32_t requests)
{
	atomic_store_explicit(&worker.book->word[book_place(c->custody)],
	    book_pack(state, book_use(c->custody), skip, requests), memory_order_relaxed);
}

/* Bytes at the front of the socket that are of no use any more. */
static uint32_t done(const struct conn *c)
{
	return c->owed - buf_size(c->in);
}

static int drop(struct conn *c, uint32_t n)
{
	static char scratch[BUF_SIZE];

	while (n > 0) {
		ssize_t got = recv(c->h.fd, scratch, n < sizeof scratch ? n : sizeof scratch, MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {	/* what was seen there is there, unless the connection was reset */
			c->owed = 0;
			c->broken = true;
			return -1;
		}
		n -= (uint32_t)got;
		c->owed = (c->owed - (unsigned)got) & BOOK_SKIP_MAX;
	}
	return 0;
}

int custody_discard(struct conn *c)
{
	return drop(c, c->owed);
}

static bool take_ticket(struct conn *c, const struct handoff_record *r)
{
	if (r->custody == 0 || worker.book == NULL)
		return false;
	c->custody = r->custody;
	return true;
}

void custody_begin(struct conn *c, const struct handoff_record *r)
{
	c->owed = (unsigned)r->skip & BOOK_SKIP_MAX;
	if (!take_ticket(c, r))
		return;
	c->peek = true;
	say(c, BOOK_IDLE, r->skip, r->requests);
}

void custody_adopt(struct conn *c, const struct handoff_record *r)
{
	if (take_ticket(c, r))
		say(c, BOOK_TAKEN, 0, 0);
}

void custody_idle(struct conn *c, uint32_t requests)
{
	/* Read as usual, bytes are here only: it stays taken until they are gone. */
	if (c->custody == 0 || c->peek || buf_size(c->in) > c->owed)
		return;
	if (done(c) <= SKIP_BYTES && c->skips < SKIP_TIMES)
		c->skips = (c->skips + 1) & 15;
	else if (drop(c, done(c)) == 0)
		c->skips = 0;
	if (c->broken)
		return;
	c->peek = true;
	c->peeks = 0;
	say(c, BOOK_IDLE, (uint16_t)done(c), requests);
}

void custody_ask(struct conn *c, uint32_t requests)
{
	if (c->peek)
		say(c, BOOK_ASKED, word_of(c).skip, requests);
}

void custody_take(struct conn *c)
{
	if (!c->peek)
		return;
	c->peek = false;
	say(c, BOOK_TAKEN, 0, 0);
}

void custody_tell(const struct conn *c, const struct handoff_record *r)
{
	if (c->custody)
		worker.book->told[book_place(c->custody)] = *r;
}

bool custody_settle(struct conn *c, uint32_t requests)
{
	bool again = c->peek;

	if (c->owed == 0)
		return true;
	custody_take(c);
	if (custody_discard(c) < 0)
		return false;
	c->skips = 0;
	if (again)
		custody_idle(c, requests);
	return true;
}

void custody_end(struct conn *c)
{
	struct book *b = worker.book;
	uint32_t n;

	/* Unread bytes would make a reset of it, which may overtake our last answer. */
	if (c->owed && !c->broken)
		custody_discard(c);
	if (c->custody == 0)
		return;
	if (c->armed)	/* the supervisor's copy keeps it alive, and in epoll */
		loop_del(&worker.loop, &c->h);
	c->armed = false;
	if (!c->broken && !c->shut)
		shutdown(c->h.fd, SHUT_RDWR);
	say(c, BOOK_ENDED, 0, 0);
	n = atomic_load_explicit(&b->ended, memory_order_relaxed);
	if (n - atomic_load_explicit(&b->swept, memory_order_acquire) >= BOOK_RING) {
		atomic_store_explicit(&b->unsaid, atomic_load_explicit(&b->unsaid, memory_order_relaxed) + 1,
		    memory_order_release);
	} else {
		atomic_store_explicit(&b->ring[n % BOOK_RING], c->custody, memory_order_relaxed);
		atomic_store_explicit(&b->ended, n + 1, memory_order_release);
	}
	c->custody = 0;
}

int custody_peek(struct conn *c)
{
	struct buf *b = c->in;
	uint32_t before = c->owed;
	ssize_t n;

	if (c->peeks > PEEK_TIMES || before == BUF_SIZE) {
		custody_take(c);
		return conn_read(c);
	}
	if (b == NULL && (b = c->in = buf_take()) == NULL) {
		errno = ENOMEM;
		return CONN_ERROR;
	}
	/* From the front of the socket, so the answered bytes come first, and again what is here already. */
	do
		n = recv(c->h.fd, b->data, BUF_SIZE, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	int err = errno;
	if (n > (ssize_t)before) {
		if (n < BUF_SIZE && !c->hup)
			c->rd = false;
		b->at = done(c);
		b->end = (uint32_t)n;
		c->owed = (unsigned)n & BOOK_SKIP_MAX;
		c->peeks = (c->peeks + 1) & 15;
		if (n > PEEK_BYTES) {
			custody_take(c);
			if (custody_discard(c) < 0) {
				errno = ECONNRESET;
				return CONN_ERROR;
			}
		}
		return (int)(n - before);
	}
	c->rd = false;
	if (b->at == b->end)
		buf_give(&c->in);
	if (n >= 0 && (n == 0 || c->hup)) {	/* behind what was seen comes the end, which peeking does not show */
		c->eof = true;
		return 0;
	}
	errno = err;
	return n >= 0 || err == EAGAIN ? CONN_AGAIN : CONN_ERROR;
}
