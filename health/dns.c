/* DNS messages. Pure; runs in the children of the health process that look names up. */
#include "health/dns.h"

#include <string.h>

#define HEADER_SIZE	12
#define CLASS_IN	1
#define LABEL_MAX	63
#define WIRE_NAME_MAX	255	/* RFC 1035 2.3.4 */
#define ALIASES_MAX	16	/* CNAMEs that are followed */
#define TTL_MAX_S	(7 * 86400u)

struct reader {
	const uint8_t *msg;
	size_t size, at;
};

/* A record's fixed part; its data is at `data`. */
struct record {
	char owner[DNS_NAME_MAX];
	bool strange;		/* its owner is no name that anybody here would ask for */
	uint16_t type, class, size;
	uint32_t ttl_s;
	size_t data;
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool dns_same(const char *a, const char *b)
{
	for (; *a && lower(*a) == lower(*b); a++, b++)
		;
	return (*a == '\0' || strcmp(a, ".") == 0) && (*b == '\0' || strcmp(b, ".") == 0);
}

/* ---- writing ---- */

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* The name in labels; bytes written, 0: it cannot be. */
static size_t put_name(uint8_t *out, const char *name)
{
	size_t n = 0;

	while (*name) {
		size_t label = strcspn(name, ".");

		if (label == 0 || label > LABEL_MAX || n + 1 + label + 1 > WIRE_NAME_MAX)
			return 0;
		out[n++] = (uint8_t)label;
		memcpy(out + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	if (n == 0)
		return 0;
	out[n++] = 0;
	return n;
}

size_t dns_question(uint8_t out[static DNS_QUESTION_MAX], uint16_t id, const char *name, uint16_t type, bool edns)
{
	static const uint8_t opt[11] = { 0, 0, DNS_OPT, DNS_UDP_MAX >> 8, DNS_UDP_MAX & 0xff };
	size_t n = HEADER_SIZE, size;

	memset(out, 0, HEADER_SIZE);
	put16(out, id);
	out[2] = 0x01;		/* recursion desired */
	out[5] = 1;		/* questions */
	out[11] = edns;		/* additional records */
	size = put_name(out + n, name);
	if (size == 0)
		return 0;
	n += size;
	put16(out + n, type);
	put16(out + n + 2, CLASS_IN);
	n += 4;
	if (edns) {
		memcpy(out + n, opt, sizeof opt);
		n += sizeof opt;
	}
	return n;
}

/* ---- reading ---- */

static bool get16(struct reader *r, uint16_t *v)
{
	if (r->size - r->at < 2)
		return false;
	*v = (uint16_t)(r->msg[r->at] << 8 | r->msg[r->at + 1]);
	r->at += 2;
	return true;
}

static bool get32(struct reader *r, uint32_t *v)
{
	uint16_t high, low;

	if (!get16(r, &high) || !get16(r, &low))
		return false;
	*v = (uint32_t)high << 16 | low;
	return true;
}

/* A byte that text can have: a dot inside a label would read like the end of it. */
static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '.' && c != '\\';
}

/*
 * A name as text. Pointers lead only back, before the run of labels in which they stand, so there is an end; the
 * length counts what they lead to. *strange: well formed, but of bytes that are not text. False: malformed.
 */
static bool get_name(struct reader *r, char text[static DNS_NAME_MAX], bool *strange)
{
	size_t at = r->at, run = r->at, wire = 1, n = 0;
	bool jumped = false;

	*strange = false;
	for (;;) {
		uint8_t size;

		if (at >= r->size)
			return false;
		size = r->msg[at];
		if ((size & 0xc0) == 0xc0) {
			size_t to;

			if (r->size - at < 2)
				return false;
			to = (size_t)(size & 0x3f) << 8 | r->msg[at + 1];
			if (to >= run)
				return false;
			if (!jumped)
				r->at = at + 2;
			jumped = true;
			at = run = to;
			continue;
		}
		if (size > LABEL_MAX)	/* kinds of labels that were never used */
			return false;
		at++;
		if (size == 0)
			break;
		wire += size + 1u;
		if (size > r->size - at || wire > WIRE_NAME_MAX)
			return false;
		if (n)
			text[n++] = '.';
		for (uint8_t i = 0; i < size; i++) {
			*strange = *strange || !is_plain(r->msg[at + i]);
			text[n++] = lower((char)r->msg[at + i]);
		}
		at += size;
	}
	text[n] = '\0';
	*strange = *strange || n == 0;
	if (!jumped)
		r->at = at;
	return true;
}

static bool get_record(struct reader *r, struct record *k)
{
	if (!get_name(r, k->owner, &k->strange) || !get16(r, &k->type) || !get16(r, &k->class) || !get32(r, &k->ttl_s) ||
	    !get16(r, &k->size) || k->size > r->size - r->at)
		return false;
	if (k->ttl_s >> 31)	/* RFC 2181 8: as if it were 0 */
		k->ttl_s = 0;
	if (k->ttl_s > TTL_MAX_S)
		k->ttl_s = TTL_MAX_S;
	k->data = r->at;
	r->at += k->size;
	return true;
}

/* What follows the alias `name`; false: it is none. Its data has been checked by check_all(). */
static bool alias(const struct reader *answers, unsigned n, char name[static DNS_NAME_MAX], uint32_t *ttl_s)
{
	struct reader r = *answers;
	struct record k;
	bool strange;

	while (n-- > 0 && get_record(&r, &k)) {
		struct reader data = { r.msg, r.size, k.data };
		char to[DNS_NAME_MAX];

		if (k.type != DNS_CNAME || k.class != CLASS_IN || k.strange || !dns_same(k.owner, name))
			continue;
		if (!get_name(&data, to, &strange) || strange)
			return false;
		memcpy(name, to, sizeof to);
		if (k.ttl_s < *ttl_s)
			*ttl_s = k.ttl_s;
		return true;
	}
	return false;
}

/* The record's data, if it is one that is of use. */
static bool get_data(const struct reader *r, const struct record *k, struct dns_record *out)
{
	struct reader data = { r->msg, r->size, k->data };
	bool strange;

	memset(out, 0, sizeof *out);
	out->type = k->type;
	out->ttl_s = k->ttl_s;
	if (k->class != CLASS_IN || k->strange)
		return false;
	switch (k->type) {
	case DNS_A:
	case DNS_AAAA:
		if (k->size != (k->type == DNS_A ? 4 : 16))
			return false;
		memcpy(out->address, r->msg + k->data, k->size);
		memcpy(out->name, k->owner, sizeof out->name);
		return true;
	case DNS_SRV:
		/* A target "." says that there is no such service: strange, so passed over. */
		return get16(&data, &out->priority) && get16(&data, &out->weight) && get16(&data, &out->port) &&
		    get_name(&data, out->name, &strange) && data.at <= k->data + k->size && !strange && out->port != 0;
	}
	return false;
}

/* Every record of every section is whole; *extra is where the additional ones begin. */
static bool check_all(struct reader r, unsigned answers, unsigned authority, unsigned additional, struct reader *extra)
{
	struct record k;

	for (unsigned i = 0; i < answers + authority + additional; i++) {
		if (i == answers + authority)
			*extra = r;
		if (!get_record(&r, &k))
			return false;
		if (k.type == DNS_CNAME) {
			struct reader data = { r.msg, r.size, k.data };
			char to[DNS_NAME_MAX];
			bool strange;

			if (!get_name(&data, to, &strange) || data.at > k.data + k.size)
				return false;
		}
	}
	return true;
}

enum dns_result dns_answer(const uint8_t *msg, size_t size, uint16_t id, const char *name, uint16_t type,
    dns_found *found, void *arg, unsigned *rcode)
{
	struct reader r = { msg, size, 0 }, answers, extra = { msg, size, size };
	uint16_t is, flags, count[4], asked, class;
	uint32_t alias_ttl_s = UINT32_MAX;
	char owner[DNS_NAME_MAX];
	struct dns_record out;
	struct record k;
	unsigned n = 0;
	bool strange;

	*rcode = 0;
	if (!get16(&r, &is) || !get16(&r, &flags) || !get16(&r, &count[0]) || !get16(&r, &count[1]) || !get16(&r, &count[2]) ||
	    !get16(&r, &count[3]))
		return DNS_NOT_OURS;
	if (is != id || (flags & 0xf800) != 0x8000)	/* an answer, to an ordinary query */
		return DNS_NOT_OURS;
	*rcode = flags & 0xf;
	if (count[0] == 0 && *rcode == 1)	/* who does not understand a question cannot repeat it */
		return DNS_FAILED;
	if (count[0] != 1 || !get_name(&r, owner, &strange) || !get16(&r, &asked) || !get16(&r, &class) || strange ||
	    !dns_same(owner, name) || asked != type || class != CLASS_IN)
		return DNS_NOT_OURS;
	if (*rcode == 3)
		return DNS_NO_NAME;
	if (*rcode != 0)
		return DNS_FAILED;
	if (flags & 0x0200)
		return DNS_TRUNCATED;
	answers = r;
	if (!check_all(r, count[1], count[2], count[3], &extra))
		return DNS_BAD;
	for (unsigned i = 0; i < ALIASES_MAX && alias(&answers, count[1], owner, &alias_ttl_s); i++)
		;
	for (unsigned i = 0; i < count[1] && get_record(&r, &k); i++) {
		if (k.type != type || !dns_same(k.owner, owner) || !get_data(&r, &k, &out))
			continue;
		if (alias_ttl_s < out.ttl_s)
			out.ttl_s = alias_ttl_s;
		n++;
		found(arg, &out);
	}
	for (unsigned i = 0; n && i < count[3] && get_record(&extra, &k); i++) {
		if ((k.type != DNS_A && k.type != DNS_AAAA) || !get_data(&extra, &k, &out))
			continue;
		out.extra = true;
		found(arg, &out);
	}
	return n ? DNS_OK : DNS_NO_DATA;
}
