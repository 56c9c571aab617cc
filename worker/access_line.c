/*
 * Lines of access logs, put together from the pieces that the configuration's format was taken apart into.
 * Worker only. No printf(3), no allocation, no system call: this is done for each request.
 */
#include "worker/access_line.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf/words.h"
#include "os/log.h"
#include "worker/access_sink.h"

static const char who_letter[] = { '-', 'C', 'c', 'S', 's', 'P', 'R', 'L' };
static const char phase_letter[] = { '-', 'R', 'Q', 'C', 'H', 'D', 'L' };

/* ---- time ---- */

/* Texts of the second that it is; the clock is read at most once in each. */
static struct {
	uint64_t until_ns;	/* monotonic; they are right before it */
	uint64_t offset_ns;	/* from the monotonic clock to the other one */
	char common[27];	/* 26/Nov/2026:10:39:43 +0000 */
	char iso[20];		/* 2026-11-26T10:39:43 */
	char zone[7];		/* +00:00 */
	char syslog[16];	/* Nov 26 10:39:43 */
} now;

static void look_at_clock(void)
{
	struct timespec ts;
	struct tm tm;
	char zone[6];
	time_t s;

	if (state_now() < now.until_ns)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);	/* cannot fail */
	now.offset_ns = (uint64_t)ts.tv_sec * CONF_SECOND + (uint64_t)ts.tv_nsec - loop_clock_ns();
	s = (time_t)((state_now() + now.offset_ns) / CONF_SECOND);
	now.until_ns = ((uint64_t)s + 1) * CONF_SECOND - now.offset_ns;
	if (localtime_r(&s, &tm) == NULL || strftime(now.common, sizeof now.common, "%d/%b/%Y:%H:%M:%S %z", &tm) != 26 ||
	    strftime(now.iso, sizeof now.iso, "%Y-%m-%dT%H:%M:%S", &tm) != 19 || strftime(zone, sizeof zone, "%z", &tm) != 5) {
		memcpy(now.common, "01/Jan/1970:00:00:00 +0000", 27);	/* a year of five digits, or the like */
		memcpy(now.iso, "1970-01-01T00:00:00", 20);
		memcpy(zone, "+0000", 6);
	}
	if (strftime(now.syslog, sizeof now.syslog, "%b %e %H:%M:%S", &tm) != 15)
		memcpy(now.syslog, "Jan  1 00:00:00", 16);
	memcpy(now.zone, zone, 3);
	now.zone[3] = ':';
	memcpy(now.zone + 4, zone + 3, 3);
}

/* ---- values ---- */

struct line {
	struct http_out o;
	bool json;
};

