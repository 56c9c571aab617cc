/* The plot: how long the slowest hundredth waited over time, and latency by quantile, both on logarithmic scales. */
#include "tests/sim/sim.h"

#include <math.h>
#include <stdio.h>

#define WIDTH	460.0
#define HEIGHT	280.0
#define TOP	60.0
#define LEFT	60.0
#define GAP	70.0
#define LEAST_MS 5.0
#define MOST_MS	5000.0

static const char *const color[] = { "#c0392b", "#e59866", "#2471a3", "#7f8c8d", "#8e44ad", "#27ae60", "#16a085", "#000", "#888", "#b7950b", "#5d6d7e", "#6e2c00" };

/* Height of a latency on the page. */
static double at(double ms)
{
	double x = ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms;

	return TOP + HEIGHT * (1 - log(x / LEAST_MS) / log(MOST_MS / LEAST_MS));
}

static void axes(FILE *f, double left, const char *title)
{
	static const double ticks[] = { 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000 };

	fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"#999\"/>\n", left, TOP, WIDTH, HEIGHT);
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" font-weight=\"bold\">%s</text>\n", left, TOP - 8, title);
	for (unsigned i = 0; i < sizeof ticks / sizeof *ticks; i++)
		fprintf(f, "<path d=\"M%.1f %.1fh%.1f\" stroke=\"#eee\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
		    left, at(ticks[i]), WIDTH, left - 5, at(ticks[i]) + 4, ticks[i]);
}

static void over_time(FILE *f, const struct sim_result *r, const char *stroke)
{
	const char *step = "M";

	fprintf(f, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.2\" d=\"", stroke);
	/* five tenths at a time; short runs show each */
	unsigned wide = r->slices > 40 ? 5 : 1;
	for (unsigned k = 0; k + wide <= r->slices; k += wide) {
		double most = 0;

		for (unsigned i = 0; i < wide; i++)
			if (r->p99_by_slice[k + i] > most)
				most = r->p99_by_slice[k + i];
		if (most <= 0)
			continue;
		fprintf(f, "%s%.1f %.1f", step, LEFT + WIDTH * (k + wide / 2.0) / r->slices, at(most));
		step = "L";
	}
	fprintf(f, "\"/>\n");
}

static void by_quantile(FILE *f, const struct sim_result *r, const char *stroke, double left)
{
	const double value[] = { r->p50, r->p90, r->p99, r->p999, r->max };

	fprintf(f, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" d=\"", stroke);
	for (unsigned i = 0; i < 5; i++)
		fprintf(f, "%s%.1f %.1f", i ? "L" : "M", left + WIDTH * (i + 0.5) / 5, at(value[i]));
	fprintf(f, "\"/>\n");
}

int svg_write(const char *file, const struct sim_scenario *c, const struct sim_policy *const *policy,
    const struct sim_result *result, unsigned n)
{
	static const char *const quantile[] = { "p50", "p90", "p99", "p99.9", "max" };
	double right = LEFT + WIDTH + GAP;
	FILE *f = fopen(file, "we");

	if (f == NULL)
		return -1;
	fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" font-size=\"11\">\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", right + WIDTH + 20, TOP + HEIGHT + 80);
	fprintf(f, "<text x=\"%.1f\" y=\"22\" font-size=\"15\">%s: %s</text>\n", LEFT, c->name, c->title);
	axes(f, LEFT, "p99 by time, ms: the worst tenth of each half second");
	for (unsigned t = 0; t <= c->seconds; t += c->seconds > 10 ? 5 : 1)
		fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%u s</text>\n", LEFT + WIDTH * t / c->seconds, TOP + HEIGHT + 15, t);
	axes(f, right, "latency by quantile, ms");
	for (unsigned i = 0; i < 5; i++)
		fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", right + WIDTH * (i + 0.5) / 5, TOP + HEIGHT + 15,
		    quantile[i]);
	for (unsigned i = n; i-- > 0;) {	/* the first one on top */
		over_time(f, &result[i], color[i]);
		by_quantile(f, &result[i], color[i], right);
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned column = i % 4, line = i / 4;
		double x = LEFT + column * 235, y = TOP + HEIGHT + 38 + line * 18;

		fprintf(f, "<path d=\"M%.1f %.1fh18\" stroke=\"%s\" stroke-width=\"3\"/><text x=\"%.1f\" y=\"%.1f\">%s, %.3g %% failed</text>\n", x,
		    y - 4, color[i], x + 24, y, policy[i]->name, 100 * result[i].failed);
	}
	fprintf(f, "</svg>\n");
	if (ferror(f) | fclose(f))
		return -1;
	return 0;
}
