/* Fields that are changed on the way through. Worker only. */
#include "worker/fields.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "balance/balance.h"
#include "http/meaning.h"
#include "worker/preamble.h"
#include "worker/route.h"

static struct slab notes = { .size = sizeof(struct fields_notes) };
static uint64_t id_prefix;	/* tells this worker's ids from those of all others */

static const char *const schemes[] = { [CONF_SCHEME_HTTP] = "http", [CONF_SCHEME_HTTPS] = "https" };

void fields_init(void)
{
	if (getrandom(&id_prefix, sizeof id_prefix, GRND_NONBLOCK) != sizeof id_prefix)
		id_prefix = loop_clock_ns() << 16 ^ worker.slot;
}

/* ---- whom to believe ---- */

static bool in_net(const struct conf_cidr *c, uint8_t family, const uint8_t *addr)
{
	unsigned bytes = c->bits / 8, rest = c->bits % 8;

	return c->family == family && memcmp(c->addr, addr, bytes) == 0 &&
	    (rest == 0 || (addr[bytes] & (0xff00u >> rest) & 0xffu) == c->addr[bytes]);
}

bool fields_trusted(const struct conf_trust *t, uint8_t family, const uint8_t *peer)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!t->listed)
		return true;
	if (family != AF_INET && family != AF_INET6)
		return t->unix_sockets;
	if (family == AF_INET6 && memcmp(peer, mapped, sizeof mapped) == 0) {
		family = AF_INET;
		peer += sizeof mapped;
	}
	for (unsigned i = 0; i < t->nnets; i++)
		if (in_net(&t->net[i], family, peer))
			return true;
	return false;
}

/* ---- ids ---- */

static void hex16(char *out, uint64_t v)
{
	for (int i = 15; i >= 0; i--, v >>= 4)
		out[i] = "0123456789abcdef"[v & 15];
}

/* The id that came, if it is one, and only one; else none. */
static struct http_text id_that_came(const struct http_head *h, const char *at)
{
	const struct http_field *f;

	if (!(h->seen & HTTP_BIT(HTTP_F_X_REQUEST_ID)) || h->repeated & HTTP_BIT(HTTP_F_X_REQUEST_ID))
		return (struct http_text){ 0 };
	f = &h->field[h->first[HTTP_F_X_REQUEST_ID]];
	if (f->drop || f->value_size > FIELDS_ID_MAX)
		return (struct http_text){ 0 };
	for (uint32_t i = 0; i < f->value_size; i++)
		if (at[f->value_at + i] <= 0x20 || at[f->value_at + i] >= 0x7f)
			return (struct http_text){ 0 };
	return (struct http_text){ at + f->value_at, f->value_size };
}

/* Into x->notes, and, when it is ours, into the request. */
static void identify(struct exchange *x, const struct http_head *h, const char *at, bool trusted,
    struct http_request_edit *e)
{
	struct fields_notes *n = x->notes;
	struct http_text came = { 0 };

	if (trusted)
		came = id_that_came(h, at);
	if (came.size) {
		memcpy(n->id, came.at, came.size);
		n->id_size = (uint8_t)came.size;
		return;
	}
	/* Its outputs do not repeat before 2^64 - 1 of them, so neither do these. */
	hex16(n->id, id_prefix);
	hex16(n->id + 16, balance_draw(&worker.rng));
	n->id_size = 32;
	e->request_id = (struct http_text){ n->id, n->id_size };
	e->request_id_set = true;
}

/* ---- the client ---- */

size_t fields_forwarded(char *out, size_t room, struct http_text client, struct http_text host, const char *proto)
{
	struct http_out o = { .at = out, .end = out + room };
	bool v6 = client.size && memchr(client.at, ':', client.size);

	HTTP_OUT_PUT(&o, "for=");
	if (v6)
		HTTP_OUT_PUT(&o, "\"[");
	http_out_put(&o, client.size ? client.at : "unknown", client.size ? client.size : 7);
	if (v6)
		HTTP_OUT_PUT(&o, "]\"");
	/* A valid authority has neither quotation marks nor backslashes. A monstrous one is left out. */
	if (host.size && host.size <= FIELDS_HOST_MAX) {
		HTTP_OUT_PUT(&o, ";host=\"");
		http_out_put(&o, host.at, host.size);
		HTTP_OUT_PUT(&o, "\"");
	}
	HTTP_OUT_PUT(&o, ";proto=");
	http_out_put(&o, proto, strlen(proto));
	return http_out_size(&o, out);
}

