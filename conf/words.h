/*
 * The vocabulary: which words a block knows, what values they take, and where these are kept. The
 * parser and the printer both walk these tables, so what can be said and what is printed cannot differ.
 */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#include <stddef.h>
#include <stdint.h>

enum words_type {
	WORDS_OWN,	/* the parser has a function of its own */
	WORDS_UINT,	/* unsigned, or uint32_t */
	WORDS_UINT64,
	WORDS_PERCENT,	/* unsigned; written with % */
	WORDS_TIME,	/* uint64_t, nanoseconds */
	WORDS_SIZE,	/* size_t, bytes */
	WORDS_SIZE64,	/* uint64_t, bytes */
	WORDS_BOOL,	/* one of two choices */
	WORDS_ENUM,	/* int-sized: index of the choice */
	WORDS_CHOICE,	/* const char *: the choice itself */
	WORDS_FLAG,	/* bool, true when the word is there; takes no value */
	WORDS_TOKEN,	/* char *: RFC 9110 5.6.2 */
	WORDS_NAME,	/* char *: of a user or group */
	WORDS_LIMIT,	/* two uint32_t: at most so many; if learned, from so many on, else 0 */
	WORDS_PATH,	/* char *: absolute */
	WORDS_LOG,	/* char *: stderr, syslog or absolute path */
};

struct words_entry {
	const char *name;		/* NULL: end of the table */
	enum words_type type;
	size_t offset;			/* of the field, in the struct that the block fills */
	uint64_t min, max;		/* of numbers, times, sizes */
	const char *special;		/* word for a value outside the range, or for no text; NULL: none */
	uint64_t special_value;
	const char *const *choice;	/* names, NULL at the end */
	const char *own_expected;	/* WORDS_OWN: the values, for messages */
};

enum { WORDS_TOP_WORKERS, WORDS_TOP_MAX_SERVERS, WORDS_TOP_POOL, WORDS_TOP_LISTEN, WORDS_TOP_ERROR_FILE,
	WORDS_TOP_ACCESS_LOG, WORDS_TOP_RESOLVER };
enum { WORDS_POOL_BALANCE, WORDS_POOL_CHECK, WORDS_POOL_SERVER, WORDS_POOL_STICKY, WORDS_POOL_RETRY_ON,
	WORDS_POOL_HEDGE, WORDS_POOL_REQUEST_FIELD, WORDS_POOL_RESPONSE_FIELD, WORDS_POOL_DISCOVER };
enum { WORDS_LISTEN_BIND, WORDS_LISTEN_MODE, WORDS_LISTEN_TO, WORDS_LISTEN_ROUTE, WORDS_LISTEN_REQUEST_FIELD,
	WORDS_LISTEN_RESPONSE_FIELD, WORDS_LISTEN_TRUSTED, WORDS_LISTEN_ERROR_FILE, WORDS_LISTEN_MAX_LINE, WORDS_LISTEN_PROXY_FROM,
	WORDS_LISTEN_ACCESS_LOG, WORDS_LISTEN_SERVE, WORDS_LISTEN_SERVE_TO };
enum { WORDS_CHECK_EVERY, WORDS_CHECK_DOWN_EVERY, WORDS_CHECK_TIMEOUT };

#define WORDS_MAX 64	/* entries of one table */

/* The entries that the enums above name come first, in that order. */
extern const struct words_entry words_top[];
extern const struct words_entry words_pool[];
extern const struct words_entry words_listen[];
extern const struct words_entry words_check[];	/* options behind `check KIND` */
extern const struct words_entry words_server[];	/* options behind `server NAME ADDRESS` */
extern const struct words_entry words_discover[];	/* options behind `discover NAME ...` */
extern const struct words_entry words_sticky[];	/* options behind `sticky cookie NAME` */

/* Valid names of the balancing algorithms, by enum words_algorithm; a test compares them with balance/. */
enum words_algorithm { WORDS_LEAST_CONNECTIONS, WORDS_LEAST_REQUESTS, WORDS_ROUND_ROBIN, WORDS_RANDOM, WORDS_HASH,
	WORDS_ADAPTIVE, WORDS_FIRST };
extern const char *const words_balance[];
extern const char *const words_hashes[];	/* by enum conf_hash */
extern const char *const words_retry_on[];	/* by bit of enum conf_retry */
extern const char *const words_check_kinds[];	/* by enum conf_check_kind */
/* Of syslog; daemon is the first. words_facility() has their numbers. */
extern const char *const words_facilities[];
extern const char *const words_log_levels[];	/* by enum conf_log_level */
extern const char *const words_modes[];		/* by enum conf_mode */

/* Index in the table, -1: not there. */
int words_find(const struct words_entry *table, const char *name);
/* Index of the choice, -1: not there. */
int words_choice(const char *const *choice, const char *name);

/* Number of words_facilities[i], as syslog(3) knows it. */
unsigned words_facility(int i);

#define WORDS_TEXT_MAX 1024
/* "one of a, b or c" and the like: what the entry takes. Returns buf. */
const char *words_expected(char buf[static WORDS_TEXT_MAX], const struct words_entry *e);
/* "a, b, c". Returns buf. */
const char *words_list(char buf[static WORDS_TEXT_MAX], const char *const *choice);
const char *words_table_list(char buf[static WORDS_TEXT_MAX], const struct words_entry *table);

#define WORDS_SET_WHY 64
/*
 * Sets the entry's field in `object` from text. 0; -1: no such value, *why says so in a few words;
 * -2: no memory. Strings are allocated, and an earlier one is freed.
 */
int words_set(const struct words_entry *e, void *object, const char *text, const char **why);

#endif
