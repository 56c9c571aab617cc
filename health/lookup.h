/*
 * The addresses of a name, and how long they may be kept: /etc/hosts, the DNS, and whatever else the C library knows.
 * Blocks, for LOOKUP_NS and as long as getaddrinfo(3) likes: only in the children of the health process.
 */
#ifndef HEALTH_LOOKUP_H
#define HEALTH_LOOKUP_H

#include "conf/conf.h"
#include "health/query.h"

#define LOOKUP_ADDRESSES_MAX CONF_PLACES_MAX	/* of one name */
#define LOOKUP_NS	(4 * CONF_SECOND)	/* for all that is asked of name servers */
#define LOOKUP_TTL_S	30	/* where nobody says how long an answer may be kept */

struct lookup_address {
	uint8_t bytes[16];	/* IPv4 in the first four, zeros behind */
	uint32_t scope;		/* IPv6 link-local */
	uint16_t family;	/* AF_INET, AF_INET6 */
	uint16_t port;		/* SRV; host byte order; else 0 */
	uint16_t priority, weight;	/* SRV */
};

struct lookup_question {
	const char *host;
	bool srv;
	bool any_will_do;	/* one server with several addresses: what can be found out is good enough */
	enum conf_family family;
};

struct lookup_answer {
	enum query_result result;	/* QUERY_OK: n addresses */
	uint32_t rcode;			/* QUERY_FAILED: what the name server said */
	uint32_t ttl_s;
	uint32_t n;
	struct lookup_address address[LOOKUP_ADDRESSES_MAX];
};

/*
 * What there is to know now. Where the question is not any_will_do, the addresses are in order, each once, and
 * complete: an answer of which a part could not be had counts as a failure, so that nobody takes the rest for gone.
 */
void lookup(const struct conf *conf, const struct lookup_question *q, struct lookup_answer *a);

/* Why there are no addresses, for people. Returns buf. */
#define LOOKUP_TEXT_MAX 80
const char *lookup_text(char buf[static LOOKUP_TEXT_MAX], enum query_result result, uint32_t rcode);

#endif