static struct http_list list(enum conf_forwarded how, bool trusted, struct http_text value)
{
	if (how == CONF_FORWARDED_OFF)	/* nothing of ours, and theirs only from those whom we believe */
		return (struct http_list){ .mode = trusted ? HTTP_LIST_APPEND : HTTP_LIST_SET };
	return (struct http_list){ value.at, value.size, how == CONF_FORWARDED_SET || !trusted ? HTTP_LIST_SET :
	    how == CONF_FORWARDED_KEEP ? HTTP_LIST_KEEP : HTTP_LIST_APPEND };
}

/* X-Forwarded-* and Forwarded. */
static void tell_of_client(const struct session *s, const struct http_head *h, const char *at, bool trusted,
    struct http_request_edit *e, struct fields_room *room)
{
	const struct conf_http *c = &s->listener->http;
	/* A PROXY header knows better than the configuration. */
	const char *scheme = schemes[s->secure ? CONF_SCHEME_HTTPS : c->scheme];
	struct http_text client = room->values.of[HTTP_PLACE_CLIENT];
	struct http_text host = { at + h->authority.at, h->authority.size };
	struct http_text proto = { scheme, strlen(scheme) };

	e->forwarded_for = list(c->forwarded_for, trusted, client);
	if (trusted && !(c->forwarded_proto | c->forwarded_host | c->forwarded))
		return;
	e->proto = list(c->forwarded_proto, trusted, proto);
	e->forwarded_host = list(c->forwarded_host, trusted, host);
	struct http_text element = { room->forwarded, 0 };
	if (c->forwarded != CONF_FORWARDED_OFF)
		element.size = fields_forwarded(room->forwarded, sizeof room->forwarded, client, host, proto.at);
	e->forwarded = list(c->forwarded, trusted, element);
}

/* Places of values, but for the client, which is there already. */
static void fill_places(const struct exchange *x, struct http_values *v)
{
	struct http_text *client = &v->of[HTTP_PLACE_CLIENT];

	if (!client->size)
		*client = (struct http_text){ "unknown", 7 };
	if (x->notes) {
		v->of[HTTP_PLACE_REQUEST_ID] = (struct http_text){ x->notes->id, x->notes->id_size };
		v->of[HTTP_PLACE_HOST] = (struct http_text){ x->notes->host, x->notes->host_size };
	}
}

/* ---- both ways ---- */

static int take_notes(struct exchange *x, const struct http_head *h, const char *at)
{
	struct http_text host = route_host(h, at);

	x->notes = slab_take(&notes);
	if (x->notes == NULL)
		return -1;
	x->notes->id_size = 0;
	x->notes->host_size = host.size <= FIELDS_HOST_MAX ? (uint8_t)host.size : 0;
	memcpy(x->notes->host, host.at, x->notes->host_size);
	return 0;
}

int fields_request(struct exchange *x, struct http_head *h, const char *at, struct http_request_edit *e,
    struct fields_room *room)
{
	const struct conf_http *c = &x->s->listener->http;
	const struct conf_pool *pool = x->pool->conf;
	struct http_edits first = { c->request.edit, c->request.n }, second = { pool->request.edit, pool->request.n };
	unsigned places = c->request.places | c->response.places | pool->request.places | pool->response.places;
	bool trusted;

	room->values.of[HTTP_PLACE_CLIENT].size = 0;
	if (c->via)
		e->via = (struct http_text){ c->via, strlen(c->via) };
	if ((c->request_id || places & HTTP_PLACE_BIT(HTTP_PLACE_HOST)) && take_notes(x, h, at) < 0)
		return -1;
	if (c->forwarded_for | c->forwarded_proto | c->forwarded_host | c->forwarded || c->request_id || c->trust.listed || places) {
		trusted = fields_trusted(&c->trust, x->s->peer_family, x->s->peer);
		room->values.of[HTTP_PLACE_CLIENT] = (struct http_text){ room->client,
		    session_peer_text(x->s, room->client, sizeof room->client) };
		tell_of_client(x->s, h, at, trusted, e, room);
		if (c->request_id)
			identify(x, h, at, trusted, e);
	}
	if (first.n + second.n == 0)
		return 0;
	room->values.of[HTTP_PLACE_REQUEST_ID].size = room->values.of[HTTP_PLACE_HOST].size = 0;
	fill_places(x, &room->values);
	http_edit_take_out(h, at, first);
	http_edit_take_out(h, at, second);
	e->edits = first;
	e->later = second;
	e->values = &room->values;
	const char *host = pool->request.host ? pool->request.host : c->request.host;
	if (host)
		e->set_host = (struct http_text){ host, strlen(host) };
	return 0;
}

void fields_response(struct exchange *x, struct http_head *h, const char *at, struct http_response_edit *e,
    struct fields_room *room)
{
	const struct conf_http *c = &x->s->listener->http;
	const struct conf_pool *pool = x->pool->conf;
	struct http_edits first = { pool->response.edit, pool->response.n }, second = { c->response.edit, c->response.n };

