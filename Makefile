# loadbalancer: `make` builds it, `make demo` shows it at work, `make check` tests it.
#
# BUILD=dir keeps variants apart (objects and programs land there). The default build also leaves
# ./loadbalancer and, once ctl/ holds sources, ./lbctl.
#   make check             everything, with real processes; TESTS='tests/t2-*.t' for some
#   make check-asan        the same suite on a build with AddressSanitizer and UBSan
#   make chaos             events under a load that checks every byte; PEERS=1 with nginx and HAProxy beside it
#   make bench             beside nginx, HAProxy and a bare relay; some minutes
#   make sim               balancing algorithms in virtual time; SCENARIOS='stall skew' for some
#   make bench-balance     who chooses well: stalls, slow servers, black holes, beside nginx and HAProxy
#   make lint              clang-tidy, cppcheck, shellcheck, mandoc
#   make fuzz              each target of tests/fuzz for FUZZ_SECONDS
#   make demo ONCE=1       the demo, which ends by itself
#   make install           by the GNU conventions: DESTDIR, prefix, ...; install-strip, installcheck, uninstall
#   make dist              a tarball of the sources, the same bytes each time
#   make deb               a Debian package, in build/deb; make check-package tries it, as root

CC      ?= cc
BUILD   ?= build/default
SAN     ?=
WERROR  ?= -Werror
# The newest entry of init/debian/changelog has the version, and no other place.
ifndef VERSION
VERSION := $(shell sed -n '1s/^[^ ]* .\([^-]*\)-.*/\1/p' init/debian/changelog)
endif
# Where things go: names and meanings are GNU's, in capitals or not. sysconfdir is /etc by default, because an init
# script anywhere else is none. INIT=openrc installs OpenRC's script instead of System V's.
PREFIX  ?= /usr/local
prefix  ?= $(PREFIX)
exec_prefix ?= $(prefix)
SBINDIR ?= $(exec_prefix)/sbin
sbindir ?= $(SBINDIR)
SYSCONFDIR ?= /etc
sysconfdir ?= $(SYSCONFDIR)
datarootdir ?= $(prefix)/share
datadir ?= $(datarootdir)
MANDIR  ?= $(datarootdir)/man
mandir  ?= $(MANDIR)
DOCDIR  ?= $(datarootdir)/doc/loadbalancer
docdir  ?= $(DOCDIR)
UNITDIR ?= $(prefix)/lib/systemd/system
unitdir ?= $(UNITDIR)
INSTALL ?= install
INSTALL_PROGRAM ?= $(INSTALL) -m 755
INSTALL_SCRIPT ?= $(INSTALL) -m 755
INSTALL_DATA ?= $(INSTALL) -m 644
INIT    ?= sysv
FUZZ_SECONDS ?= 30
JOBS    ?= 4
# V=1 shows the commands.
Q = $(if $(V),,@echo "  $@" ; )

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion $(WERROR)
CFLAGS  ?= -O2 -g
override CFLAGS += $(CPPFLAGS) -std=c11 -D_GNU_SOURCE -I. -DVERSION='"$(VERSION)"' $(WARN) $(SAN) -fno-strict-aliasing -fstack-protector-strong
override LDFLAGS += $(SAN) -pthread

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
# Those of the package need one, and root: make check-package.
PACKAGE_TESTS = tests/t8-package.t tests/t8-systemd.t tests/t8-openrc.t
TESTS ?= $(filter-out $(PACKAGE_TESTS),$(wildcard tests/*.t)) $(UNIT)

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

# The status page is part of the program: its files become one, and that becomes bytes.
$(BUILD)/status/page.html: $(wildcard worker/status/*)
	$(Q)worker/status/build.sh $(@D)

$(BUILD)/worker/status_page.o: override CFLAGS += -DSTATUS_PAGE_DIR='"$(BUILD)/status"'
$(BUILD)/worker/status_page.o: $(BUILD)/status/page.html

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(patsubst %.c,$(BUILD)/%.o,$(shell grep -lw VERSION $(SRC) ctl/*.c)): init/debian/changelog

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
	@tests/house/need.sh chromium curl dnsmasq logrotate python3 ip keepalived nginx promtool prove openssl hitch tmux strace /usr/lib/python3/dist-packages/websockets/__init__.py
	LB=$(abspath $(BUILD)/loadbalancer) TESTBIN=$(abspath $(BUILD)/tools) LBCTL=$(abspath $(BUILD)/lbctl) \
	    prove -j$(JOBS) --timer $(TESTS)

# What can be tested where there is nothing but a compiler and perl.
check-unit: $(UNIT)
	prove -j$(JOBS) $(UNIT)

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

# Succession, in its long form: see tests/chaos/run.sh for EVENTS, MINUTES, PEERS.
chaos: $(BUILD)/loadbalancer $(TOOLS)
	@tests/house/need.sh curl ss shuf $(if $(PEERS),nginx haproxy /usr/lib/nginx/modules/ngx_stream_module.so)
	@LB=$(abspath $(BUILD)/loadbalancer) TESTBIN=$(abspath $(BUILD)/tools) tests/chaos/run.sh

lint:
	@tests/house/need.sh clang-tidy cppcheck shellcheck mandoc
	@tests/house/lint.sh

# --- speed ---

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/core.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm

# Beside nginx, HAProxy and a bare relay; see tests/bench/bench.pl for ROUNDS, SCENARIOS, RESULTS, NGINX, HAPROXY, WRK.
bench: $(BUILD)/loadbalancer $(BENCH)
	@tests/house/need.sh perl $(if $(HAPROXY),,haproxy) $(if $(NGINX),,nginx /usr/lib/nginx/modules/ngx_stream_module.so) \
	    $(if $(WRK),,wrk strace)
	@tests/bench/bench.pl $(BUILD)/loadbalancer $(BUILD)/bench $(or $(RESULTS),$(BUILD)/bench)

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

# What is installed, as KIND:FROM:TO, with P for a program, S for a script, D for data. Scripts and the unit are told
# where the programs are.
EXAMPLES := $(sort $(shell find examples -type f))
INSTALL_LIST = P:$(BUILD)/loadbalancer:$(sbindir)/loadbalancer P:$(BUILD)/lbctl:$(sbindir)/lbctl \
	S:$(BUILD)/init/$(if $(filter openrc,$(INIT)),loadbalancer.openrc,loadbalancer.init):$(sysconfdir)/init.d/loadbalancer \
	D:$(BUILD)/init/loadbalancer.service:$(unitdir)/loadbalancer.service \
	D:init/loadbalancer.logrotate:$(sysconfdir)/logrotate.d/loadbalancer \
	D:init/loadbalancer.conf.example:$(docdir)/loadbalancer.conf.example D:README.md:$(docdir)/README.md \
	D:init/loadbalancer.socket:$(docdir)/examples/loadbalancer.socket \
	D:$(BUILD)/init/loadbalancer.openrc:$(docdir)/examples/loadbalancer.openrc \
	D:init/completion.bash:$(datadir)/bash-completion/completions/lbctl \
	D:init/completion.bash:$(datadir)/bash-completion/completions/loadbalancer \
	D:init/_lbctl:$(datadir)/zsh/site-functions/_lbctl \
	$(foreach m,$(wildcard man/*.[1578]),D:$(m):$(mandir)/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m))) \
	$(foreach e,$(EXAMPLES),D:$(e):$(docdir)/$(e))

# No configuration is installed: one that is there is somebody's.
install: $(BUILD)/loadbalancer $(BUILD)/lbctl
	@mkdir -p $(BUILD)/init
	@for f in loadbalancer.init loadbalancer.openrc loadbalancer.service; do \
	    sed 's|@SBINDIR@|$(sbindir)|g; s|@SYSCONFDIR@|$(sysconfdir)|g' init/$$f >$(BUILD)/init/$$f || exit 1; done
	@for i in $(INSTALL_LIST); do kind=$${i%%:*} i=$${i#*:}; from=$${i%%:*} to=$(DESTDIR)$${i#*:}; \
	    [ -f "$$from" ] || continue; \
	    echo "  $$to"; mkdir -p "$${to%/*}" || exit 1; \
	    case $$kind in P) $(INSTALL_PROGRAM) "$$from" "$$to" ;; S) $(INSTALL_SCRIPT) "$$from" "$$to" ;; \
	    *) $(INSTALL_DATA) "$$from" "$$to" ;; esac || exit 1; done

install-strip:
	@$(MAKE) --no-print-directory install INSTALL_PROGRAM='$(INSTALL_PROGRAM) -s'

# What was installed runs, and is this version.
installcheck:
	@[ "$$($(DESTDIR)$(sbindir)/loadbalancer -v)" = "loadbalancer $(VERSION)" ]
	@$(DESTDIR)$(sbindir)/lbctl --version
	@sed 's/^user .*//' $(DESTDIR)$(docdir)/loadbalancer.conf.example >$(BUILD)/installcheck.conf
	@$(DESTDIR)$(sbindir)/loadbalancer -t -c $(BUILD)/installcheck.conf

uninstall:
	@for i in $(INSTALL_LIST); do echo "  $(DESTDIR)$${i##*:}"; rm -f "$(DESTDIR)$${i##*:}" || exit 1; done
	@for d in $(patsubst %/,$(docdir)/%,$(filter-out examples/,$(sort $(dir $(EXAMPLES))))) $(docdir)/examples $(docdir); do [ ! -d "$(DESTDIR)$$d" ] || rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$d"; done

# --- releases ---

# The sources as they are in git, or, in what was unpacked from a tarball, as they lie there. The same sources give the
# same bytes, whoever packs them and when: names are sorted, times are that of the newest entry of init/debian/changelog.
DIST = loadbalancer-$(VERSION)
SOURCE_DATE_EPOCH ?= $(shell date -d "$$(sed -n 's/^ -- .*>  //p' init/debian/changelog | head -n 1)" +%s)
dist:
	@mkdir -p build
	@if [ -e .git ]; then git ls-files; else find . -name build -prune -o -type f -print | sed 's|^\./||'; fi | \
	    grep -vxE 'loadbalancer|lbctl|debian/.*' | while read -r f; do [ ! -f "$$f" ] || echo "$$f"; done | \
	    LC_ALL=C sort >build/dist.list
	@tar --format=gnu --no-recursion --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@$(SOURCE_DATE_EPOCH) \
	    --transform='flags=r;s|^|$(DIST)/|' -cf build/dist.tar -T build/dist.list
	@gzip -9 -n <build/dist.tar >build/$(DIST).tar.gz && rm build/dist.tar build/dist.list
	@echo "  build/$(DIST).tar.gz"

# A Debian package, built from that tarball and init/debian/; everything is left in build/deb.
deb: dist
	@tests/house/need.sh dpkg-buildpackage dh fakeroot
	@rm -rf build/deb && mkdir -p build/deb
	@tar -C build/deb -xf build/$(DIST).tar.gz && cp -r init/debian build/deb/$(DIST)/debian
	@cp build/$(DIST).tar.gz build/deb/loadbalancer_$(VERSION).orig.tar.gz
	@cd build/deb/$(DIST) && env -u MAKEFLAGS -u MFLAGS -u BUILD -u VERSION dpkg-buildpackage -us -uc >../build.log 2>&1 || \
	    { tail -n 40 ../build.log; exit 1; }
	@ls build/deb/*.deb

# The package: lint, and a whole life in a copy of this machine that vanishes. As root.
check-package: deb $(TOOLS)
	@tests/house/need.sh lintian curl prove man logrotate openrc /lib/systemd/systemd
	TESTBIN=$(abspath $(BUILD)/tools) LB=$(abspath $(BUILD)/loadbalancer) prove --timer $(PACKAGE_TESTS)

clean:
	rm -rf build loadbalancer lbctl

-include $(OBJ:.o=.d) $(CTL:.o=.d) $(wildcard $(BUILD)/tests/*/*.d)

.PHONY: all tools chaos check check-unit check-asan check-package dist deb install-strip installcheck sim bench bench-balance bench-parts fuzz lint demo install uninstall clean
.SECONDARY:
.DELETE_ON_ERROR:
