/* The vocabulary of the configuration. */
#include "conf/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/value.h"

#define HOUR	(3600 * CONF_SECOND)
#define DAY	(24 * HOUR)
#define KIB	UINT64_C(1024)
#define WORDS_LEARNED "1..1000"	/* the range of a limit that is learned, where none is said */

/* One field of a struct. */
#define AT(s, field) offsetof(struct s, field)

_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "WORDS_UINT serves both");
_Static_assert(sizeof(enum conf_mode) == sizeof(int), "WORDS_ENUM");
_Static_assert(AT(conf_server, maxconn_least) == AT(conf_server, maxconn) + sizeof(uint32_t) &&
    AT(conf_discover, maxconn_least) == AT(conf_discover, maxconn) + sizeof(uint32_t), "WORDS_LIMIT");

const char *const words_balance[] = {
	[WORDS_LEAST_CONNECTIONS] = "least-connections",
	[WORDS_LEAST_REQUESTS] = "least-requests",
	[WORDS_ROUND_ROBIN] = "round-robin",
	[WORDS_RANDOM] = "random",
	[WORDS_HASH] = "hash",
	[WORDS_ADAPTIVE] = "adaptive",
	[WORDS_FIRST] = "first",
	NULL
};
const char *const words_hashes[] = {
	[CONF_HASH_SOURCE] = "source", [CONF_HASH_PATH] = "path", [CONF_HASH_HEADER] = "header", [CONF_HASH_COOKIE] = "cookie", NULL
};
const char *const words_retry_on[] = { "connect", "reset", "timeout", "502", "503", "504", "500", "429", NULL };
const char *const words_check_kinds[] = {
	[CONF_CHECK_SEED] = "load",
	[CONF_CHECK_HTTP] = "http",
	[CONF_CHECK_TCP] = "tcp",
	[CONF_CHECK_NONE] = "none",
	NULL
};
const char *const words_modes[] = { [CONF_MODE_HTTP] = "http", [CONF_MODE_TCP] = "tcp", NULL };

static const char *const words_samesite[] = {
	[CONF_SAMESITE_LAX] = "lax", [CONF_SAMESITE_STRICT] = "strict", [CONF_SAMESITE_NONE] = "none", NULL
};
/* "on" is what "append" was called when there was nothing else. */
static const char *const words_forwarded[] = {
	[CONF_FORWARDED_OFF] = "off", [CONF_FORWARDED_APPEND] = "append", [CONF_FORWARDED_SET] = "set",
	[CONF_FORWARDED_KEEP] = "keep", [CONF_FORWARDED_ON] = "on", NULL
};
static const char *const words_schemes[] = { [CONF_SCHEME_HTTP] = "http", [CONF_SCHEME_HTTPS] = "https", NULL };
static const char *const words_accept_proxy[] = {
	[CONF_PROXY_OFF] = "off", [CONF_PROXY_V1] = "v1", [CONF_PROXY_V2] = "v2", [CONF_PROXY_ANY] = "any", NULL
};
static const char *const words_send_proxy[] = {
	[CONF_PROXY_OFF] = "off", [CONF_PROXY_V1] = "v1", [CONF_PROXY_V2] = "v2", NULL
};
static const char *const words_families[] = {
	[CONF_FAMILY_ANY] = "any", [CONF_FAMILY_IPV4] = "ipv4", [CONF_FAMILY_IPV6] = "ipv6", [CONF_FAMILY_BOTH] = "both", NULL
};
static const char *const words_no_sni[] = { "default", "refuse", NULL };
static const char *const words_off_on[] = { "off", "on", NULL };
const char *const words_facilities[] = {
	"daemon", "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7", NULL
};
const char *const words_log_levels[] = {
	[CONF_LOG_ERROR] = "error", [CONF_LOG_WARN] = "warn", [CONF_LOG_INFO] = "info", [CONF_LOG_DEBUG] = "debug", NULL
};
static const char *const words_scheduling[] = {
	[SCHED_WISH_AUTO] = "auto", [SCHED_WISH_BATCH] = "batch", [SCHED_WISH_NORMAL] = "normal", NULL
};
static const char *const words_error_status[] = { "standard", "500", NULL };

