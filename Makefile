# loadbalancer: `make` builds it, `make demo` shows it at work, `make check` tests it.
#
# BUILD=dir keeps variants apart (objects and programs land there). The default build also leaves
# ./loadbalancer and, once ctl/ holds sources, ./lbctl.
#   make check             everything, with real processes; TESTS='tests/t2-*.t' for some
#   make check-asan        the same suite on a build with AddressSanitizer and UBSan
#   make bench             beside nginx, HAProxy and a bare relay; some minutes
#   make sim               balancing algorithms in virtual time; SCENARIOS='stall skew' for some
#   make bench-balance     who chooses well: stalls, slow servers, black holes, beside nginx and HAProxy
#   make lint              clang-tidy, cppcheck, shellcheck, mandoc
#   make fuzz              each target of tests/fuzz for FUZZ_SECONDS
#   make demo ONCE=1       the demo, which ends by itself

CC      ?= cc
BUILD   ?= build/default
SAN     ?=
VERSION ?= 0.1.0
PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/loadbalancer
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
FUZZ_SECONDS ?= 30
JOBS    ?= 4
# V=1 shows the commands.
Q = $(if $(V),,@echo "  $@" ; )

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Werror
CFLAGS  ?= -O2 -g
override CFLAGS += -std=c11 -D_GNU_SOURCE -I. -DVERSION='"$(VERSION)"' $(WARN) $(SAN) -fno-strict-aliasing -fstack-protector-strong
override LDFLAGS += $(SAN)

