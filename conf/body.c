/* Bodies of answers, from files. Read by the supervisor together with the configuration. */
#include "conf/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/diag.h"

const char *body_type(const char *path)
{
	static const struct { const char *end, *type; } known[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".htm", "text/html; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".xml", "application/xml" },
		{ ".svg", "image/svg+xml" },
		{ ".ico", "image/x-icon" },
		{ ".png", "image/png" },
	};
	size_t size = strlen(path);

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t end = strlen(known[i].end);

		if (size > end && strcmp(path + size - end, known[i].end) == 0)
			return known[i].type;
	}
	return "text/plain; charset=utf-8";
}

bool body_is_type(const char *text)
{
	size_t size = strlen(text);

	if (size < 3 || size > 200 || !strchr(text, '/') || text[0] == ' ' || text[size - 1] == ' ')
		return false;
	for (; *text; text++)
		if (*text < 0x20 || *text >= 0x7f)
			return false;
	return true;
}

/* 0, or -1 with *why. */
static int body_read(struct conf_body *b, const char **why)
{
	struct stat st;
	size_t n = 0;
	/* Not to wait for the other end of a pipe that somebody put there. */
	int fd = open(b->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		*why = strerror(errno);
		return -1;
	}
	if (fstat(fd, &st) < 0) {
		*why = strerror(errno);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		*why = "not a file";
		goto fail;
	}
	if (st.st_size > CONF_BODY_MAX) {
		*why = "larger than 1 MiB";
		goto fail;
	}
	b->data = malloc((size_t)st.st_size + 1);
	if (!b->data) {
		*why = "not enough memory";
		goto fail;
	}
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, b->data + n, (size_t)st.st_size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*why = strerror(errno);
			goto fail;
		}
		if (got == 0)
			break;		/* it has shrunk meanwhile */
		n += (size_t)got;
	}
	b->size = n;
	close(fd);
	return 0;
fail:
	close(fd);
	return -1;
}

static void body_load(struct conf_body *b, struct diag *d)
{
	char word[DIAG_QUOTE_MAX];
	const char *why = "";

	if (b->path && body_read(b, &why) < 0)
		diag_at(d, b->line, b->column, "%s cannot be read: %s; expected a file of at most 1 MiB",
		    diag_quote(word, b->path), why);
}

static void body_load_errors(struct conf_errors *e, struct diag *d)
{
	for (unsigned i = 0; i < e->n; i++)
		body_load(&e->error[i].body, d);
}

int body_read_all(struct conf *c, FILE *err)
{
	struct diag d = { .out = err, .file = c->file };

	body_load_errors(&c->errors, &d);
	for (unsigned i = 0; i < c->nlisteners; i++) {
		struct conf_listener *l = &c->listener[i];

		for (unsigned k = 0; k < l->nroutes; k++)
			body_load(&l->route[k].body, &d);
		body_load_errors(&l->http.errors, &d);
	}
	return d.errors ? -1 : 0;
}

void body_free(struct conf_body *b)
{
	free(b->path);
	free(b->type);
	free(b->data);
}
