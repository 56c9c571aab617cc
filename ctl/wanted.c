/* Words that mean pools and servers. */
#include "ctl/wanted.h"

#include <stdio.h>
#include <string.h>

#include "conf/near.h"

static void wanted_missing(const struct view *v, const char *pattern, bool pools)
{
	char full[VIEW_FULL_MAX], best[VIEW_FULL_MAX];
	struct near near;

	near_start(&near, pattern);
	for (unsigned i = 0; i < v->nservers; i++) {
		const char *was = near.best;

		near_try(&near, v->server[i].name);
		near_try(&near, view_full_name(v, &v->server[i], full));
		if (near.best != was) {	/* keep it: `full` is used again */
			snprintf(best, sizeof(best), "%s", near.best);
			near.best = best;
		}
	}
	for (unsigned i = 0; pools && i < v->npools; i++)
		near_try(&near, v->pool[i].name);
	for (unsigned i = 0; i < v->npools; i++) {
		if (strcmp(v->pool[i].name, pattern) == 0) {
			fprintf(stderr, "lbctl: %s is a pool: '%s/*' means all its servers\n", pattern, pattern);
			return;
		}
	}
	fprintf(stderr, "lbctl: there is no %sserver %s", pools ? "pool and no " : "", pattern);
	if (near.best)
		fprintf(stderr, "; did you mean %s?\n", near.best);
	else
		fputs("; lbctl show lists them\n", stderr);
}

static bool wanted_find(struct wanted *w, const struct view *v, const char *pattern, bool pools)
{
	*w = (struct wanted){ .pattern = pattern, .is_name = view_is_name(v, pattern) };
	if (!pattern || w->is_name)
		return true;
	for (unsigned i = 0; pools && i < v->npools; i++)
		w->is_pool |= strcmp(v->pool[i].name, pattern) == 0;
	for (unsigned i = 0; !w->is_pool && i < v->nservers; i++)
		if (view_matches(v, &v->server[i], pattern, false))
			return true;
	return w->is_pool;
}

bool wanted_take(struct wanted *w, const struct view *v, const char *pattern, bool pools)
{
	if (wanted_find(w, v, pattern, pools))
		return true;
	wanted_missing(v, pattern, pools);
	return false;
}

const char *wanted_word(const struct view *v, const char *word, const char *const *list)
{
	struct wanted w;
	struct near near;

	if (wanted_find(&w, v, word, true))
		return NULL;
	near_start(&near, word);
	for (unsigned i = 0; list[i]; i++)
		near_try(&near, list[i]);
	return near.best;
}

bool wanted_server(const struct wanted *w, const struct view *v, const struct view_server *s)
{
	return w->is_pool ? strcmp(v->pool[s->pool].name, w->pattern) == 0 : view_matches(v, s, w->pattern, w->is_name);
}

bool wanted_pool(const struct wanted *w, const struct view *v, const struct view_pool *p)
{
	if (!w->pattern || w->is_pool)
		return !w->pattern || strcmp(p->name, w->pattern) == 0;
	for (unsigned i = 0; i < p->n; i++)
		if (wanted_server(w, v, &v->server[p->first + i]))
			return true;
	return false;
}