#define TIME(name, s, field, min, max)	{ name, WORDS_TIME, AT(s, field), min, max, NULL, 0, NULL, NULL }
#define UINT(name, s, field, min, max)	{ name, WORDS_UINT, AT(s, field), min, max, NULL, 0, NULL, NULL }
#define OWN(name, expected)		{ name, WORDS_OWN, 0, 0, 0, NULL, 0, NULL, expected }
#define TEXT(name, type, s, field)	{ name, type, AT(s, field), 0, 0, NULL, 0, NULL, NULL }
#define ONE_OF(name, type, s, field, of) { name, type, AT(s, field), 0, 0, NULL, 0, of, NULL }
#define END				{ NULL, WORDS_OWN, 0, 0, 0, NULL, 0, NULL, NULL }

const struct words_entry words_top[] = {
	/* "auto" is resolved by the parser: one per processor. */
	[WORDS_TOP_WORKERS] = { "workers", WORDS_UINT, AT(conf, workers), 1, CONF_WORKERS_MAX, "auto", 0, NULL, NULL },
	[WORDS_TOP_MAX_SERVERS] = UINT("max-servers", conf, max_servers, 1, CONF_SERVERS_MAX),
	[WORDS_TOP_POOL] = OWN("pool", "pool NAME {"),
	[WORDS_TOP_LISTEN] = OWN("listen", "listen NAME {"),
	[WORDS_TOP_ERROR_FILE] = OWN("error-file", "error-file STATUS FILE"),
	[WORDS_TOP_ACCESS_LOG] = OWN("access-log", "access-log off or TARGET"),
	[WORDS_TOP_RESOLVER] = OWN("resolver", "resolver system, or up to 3 IP addresses, with or without a port"),
	TEXT("user", WORDS_NAME, conf, user),
	TEXT("group", WORDS_NAME, conf, group),
	TEXT("pid", WORDS_PATH, conf, pid_file),
	TEXT("control", WORDS_PATH, conf, control),
	TEXT("control-group", WORDS_NAME, conf, control_group),
	TEXT("log", WORDS_LOG, conf, log),
	ONE_OF("log-level", WORDS_ENUM, conf, log_level, words_log_levels),
	ONE_OF("log-facility", WORDS_ENUM, conf, log_facility, words_facilities),
	ONE_OF("error-status", WORDS_BOOL, conf, seed, words_error_status),
	{ "max-connections", WORDS_UINT, AT(conf, max_connections), 1, 10000000, "unlimited", UINT32_MAX, NULL, NULL },
	TIME("grace-timeout", conf, grace_ns, 0, 7 * DAY),
	TIME("drain-timeout", conf, drain_ns, 0, 7 * DAY),
	TIME("hang-timeout", conf, hang_ns, 100 * CONF_MS, HOUR),
	ONE_OF("custody", WORDS_BOOL, conf, custody, words_off_on),
	ONE_OF("scheduling", WORDS_ENUM, conf, scheduling, words_scheduling),
	ONE_OF("io-uring", WORDS_BOOL, conf, io_uring, words_off_on),
	ONE_OF("heir", WORDS_BOOL, conf, heir, words_off_on),
	END
};