	if (c->via)
		e->via = (struct http_text){ c->via, strlen(c->via) };
	if (first.n + second.n == 0)
		return;
	memset(&room->values, 0, sizeof room->values);
	if ((pool->response.places | c->response.places) & HTTP_PLACE_BIT(HTTP_PLACE_CLIENT))
		room->values.of[HTTP_PLACE_CLIENT] = (struct http_text){ room->client,
		    session_peer_text(x->s, room->client, sizeof room->client) };
	fill_places(x, &room->values);
	http_edit_take_out(h, at, first);
	http_edit_take_out(h, at, second);
	/* The pool is nearer to the server: the listener has the last word. */
	e->edits = first;
	e->later = second;
	e->values = &room->values;
}

struct http_text fields_called(const struct session *s, char out[static FIELDS_CALLED_MAX])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct http_out o = { .at = out, .end = out + FIELDS_CALLED_MAX };
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof ss;
	char text[INET6_ADDRSTRLEN];
	uint8_t to[16];
	int family = AF_UNSPEC;
	uint16_t port = 0;

	if (s->way && s->way->proxied) {
		family = s->peer_family;
		memcpy(to, s->way->to, sizeof to);
		port = s->way->to_port;
	} else if (getsockname(s->c.h.fd, (struct sockaddr *)&ss, &size) == 0) {
		family = ss.ss_family;
		if (family == AF_INET) {
			memcpy(to, &((const struct sockaddr_in *)(const void *)&ss)->sin_addr, 4);
			port = ntohs(((const struct sockaddr_in *)(const void *)&ss)->sin_port);
		} else if (family == AF_INET6) {
			memcpy(to, &((const struct sockaddr_in6 *)(const void *)&ss)->sin6_addr, 16);
			port = ntohs(((const struct sockaddr_in6 *)(const void *)&ss)->sin6_port);
		}
	}
	if (family == AF_INET6 && memcmp(to, mapped, sizeof mapped) == 0) {
		family = AF_INET;
		memmove(to, to + sizeof mapped, 4);
	}
	if ((family != AF_INET && family != AF_INET6) || inet_ntop(family, to, text, sizeof text) == NULL)
		return (struct http_text){ "localhost", 9 };	/* a unix socket: who calls it is here */
	if (family == AF_INET6)
		HTTP_OUT_PUT(&o, "[");
	http_out_put(&o, text, strlen(text));
	if (family == AF_INET6)
		HTTP_OUT_PUT(&o, "]");
	if (port != 80) {
		HTTP_OUT_PUT(&o, ":");
		http_out_number(&o, port);
	}
	return (struct http_text){ out, http_out_size(&o, out) };
}

void fields_end(struct exchange *x)
{
	if (x->notes)
		slab_give(&notes, x->notes);
	x->notes = NULL;
}

/* ---- moving ---- */

size_t fields_pack(char *out, const struct exchange *x)
{
	const struct fields_notes *n = x->notes;

	if (n == NULL)
		return 0;
	out[0] = (char)n->id_size;
	out[1] = (char)n->host_size;
	memcpy(out + 2, n->id, n->id_size);
	memcpy(out + 2 + n->id_size, n->host, n->host_size);
	return 2u + n->id_size + n->host_size;
}

/* Neither ids nor hosts have anything in them that could end a field. */
static bool in_one_piece(const char *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)at[i] <= 0x20 || at[i] == 0x7f)
			return false;
	return true;
}

void fields_unpack(struct exchange *x, const char *in, size_t size)
{
	const struct conf_http *c = &x->s->listener->http;
	unsigned places = c->response.places | x->pool->conf->response.places;
	size_t id, host;

	/* Our configuration may want what the sender's did not: then it is empty. So it is without memory, which is no reason
	 * to close a connection. */
	if (!(places & (HTTP_PLACE_BIT(HTTP_PLACE_REQUEST_ID) | HTTP_PLACE_BIT(HTTP_PLACE_HOST))))
		return;
	if ((x->notes = slab_take(&notes)) == NULL)
		return;
	x->notes->id_size = x->notes->host_size = 0;
	if (size < 2)
		return;
	id = (uint8_t)in[0];
	host = (uint8_t)in[1];
	if (size != 2 + id + host || id > FIELDS_ID_MAX || !in_one_piece(in + 2, id + host))
		return;
	memcpy(x->notes->id, in + 2, id);
	memcpy(x->notes->host, in + 2 + id, host);
	x->notes->id_size = (uint8_t)id;
	x->notes->host_size = (uint8_t)host;
}
