#include "http/edit.h"

#include "http/chars.h"
#include "http/meaning.h"
#include "http/name.h"

#define FRAMING	(HTTP_BIT(HTTP_F_CONTENT_LENGTH) | HTTP_BIT(HTTP_F_TRANSFER_ENCODING))
/* Of requests: written anew as the request means them. */
#define REGENERATED (HTTP_BIT(HTTP_F_EXPECT) | HTTP_BIT(HTTP_F_MAX_FORWARDS))
/* Of requests: what is said in them depends on who sent it. */
#define DIRECTIVES \
	(HTTP_BIT(HTTP_F_X_FORWARDED_FOR) | HTTP_BIT(HTTP_F_X_FORWARDED_PROTO) | HTTP_BIT(HTTP_F_X_FORWARDED_HOST) | \
	 HTTP_BIT(HTTP_F_FORWARDED) | HTTP_BIT(HTTP_F_X_REQUEST_ID))

const char *http_edit_refused(const char *name, enum http_edit_op op, bool request)
{
	size_t size = strlen(name);
	uint32_t bit;

	if (size == 0 || size > 255 || http_chars_span(name, name + size, HTTP_C_TOKEN) != name + size)
		return "is not the name of a field";
	bit = HTTP_BIT(http_name_field(name, size));
	if (bit == HTTP_BIT(HTTP_FIELD_OTHER))
		return NULL;
	if (bit & FRAMING)
		return "says where messages end";
	if (bit & HTTP_HOP_BY_HOP)
		return "belongs to one connection";
	if (bit & HTTP_BIT(HTTP_F_VIA))
		return "has a directive of its own";
	if (bit & HTTP_BIT(HTTP_F_HOST) && (!request || op != HTTP_EDIT_SET))
		return request ? "can only be set" : "is not a field of answers";
	if (request && bit & REGENERATED)
		return "is not for others to change";
	if (request && bit & DIRECTIVES)
		return "has a directive of its own";
	return NULL;
}

void http_edit_take_out(struct http_head *h, const char *buf, struct http_edits edits)
{
	for (unsigned i = 0; i < edits.n; i++) {
		const struct http_edit *e = &edits.edit[i];

		if (e->op == HTTP_EDIT_ADD || e->id == HTTP_F_HOST)
			continue;
		if (e->id != HTTP_FIELD_OTHER && !(h->seen & HTTP_BIT(e->id)))
			continue;
		for (unsigned k = 0; k < h->nfields; k++) {
			struct http_field *f = &h->field[k];

			if (f->id == e->id && (f->id != HTTP_FIELD_OTHER || (f->name_size == e->name_size &&
			    http_chars_same_name(buf + f->name_at, e->name, e->name_size))))
				f->drop = 1;
		}
	}
}

/* Both are field names. */
static bool overrides(struct http_edits later, const struct http_edit *e)
{
	for (unsigned i = 0; i < later.n; i++) {
		const struct http_edit *l = &later.edit[i];

		if (l->op != HTTP_EDIT_ADD && l->name_size == e->name_size &&
		    http_chars_same_name(l->name, e->name, e->name_size))
			return true;
	}
	return false;
}

void http_edit_put_in(struct http_out *o, struct http_edits edits, struct http_edits later, const struct http_values *v)
{
	for (unsigned i = 0; i < edits.n; i++) {
		const struct http_edit *e = &edits.edit[i];

		if (e->op == HTTP_EDIT_REMOVE || e->id == HTTP_F_HOST || !http_template_ready(&e->value_template, v) ||
		    overrides(later, e))
			continue;
		http_out_put(o, e->name, e->name_size);
		HTTP_OUT_PUT(o, ": ");
		http_template_put(o, &e->value_template, e->value, v);
		HTTP_OUT_PUT(o, "\r\n");
	}
}