const struct words_entry words_pool[] = {
	[WORDS_POOL_BALANCE] = OWN("balance", "balance ALGORITHM"),
	[WORDS_POOL_CHECK] = OWN("check", "check load PATH, http PATH, tcp or none"),
	[WORDS_POOL_SERVER] = OWN("server", "server NAME ADDRESS"),
	[WORDS_POOL_STICKY] = OWN("sticky", "sticky cookie NAME"),
	[WORDS_POOL_RETRY_ON] = OWN("retry-on", "retry-on none, or some of connect, reset, timeout, 429, 500, 502, 503 and 504"),
	[WORDS_POOL_HEDGE] = OWN("hedge", "off, on or a time from 1ms to 1h with its unit (ms, s, m or h)"),
	[WORDS_POOL_REQUEST_FIELD] = OWN("request-field", "request-field set, add or remove NAME and a value"),
	[WORDS_POOL_RESPONSE_FIELD] = OWN("response-field", "response-field set, add or remove NAME and a value"),
	[WORDS_POOL_DISCOVER] = OWN("discover", "discover NAME HOST:PORT, or discover NAME srv SERVICE"),
	{ "retries", WORDS_UINT, AT(conf_pool, retries), 0, 1000, "all", UINT32_MAX, NULL, NULL },
	{ "retry-budget", WORDS_PERCENT, AT(conf_pool, retry_budget), 0, 1000, "unlimited", UINT32_MAX, NULL, NULL },
	UINT("queue", conf_pool, queue, 0, 1000000),
	TIME("queue-timeout", conf_pool, queue_timeout_ns, CONF_MS, HOUR),
	{ "queue-target", WORDS_TIME, AT(conf_pool, queue_target_ns), CONF_MS, HOUR, "off", 0, NULL, NULL },
	TIME("queue-interval", conf_pool, queue_interval_ns, CONF_MS, HOUR),
	ONE_OF("eject", WORDS_BOOL, conf_pool, eject, words_off_on),
	ONE_OF("send-proxy", WORDS_ENUM, conf_pool, send_proxy, words_send_proxy),
	TIME("connect-timeout", conf_pool, connect_timeout_ns, CONF_MS, DAY),
	TIME("answer-timeout", conf_pool, answer_timeout_ns, CONF_MS, DAY),
	TIME("stall-timeout", conf_pool, stall_timeout_ns, CONF_MS, DAY),
	TIME("keepalive-timeout", conf_pool, keepalive_ns, CONF_MS, DAY),
	UINT("keepalive-max", conf_pool, keepalive_max, 0, 65535),
	END
};

const struct words_entry words_listen[] = {
	[WORDS_LISTEN_BIND] = OWN("bind", "bind ADDRESS"),
	[WORDS_LISTEN_MODE] = ONE_OF("mode", WORDS_ENUM, conf_listener, mode, words_modes),
	[WORDS_LISTEN_TO] = OWN("to", "to POOL"),
	[WORDS_LISTEN_ROUTE] = OWN("route", "route CONDITION ... to POOL, redirect STATUS TARGET, answer STATUS [FILE] or serve status"),
	[WORDS_LISTEN_REQUEST_FIELD] = OWN("request-field", "request-field set, add or remove NAME and a value"),
	[WORDS_LISTEN_RESPONSE_FIELD] = OWN("response-field", "response-field set, add or remove NAME and a value"),
	[WORDS_LISTEN_TRUSTED] = OWN("trusted-proxies", "trusted-proxies all, none or networks"),
	[WORDS_LISTEN_ERROR_FILE] = OWN("error-file", "error-file STATUS FILE"),
	[WORDS_LISTEN_MAX_LINE] = { "max-request-line", WORDS_SIZE, AT(conf_listener, http.max_request_line), 64, 16 * KIB, NULL, 0,
	    NULL, NULL },
	[WORDS_LISTEN_PROXY_FROM] = OWN("proxy-from", "proxy-from all or networks"),
	[WORDS_LISTEN_ACCESS_LOG] = OWN("access-log", "access-log off or TARGET"),
	[WORDS_LISTEN_SERVE] = OWN("serve", "serve status"),
	[WORDS_LISTEN_SERVE_TO] = OWN("serve-to", "serve-to all or networks"),
	UINT("backlog", conf_listener, backlog, 1, 65535),
	TIME("head-timeout", conf_listener, head_timeout_ns, CONF_MS, DAY),
	TIME("body-timeout", conf_listener, body_timeout_ns, CONF_MS, DAY),
	TIME("idle-timeout", conf_listener, idle_timeout_ns, CONF_MS, DAY),
	TIME("send-timeout", conf_listener, send_timeout_ns, CONF_MS, DAY),
	TIME("linger-timeout", conf_listener, linger_timeout_ns, CONF_MS, HOUR),
	TIME("tunnel-timeout", conf_listener, tunnel_timeout_ns, CONF_MS, 7 * DAY),
	{ "max-connections", WORDS_UINT, AT(conf_listener, max_connections), 1, 10000000, "unlimited", UINT32_MAX, NULL, NULL },
	{ "max-body", WORDS_SIZE64, AT(conf_listener, max_body), 0, UINT64_C(1) << 50, "unlimited", UINT64_MAX, NULL, NULL },
	{ "max-head", WORDS_SIZE, AT(conf_listener, max_head), KIB, 16 * KIB, NULL, 0, NULL, NULL },
	ONE_OF("accept-proxy", WORDS_ENUM, conf_listener, accept_proxy, words_accept_proxy),
	ONE_OF("no-sni", WORDS_BOOL, conf_listener, sni_required, words_no_sni),
	ONE_OF("splice", WORDS_BOOL, conf_listener, splice, words_off_on),
	ONE_OF("abort-on-close", WORDS_BOOL, conf_listener, abort_on_close, words_off_on),
	UINT("max-fields", conf_listener, http.max_fields, 1, HTTP_FIELDS_MAX),
	{ "max-requests", WORDS_UINT, AT(conf_listener, http.max_requests), 1, 1000000000, "unlimited", UINT32_MAX, NULL, NULL },
	ONE_OF("forwarded-for", WORDS_ENUM, conf_listener, http.forwarded_for, words_forwarded),
	ONE_OF("forwarded-proto", WORDS_ENUM, conf_listener, http.forwarded_proto, words_forwarded),
	ONE_OF("forwarded-host", WORDS_ENUM, conf_listener, http.forwarded_host, words_forwarded),
	ONE_OF("forwarded", WORDS_ENUM, conf_listener, http.forwarded, words_forwarded),
	ONE_OF("scheme", WORDS_ENUM, conf_listener, http.scheme, words_schemes),
	ONE_OF("request-id", WORDS_BOOL, conf_listener, http.request_id, words_off_on),
	ONE_OF("trace", WORDS_BOOL, conf_listener, http.trace, words_off_on),
	{ "via", WORDS_TOKEN, AT(conf_listener, http.via), 0, 0, "off", 0, NULL, NULL },
	{ "retry-after", WORDS_TIME, AT(conf_listener, http.retry_after_ns), CONF_SECOND, DAY, "off", 0, NULL, NULL },
	END
};

