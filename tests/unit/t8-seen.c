/* ipc/seen: the object beside the table, and the words for rules, special choices, standings and causes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/seen.h"
#include "tests/unit/tap.h"

static char name[SHM_NAME_MAX], beside[SHM_NAME_MAX + 8];

static bool there(const char *object, mode_t *mode)
{
	int fd = shm_open(object, O_RDONLY | O_CLOEXEC, 0);
	struct stat st = { 0 };

	if (fd < 0)
		return false;
	fstat(fd, &st);
	close(fd);
	if (mode)
		*mode = st.st_mode & 0777;
	return true;
}

static void rings(struct table *t)
{
	struct seen_error e = { 0 }, got;
	struct seen_request r = { .number = 7, .size = 3, .text = "abc" }, back;
	unsigned right = 0;

	for (unsigned i = 0; i < SEEN_ERRORS; i++)
		right += !seen_get_error(t, 1, i, &got);
	is_int(right, SEEN_ERRORS, "nothing is there yet");
	for (unsigned i = 1; i <= SEEN_ERRORS + 5; i++) {
		e.at_ns = i;
		e.size = 2 * SEEN_TEXT_MAX;
		seen_put_error(t, 1, &e);
	}
	right = 0;
	for (unsigned i = 0; i < SEEN_ERRORS; i++)
		right += seen_get_error(t, 1, i, &got) && got.at_ns == (i < 5 ? SEEN_ERRORS + i + 1 : i + 1);
	is_int(right, SEEN_ERRORS, "a ring: the last ones, in their places");
	is_int(got.size, SEEN_TEXT_MAX, "a size that cannot be is cut");
	ok(!seen_get_error(t, 2, 0, &got), "each slot has its own");
	atomic_store(&t->seen[1].error[3].seq, 1);
	ok(!seen_get_error(t, 1, 3, &got), "one that is being written is not read, and nobody waits for ever");
	for (unsigned i = 0; i < SEEN_ERRORS; i++)
		seen_put_error(t, 1, &e);
	ok(seen_get_error(t, 1, 3, &got), "a successor goes on where one died");
	seen_put_request(t, 1, true, SHM_CHOICES - 1, &r);
	ok(seen_get_request(t, 1, true, SHM_CHOICES - 1, &back) && back.number == 7 && memcmp(&r, &back, sizeof r) == 0, "a request");
	ok(seen_get_request(t, 1, false, SHM_CHOICES - 1, &back) && back.number == 0, "in its own ring");
}

static void clients(void)
{
	char text[SEEN_CLIENT_MAX];
	struct seen_client c = { .addr = { 10, 1, 2, 3 }, .family = AF_INET, .port = 80 };

	is_str(seen_client_text(text, &c), "10.1.2.3:80", "IPv4");
	c = (struct seen_client){ .addr = { [15] = 1 }, .family = AF_INET6, .port = 65535 };
	is_str(seen_client_text(text, &c), "[::1]:65535", "IPv6");
	c = (struct seen_client){ .addr = { [10] = 255, 255, 1, 2, 3, 4 }, .family = AF_INET6, .port = 1 };
	is_str(seen_client_text(text, &c), "1.2.3.4:1", "IPv4 that came by IPv6");
	c = (struct seen_client){ .family = 77 };
	is_str(seen_client_text(text, &c), "unix", "neither");
}

static void words(void)
{
	char how[TABLE_HOW_MAX];
	unsigned known = 0, all = 0;

	is_str(table_how_text(how, 0), "", "nothing special");
	is_str(table_how_text(how, SHM_HOW_RETRY | SHM_HOW_FULL | SHM_HOW_HEDGE), "+retry+full+hedge", "some that are");
	ok(strlen(table_how_text(how, UINT32_MAX)) < TABLE_HOW_MAX, "all of them fit: %s", how);
	for (uint32_t i = 0; i < SHM_RULE_COUNT; i++, all++)
		known += table_rule_text(i) && strcmp(table_rule_text(i), "unknown") != 0;
	for (uint32_t i = 0; i < SHM_STOOD_COUNT; i++, all++)
		known += table_standing_text(i) && strcmp(table_standing_text(i), "unknown") != 0;
	for (uint32_t i = SEEN_OWN; i < SEEN_CAUSES; i++, all++)
		known += seen_cause_text(i) && strcmp(seen_cause_text(i), "unknown") != 0;
	for (uint32_t i = 0; i < SHM_OUT_COUNT; i++, all++)
		known += seen_cause_text(i) && strcmp(seen_cause_text(i), "unknown") != 0;
	is_int(known, all, "a word for each rule, standing and cause");
	ok(strcmp(table_rule_text(9999), "unknown") == 0 && strcmp(table_standing_text(9999), "unknown") == 0 &&
	    strcmp(seen_cause_text(9999), "unknown") == 0 && strcmp(seen_cause_text(SHM_OUT_COUNT), "unknown") == 0,
	    "for what is none, too");
}

int main(void)
{
	struct table_size size = { .workers = 4, .pools = 2, .servers = 4, .listeners = 2 };
	struct table t, reader, heir;
	struct seen_error e;
	mode_t mode = 0;

	snprintf(name, sizeof name, "/loadbalancer-unit.%d", (int)getpid());
	snprintf(beside, sizeof beside, "/loadbalancer-unit-seen.%d", (int)getpid());
	if (table_create(&t, name, "0", size) < 0) {
		perror("table_create");
		return 2;
	}
	ok(there(beside, &mode) && mode == 0600, "beside the table, for its owner alone");
	rings(&t);
	if (!ok(table_open(&reader, name) == 0 && reader.seen == NULL, "a reader of the table does not get it by itself"))
		return done_testing();
	ok(seen_open(&reader) == 0 && seen_get_error(&reader, 1, 0, &e), "but may ask");
	ok(seen_share(&t, getgid()) == 0 && there(beside, &mode) && mode == 0640, "shared with a group");
	table_unmap(&reader);

	ok(table_attach(&heir, name) == 0 && seen_get_error(&heir, 1, 0, &e), "who takes over has what was there");
	table_unmap(&heir);
	shm_unlink(beside);
	ok(table_attach(&heir, name) == 0 && heir.seen && !seen_get_error(&heir, 1, 0, &e), "where it is gone it is made anew");
	table_unmap(&heir);
	int fd = shm_open(beside, O_RDWR | O_CLOEXEC, 0);
	ok(fd >= 0 && ftruncate(fd, 100) == 0, "cut short by somebody");
	close(fd);
	ok(table_open(&reader, name) == 0 && seen_open(&reader) < 0 && errno == EPROTO, "a reader believes none of it");
	table_unmap(&reader);
	ok(table_attach(&heir, name) == 0 && heir.seen, "and a successor makes it anew");
	table_unmap(&heir);
	ok(table_unlink(&t) == 0 && !there(beside, NULL) && !there(name, NULL), "both go together");
	table_unmap(&t);
	clients();
	words();
	return done_testing();
}