static void put_none(struct line *l)
{
	if (l->json)
		HTTP_OUT_PUT(&l->o, "null");
	else
		HTTP_OUT_PUT(&l->o, "-");
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* High bit of each byte that is zero; of others perhaps too, but only above one that is. */
static inline uint64_t zero_bytes(uint64_t v)
{
	return (v - EACH(1)) & ~v & EACH(0x80);
}

/* Do eight bytes go as they are? */
static inline bool plain(const char *at)
{
	uint64_t v;

	memcpy(&v, at, 8);
	return ((v | (v - EACH(0x20)) | zero_bytes(v ^ EACH(0x7f)) | zero_bytes(v ^ EACH('"')) | zero_bytes(v ^ EACH('\\'))) &
	    EACH(0x80)) == 0;
}

static inline bool plain_byte(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void access_line_escape(struct http_out *o, bool json, const char *at, size_t size)
{
	static const char digit[16] = "0123456789ABCDEF";
	const char *end = at + size;

	while (at < end) {
		const char *from = at;

		while (end - at >= 8 && plain(at))
			at += 8;
		while (at < end && plain_byte((unsigned char)*at))
			at++;
		if (at > from)
			http_out_put(o, from, (size_t)(at - from));
		if (at == end)
			return;
		unsigned char c = (unsigned char)*at++;
		if (json && (c == '"' || c == '\\')) {
			char pair[2] = { '\\', (char)c };
			http_out_put(o, pair, 2);
		} else if (json) {
			char six[6] = { '\\', 'u', '0', '0', digit[c >> 4], digit[c & 15] };
			http_out_put(o, six, 6);
		} else {
			char four[4] = { '\\', 'x', digit[c >> 4], digit[c & 15] };
			http_out_put(o, four, 4);
		}
	}
}

/* Bytes that need no escaping, as names of the configuration and our own words are. */
static void put_plain(struct line *l, const char *at, size_t size)
{
	if (size == 0) {
		put_none(l);
		return;
	}
	if (l->json)
		HTTP_OUT_PUT(&l->o, "\"");
	http_out_put(&l->o, at, size);
	if (l->json)
		HTTP_OUT_PUT(&l->o, "\"");
}

/* Bytes from outside. */
static void put_text(struct line *l, const char *at, size_t size)
{
	if (size == 0) {
		put_none(l);
		return;
	}
	if (l->json)
		HTTP_OUT_PUT(&l->o, "\"");
	access_line_escape(&l->o, l->json, at, size);
	if (l->json)
		HTTP_OUT_PUT(&l->o, "\"");
}

static void put_span(struct line *l, const struct access *r, struct access_span s)
{
	put_text(l, r->text + s.at, s.size);
}

static void put_name(struct line *l, const char *name)
{
	put_plain(l, name, name ? strlen(name) : 0);
}

/* Milliseconds with three decimals between two moments; 0: one of them did not come. */
static void put_ns(struct line *l, uint64_t ns)
{
	uint64_t us = ns / 1000;
	char rest[4] = { '.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10), (char)('0' + us % 10) };

	http_out_number(&l->o, us / 1000);
	http_out_put(&l->o, rest, sizeof rest);
}

static void put_between(struct line *l, uint64_t from, uint64_t to)
{
	if (from == 0 || to == 0)
		put_none(l);
	else
		put_ns(l, to > from ? to - from : 0);
}

static void put_time(struct line *l, bool iso)
{
	uint64_t ms = (state_now() + now.offset_ns) / CONF_MS % 1000;
	char rest[4] = { '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10) };

	if (l->json)
		HTTP_OUT_PUT(&l->o, "\"");
	if (iso) {
		http_out_put(&l->o, now.iso, 19);
		http_out_put(&l->o, rest, sizeof rest);
		http_out_put(&l->o, now.zone, 6);
	} else
		http_out_put(&l->o, now.common, 26);
	if (l->json)
		HTTP_OUT_PUT(&l->o, "\"");
}

static void put_why(struct line *l, const struct access *r)
{
	char text[2 * TABLE_HOW_MAX];
	const char *rule = table_rule_text(r->rule);
	size_t size = strlen(rule);

	if (r->server == NULL) {
		put_none(l);
		return;
	}
	memcpy(text, rule, size);	/* a short word */
	text[size] = '\0';
	if (r->how)
		table_how_text(text + size, r->how & SHM_HOW_ALL);
	put_name(l, text);
}

static void put_end(struct line *l, const struct access *r)
{
	char text[2] = {
		r->who < sizeof who_letter ? who_letter[r->who] : '?', r->phase < sizeof phase_letter ? phase_letter[r->phase] : '?',
	};

	put_plain(l, text, sizeof text);
}

static void put_client(struct line *l, const struct session *s)
{
	char text[64];
	size_t size = session_peer_text(s, text, sizeof text);

	if (size)
		put_plain(l, text, size);
	else if (l->json)
		HTTP_OUT_PUT(&l->o, "\"unix\"");
	else
		HTTP_OUT_PUT(&l->o, "unix");
}

static void put_number_or_none(struct line *l, uint64_t n)
{
	if (n)
		http_out_number(&l->o, n);
	else
		put_none(l);
}

/* Of a worker's own attempts. */
static const char *failure_word(unsigned outcome)
{
	switch (outcome) {
	case SHM_OUT_NONE:
		return NULL;
	case SHM_OUT_LOCAL:
		return "local";
	case SHM_OUT_WORKER_REFUSED:
		return "refused";
	case SHM_OUT_WORKER_TIMEOUT:
		return "timeout";
	case SHM_OUT_WORKER_RESET:
		return "closed";
	default:
		return "other";
	}
}

static void put(struct line *l, const struct session *s, const struct conf_access_piece *p)
{
	const struct access *r = s->log;
	uint64_t heads = r->out_heads < r->out ? r->out_heads : r->out;	/* the last one may not have been sent */

	switch ((enum conf_access_what)p->what) {
	case CONF_ACCESS_TEXT:
		http_out_put(&l->o, s->listener->access.text + p->at, p->size);
		break;
	case CONF_ACCESS_CLIENT:
		put_client(l, s);
		break;
	case CONF_ACCESS_CLIENT_PORT:
		put_number_or_none(l, s->peer_port);
		break;
	case CONF_ACCESS_TIME:
	case CONF_ACCESS_TIME_ISO:
		put_time(l, p->what == CONF_ACCESS_TIME_ISO);
		break;
	case CONF_ACCESS_LISTENER:
		put_name(l, s->listener->name);
		break;
	case CONF_ACCESS_SCHEME:
		put_name(l, s->listener->mode == CONF_MODE_TCP ? "tcp" :
		    s->secure || s->listener->http.scheme == CONF_SCHEME_HTTPS ? "https" : "http");
		break;
	case CONF_ACCESS_REQUEST:
		put_span(l, r, r->request);
		break;
	case CONF_ACCESS_METHOD:
		put_span(l, r, r->method);
		break;
	case CONF_ACCESS_TARGET:
		put_span(l, r, r->target);
		break;
	case CONF_ACCESS_VERSION:
		put_plain(l, r->minor ? "HTTP/1.1" : "HTTP/1.0", r->method.size ? 8 : 0);
		break;
	case CONF_ACCESS_HOST:
		put_span(l, r, r->host);
		break;
	case CONF_ACCESS_FIELD:
		put_span(l, r, r->field[p->field]);
		break;
	case CONF_ACCESS_STATUS:
		put_number_or_none(l, r->status);
		break;
	case CONF_ACCESS_BYTES_BODY:
		http_out_number(&l->o, r->out - heads);
		break;
	case CONF_ACCESS_BYTES_IN:
		http_out_number(&l->o, r->in);
		break;
	case CONF_ACCESS_BYTES_OUT:
		http_out_number(&l->o, r->out);
		break;
	case CONF_ACCESS_POOL:
		put_name(l, r->pool ? r->pool->conf->name : NULL);
		break;
	case CONF_ACCESS_SERVER:
		put_name(l, r->server ? r->server->conf->name : NULL);
		break;
	case CONF_ACCESS_REUSED:
		if (r->server == NULL)
			put_none(l);
		else if (l->json && r->reused)
			HTTP_OUT_PUT(&l->o, "true");
		else if (l->json)
			HTTP_OUT_PUT(&l->o, "false");
		else
			http_out_number(&l->o, r->reused);
		break;
	case CONF_ACCESS_HEAD:
		put_between(l, r->begin_ns, r->ready_ns);
		break;
	case CONF_ACCESS_QUEUE:
		put_ns(l, r->queue_ns);
		break;
	case CONF_ACCESS_CONNECT:
		put_between(l, r->chosen_ns, r->connected_ns);
		break;
	case CONF_ACCESS_FIRST:
		put_between(l, r->connected_ns, r->first_ns);
		break;
	case CONF_ACCESS_TOTAL:
		put_between(l, r->begin_ns, state_now());
		break;
	case CONF_ACCESS_RETRIES:
		http_out_number(&l->o, r->attempts > 1 ? r->attempts - 1u : 0);
		break;
	case CONF_ACCESS_WHY:
		put_why(l, r);
		break;
	case CONF_ACCESS_FAILURE:
		put_name(l, failure_word(r->failure));
		break;
	case CONF_ACCESS_END:
		put_end(l, r);
		break;
	case CONF_ACCESS_REQUEST_ID:
		put_span(l, r, r->id);
		break;
	case CONF_ACCESS_NTH:
		if (s->listener->mode == CONF_MODE_TCP)
			put_none(l);
		else	/* one that could not be read has not been counted */
			http_out_number(&l->o, s->requests + (r->ready_ns == 0));
		break;
	case CONF_ACCESS_WORKER:
		http_out_number(&l->o, worker.slot);
		break;
	case CONF_ACCESS_WHATS:
		break;
	}
}

/* What a line begins with that goes to syslog: RFC 3164 4.1, as the local daemons read it. */
static void put_syslog(struct http_out *o, const struct conf_access_log *log)
{
	static uint64_t pid;
	unsigned facility = words_facility(log->facility < 0 ? worker.conf->log_facility : log->facility);

	if (pid == 0)
		pid = (uint64_t)getpid();
	HTTP_OUT_PUT(o, "<");
	http_out_number(o, facility << 3 | LOG_LEVEL_INFO);
	HTTP_OUT_PUT(o, ">");
	http_out_put(o, now.syslog, sizeof now.syslog - 1);
	HTTP_OUT_PUT(o, " loadbalancer[");
	http_out_number(o, pid);
	HTTP_OUT_PUT(o, "]: ");
}

void access_line(struct session *s)
{
	const struct conf_access *a = &s->listener->access;
	struct line l = { .json = a->format == CONF_ACCESS_JSON };

	look_at_clock();
	/* Where it does not fit behind the others, the buffer goes out, and it begins the next one. */
	for (int i = 0; i < 2; i++) {
		if (sink_begin(a->log, &l.o))
			put_syslog(&l.o, &worker.conf->access_log[a->log]);
		for (unsigned k = 0; k < a->npieces; k++)
			put(&l, s, &a->piece[k]);
		if (sink_end(a->log, &l.o))
			return;
	}
	sink_drop(a->log, 1);
}