# What is built from what: the three process files and their rooms make the balancer, everything but the
# process files is also an archive for lbctl, unit tests and fuzz targets.
PROCESS = supervisor.c worker.c health.c
ROOMS = supervisor worker health balance ipc conf http os
SRC  := $(PROCESS) $(foreach r,$(ROOMS),$(sort $(wildcard $(r)/*.c)))
OBJ  := $(SRC:%.c=$(BUILD)/%.o)
CORE := $(filter-out $(PROCESS:%.c=$(BUILD)/%.o),$(OBJ))
CTL  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard ctl/*.c))

TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c)) $(BUILD)/tools/backend
UNIT  := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c))
FUZZ  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
TESTS ?= $(wildcard tests/*.t) $(UNIT)

all: loadbalancer $(if $(CTL),lbctl)

loadbalancer lbctl: %: $(BUILD)/%
	@cp -f $< $@

$(BUILD)/loadbalancer: $(OBJ)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJ)

$(BUILD)/lbctl: $(CTL) $(BUILD)/core.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/core.a: $(CORE)
	@rm -f $@
	$(Q)$(AR) rc $@ $(CORE)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# --- tests ---

$(BUILD)/tools/backend: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/demo/*.c))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/tools/%: $(BUILD)/tests/tools/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(BUILD)/core.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm

tools: $(TOOLS)

check: $(BUILD)/loadbalancer $(if $(CTL),$(BUILD)/lbctl) $(TOOLS) $(UNIT)
	@tests/house/need.sh curl nginx prove openssl hitch /usr/lib/python3/dist-packages/websockets/__init__.py
	LB=$(abspath $(BUILD)/loadbalancer) TESTBIN=$(abspath $(BUILD)/tools) LBCTL=$(abspath $(BUILD)/lbctl) \
	    prove -j$(JOBS) --timer $(TESTS)

check-asan:
	$(MAKE) BUILD=build/asan SAN='-fsanitize=address,undefined -fno-omit-frame-pointer' CFLAGS='-O1 -g' check

# The targets are built with clang's libFuzzer; each runs from its corpus in tests/fuzz/corpus/NAME and keeps
# what it finds under build/fuzz.
fuzz:
	@tests/house/need.sh clang
	$(MAKE) CC=clang BUILD=build/fuzz SAN='-fsanitize=fuzzer-no-link,address,undefined' CFLAGS='-O1 -g' \
	    $(FUZZ:%=build/fuzz/bin/%)
	@for t in $(FUZZ); do \
	    echo "fuzz $$t for $(FUZZ_SECONDS) s"; \
	    mkdir -p build/fuzz/corpus/$$t tests/fuzz/corpus/$$t; \
	    build/fuzz/bin/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=build/fuzz/$$t- build/fuzz/corpus/$$t tests/fuzz/corpus/$$t \
	        >build/fuzz/$$t.log 2>&1 || { tail -n 60 build/fuzz/$$t.log; exit 1; }; \
	    grep -E "number_of_executed_units|new_units_added" build/fuzz/$$t.log; \
	done

$(BUILD)/bin/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/core.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^

# --- balancing in virtual time: the very code of balance/, see tests/sim ---

SIM_OUT ?= $(BUILD)/sim-plots
$(BUILD)/sim: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/sim/*.c)) $(BUILD)/core.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm

# Tables to the terminal, a plot for each scenario in SIM_OUT. SCENARIOS='stall skew' for some.
sim: $(BUILD)/sim
	@mkdir -p $(SIM_OUT)
	@$(BUILD)/sim -o $(SIM_OUT) $(SCENARIOS)

lint:
	@tests/house/need.sh clang-tidy cppcheck shellcheck mandoc
	@tests/house/lint.sh

# --- speed ---

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/core.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm

# Beside nginx, HAProxy and a bare relay; see tests/bench/bench.pl for ROUNDS, SCENARIOS, NGINX, HAPROXY.
bench: $(BUILD)/loadbalancer $(BENCH)
	@tests/house/need.sh haproxy nginx perl strace wrk /usr/lib/nginx/modules/ngx_stream_module.so
	@tests/bench/bench.pl $(BUILD)/loadbalancer $(BUILD)/bench $(BUILD)/bench

# Choosing well: servers that sleep, four scenarios, beside nginx and HAProxy; 25 minutes. See tests/bench/balance.sh.
bench-balance: $(BUILD)/loadbalancer $(BUILD)/bench/balance
	@tests/house/need.sh curl haproxy nginx perl
	@tests/bench/balance.sh $(BUILD)/loadbalancer $(BUILD)/bench/balance

# Single parts, without processes: choosing a server, reading and writing heads.
bench-parts: $(BENCH)
	$(BUILD)/bench/choice
	$(BUILD)/bench/http_parse

# --- people ---

demo: $(BUILD)/loadbalancer $(TOOLS)
	@LB=$(BUILD)/loadbalancer TOOLS=$(BUILD)/tools ONCE=$(ONCE) tests/demo.sh

# What is installed, as MODE:FROM:TO; the scripts are told where the programs are.
INSTALL = 755:$(BUILD)/loadbalancer:$(SBINDIR)/loadbalancer 755:$(BUILD)/lbctl:$(SBINDIR)/lbctl \
	755:$(BUILD)/init/loadbalancer.init:$(SYSCONFDIR)/init.d/loadbalancer \
	644:$(BUILD)/init/loadbalancer.service:$(UNITDIR)/loadbalancer.service \
	644:init/loadbalancer.logrotate:$(SYSCONFDIR)/logrotate.d/loadbalancer \
	644:init/loadbalancer.conf.example:$(DOCDIR)/loadbalancer.conf.example 644:README.md:$(DOCDIR)/README.md \
	644:init/completion.bash:$(PREFIX)/share/bash-completion/completions/lbctl \
	644:init/completion.bash:$(PREFIX)/share/bash-completion/completions/loadbalancer \
	644:init/_lbctl:$(PREFIX)/share/zsh/site-functions/_lbctl \
	$(foreach m,$(wildcard man/*.[158]),644:$(m):$(MANDIR)/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m)))

# No configuration is installed: one that is there is somebody's.
install: $(BUILD)/loadbalancer $(BUILD)/lbctl
	@mkdir -p $(BUILD)/init
	@for f in loadbalancer.init loadbalancer.service; do \
	    sed 's|@SBINDIR@|$(SBINDIR)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' init/$$f >$(BUILD)/init/$$f || exit 1; done
	@for i in $(INSTALL); do mode=$${i%%:*} i=$${i#*:}; \
	    echo "  $(DESTDIR)$${i#*:}"; install -D -m $$mode $${i%%:*} $(DESTDIR)$${i#*:} || exit 1; done

uninstall:
	@for i in $(INSTALL); do echo "  $(DESTDIR)$${i##*:}"; rm -f $(DESTDIR)$${i##*:} || exit 1; done

clean:
	rm -rf build loadbalancer lbctl

-include $(OBJ:.o=.d) $(CTL:.o=.d) $(wildcard $(BUILD)/tests/*/*.d)

.PHONY: all tools check check-asan sim bench bench-balance bench-parts fuzz lint demo install uninstall clean
.SECONDARY:
.DELETE_ON_ERROR:
