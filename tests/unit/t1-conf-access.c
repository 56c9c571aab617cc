/* conf/: access-log and log-level: what is understood, what is refused, what is printed. */
#include <stdlib.h>

#include "conf/conf.h"
#include "conf/parse.h"
#include "tests/unit/tap.h"

#define POOL	"pool p {\nserver a 8080\n}\n"

static char *messages;
static size_t messages_size;

static struct conf *parse(const char *text)
{
	size_t size = strlen(text);
	char *buf = malloc(size + 1);
	struct conf *c;
	FILE *err;

	free(messages);
	messages = NULL;
	err = open_memstream(&messages, &messages_size);
	memcpy(buf, text, size);
	c = parse_buffer(buf, size, "F", err);
	fclose(err);
	free(buf);
	return c;
}

static char *printed(const struct conf *c)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	conf_print(c, out);
	fclose(out);
	return text;
}

static struct conf *listener(const char *top, const char *inside)
{
	char text[8192];

	snprintf(text, sizeof(text), "%s\n" POOL "listen l {\nbind *:80\n%s\nto p\n}\n", top, inside);
	return parse(text);
}

/* Is it printed, and does that read back as the same? */
static void goes_round(const char *directive, const char *want)
{
	struct conf *c = listener("", directive), *again;
	char *text, *second;

	if (!ok(c != NULL, "understood: %s", directive)) {
		printf("# %s", messages);
		return;
	}
	text = printed(c);
	ok(strstr(text, want) != NULL, "printed as: %s", want);
	again = parse(text);
	second = again ? printed(again) : NULL;
	ok(second && strcmp(text, second) == 0, "which reads back as the same");
	free(text);
	free(second);
	conf_free(again);
	conf_free(c);
}

static void refused(const char *directive, const char *want)
{
	struct conf *c = listener("", directive);

	ok(c == NULL, "refused: %.*s", (int)strcspn(directive, "\n#"), directive);
	is_str(messages ? messages : "", want, "with these words");
	conf_free(c);
}

/* Its pieces in one text, places by number. */
static char *pieces(const struct conf_access *a)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (unsigned i = 0; i < a->npieces; i++) {
		const struct conf_access_piece *p = &a->piece[i];

		if (p->what == CONF_ACCESS_TEXT)
			fprintf(out, "%.*s", p->size, a->text + p->at);
		else if (p->what == CONF_ACCESS_FIELD)
			fprintf(out, "<%s>", a->field[p->field].name);
		else
			fprintf(out, "<%d>", p->what);
	}
	fclose(out);
	return text;
}

static void test_formats(void)
{
	struct conf *c = listener("", "access-log /a format \"{status} {{x} {field:X-A}{field:x-a}{field:User-Agent}-{end}\"");
	const struct conf_access *a = &c->listener[0].access;
	char want[64], *got = pieces(a);

	snprintf(want, sizeof(want), "<%d> {x} <X-A><X-A><User-Agent>-<%d>", CONF_ACCESS_STATUS, CONF_ACCESS_END);
	is_str(got, want, "a format taken apart");
	is_int(a->nfields, 2, "a field is kept once, whatever its case");
	is_int(a->field[1].id, HTTP_F_USER_AGENT, "known ones by their number");
	free(got);
	conf_free(c);

	c = listener("", "access-log /a format json");
	got = pieces(&c->listener[0].access);
	ok(strncmp(got, "{\"time\":<", 9) == 0 && got[strlen(got) - 1] == '}' && strstr(got, ",\"user_agent\":<User-Agent>,"), "json");
	free(got);
	conf_free(c);
}

