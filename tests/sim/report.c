/* What came of a run: quantiles, shares, fairness. */
#include "tests/sim/inside.h"

#include <stdlib.h>
#include <string.h>

static int by_ms(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return x->ms < y->ms ? -1 : x->ms > y->ms;
}

static int by_time(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return x->begun_ns < y->begun_ns ? -1 : x->begun_ns > y->begun_ns;
}

static void slices(struct sim *s, struct sim_result *r)
{
	struct sample *p = s->in->sample;
	size_t n = s->in->nsamples, i = 0;

	r->slices = (unsigned)(s->scenario->seconds * 10);
	r->p99_by_slice = sim_need(calloc(r->slices + 1, sizeof *r->p99_by_slice));
	qsort(p, n, sizeof *p, by_time);
	for (unsigned k = 0; k < r->slices; k++) {
		size_t from = i;

		while (i < n && p[i].begun_ns < (k + 1) * (SIM_S / 10))
			i++;
		if (i == from)
			continue;
		qsort(p + from, i - from, sizeof *p, by_ms);
		r->p99_by_slice[k] = (double)p[from + (size_t)((double)(i - from) * 0.99)].ms;
	}
}

void report(struct sim *s, struct sim_result *r)
{
	const struct sim_scenario *c = s->scenario;
	struct sample *p = s->in->sample;
	double sum = 0, squares = 0, most = 0;
	size_t n = 0;

	memset(r, 0, sizeof *r);
	slices(s, r);
	for (size_t i = 0; i < s->in->nsamples; i++)
		if (c->to_ns == 0 || (p[i].begun_ns >= c->from_ns && p[i].begun_ns < c->to_ns))
			p[n++] = p[i];
	r->requests = n;
	qsort(p, n, sizeof *p, by_ms);
	for (size_t i = 0; i < n; i++) {
		r->mean += (double)p[i].ms / (double)n;
		r->bad += p[i].failed;
		r->slow += (p[i].ms > 1000) / (double)n;
		r->good += !p[i].failed && p[i].ms <= 1000;
	}
	r->good /= c->to_ns ? (double)(c->to_ns - c->from_ns) / 1e9 : c->seconds;
	r->hedged = (double)s->in->hedges / (double)s->in->nsamples;
	r->failed = (double)r->bad / (double)n;
	r->p50 = (double)p[n / 2].ms;
	r->p90 = (double)p[n * 9 / 10].ms;
	r->p99 = (double)p[n * 99 / 100].ms;
	r->p999 = (double)p[n * 999 / 1000].ms;
	r->max = (double)p[n - 1].ms;
	for (unsigned i = 0; i < s->n; i++) {
		double x = (double)s->server[i].got / s->server[i].weight;

		sum += x;
		squares += x * x;
		if (x > most)
			most = x;
	}
	r->fairness = sum * sum / (squares * s->n);
	r->peak_share = most * s->n / sum;
}