const struct words_entry words_check[] = {
	[WORDS_CHECK_EVERY] = TIME("every", conf_check, interval_ns, 10 * CONF_MS, DAY),
	[WORDS_CHECK_DOWN_EVERY] = TIME("down-every", conf_check, down_interval_ns, 10 * CONF_MS, DAY),
	[WORDS_CHECK_TIMEOUT] = TIME("timeout", conf_check, timeout_ns, CONF_MS, DAY),
	UINT("rise", conf_check, rise, 1, 1000),
	UINT("fall", conf_check, fall, 1, 1000),
	END
};

const struct words_entry words_server[] = {
	UINT("weight", conf_server, weight, 1, 256),
	{ "maxconn", WORDS_LIMIT, AT(conf_server, maxconn), 1, 1000000, "unlimited", 0, NULL, NULL },
	{ "backup", WORDS_FLAG, AT(conf_server, backup), 0, 0, NULL, 0, NULL, NULL },
	END
};

const struct words_entry words_discover[] = {
	UINT("places", conf_discover, places, 1, CONF_PLACES_MAX),
	{ "every", WORDS_TIME, AT(conf_discover, every_ns), 100 * CONF_MS, HOUR, "ttl", 0, NULL, NULL },
	{ "hold", WORDS_TIME, AT(conf_discover, hold_ns), 0, 7 * DAY, "forever", UINT64_MAX, NULL, NULL },
	ONE_OF("family", WORDS_ENUM, conf_discover, family, words_families),
	UINT("weight", conf_discover, weight, 1, 256),
	{ "maxconn", WORDS_LIMIT, AT(conf_discover, maxconn), 1, 1000000, "unlimited", 0, NULL, NULL },
	{ "backup", WORDS_FLAG, AT(conf_discover, backup), 0, 0, NULL, 0, NULL, NULL },
	END
};

const struct words_entry words_sticky[] = {
	ONE_OF("samesite", WORDS_ENUM, conf_pool, sticky.samesite, words_samesite),
	{ "secure", WORDS_FLAG, AT(conf_pool, sticky.secure), 0, 0, NULL, 0, NULL, NULL },
	{ "max-age", WORDS_TIME, AT(conf_pool, sticky.max_age_ns), CONF_SECOND, 400 * DAY, "session", 0, NULL, NULL },
	END
};

