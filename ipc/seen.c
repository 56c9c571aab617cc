/* The object beside the table: made, mapped, written, read. */
#include "ipc/seen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEN_MAGIC	UINT64_C(0x4c425345454e0001)	/* "LBSEEN", and the version of the layout */
#define SEEN_ATTEMPTS	1000

struct seen_head {
	alignas(SHM_LINE) uint64_t magic;
	uint64_t slot_size;
	uint64_t slots;
};

static size_t seen_size(const struct table *t)
{
	return sizeof(struct seen_head) + t->max_workers * sizeof(struct seen_slot);
}

/* "/loadbalancer.PID" becomes "/loadbalancer-seen.PID". */
static void seen_name(const char *table, char name[static SHM_NAME_MAX + 8])
{
	const char *dot = strrchr(table, '.');
	int n = dot ? (int)(dot - table) : (int)strlen(table);

	snprintf(name, SHM_NAME_MAX + 8, "%.*s-seen%s", n, table, dot ? dot : "");
}

static int seen_map(struct table *t, int fd, int prot)
{
	void *base = mmap(NULL, seen_size(t), prot, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return -1;
	t->seen_base = base;
	t->seen = (void *)((char *)base + sizeof(struct seen_head));
	return 0;
}

int seen_create(struct table *t)
{
	char name[SHM_NAME_MAX + 8];
	int fd, saved;

	seen_name(t->name, name);
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST && shm_unlink(name) == 0)	/* of somebody who was killed: the table was ours to make */
		fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)seen_size(t)) < 0 || seen_map(t, fd, PROT_READ | PROT_WRITE) < 0) {
		saved = errno;
		close(fd);
		shm_unlink(name);
		errno = saved;
		return -1;
	}
	close(fd);
	*(struct seen_head *)t->seen_base = (struct seen_head){ SEEN_MAGIC, sizeof(struct seen_slot), t->max_workers };
	return 0;
}

