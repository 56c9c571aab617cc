/* What comes before a connection's own bytes. Worker only; everything here comes from outside. */
#include "worker/preamble.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "os/log.h"
#include "os/sock.h"
#include "worker/fields.h"
#include "worker/upstream.h"

_Static_assert((int)CONF_PROXY_V1 == (int)PROXY_HEADER_V1 && (int)CONF_PROXY_V2 == (int)PROXY_HEADER_V2 &&
    (int)CONF_PROXY_ANY == (int)PROXY_HEADER_ANY, "the same bits");
_Static_assert(PROXY_HEADER_MAX < BUF_SIZE, "a header fits a buffer");

static struct slab ways = { .size = sizeof(struct session_way) };
static struct slab hellos = { .size = sizeof(struct client_hello) };

struct session_way *preamble_way(struct session *s)
{
	if (s->way == NULL && (s->way = slab_take(&ways)) != NULL)
		memset(s->way, 0, sizeof *s->way);
	return s->way;
}

static void forget_hello(struct session_way *w)
{
	if (w->hello)
		slab_give(&hellos, w->hello);
	w->hello = NULL;
}

void preamble_forget(struct session *s)
{
	struct session_way *w = s->way;

	if (w == NULL)
		return;
	forget_hello(w);
	if (w->kept)
		upstream_close(w->kept);
	s->way = NULL;
	slab_give(&ways, w);
}

/* ---- the PROXY header ---- */

static enum preamble_result read_header(struct session *s)
{
	struct proxy_header h;

	switch (proxy_header_parse(&h, s->c.in->data + s->c.in->at, buf_size(s->c.in), s->listener->accept_proxy)) {
	case HTTP_PARTIAL:
		return PREAMBLE_WAIT;
	case HTTP_BAD:
		log_debug("listener %s: connection closed: %s", s->listener->name, h.why);
		return PREAMBLE_CLOSE;
	case HTTP_DONE:
		break;
	}
	conn_take(&s->c, h.size);
	s->headed = true;
	s->secure = h.secure;
	if (h.family != AF_UNSPEC) {
		struct session_way *w = preamble_way(s);
		if (w == NULL)
			return PREAMBLE_CLOSE;
		w->proxied = true;
		memcpy(w->to, h.to, sizeof w->to);
		w->to_port = h.to_port;
		memcpy(s->peer, h.from, sizeof s->peer);
		s->peer_port = h.from_port;
		s->peer_family = h.family;
	}
	return PREAMBLE_OVER;
}

/* ---- the name in a ClientHello ---- */

static bool wants_hello(const struct conf_listener *l)
{
	return l->mode == CONF_MODE_TCP && (l->nsnis > 0 || l->sni_required);
}

/* Both in small letters. "*.example.org" takes every name that ends in ".example.org". */
static bool name_matches(const struct conf_sni *r, const char *name, size_t size)
{
	size_t tail = r->size - 1;

	if (r->name[0] == '*')
		return size > tail && memcmp(name + size - tail, r->name + 1, tail) == 0;
	return size == r->size && memcmp(name, r->name, size) == 0;
}

/* No ClientHello, or one without a name. */
static enum preamble_result nameless(struct session *s, const char *why)
{
	if (s->way)
		forget_hello(s->way);
	if (!s->listener->sni_required)
		return PREAMBLE_OVER;
	log_debug("listener %s: connection closed: %s", s->listener->name, why);
	return PREAMBLE_CLOSE;
}

static enum preamble_result read_hello(struct session *s, unsigned *pool)
{
	const struct conf_listener *l = s->listener;
	struct session_way *w = preamble_way(s);
	struct client_hello *h;

	if (w == NULL)
		return PREAMBLE_CLOSE;
	if (w->hello == NULL) {
		w->hello = slab_take(&hellos);
		if (w->hello == NULL)
			return PREAMBLE_CLOSE;
		client_hello_start(w->hello, BUF_SIZE);
	}
	h = w->hello;
	switch (client_hello_parse(h, s->c.in->data + s->c.in->at, buf_size(s->c.in))) {
	case HTTP_PARTIAL:
		return PREAMBLE_WAIT;
	case HTTP_BAD:
		return nameless(s, h->why);
	case HTTP_DONE:
		break;
	}
	if (h->name_size == 0)
		return nameless(s, "a ClientHello without a name");
	for (unsigned i = 0; i < l->nsnis; i++)
		if (name_matches(&l->sni[i], h->name, h->name_size)) {
			*pool = l->sni[i].pool;
			break;
		}
	forget_hello(w);
	return PREAMBLE_OVER;
}

/* ---- both ---- */

bool preamble_due(const struct session *s)
{
	return !s->headed || wants_hello(s->listener);
}

enum preamble_result preamble_run(struct session *s, unsigned *pool)
{
	for (;;) {
		if (s->c.in) {
			bool header = !s->headed;
			enum preamble_result r = header ? read_header(s) : read_hello(s, pool);
			if (r == PREAMBLE_CLOSE || (r == PREAMBLE_OVER && !(header && wants_hello(s->listener))))
				return r;
			if (r == PREAMBLE_OVER)
				continue;
		}
		if (s->c.broken || (!s->headed && !fields_trusted(&s->listener->proxy_from, s->peer_family, s->peer)))
			return PREAMBLE_CLOSE;
		if (!s->c.rd) {
			/* Nothing of it has come and we are to go: it comes to nobody, or to our successors. */
			if (worker.stopping && s->c.in == NULL)
				return PREAMBLE_CLOSE;
			return conn_arm(&s->c) < 0 ? PREAMBLE_CLOSE : PREAMBLE_WAIT;
		}
		int n = conn_read(&s->c);
		if (n == 0 && s->headed)	/* the client has said all: no name, but perhaps something for a server */
			return nameless(s, "it ended within the ClientHello");
		if (n == 0 || n == CONN_ERROR)
			return PREAMBLE_CLOSE;
	}
}

/* ---- towards servers ---- */

static void set_to(struct proxy_header *h, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const void *)ss;
	const struct sockaddr_in6 *in6 = (const void *)ss;

	if (ss->ss_family == AF_INET) {
		memcpy(h->to, &in->sin_addr, 4);
		h->to_port = ntohs(in->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		memcpy(h->to, &in6->sin6_addr, 16);
		h->to_port = ntohs(in6->sin6_port);
	}
}

size_t preamble_write(char buf[static PROXY_HEADER_WRITE_MAX], const struct session *s, unsigned version)
{
	struct proxy_header h = { .family = s->peer_family, .from_port = s->peer_port };
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof ss;

	memcpy(h.from, s->peer, sizeof h.from);
	if (s->way && s->way->proxied) {
		memcpy(h.to, s->way->to, sizeof h.to);
		h.to_port = s->way->to_port;
	} else {
		if (getsockname(s->c.h.fd, (struct sockaddr *)&ss, &size) == 0)
			sock_unmap(&ss);
		if (ss.ss_family == h.family)
			set_to(&h, &ss);
		else
			h.family = AF_UNSPEC;	/* a header with half of the truth is none */
	}
	return proxy_header_write(buf, version, &h);
}
