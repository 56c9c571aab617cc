/* Figures as people read them. */
#include "ipc/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "conf/conf.h"
#include "conf/words.h"

char *text_age(char buf[static TEXT_MAX], uint64_t ns)
{
	uint64_t ms = ns / CONF_MS, s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, TEXT_MAX, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(buf, TEXT_MAX, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(buf, TEXT_MAX, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 2 * 86400)
		snprintf(buf, TEXT_MAX, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(buf, TEXT_MAX, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return buf;
}

char *text_clock(char buf[static TEXT_MAX], const struct view *v, uint64_t mono_ns)
{
	time_t then = (time_t)(((int64_t)mono_ns + v->real_offset_ns) / (int64_t)CONF_SECOND), now = time(NULL);
	struct tm a, b;

	if (!localtime_r(&then, &a) || !localtime_r(&now, &b) ||
	    !strftime(buf, TEXT_MAX, a.tm_yday == b.tm_yday && a.tm_year == b.tm_year ? "%H:%M:%S" : "%b %e %H:%M:%S", &a))
		snprintf(buf, TEXT_MAX, "?");
	return buf;
}

uint64_t text_part_ns(const struct view *v, uint64_t mono_ns)
{
	return (uint64_t)((int64_t)mono_ns + v->real_offset_ns) % CONF_SECOND;
}

uint64_t text_unix_ms(const struct view *v, uint64_t mono_ns)
{
	return (uint64_t)((int64_t)mono_ns + v->real_offset_ns) / 1000000;
}

char *text_latency(char buf[static TEXT_MAX], uint64_t ns)
{
	double ms = (double)ns / 1e6;

	if (ns == 0)
		snprintf(buf, TEXT_MAX, "-");
	else if (ms < 10)
		snprintf(buf, TEXT_MAX, "%.2fms", ms);
	else if (ms < 1000)
		snprintf(buf, TEXT_MAX, "%.0fms", ms);
	else
		snprintf(buf, TEXT_MAX, "%.1fs", ms / 1000);
	return buf;
}

char *text_count(char buf[static TEXT_MAX], double n)
{
	static const char unit[] = " kMGTPE";
	unsigned u = 0;

	if (n < 100000) {
		snprintf(buf, TEXT_MAX, "%.0f", n);
		return buf;
	}
	for (; n >= 999.95 && u + 2 < sizeof(unit); u++)
		n /= 1000;
	snprintf(buf, TEXT_MAX, n < 100 ? "%.1f%c" : "%.0f%c", n, unit[u]);
	return buf;
}

char *text_rate(char buf[static TEXT_MAX], double n)
{
	if (n > 0 && n < 9.95)
		snprintf(buf, TEXT_MAX, "%.1f", n);
	else
		text_count(buf, n);
	return buf;
}

char *text_outcome(char *buf, size_t room, uint32_t outcome, uint32_t status)
{
	if (outcome == SHM_OUT_BAD_STATUS && status)
		snprintf(buf, room, "%s %u", table_outcome_text(outcome), status);
	else
		snprintf(buf, room, "%s", table_outcome_text(outcome));
	return buf;
}

char *text_why(char *buf, size_t room, const struct view_server *s)
{
	char outcome[128];
	/* The status belongs to the last probe, which may have ended otherwise than the one that took it down. */
	uint32_t status = s->outcome == s->down_outcome ? s->status : 0;

	buf[0] = '\0';
	text_outcome(outcome, sizeof(outcome), s->down_outcome, status);
	if (s->leaving)
		snprintf(buf, room, s->verdict == SHM_EMPTY ? "not behind its name any more" : "not in the configuration any more");
	else if (s->admin != SHM_READY)
		snprintf(buf, room, "set by hand%s%s", s->admin == SHM_DRAIN && s->verdict == SHM_DOWN ? "; down: " : "",
			 s->admin == SHM_DRAIN && s->verdict == SHM_DOWN ? outcome : "");
	else if (s->verdict == SHM_DOWN)
		snprintf(buf, room, "%s%s", outcome, s->in_a_row ? "; probes are good again, not yet often enough" : "");
	else if (s->verdict == SHM_UNKNOWN)
		snprintf(buf, room, "not probed yet");
	else if (s->eject_reason)
		snprintf(buf, room, "%s", table_eject_text(s->eject_reason));
	else if (s->weight == 0)
		snprintf(buf, room, "weight 0: gets nothing new");
	else if (s->in_a_row)
		snprintf(buf, room, "%u bad probe%s in a row: %s", s->in_a_row, s->in_a_row == 1 ? "" : "s",
			 table_outcome_text(s->outcome));
	return buf;
}

char *text_probe(char *buf, size_t room, const struct view *v, const struct view_server *s)
{
	char outcome[128], latency[TEXT_MAX], age[TEXT_MAX];

	if (s->probes == 0) {
		snprintf(buf, room, "%s", s->outcome == SHM_OUT_NONE ? "-" : table_outcome_text(s->outcome));
		return buf;
	}
	text_outcome(outcome, sizeof(outcome), s->outcome, s->status);
	text_age(age, v->now_ns > s->probed_ns ? v->now_ns - s->probed_ns : 0);
	if (s->outcome == SHM_OUT_OK)
		snprintf(buf, room, "%s %s, %s ago", outcome, text_latency(latency, s->probe_latency_ns), age);
	else
		snprintf(buf, room, "%s, %s ago", outcome, age);
	return buf;
}

const char *text_slot(uint32_t slot)
{
	static const char *const text[] = {
		[SHM_SLOT_FREE] = "ended",
		[SHM_SLOT_STARTING] = "starting",
		[SHM_SLOT_SERVING] = "serving",
		[SHM_SLOT_RETIRING] = "retiring",
	};

	return slot < sizeof(text) / sizeof(text[0]) ? text[slot] : "?";
}

const char *text_check(const struct view_pool *p)
{
	return p->check >= 1 && p->check <= CONF_CHECK_NONE + 1 ? words_check_kinds[p->check - 1] : "?";
}

const char *text_balance(const struct view_pool *p)
{
	for (uint32_t i = 0; words_balance[i]; i++)
		if (i + 1 == p->balance)
			return words_balance[i];
	return "?";
}

int text_reports_load(const struct view_pool *p)
{
	return p->check == CONF_CHECK_SEED + 1;
}
