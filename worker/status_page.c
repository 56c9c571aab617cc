/* The status page, as bytes of the program. The files are made before this one is compiled: see Makefile. */
#include "worker/status_page.h"

#ifndef STATUS_PAGE_DIR	/* for tools that only look */
#define STATUS_PAGE_DIR "build/default/status"
#endif

#define STATUS_PAGE_BYTES(name, file)		\
	__asm__(".section .rodata\n"		\
	    ".balign 8\n"			\
	    ".global " #name "_size\n"		\
	    ".global " #name "\n"		\
	    #name "_size:\n"			\
	    ".quad 2f - 1f\n"			\
	    #name ":\n"				\
	    "1: .incbin \"" file "\"\n"	\
	    "2: .byte 0\n"			\
	    ".previous\n")

STATUS_PAGE_BYTES(status_page, STATUS_PAGE_DIR "/page.html");
STATUS_PAGE_BYTES(status_page_policy, STATUS_PAGE_DIR "/policy");
