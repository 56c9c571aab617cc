/* The timer wheel against a plain list: same timers fire, never early, at most a tick late. */
#include "os/timer.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/tap.h"

#define N 400
#define MS UINT64_C(1000000)

static struct timer_wheel wheel;
static struct timer timers[N];
static uint64_t now, fired_at[N], deadline_ns[N];	/* as they were asked for */
static unsigned fired, early;

static void set(size_t i, uint64_t when_ns)
{
	deadline_ns[i] = when_ns;
	timer_set(&wheel, &timers[i], when_ns);
}

static void on_timer(struct timer *t)
{
	size_t i = (size_t)(t - timers);

	fired++;
	fired_at[i] = now;
	if (now < deadline_ns[i])
		early++;
	/* Half of them arm themselves again, also far away, also at once. */
	if (rand() % 2)
		set(i, now + (uint64_t)(rand() % 3) * MS);
}

static uint64_t draw(void)
{
		/* ms; the last is as far as three wheels reach */
	static const uint64_t span[] = { 2, 70, 5000, 300000, 20000000, 50000000 };

	return ((uint64_t)rand() << 31 | (uint64_t)rand()) % (span[rand() % 6] * MS);
}

static void random_walk(void)
{
	uint64_t want[N] = { 0 };
	unsigned missed = 0, wrong = 0;

	for (int step = 0; step < 200000; step++) {
		size_t i = (size_t)rand() % N;
		switch (rand() % 4) {
		case 0:
			set(i, now + draw());
			break;
		case 1:
			timer_cancel(&wheel, &timers[i]);
			break;
		case 2:		/* mostly later, as keep-alive deadlines move */
			if (timer_armed(&timers[i]))
				set(i, deadline_ns[i] + draw() / 4);
			break;
		default:
			for (int k = 0; k < N; k++)
				want[k] = timer_armed(&timers[k]) ? deadline_ns[k] : 0;
			memset(fired_at, 0, sizeof fired_at);
			if (rand() % 2) {	/* sleep as the loop does: until the wheel says */
				uint64_t next = timer_next_ns(&wheel);
				if (next != UINT64_MAX && next > now)
					now = next;
			} else
				now += draw() / 8;
			timer_run(&wheel, now);
			for (int k = 0; k < N; k++) {
				bool due = want[k] && (want[k] + MS - 1) / MS <= now / MS;
				/* One set for this very tick, or the past, comes with the next. */
				bool overdue = want[k] && (want[k] + MS - 1) / MS < now / MS;
				missed += overdue && !fired_at[k];
				wrong += !due && fired_at[k] && want[k];
			}
		}
	}
	is_int(missed, 0, "every timer that was due has fired");
	is_int(wrong, 0, "none fired that was not due");
	is_int(early, 0, "none fired early");
	ok(fired > 1000, "many have fired: %u", fired);
}

static void sleeping(const char *what, uint64_t ahead_ms, unsigned limit)
{
	static struct timer one;	/* without a callback: it is not run to its end */

	for (int i = 0; i < N; i++)
		timer_cancel(&wheel, &timers[i]);
	ok(timer_next_ns(&wheel) == UINT64_MAX, "an empty wheel has nothing to wait for");
	uint64_t due = (now / MS + ahead_ms) * MS;
	timer_set(&wheel, &one, due);
	unsigned turns = 0;
	while (timer_armed(&one) && turns < 10 * limit) {
		now = timer_next_ns(&wheel);
		if (now >= due)
			break;
		timer_run(&wheel, now);
		turns++;
	}
	ok(now == due && turns < limit, "a timer %s away costs %u turns before it fires", what, turns);
	timer_cancel(&wheel, &one);
}

int main(void)
{
	srand(1);
	now = 12345 * MS + 678;
	timer_wheel_init(&wheel, now);
	for (int i = 0; i < N; i++)
		timers[i].cb = on_timer;
	random_walk();
	sleeping("90 s", 90 * 1000, 5);
	sleeping("a week", UINT64_C(7) * 24 * 3600 * 1000, 7 * 24);	/* one turn of the wheel is 4.6 hours, and costs four */
	return done_testing();
}
