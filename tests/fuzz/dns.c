/*
 * Fuzz target: answers of name servers. The first byte says what was asked; the rest is the answer, once as it came
 * and once with the question and the id put right, so that the records behind them are reached.
 */
#include <stdint.h>
#include <stdlib.h>

#include "health/dns.h"

#include "tests/fuzz/strict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned records, wanted;

static void found(void *arg, const struct dns_record *r)
{
	const uint16_t *type = arg;

	records++;
	wanted += !r->extra;
	MUST(r->extra ? r->type == DNS_A || r->type == DNS_AAAA : r->type == *type);
	MUST(strnlen(r->name, sizeof r->name) < sizeof r->name && r->name[0] != '\0');
	for (const char *c = r->name; *c; c++)
		MUST(*c > ' ' && *c < 0x7f && *c != '\\' && !(*c >= 'A' && *c <= 'Z'));
	MUST(r->ttl_s <= 7 * 86400);
	MUST(r->type != DNS_SRV || r->port != 0);
}

static void ask(const uint8_t *msg, size_t size, uint16_t type)
{
	unsigned rcode;
	enum dns_result r;

	records = wanted = 0;
	r = dns_answer(msg, size, 0x4142, "_a._b.test", type, found, &type, &rcode);
	MUST(rcode <= 15);
	MUST((r == DNS_OK) == (wanted > 0));
	MUST(r == DNS_OK || records == 0);
	MUST(r != DNS_NO_NAME || rcode == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_SRV };
	static const uint8_t question[] = "\2_a\2_b\4test\0\0\0\1";
	uint16_t type;
	char *p;

	if (size < 1 || size > 4096)
		return 0;
	type = types[data[0] % 3];
	p = strict_copy((const char *)data + 1, size - 1, size - 1);
	ask((const uint8_t *)p, size - 1, type);
	strict_free(p, size - 1);

	/* Flags and counts of the input, one question, ours; then the input's records. */
	if (size < 12)
		return 0;
	size_t head = 12 + sizeof question - 1, n = head + (size - 12);
	char *copy = malloc(n);
	if (!copy)
		return 0;
	memcpy(copy, "AB\x81\x80\0\1", 6);
	memcpy(copy + 6, data + 6, 6);
	memcpy(copy + 12, question, sizeof question - 1);
	copy[head - 3] = (char)type;
	memcpy(copy + head, data + 12, size - 12);
	p = strict_copy(copy, n, n);
	free(copy);
	ask((const uint8_t *)p, n, type);
	strict_free(p, n);
	return 0;
}
