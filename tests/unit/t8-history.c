/* History in the shared table: numbers, steps and places, rows that change hands, events. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "ipc/history.h"
#include "tests/unit/tap.h"

static struct table t;

static void numbers(void)
{
	bool exact = true, close = true, grows = true;
	double last = 0;

	for (unsigned i = 0; i < 2048; i++)
		exact = exact && history_unpack(history_pack(i)) == i;
	ok(exact, "whole numbers below 2048 are kept as they are");
	for (uint64_t n = 2048; n < UINT64_C(4000000000000); n += n / 1427) {
		double v = (double)n, back = history_unpack(history_pack(v));

		close = close && fabs(back - v) <= v / 2000;
		grows = grows && back >= last;
		last = back;
	}
	ok(close, "larger ones to three digits");
	ok(grows, "and their order stays");
	is_int(history_pack(-1), 0, "nothing is below nothing");
	is_int(history_pack(NAN), 0, "what is no number is nothing");
	ok(history_unpack(history_pack(INFINITY)) > 4e12, "what is too large is the largest");
}

static void steps(void)
{
	struct shm_past *p = &t.past_pool[0];
	struct history_point in = { .requests = 12.5, .errors = 0.25, .inflight = 7, .up = 3, .waiting = 2, .p50_ns = 1200000,
	    .p90_ns = 5000000, .p99_ns = 70000000 }, out;
	uint64_t n = 1000003;

	ok(!history_has(&t, HISTORY_MINUTES, n), "a new table has no history");
	ok(!history_has(&t, HISTORY_MINUTES, 0), "not of step 0 either");
	history_begin(&t, HISTORY_MINUTES, n);
	history_write_flow(p, HISTORY_MINUTES, n, &in);
	ok(!history_has(&t, HISTORY_MINUTES, n), "a step that is being written is not there");
	history_end(&t, HISTORY_MINUTES, n);
	ok(history_has(&t, HISTORY_MINUTES, n), "then it is");
	ok(!history_has(&t, HISTORY_MINUTES, n - 600) && !history_has(&t, HISTORY_MINUTES, n + 600), "and no other that has its place");
	ok(!history_has(&t, HISTORY_HOUR, n), "nor one of another span");
	ok(history_read_flow(p, HISTORY_MINUTES, n, &out), "a point");
	ok(fabs(out.requests - 12.5) < 0.01 && fabs(out.errors - 0.25) < 0.006 && out.inflight == 7 && out.up == 3 && out.waiting == 2,
	    "rates and gauges come back");
	ok(out.p50_ns == 1200000 && fabs((double)out.p90_ns - 5e6) < 5e3 && fabs((double)out.p99_ns - 7e7) < 7e4, "times too");
	ok(!history_read_flow(&t.past_pool[1], HISTORY_MINUTES, n, &out), "a row that nobody wrote has no point");
	ok(!history_read_flow(p, HISTORY_MINUTES, n + 600, &out), "an old point is not taken for one of a later step");
	in = (struct history_point){ .state = HISTORY_DOWN };
	history_write_flow(&t.past_server[0], HISTORY_DAY, 5, &in);
	ok(history_read_flow(&t.past_server[0], HISTORY_DAY, 5, &out) && out.state == HISTORY_DOWN, "a state");
	in = (struct history_point){ .requests = 3, .clients = 99, .busy = 0.25, .lag_ns = 1e6, .idle = 4, .inflight = 5 };
	history_write_worker(&t.past_worker[1], HISTORY_HOUR, 77, &in);
	ok(history_read_worker(&t.past_worker[1], HISTORY_HOUR, 77, &out) && out.clients == 99 && out.busy == 0.25 && out.lag_ns == 1e6 &&
	    out.idle == 4 && out.inflight == 5 && out.requests == 3, "a worker's point");
	history_begin(&t, HISTORY_MINUTES, n + 2);
	in = (struct history_point){ .requests = 8, .p99_ns = 2000000, .up = 2 };
	history_write_flow(p, HISTORY_MINUTES, n + 2, &in);
	history_end(&t, HISTORY_MINUTES, n + 2);
	history_repeat(&t, HISTORY_MINUTES, n + 2, n + 1);
	ok(history_has(&t, HISTORY_MINUTES, n + 1) && history_read_flow(p, HISTORY_MINUTES, n + 1, &out) && out.requests == 8 &&
	    out.p99_ns == 2000000 && out.up == 2, "a step that was missed gets the same");
	ok(!history_read_flow(&t.past_pool[1], HISTORY_MINUTES, n + 1, &out), "but for rows that have nothing");
	bool apart = true;
	for (unsigned span = 0; span < HISTORY_SPANS; span++)
		for (uint64_t i = 0; i < 2000; i++) {
			uint32_t place = history_place(span, n + i);
			apart = apart && place >= history_spans[span].first && place < history_spans[span].first + history_spans[span].points;
		}
	ok(apart, "spans keep to their places");
}

static void hands(void)
{
	struct history_point in = { .state = HISTORY_UP }, out;

	snprintf(t.pool[0].name, SHM_NAME_MAX, "app");
	snprintf(t.server[3].name, SHM_NAME_MAX, "one");
	ok(history_of_server(&t, 3) == NULL, "a row without a past");
	history_adopt(&t.past_server[3], history_identity_server(&t, 3));
	history_write_flow(&t.past_server[3], HISTORY_MINUTES, 9, &in);
	ok(history_of_server(&t, 3) == &t.past_server[3], "its own past");
	snprintf(t.server[3].name, SHM_NAME_MAX, "two");
	ok(history_of_server(&t, 3) == NULL, "another server's past is not shown");
	history_adopt(&t.past_server[3], history_identity_server(&t, 3));
	ok(history_of_server(&t, 3) && !history_read_flow(&t.past_server[3], HISTORY_MINUTES, 9, &out), "the new one begins with nothing");
	snprintf(t.pool[1].name, SHM_NAME_MAX, "app/x");
	ok(history_identity_pool(&t, 0) != history_identity_pool(&t, 1), "names are told apart");
	ok(history_of_server(&t, SHM_HISTORY_SERVERS + 5) == NULL, "rows above the limit have no past");
	t.server[3].pool = 12345;	/* noise */
	is_int((long long)history_identity_server(&t, 3), 0, "nor has one of no pool");
	t.server[3].pool = 0;
}

