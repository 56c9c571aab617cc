#include "http/template.h"

static const char *const names[HTTP_PLACES] = {
	[HTTP_PLACE_TEXT] = NULL,
	[HTTP_PLACE_CLIENT] = "client",
	[HTTP_PLACE_REQUEST_ID] = "request-id",
	[HTTP_PLACE_HOST] = "host",
	[HTTP_PLACE_PATH] = "path",
	[HTTP_PLACE_REST] = "rest",
};

/* Not the end of a text that is too long: the length has been checked. */
static const char *add(struct http_template *t, unsigned place, size_t at, size_t size)
{
	if (place == HTTP_PLACE_TEXT && size == 0)
		return NULL;
	if (t->n == HTTP_PIECES_MAX)
		return "too many places and braces";
	t->piece[t->n++] = (struct http_piece){ .at = (uint32_t)at, .size = (uint32_t)size, .place = place };
	t->places |= HTTP_PLACE_BIT(place);
	return NULL;
}

static unsigned find(const char *name, size_t size, unsigned places)
{
	for (unsigned i = 1; i < HTTP_PLACES; i++)
		if (places & HTTP_PLACE_BIT(i) && strlen(names[i]) == size && !memcmp(names[i], name, size))
			return i;
	return HTTP_PLACE_TEXT;
}

const char *http_template_parse(struct http_template *t, const char *text, unsigned places, size_t *at)
{
	size_t from = 0, i = 0;
	const char *bad;

	t->n = t->places = 0;
	*at = 0;
	if (strlen(text) > UINT32_MAX)
		return "too long";
	while (text[i]) {
		const char *end;
		unsigned place;

		if (text[i] != '{') {
			i++;
			continue;
		}
		*at = i;
		if (text[i + 1] == '{') {	/* the first of the two belongs to the text, the second is passed over */
			if ((bad = add(t, HTTP_PLACE_TEXT, from, i + 1 - from)))
				return bad;
			from = i += 2;
			continue;
		}
		end = strchr(text + i, '}');
		if (!end)
			return "\"{\" without \"}\"";
		place = find(text + i + 1, (size_t)(end - text) - i - 1, places);
		if (place == HTTP_PLACE_TEXT)
			return "unknown place";
		if ((bad = add(t, HTTP_PLACE_TEXT, from, i - from)) || (bad = add(t, place, i, 0)))
			return bad;
		from = i = (size_t)(end - text) + 1;
	}
	*at = from;
	return add(t, HTTP_PLACE_TEXT, from, i - from);
}

bool http_template_ready(const struct http_template *t, const struct http_values *v)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->piece[i].place != HTTP_PLACE_TEXT && v->of[t->piece[i].place].size == 0)
			return false;
	return true;
}

void http_template_put(struct http_out *o, const struct http_template *t, const char *text, const struct http_values *v)
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct http_piece *p = &t->piece[i];

		if (p->place == HTTP_PLACE_TEXT)
			http_out_put(o, text + p->at, p->size);
		else
			http_out_put(o, v->of[p->place].at, v->of[p->place].size);
	}
}