static int seen_existing(struct table *t, bool write)
{
	char name[SHM_NAME_MAX + 8];
	struct stat st;
	int fd, saved;

	seen_name(t->name, name);
	fd = shm_open(name, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		goto fail;
	errno = EPROTO;
	if (st.st_size != (off_t)seen_size(t) || seen_map(t, fd, write ? PROT_READ | PROT_WRITE : PROT_READ) < 0)
		goto fail;
	close(fd);
	const struct seen_head *h = t->seen_base;
	if (h->magic == SEEN_MAGIC && h->slot_size == sizeof(struct seen_slot) && h->slots == t->max_workers)
		return 0;
	seen_unmap(t);
	errno = EPROTO;
	return -1;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* What is missing, or of another layout, is no reason not to take over: it is made anew. */
int seen_attach(struct table *t)
{
	return seen_existing(t, true) == 0 ? 0 : seen_create(t);
}

int seen_open(struct table *t)
{
	return t->seen ? 0 : seen_existing(t, false);
}

void seen_unlink(const char *table)
{
	char name[SHM_NAME_MAX + 8];

	seen_name(table, name);
	shm_unlink(name);
}

void seen_unmap(struct table *t)
{
	if (t->seen_base)
		munmap(t->seen_base, seen_size(t));
	t->seen_base = NULL;
	t->seen = NULL;
}

int seen_share(const struct table *t, gid_t group)
{
	char name[SHM_NAME_MAX + 8];
	int fd, r, saved;

	seen_name(t->name, name);
	fd = shm_open(name, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	r = fchown(fd, (uid_t)-1, group) < 0 || fchmod(fd, 0640) < 0 ? -1 : 0;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* ---- records ---- */

static void seen_put(_Atomic uint32_t *seq, _Atomic uint64_t *word, const void *from, size_t words)
{
	/* A predecessor that died in the middle left it odd: stay odd until done. */
	uint32_t n = atomic_load_explicit(seq, memory_order_relaxed) | 1;
	const char *at = from;
	uint64_t w;

	atomic_store_explicit(seq, n, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < words; i++, at += sizeof w) {
		memcpy(&w, at, sizeof w);
		atomic_store_explicit(&word[i], w, memory_order_relaxed);
	}
	atomic_store_explicit(seq, n + 1, memory_order_release);
}

static bool seen_get(const _Atomic uint32_t *seq, const _Atomic uint64_t *word, void *to, size_t words)
{
	for (int attempt = 0; attempt < SEEN_ATTEMPTS; attempt++) {
		uint32_t n = atomic_load_explicit(seq, memory_order_acquire);
		char *at = to;

		if (n & 1)
			continue;
		for (size_t i = 0; i < words; i++, at += sizeof(uint64_t)) {
			uint64_t w = atomic_load_explicit(&word[i], memory_order_relaxed);
			memcpy(at, &w, sizeof w);
		}
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(seq, memory_order_relaxed) == n)
			return true;
	}
	return false;
}

#define SEEN_WORDS(x) (sizeof(x) / sizeof(uint64_t))

void seen_put_error(struct table *t, uint32_t slot, const struct seen_error *e)
{
	struct seen_slot *s = &t->seen[slot];
	uint64_t n = atomic_load_explicit(&s->errors, memory_order_relaxed);

	seen_put(&s->error[n % SEEN_ERRORS].seq, s->error[n % SEEN_ERRORS].word, e, SEEN_WORDS(*e));
	atomic_store_explicit(&s->errors, n + 1, memory_order_release);
}

void seen_put_request(struct table *t, uint32_t slot, bool special, uint32_t place, const struct seen_request *r)
{
	struct seen_slot *s = &t->seen[slot];

	seen_put(&s->request[special][place].seq, s->request[special][place].word, r, SEEN_WORDS(*r));
}

bool seen_get_error(const struct table *t, uint32_t slot, uint32_t place, struct seen_error *e)
{
	const struct seen_slot *s = &t->seen[slot];

	if (!seen_get(&s->error[place].seq, s->error[place].word, e, SEEN_WORDS(*e)) || e->at_ns == 0)
		return false;
	e->size = e->size > SEEN_TEXT_MAX ? SEEN_TEXT_MAX : e->size;
	return true;
}

bool seen_get_request(const struct table *t, uint32_t slot, bool special, uint32_t place, struct seen_request *r)
{
	const struct seen_slot *s = &t->seen[slot];

	if (!seen_get(&s->request[special][place].seq, s->request[special][place].word, r, SEEN_WORDS(*r)))
		return false;
	r->size = r->size > SEEN_TEXT_MAX ? SEEN_TEXT_MAX : r->size;
	return true;
}

const char *seen_cause_text(uint32_t cause)
{
	static const char *const text[SEEN_CAUSES - SEEN_OWN] = {
		[SEEN_INVALID - SEEN_OWN] = "answer is not valid HTTP",
		[SEEN_CUT - SEEN_OWN] = "answer broke off in the middle",
		[SEEN_STATUS - SEEN_OWN] = "answered",
		[SEEN_BAD_REQUEST - SEEN_OWN] = "bad request",
		[SEEN_REQUEST_LATE - SEEN_OWN] = "request did not come in time",
		[SEEN_TOO_LARGE - SEEN_OWN] = "request is too large",
		[SEEN_NO_SERVER - SEEN_OWN] = "no server could be chosen",
		[SEEN_QUEUE_FULL - SEEN_OWN] = "queue is full",
		[SEEN_QUEUE_LATE - SEEN_OWN] = "waited too long in the queue",
		[SEEN_NO_MEMORY - SEEN_OWN] = "no memory or descriptors left here",
	};
	/* shm_outcome's words speak of a worker in the third person. */
	static const char *const found[] = {
		[SHM_OUT_WORKER_REFUSED] = "connection refused",
		[SHM_OUT_WORKER_TIMEOUT] = "no answer in time",
		[SHM_OUT_WORKER_RESET] = "closed without an answer",
	};

	if (cause >= SEEN_OWN)
		return cause < SEEN_CAUSES ? text[cause - SEEN_OWN] : "unknown";
	if (cause < sizeof found / sizeof *found && found[cause])
		return found[cause];
	return table_outcome_text(cause);
}

char *seen_client_text(char buf[static SEEN_CLIENT_MAX], const struct seen_client *c)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool six = c->family == AF_INET6 && memcmp(c->addr, mapped, sizeof mapped) != 0;
	char ip[INET6_ADDRSTRLEN];

	if ((c->family != AF_INET && c->family != AF_INET6) ||
	    !inet_ntop(six ? AF_INET6 : AF_INET, c->addr + (c->family == AF_INET6 && !six ? sizeof mapped : 0), ip, sizeof ip))
		snprintf(buf, SEEN_CLIENT_MAX, "unix");
	else
		snprintf(buf, SEEN_CLIENT_MAX, six ? "[%s]:%u" : "%s:%u", ip, c->port & 0xffff);
	return buf;
}