static void test_inheritance(void)
{
	struct conf *c = parse(POOL "listen a {\nbind *:80\nto p\n}\nlisten b {\nbind *:81\naccess-log off\nto p\n}\n"
	    "listen c {\nbind *:82\naccess-log /b\nto p\n}\nlisten d {\nbind *:83\naccess-log /a format json\nto p\n}\n"
	    "access-log /a format extended\nlog-level debug\n");

	ok(c != NULL, "a default that stands behind");
	if (c == NULL)
		return;
	is_int(c->naccess_logs, 2, "each target is there once");
	is_str(c->access_log[c->listener[0].access.log].target, "/a", "who says nothing has the default");
	is_int(c->listener[0].access.format, CONF_ACCESS_EXTENDED, "with its format");
	ok(c->listener[0].access.text != c->access.text, "of its own");
	is_int(c->listener[1].access.log, CONF_NO_LOG, "off is off");
	is_str(c->access_log[c->listener[2].access.log].target, "/b", "another target");
	is_int(c->listener[2].access.format, CONF_ACCESS_COMBINED, "is combined without a word");
	is_int(c->listener[3].access.log, c->listener[0].access.log, "the same file");
	is_int(c->log_level, CONF_LOG_DEBUG, "log-level");
	conf_free(c);
	c = parse(POOL "listen a {\nbind *:80\nto p\n}\n");
	ok(c && c->access.log == CONF_NO_LOG && c->listener[0].access.log == CONF_NO_LOG && c->log_level == CONF_LOG_INFO, "defaults");
	conf_free(c);
}

int main(void)
{
	test_formats();
	test_inheritance();
	goes_round("access-log off", "\taccess-log off\n");
	goes_round("access-log /var/log/a", "\taccess-log /var/log/a format combined\n");
	goes_round("access-log \"/var/log/a b\" format extended", "\taccess-log \"/var/log/a b\" format extended\n");
	goes_round("access-log syslog format json", "\taccess-log syslog format json\n");
	goes_round("access-log syslog format json facility local7", "\taccess-log syslog facility local7 format json\n");
	goes_round("access-log stdout format \"{client} \\\"{request}\\\" {{\"", "\taccess-log stdout format \"{client} \\\"{request}\\\" {{\"\n");

	refused("access-log", "F:7:11: the line ends too early; expected access-log off, stdout, stderr, syslog or PATH, and perhaps: "
	    "format combined, extended, json or a text\n");
	refused("access-log of", "F:7:12: \"of\" is neither off, stdout, stderr, syslog nor an absolute path; did you mean \"off\"?\n");
	refused("access-log logs/a", "F:7:12: \"logs/a\" is neither off, stdout, stderr, syslog nor an absolute path; "
	    "expected off, stdout, stderr or syslog\n");
	refused("access-log off format json", "F:7:16: \"format\" is one word too many; expected nothing behind access-log off\n");
	refused("access-log /a fromat json", "F:7:15: \"fromat\" is not an option here; did you mean \"format\"?\n");
	refused("access-log /a format", "F:7:21: the line ends too early; expected format combined, extended, json or a text with {places}\n");
	refused("access-log syslog facility local8", "F:7:28: \"local8\" is no facility; did you mean \"local0\"?\n");
	refused("access-log syslog facility", "F:7:27: the line ends too early; expected facility daemon, user or local0 to local7\n");
	refused("access-log /a facility user", "F:7:15: \"facility\" without syslog; expected access-log syslog facility NAME\n");
	refused("access-log syslog format json format json", "F:7:31: \"format\" again; expected it once\n");
	refused("access-log /a format jsno", "F:7:22: \"jsno\" is no format and has no {places}; did you mean \"json\"?\n");
	refused("access-log /a format \"{clent}\"", "F:7:22: there is no place \"clent\" in a format; did you mean {client}?\n");
	refused("access-log /a format \"{field:a b}\"", "F:7:22: there is no place \"field:a b\" in a format; did you mean {field:NAME}?\n");
	refused("access-log /a format \"{zzzzzzz}\"", "F:7:22: there is no place \"zzzzzzz\" in a format; expected one of those in "
	    "loadbalancer.conf(5)\n");
	refused("access-log /a format \"{client\"", "F:7:22: a \"{\" without \"}\" in the format; expected {NAME}, or {{ for a brace\n");
	refused("access-log /a format \"{field:a}{field:b}{field:c}{field:d}{field:e}{field:f}{field:g}{field:h}{field:i}\"",
	    "F:7:1: too many fields in the format; expected at most 8\n");
	refused("access-log /a\naccess-log /b", "F:8:1: \"access-log\" again; expected it once, it is already on line 7\n");
	free(messages);
	return done_testing();
}
