/*
 * Telling one's stack without a library. The return addresses are looked for among the words on the stack: what points
 * into the program's own code is told. That finds each caller, and now and then a word that a finished call has
 * left behind, which a reader of the source can tell apart.
 */
#include "os/stack.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

#include "os/log.h"

#define STACK_WORDS	256	/* that are looked through; far fewer than lie above main()'s own frame */
#define STACK_CALLS	12	/* that are told */

/* The linker's: where this program's code lies. */
extern const char __executable_start[], etext[];

static uintptr_t stack_pc(const ucontext_t *u, const uintptr_t **top)
{
#if defined(__x86_64__)
	*top = (const uintptr_t *)u->uc_mcontext.gregs[REG_RSP];
	return (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	*top = (const uintptr_t *)u->uc_mcontext.sp;
	return (uintptr_t)u->uc_mcontext.pc;
#else
	(void)u;
	*top = NULL;
	return 0;
#endif
}

/* It runs in the middle of anything, the log included: the worst that can come of it is the end that comes anyway. */
__attribute__((no_sanitize("address"))) _Noreturn static void stack_tell(int sig, siginfo_t *si, void *context)
{
	const uintptr_t base = (uintptr_t)__executable_start, end = (uintptr_t)etext;
	const uintptr_t *top;
	uintptr_t pc = stack_pc(context, &top);
	char text[32 + STACK_CALLS * 20];
	unsigned i, told = 0;
	int n;

	(void)sig;
	(void)si;
	n = pc >= base && pc < end ? snprintf(text, sizeof(text), " 0x%lx", (unsigned long)(pc - base)) :
	    snprintf(text, sizeof(text), " a library or the kernel");
	for (i = 0; top && i < STACK_WORDS && told < STACK_CALLS && n > 0 && (size_t)n < sizeof(text); i++) {
		if (top[i] < base || top[i] >= end)
			continue;
		n += snprintf(text + n, sizeof(text) - (size_t)n, " 0x%lx", (unsigned long)(top[i] - base));
		told++;
	}
	log_error("hanging at%s (innermost first; addr2line -fe this program ADDRESS names them)", text);
	_exit(STACK_STATUS);
}

void stack_tell_on_abort(void)
{
	struct sigaction sa = { .sa_sigaction = stack_tell, .sa_flags = SA_SIGINFO };

	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGABRT, &sa, NULL) < 0)
		log_error("SIGABRT: a hang will not be explained");
}
