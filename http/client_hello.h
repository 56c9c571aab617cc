/*
 * The name in a TLS ClientHello: RFC 8446 4.1.2 and 5.1, RFC 6066 3. Nothing is decrypted and nothing
 * negotiated; the caller forwards the bytes as they came.
 *
 * No I/O, no allocation, no state but the struct. The hello may come in any pieces and be cut into any
 * number of records; no byte is looked at twice. All of it is read, not only up to the name, so that
 * a second name is seen, which a server might take instead of the first.
 */
#ifndef HTTP_CLIENT_HELLO_H
#define HTTP_CLIENT_HELLO_H

#include "http/head.h"

#define CLIENT_HELLO_NAME_MAX 255

struct client_hello {
	/* where it stands, between calls; private */
	uint32_t used, limit;		/* bytes looked at, of all of them */
	uint32_t record_left;		/* bytes of the record being read */
	uint32_t message_left;		/* of the hello */
	uint32_t skip;			/* of these, the next ones mean nothing here */
	uint32_t list_left;		/* of the list of names */
	uint32_t value;			/* number being read */
	uint16_t name_left;
	uint8_t record_state, state, bytes;
	bool named, host_named;

	/* after HTTP_BAD */
	const char *why;		/* a few words for the log, static */

	/* after HTTP_DONE: in small letters, without a dot at its end, NUL-terminated; name_size 0: none was given */
	uint16_t name_size;
	char name[CLIENT_HELLO_NAME_MAX + 1];
};

/* Must come before the first parse of each connection. limit: bytes, heads of records included. */
void client_hello_start(struct client_hello *h, uint32_t limit);

/*
 * buf[0..size) is all that has come. HTTP_BAD: no ClientHello, an invalid one, or one beyond the limit.
 * HTTP_DONE with the last byte of the hello. After these, a further call says the same again.
 */
enum http_result client_hello_parse(struct client_hello *h, const char *buf, size_t size);

#endif
