/*
 * Fields that the configuration sets, adds or removes on the way through: prepared once, applied to each
 * head in two steps. First what was there is marked as not to be forwarded, then http/forward.c writes the
 * new lines behind the others.
 */
#ifndef HTTP_EDIT_H
#define HTTP_EDIT_H

#include "http/head.h"
#include "http/template.h"

enum http_edit_op { HTTP_EDIT_SET = 0, HTTP_EDIT_ADD, HTTP_EDIT_REMOVE };

struct http_edit {
	uint8_t op;		/* enum http_edit_op */
	uint8_t id;		/* enum http_field_id of the name */
	char *name;		/* a token */
	size_t name_size;
	char *value;		/* as configured; NULL: HTTP_EDIT_REMOVE */
	struct http_template value_template;
};

/* A list of them. Each name is set or removed at most once in a list, before anything is added under it. */
struct http_edits { const struct http_edit *edit; unsigned n; };

/* Places that a value may have. */
#define HTTP_EDIT_PLACES \
	(HTTP_PLACE_BIT(HTTP_PLACE_CLIENT) | HTTP_PLACE_BIT(HTTP_PLACE_REQUEST_ID) | HTTP_PLACE_BIT(HTTP_PLACE_HOST))

/*
 * NULL, or why a field of this name cannot be edited: it is not a token, says where a message ends, belongs
 * to one hop, or has a directive of its own. Host of a request may be set; its value is then checked by
 * http_authority_valid(), has no places, and is given as http_request_edit.set_host.
 */
const char *http_edit_refused(const char *name, enum http_edit_op op, bool request);

/* Marks the fields that are removed or replaced. */
void http_edit_take_out(struct http_head *h, const char *buf, struct http_edits edits);
/*
 * Writes the lines of the list, but for those whose name is set or removed by the list `later`. One with a
 * place in it that has no text is left out, as is Host.
 */
void http_edit_put_in(struct http_out *o, struct http_edits edits, struct http_edits later, const struct http_values *v);

#endif