int words_find(const struct words_entry *table, const char *name)
{
	int i;

	for (i = 0; table[i].name; i++)
		if (strcmp(table[i].name, name) == 0)
			return i;
	return -1;
}

int words_choice(const char *const *choice, const char *name)
{
	int i;

	for (i = 0; choice[i]; i++)
		if (strcmp(choice[i], name) == 0)
			return i;
	return -1;
}

unsigned words_facility(int i)
{
	return i == 0 ? 3 : i == 1 ? 1 : 16 + (unsigned)i - 2;
}

/* Appends to buf, of which n bytes are in use; what does not fit is left out. Returns the new n. */
static size_t words_append(char buf[static WORDS_TEXT_MAX], size_t n, const char *text)
{
	size_t size = strlen(text);

	if (size >= WORDS_TEXT_MAX - n)
		return n;
	memcpy(buf + n, text, size + 1);
	return n + size;
}

const char *words_list(char buf[static WORDS_TEXT_MAX], const char *const *choice)
{
	size_t n = 0;
	int i;

	buf[0] = '\0';
	for (i = 0; choice[i]; i++) {
		if (i > 0)
			n = words_append(buf, n, choice[i + 1] ? ", " : " or ");
		n = words_append(buf, n, choice[i]);
	}
	return buf;
}

const char *words_table_list(char buf[static WORDS_TEXT_MAX], const struct words_entry *table)
{
	const char *choice[WORDS_MAX + 1];
	int i;

	for (i = 0; i < WORDS_MAX && table[i].name; i++)
		choice[i] = table[i].name;
	choice[i] = NULL;
	return words_list(buf, choice);
}

const char *words_expected(char buf[static WORDS_TEXT_MAX], const struct words_entry *e)
{
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];
	const char *or = e->special ? " or " : "", *special = e->special ? e->special : "";

	switch (e->type) {
	case WORDS_OWN:
		snprintf(buf, WORDS_TEXT_MAX, "%s", e->own_expected);
		break;
	case WORDS_UINT:
	case WORDS_UINT64:
		snprintf(buf, WORDS_TEXT_MAX, "a number from %llu to %llu%s%s", (unsigned long long)e->min,
		    (unsigned long long)e->max, or, special);
		break;
	case WORDS_PERCENT:
		snprintf(buf, WORDS_TEXT_MAX, "from %llu%% to %llu%%%s%s", (unsigned long long)e->min,
		    (unsigned long long)e->max, or, special);
		break;
	case WORDS_TIME:
		snprintf(buf, WORDS_TEXT_MAX, "a time from %s to %s with its unit (ms, s, m or h)%s%s",
		    value_time_text(min, e->min), value_time_text(max, e->max), or, special);
		break;
	case WORDS_SIZE:
	case WORDS_SIZE64:
		snprintf(buf, WORDS_TEXT_MAX, "a size from %s to %s (bytes, or with k, m or g)%s%s",
		    value_size_text(min, e->min), value_size_text(max, e->max), or, special);
		break;
	case WORDS_BOOL:
	case WORDS_ENUM:
	case WORDS_CHOICE:
		words_list(buf, e->choice);
		break;
	case WORDS_FLAG:
		snprintf(buf, WORDS_TEXT_MAX, "no value");
		break;
	case WORDS_TOKEN:
		snprintf(buf, WORDS_TEXT_MAX, "a word of letters, digits and some signs%s%s",
		    e->special ? ", or " : "", e->special ? e->special : "");
		break;
	case WORDS_LIMIT:
		snprintf(buf, WORDS_TEXT_MAX, "a number from %llu to %llu, two of them as LEAST..MOST, learned%s%s",
		    (unsigned long long)e->min, (unsigned long long)e->max, or, special);
		break;
	case WORDS_NAME:
		snprintf(buf, WORDS_TEXT_MAX, "the name of a %s", e->name);
		break;
	case WORDS_PATH:
		snprintf(buf, WORDS_TEXT_MAX, "an absolute path");
		break;
	case WORDS_LOG:
		snprintf(buf, WORDS_TEXT_MAX, "stderr, syslog or an absolute path");
		break;
	}
	return buf;
}

