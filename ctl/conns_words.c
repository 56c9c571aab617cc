/* Words that choose connections. */
#include "ctl/conns_words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "conf/near.h"
#include "conf/value.h"
#include "ctl/wanted.h"

static enum lbctl_exit conns_words_net(struct conns_filter *f, const char *word)
{
	char address[INET6_ADDRSTRLEN], *slash;
	uint64_t bits;

	if (strlen(word) >= sizeof(address))
		goto bad;
	snprintf(address, sizeof(address), "%s", word);
	slash = strchr(address, '/');
	if (slash)
		*slash = '\0';
	f->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	bits = f->family == AF_INET6 ? 128 : 32;
	if (inet_pton((int)f->family, address, f->net) == 1 &&
	    (!slash || (value_number(slash + 1, &bits) == 0 && bits <= (f->family == AF_INET6 ? 128u : 32u)))) {
		f->bits = (uint32_t)bits;
		return LBCTL_OK;
	}
bad:
	fprintf(stderr, "lbctl: from %s: expected an address, or a net as 10.1.0.0/16\n", word);
	return LBCTL_USAGE;
}

static enum lbctl_exit conns_words_listener(struct conns_filter *f, const struct view *v, const char *word)
{
	struct near near;

	near_start(&near, word);
	for (unsigned i = 0; i < v->nlisteners; i++) {
		near_try(&near, v->listener[i].name);
		if (strcmp(v->listener[i].name, word) == 0) {
			f->listener = v->listener[i].row;
			return LBCTL_OK;
		}
	}
	fprintf(stderr, "lbctl: there is no listener %s%s%s%s\n", word, near.best ? "; did you mean " : "", near.best ? near.best : "",
		near.best ? "?" : "");
	return LBCTL_FAILED;
}

static enum lbctl_exit conns_words_time(uint64_t *ns, const char *what, const char *word)
{
	if (value_time(word, ns) == 0)
		return LBCTL_OK;
	fprintf(stderr, "lbctl: %s %s: expected a time as 500ms, 2s or 1m\n", what, word);
	return LBCTL_USAGE;
}

bool conns_words_busy(uint32_t state)
{
	return state != CONNS_IDLE && state != CONNS_LINGER;
}

/* A word that takes another one. */
static enum lbctl_exit conns_words_pair(struct conns_filter *f, const struct view *v, const char *word, const char *next)
{
	if (strcmp(word, "from") == 0)
		return conns_words_net(f, next);
	if (strcmp(word, "on") == 0)
		return conns_words_listener(f, v, next);
	return conns_words_time(strcmp(word, "older") == 0 ? &f->older_ns : &f->since_ns, word, next);
}

enum lbctl_exit conns_words_read(struct conns_filter *f, const struct view *v, char **word_at, int n)
{
	enum lbctl_exit result = LBCTL_OK;
	struct wanted w;

	*f = (struct conns_filter){ .listener = SEEN_NONE };
	for (int i = 0; i < n; i++) {
		const char *word = word_at[i], *next = i + 1 < n ? word_at[i + 1] : NULL;
		bool takes = strcmp(word, "from") == 0 || strcmp(word, "on") == 0 || strcmp(word, "older") == 0 || strcmp(word, "for") == 0;
		const char *meant;
		unsigned state = 0;

		if (takes && !next) {
			fprintf(stderr, "lbctl: show conns %s what?\n", word);
			return LBCTL_USAGE;
		}
		if (takes) {
			i++;
			result = conns_words_pair(f, v, word, next);
			if (result != LBCTL_OK)
				return result;
			continue;
		}
		while (conns_words[state] && strcmp(conns_words[state], word) != 0)
			state++;
		if (strcmp(word, "busy") == 0) {
			for (state = 0; state < CONNS_STATES; state++)
				f->states |= conns_words_busy(state) ? 1u << state : 0;
		} else if (conns_words[state]) {
			f->states |= 1u << state;
		} else if (f->server[0]) {
			fprintf(stderr, "lbctl: show conns takes one server, pool or pattern, beside %s not %s\n", f->server, word);
			return LBCTL_USAGE;
		} else if ((meant = wanted_word(v, word, conns_words)) != NULL) {
			fprintf(stderr, "lbctl: there is no pool, no server and no state %s; did you mean %s?\n", word, meant);
			return LBCTL_FAILED;
		} else if (!wanted_take(&w, v, word, true)) {
			return LBCTL_FAILED;
		} else if (strlen(word) >= sizeof(f->server)) {
			fprintf(stderr, "lbctl: %s is too long\n", word);
			return LBCTL_USAGE;
		} else {
			snprintf(f->server, sizeof(f->server), "%s", word);
		}
	}
	return LBCTL_OK;
}
