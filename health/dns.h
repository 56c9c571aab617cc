/*
 * DNS messages (RFC 1035, RFC 2782, RFC 6891): questions written, answers read. No input, no output, no
 * allocation. An answer is hostile until it has been read: lengths are checked, names that point at
 * themselves end, and what is not an answer to the question is told apart from what is.
 */
#ifndef HEALTH_DNS_H
#define HEALTH_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX	256	/* bytes of a name as text, the final NUL included */
#define DNS_QUESTION_MAX 512	/* bytes; holds any question */
#define DNS_UDP_MAX	1232	/* bytes of an answer that may come by UDP: passes every path whole */

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28, DNS_SRV = 33, DNS_OPT = 41 };

enum dns_result {
	DNS_OK,		/* records of the type came */
	DNS_NO_NAME,	/* there is no such name */
	DNS_NO_DATA,	/* there is, but it has no record of this type */
	DNS_TRUNCATED,	/* not everything fitted: ask by TCP */
	DNS_FAILED,	/* the name server says that it cannot or will not; see rcode */
	DNS_BAD,	/* an answer to this question, but malformed */
	DNS_NOT_OURS,	/* not an answer to this question: somebody else's, late, or forged */
};

/* What an answer says of a name; text is lower case, without a dot at the end. */
struct dns_record {
	uint16_t type;			/* A, AAAA or SRV */
	bool extra;			/* unasked: an address that the server thinks will be asked for next */
	uint32_t ttl_s;			/* seconds; the least of its own and those of the names that led to it */
	uint8_t address[16];		/* A (first four bytes), AAAA */
	uint16_t priority, weight, port;/* SRV; host byte order */
	char name[DNS_NAME_MAX];	/* SRV: the target. A, AAAA: whose address it is */
};

typedef void dns_found(void *arg, const struct dns_record *r);

/* A question that asks for recursion; edns: says that DNS_UDP_MAX bytes may come. Its size, or 0: that is no name. */
size_t dns_question(uint8_t out[static DNS_QUESTION_MAX], uint16_t id, const char *name, uint16_t type, bool edns);

/*
 * Reads what came for that question. found() is called for each record of the answer, by way of aliases (CNAME),
 * and for addresses behind it. A record that makes no sense by itself is passed over.
 */
enum dns_result dns_answer(const uint8_t *msg, size_t size, uint16_t id, const char *name, uint16_t type,
    dns_found *found, void *arg, unsigned *rcode);

/* Whether two names are the same: letters alike, a dot at the end of no weight. */
bool dns_same(const char *a, const char *b);

#endif