static int words_number(const struct words_entry *e, const char *text, uint64_t *v, const char **why)
{
	int r;

	if (e->special && strcmp(text, e->special) == 0) {
		*v = e->special_value;
		return 0;
	}
	if (e->type == WORDS_TIME)
		r = value_time(text, v);
	else if (e->type == WORDS_SIZE || e->type == WORDS_SIZE64)
		r = value_size(text, v);
	else if (e->type == WORDS_PERCENT)
		r = value_percent(text, v);
	else
		r = value_number(text, v);
	if (r == 0 && *v >= e->min && *v <= e->max)
		return 0;
	if (r < 0 && errno == EINVAL)
		*why = e->type == WORDS_TIME ? "is not a time" : e->type == WORDS_PERCENT ? "is not a percentage" : e->type == WORDS_SIZE || e->type == WORDS_SIZE64 ?
		    "is not a size" : "is not a number";
	else
		*why = "is out of range";
	return -1;
}

/* NUMBER | unlimited | LEAST..MOST | learned, which is WORDS_LEARNED */
static int words_limit(const struct words_entry *e, uint32_t limit[static 2], const char *text, const char **why)
{
	const char *range = strcmp(text, "learned") == 0 ? WORDS_LEARNED : text, *dots = strstr(range, "..");
	char least[24];
	uint64_t from = 0, to;

	if (dots) {
		if ((size_t)(dots - range) >= sizeof(least)) {
			*why = "is not a number";
			return -1;
		}
		memcpy(least, range, (size_t)(dots - range));
		least[dots - range] = '\0';
		if (words_number(e, least, &from, why) < 0)
			return -1;
		range = dots + 2;
	}
	if (words_number(e, range, &to, why) < 0)
		return -1;
	if (dots && (to < from || from == 0)) {	/* "unlimited" is 0 */
		*why = "is no range";
		return -1;
	}
	limit[0] = (uint32_t)to;
	limit[1] = (uint32_t)from;
	return 0;
}

static int words_string(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -2;
	free(*field);
	*field = copy;
	return 0;
}

int words_set(const struct words_entry *e, void *object, const char *text, const char **why)
{
	void *field = (char *)object + e->offset;
	uint64_t v;
	int i;

	switch (e->type) {
	case WORDS_OWN:
		break;
	case WORDS_UINT:
	case WORDS_PERCENT:
		if (words_number(e, text, &v, why) < 0)
			return -1;
		*(unsigned *)field = (unsigned)v;
		return 0;
	case WORDS_LIMIT:
		return words_limit(e, field, text, why);
	case WORDS_UINT64:
	case WORDS_TIME:
	case WORDS_SIZE64:
		if (words_number(e, text, &v, why) < 0)
			return -1;
		*(uint64_t *)field = v;
		return 0;
	case WORDS_SIZE:
		if (words_number(e, text, &v, why) < 0)
			return -1;
		*(size_t *)field = (size_t)v;
		return 0;
	case WORDS_BOOL:
	case WORDS_ENUM:
	case WORDS_CHOICE:
		i = words_choice(e->choice, text);
		if (i < 0) {
			*why = "is not known";
			return -1;
		}
		if (e->type == WORDS_BOOL)
			*(bool *)field = i != 0;
		else if (e->type == WORDS_ENUM)
			*(int *)field = i;
		else
			*(const char **)field = e->choice[i];
		return 0;
	case WORDS_FLAG:
		*(bool *)field = true;
		return 0;
	case WORDS_TOKEN:
		if (!value_is_token(text)) {
			*why = "is not one word";
			return -1;
		}
		if (e->special && strcmp(text, e->special) == 0) {
			free(*(char **)field);
			*(char **)field = NULL;
			return 0;
		}
		return words_string(field, text);
	case WORDS_NAME:
		if (text[0] == '\0' || strlen(text) > 255) {
			*why = "is no name";
			return -1;
		}
		return words_string(field, text);
	case WORDS_LOG:
		if (strcmp(text, "stderr") == 0 || strcmp(text, "syslog") == 0)
			return words_string(field, text);
		/* fallthrough */
	case WORDS_PATH:
		/* The supervisor may change its directory; a relative path would mean another file then. */
		if (text[0] != '/' || strlen(text) > 4095) {
			*why = "is not an absolute path";
			return -1;
		}
		return words_string(field, text);
	}
	*why = "is not a value";
	return -1;
}
