/*
 * Text with places in it, "https://{host}{path}": taken apart once, when the configuration is read, and put
 * together for each message without a search. "{{" is one brace.
 */
#ifndef HTTP_TEMPLATE_H
#define HTTP_TEMPLATE_H

#include "http/out.h"

struct http_text { const char *at; size_t size; };

enum http_place {
	HTTP_PLACE_TEXT = 0,	/* of the template itself */
	HTTP_PLACE_CLIENT,	/* its address */
	HTTP_PLACE_REQUEST_ID,
	HTTP_PLACE_HOST,
	HTTP_PLACE_PATH,	/* path and query as they were sent */
	HTTP_PLACE_REST,	/* the same, without the prefix that a route matched */
	HTTP_PLACES
};

#define HTTP_PLACE_BIT(place)	(1u << (place))
#define HTTP_PIECES_MAX 12

struct http_template {
	unsigned n;
	unsigned places;	/* HTTP_PLACE_BIT of all that occur */
	struct http_piece {
		uint32_t at, size;	/* HTTP_PLACE_TEXT: of the template's text */
		uint32_t place;
	} piece[HTTP_PIECES_MAX];
};

/* What stands in the places, for one message; those that do not occur need not be set. */
struct http_values { struct http_text of[HTTP_PLACES]; };

/*
 * Takes a text apart, in which only `places` may occur. NULL, or what is wrong with it, *at being where.
 */
const char *http_template_parse(struct http_template *t, const char *text, unsigned places, size_t *at);

/* True: nothing that occurs in it is empty, so that it can be put together. */
bool http_template_ready(const struct http_template *t, const struct http_values *v);
/* `text` is what was parsed. */
void http_template_put(struct http_out *o, const struct http_template *t, const char *text, const struct http_values *v);

#endif