static void events(void)
{
	struct history_event e;
	bool all = true;

	ok(!history_read_event(&t, 0, &e) && !history_read_event(&t, 1, &e), "no events yet");
	history_add_event(&t, &(struct history_event){ .kind = HISTORY_SERVER, .at_ns = 17, .identity = 4, .row = 9, .from = HISTORY_UP,
	    .to = HISTORY_DOWN, .why = SHM_OUT_BAD_STATUS | 503 << 8 });
	ok(history_read_event(&t, 1, &e) && e.number == 1 && e.kind == HISTORY_SERVER && e.at_ns == 17 && e.identity == 4 && e.row == 9 &&
	    e.from == HISTORY_UP && e.to == HISTORY_DOWN && (e.why & 0xff) == SHM_OUT_BAD_STATUS && e.why >> 8 == 503, "a server that went down");
	for (unsigned i = 2; i <= 3 * SHM_HISTORY_EVENTS; i++)
		history_add_event(&t, &(struct history_event){ .kind = HISTORY_RELOAD, .at_ns = i, .value = i });
	for (uint64_t n = 2 * SHM_HISTORY_EVENTS + 1; n <= 3 * SHM_HISTORY_EVENTS; n++)
		all = all && history_read_event(&t, n, &e) && e.value == n;
	ok(all, "the last ones are kept");
	ok(!history_read_event(&t, 2 * SHM_HISTORY_EVENTS, &e), "older ones are not taken for others");
	atomic_store(&t.history->event[5].what, UINT64_MAX);
	ok(!history_read_event(&t, 2 * SHM_HISTORY_EVENTS + 5, &e), "noise is no event");
}

int main(void)
{
	char name[SHM_NAME_MAX];

	snprintf(name, sizeof name, "/lbtest-history.%d", (int)getpid());
	if (!ok(table_create(&t, name, "test", (struct table_size){ 4, 2, 2000, 1 }) == 0, "a table"))
		return done_testing();
	table_unlink(&t);
	is_int(t.history_servers, SHM_HISTORY_SERVERS, "however many servers there are, so many have a history");
	numbers();
	steps();
	hands();
	events();
	table_unmap(&t);
	return done_testing();
}
