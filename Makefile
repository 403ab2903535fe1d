# Millrace: `make` builds the programs into bin/, `make demo` shows them, `make test` proves them; `make help` lists the rest.
#
# Settings   V=1 shows the commands      WERROR=1 makes warnings errors (as CI does)      CC=clang
#            SAN=address,undefined or SAN=thread builds into bin/san-... beside the normal build
#            BIN=DIR builds somewhere else     TESTS="check_csv e2e_data" runs only these     JOBS=1 runs one test at a time
#            PREFIX=/usr/local is where `make install` puts things, DESTDIR=DIR a folder to pretend is the root
ifeq ($(origin CC),default)
CC = gcc
endif
comma := ,
BIN ?= bin$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
$(if $(BIN),,$(error BIN is empty))
OBJ := $(BIN)/obj

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wconversion $(if $(WERROR),-Werror)
SANITIZE = $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) $(if $(findstring thread,$(SAN)),-DMR_TSAN \
	$(if $(findstring clang,$(CC)),,-Wno-tsan))
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -Icommon -I. $(WARNINGS) $(CFLAGS) $(SANITIZE) -fvisibility=hidden -fPIC -pthread
ALL_LDFLAGS = $(LDFLAGS) $(SANITIZE) -pthread
LIBS = -lrt -lpthread
CHECK_CFLAGS = $$(pkg-config --cflags check)
CHECK_LIBS = $$(pkg-config --libs check)

# ---- what there is -----------------------------------------------------------------------------------------------------------
LIB_SRCS := $(wildcard common/core/*.c)
SHARED_SRCS := $(wildcard common/text/*.c common/cli/*.c)
FOLDERS := $(foreach p,broker producer consumer,$(if $(wildcard $(p)/*.c),$(p)))
PROGRAMS := $(foreach p,$(FOLDERS),$(if $(wildcard $(p)/main.c),$(p)))
CHECK_SRCS := $(wildcard tests/unit/check_*.c tests/process/proc_*.c)
CHECKS := $(notdir $(CHECK_SRCS:.c=))
SUPPORT := $(filter-out $(CHECK_SRCS),$(wildcard tests/shared/*.c tests/process/*.c))
CRASH := $(wildcard tests/crash/*.c)
STEPS := $(wildcard tests/steps/*.c)
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SUPPORT := $(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c))
BENCHES := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/bench_*.c))
BENCH_SUPPORT := $(filter-out tests/bench/bench_%,$(wildcard tests/bench/*.c)) tests/bench/boost.cc
objects = $(patsubst %.c,$(OBJ)/%.o,$(1))

LIBRARIES := $(if $(LIB_SRCS),$(BIN)/libmillrace.a $(BIN)/libmillrace.so)
SHARED := $(if $(SHARED_SRCS),$(OBJ)/shared.a)
DATA := $(if $(wildcard data/orders.csv),$(BIN)/data.csv)

.PHONY: all demo test tests test-crash test-steps model storm fuzz fuzzers valgrind lint bench bench-curves clean help FORCE
.DELETE_ON_ERROR:
.SUFFIXES:

all: $(LIBRARIES) $(PROGRAMS:%=$(BIN)/%) $(DATA)

help:
	@echo 'make           libmillrace.a, libmillrace.so, broker, producer, consumer and data.csv into $(BIN)/'
	@echo 'make demo      installs what is missing, builds, and shows a broker, a producer and three consumers at work'
	@echo 'make test      installs what is missing, builds, runs all tests [TESTS="NAME..."] [JOBS=1] [SAN=address,undefined | thread]'
	@echo 'make test-crash  kills a process in every state that any instruction of any operation leaves (4 minutes) [ALL=1: after every instruction, an hour]'
	@echo 'make test-steps  kills the programs after any number of instructions (3 minutes) [KILLS=10000] [SEED=N] [JOBS=2] [TESTS="consumer --all"]'
	@echo 'make model     installs spin, walks through every state of the protocol in small (4 minutes, up to 4 GiB) [TESTS="log group"]'
	@echo 'make fuzz       random input of every kind, 60 s for each fuzzer [SECONDS=1800] [TESTS="fuzz_csv..."] [JOBS=4]'
	@echo 'make storm      processes killed at random for 60 s [SECONDS=1800]'
	@echo 'make valgrind  the unit tests in valgrind [TESTS="NAME..."] [JOBS=1]'
	@echo 'make lint      clang-format, clang-tidy, cppcheck, shellcheck, mandoc, every header alone, exports of the library'
	@echo 'make bench     Millrace beside pipes, queues and what else is installed, in 5 minutes: tables, and results.json [TESTS="bench_csv..."]'
	@echo 'make bench-curves  puts what it measured into data/bench/, with curves'
	@echo 'make install   into $(PREFIX), or elsewhere [PREFIX=DIR] [DESTDIR=DIR]; make uninstall removes it'
	@echo 'make clean     removes bin/'

# ---- how it is built ---------------------------------------------------------------------------------------------------------
ifdef V
run = $(2)
else
run = @printf '%-4s %s\n' '$(1)' '$(or $(3),$(patsubst $(BIN)/%,%,$@))'; $(2)
endif

# A stamp is rewritten only when its text changes, so what depends on it is rebuilt then and only then.
stamp = @mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' >$@
$(OBJ)/flags.stamp: FORCE
	$(call stamp,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))
$(OBJ)/library.stamp: FORCE
	$(call stamp,$(LIB_SRCS))
$(OBJ)/shared.stamp: FORCE
	$(call stamp,$(SHARED_SRCS))

$(OBJ)/tests/%.o: EXTRA_CFLAGS = $(CHECK_CFLAGS)
$(OBJ)/tests/clock/%.o: EXTRA_CFLAGS =
$(OBJ)/tests/clock/%.o: SANITIZE = # a sanitizer calls what it takes the place of before it has begun
$(OBJ)/tests/bench/%.o: EXTRA_CFLAGS =
$(OBJ)/tests/fuzz/%.o: EXTRA_CFLAGS =
$(OBJ)/%.o: %.c $(OBJ)/flags.stamp
	@mkdir -p $(@D)
	$(call run,CC,$(CC) $(ALL_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<,$<)

$(BIN)/libmillrace.a: $(call objects,$(LIB_SRCS)) $(OBJ)/library.stamp
	$(call run,AR,rm -f $@ && ar rcs $@ $(filter %.o,$^))

$(BIN)/libmillrace.so.0: $(call objects,$(LIB_SRCS)) common/millrace.map $(OBJ)/library.stamp
	$(call run,LD,$(CC) $(ALL_LDFLAGS) -shared -Wl$(comma)-soname$(comma)libmillrace.so.0 \
		-Wl$(comma)--version-script$(comma)common/millrace.map -o $@ $(filter %.o,$^) $(LIBS))

$(BIN)/libmillrace.so: $(BIN)/libmillrace.so.0
	@ln -sf libmillrace.so.0 $@

define program
$(BIN)/$(1): $(call objects,$(wildcard $(1)/*.c $(1)/*/*.c)) $(SHARED) $(BIN)/libmillrace.a
	$$(call run,LD,$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(LIBS))
# The program's parts without its main, for tests named check_$(1)... or proc_$(1)...
$(OBJ)/$(1).a: $(call objects,$(filter-out $(1)/main.c,$(wildcard $(1)/*.c $(1)/*/*.c)))
	$$(call run,AR,rm -f $$@ && ar qcs $$@ $$^)
endef
$(foreach p,$(FOLDERS),$(eval $(call program,$(p))))

# What the three programs share beside the library: an archive, so that each carries only what it uses.
$(OBJ)/shared.a: $(call objects,$(SHARED_SRCS)) $(OBJ)/shared.stamp
	$(call run,AR,rm -f $@ && ar rcs $@ $(filter %.o,$^))
$(OBJ)/support.a: $(call objects,$(SUPPORT))
	$(call run,AR,rm -f $@ && ar qcs $@ $^)
parts = $(if $(SUPPORT),$(OBJ)/support.a) $(foreach p,$(FOLDERS),$(if $(findstring _$(p),_$(1)),$(OBJ)/$(p).a)) $(SHARED)
# A test that turns its own clock is linked with it: it takes the place of calls of the C library.
clock = $(if $(shell grep -l '"tests/clock/clock.h"' $(1)),$(OBJ)/tests/clock/clock.o)
define check
$(BIN)/tests/$(notdir $(1:.c=)): $(call objects,$(1)) $(call clock,$(1)) $(call parts,$(1)) $(BIN)/libmillrace.a
	@mkdir -p $$(@D)
	$$(call run,LD,$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $$(LIBS))
endef
$(foreach t,$(CHECK_SRCS),$(eval $(call check,$(t))))
# So that a transaction can be stopped between two of its stores.
$(BIN)/tests/check_midway: ALL_LDFLAGS += -Wl,--wrap=mr_tx_apply

# What Millrace is measured beside, if a compiler finds its header. They are asked only when a benchmark is built.
has = $(shell printf '\043if !__has_include(<%s>)\n\043error\n\043endif\n' '$(3)' | $(1) -E -x $(2) -o /dev/null - 2>/dev/null && echo yes)
ZEROMQ = $(call has,$(CC),c,zmq.h)
BOOST = $(call has,$(CXX),c++,boost/interprocess/ipc/message_queue.hpp)
$(OBJ)/peers.stamp: FORCE
	$(call stamp,$(if $(ZEROMQ),ZeroMQ) $(if $(BOOST),Boost by $(CXX)))
$(OBJ)/tests/bench/zeromq.o: $(OBJ)/peers.stamp
$(OBJ)/tests/bench/boost.o: tests/bench/boost.cc $(OBJ)/peers.stamp $(OBJ)/flags.stamp
	@mkdir -p $(@D)
	$(call run,CC,$(if $(BOOST),$(CXX) -std=c++17,$(CC) -x c -std=c11) -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -pthread -MMD -MP -c -o $@ $<,$<)
$(OBJ)/bench.a: $(patsubst %.cc,$(OBJ)/%.o,$(call objects,$(BENCH_SUPPORT)))
	$(call run,AR,rm -f $@ && ar qcs $@ $^)
$(BENCHES:%=$(BIN)/%): $(BIN)/bench_%: $(OBJ)/tests/bench/bench_%.o $(OBJ)/bench.a $(SHARED) $(BIN)/libmillrace.a
	$(call run,LD,$(CC) $(ALL_LDFLAGS) -o $@ $^ -Wl$(comma)--as-needed $(if $(ZEROMQ),-lzmq) $(if $(BOOST),-lstdc++) $(LIBS) -lm)

# Waits of the crash test's survivors end at once: time is not what they measure.
CRASH_WRAPS = -Wl,--wrap=mr_cond_wait,--wrap=pthread_mutex_clocklock,--wrap=clock_gettime
$(BIN)/tests/crash: $(call objects,$(CRASH)) $(OBJ)/broker.a $(SHARED) $(BIN)/libmillrace.a
	@mkdir -p $(@D)
	$(call run,LD,$(CC) $(ALL_LDFLAGS) $(CRASH_WRAPS) -o $@ $^ $(LIBS))

$(BIN)/tests/steps: $(call objects,$(STEPS)) $(BIN)/libmillrace.a
	@mkdir -p $(@D)
	$(call run,LD,$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS))

# Made by "make fuzz" alone, with clang's libFuzzer.
$(OBJ)/fuzz.a: $(call objects,$(FUZZ_SUPPORT))
	$(call run,AR,rm -f $@ && ar qcs $@ $^)
define fuzzer
$(BIN)/$(1): $(OBJ)/tests/fuzz/$(1).o $(OBJ)/fuzz.a $(call parts,$(1)) $(BIN)/libmillrace.a
	$$(call run,LD,$$(CC) $$(ALL_LDFLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(LIBS) $(if $(filter fuzz_json_read,$(1)),-ljansson))
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))
fuzzers: $(FUZZERS:%=$(BIN)/%)

$(BIN)/data.csv: data/orders.csv
	@mkdir -p $(@D)
	$(call run,CP,cp $< $@)

tests: $(CHECKS:%=$(BIN)/tests/%)

# The clock for the programs, which is loaded before them, has no sanitizer of its own.
CLOCK := $(BIN)/tests/clock.so $(BIN)/tests/clock
$(BIN)/tests/clock.so: tests/clock/clock.c tests/clock/clock.h $(OBJ)/flags.stamp
	@mkdir -p $(@D)
	$(call run,LD,$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -fPIC -pthread -shared -o $@ $< -ldl)
$(BIN)/tests/clock: tests/clock/main.c tests/clock/clock.c tests/clock/clock.h $(OBJ)/flags.stamp
	@mkdir -p $(@D)
	$(call run,LD,$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -pthread -o $@ $(filter %.c,$^) -ldl)
tests: $(CLOCK)

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

# ---- where it is installed ---------------------------------------------------------------------------------------------------
# Manual pages, by section.
PAGES := $(wildcard $(foreach n,1 3 7,$(PROGRAMS:%=%/*.$(n)) common/*.$(n) common/man/*.$(n)))
pages = $(filter %.$(1),$(PAGES))
MANS := $(foreach n,1 3 7,$(if $(call pages,$(n)),$(n)))
PAGES_TO = $(foreach n,$(MANS),$(patsubst %,'$(MAN)/man$(n)/%',$(notdir $(call pages,$(n)))))
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
VERSION := $(shell sed -n 's/^.define MR_VERSION "\([^"]*\)".*/\1/p' common/millrace.h)
BINS = $(DESTDIR)$(PREFIX)/bin
LIBS_TO = $(DESTDIR)$(LIBDIR)
INCLUDES = $(DESTDIR)$(PREFIX)/include
MAN = $(DESTDIR)$(PREFIX)/share/man
BASH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
absolute = $(foreach v,PREFIX LIBDIR,$(if $(filter /%,$($(v))),,$(error $(v) has to be an absolute path, not "$($(v))")))

define PKG_CONFIG
prefix=$(PREFIX)
libdir=$(LIBDIR)
includedir=$${prefix}/include

Name: millrace
Description: streams of records between the processes of one machine, in shared memory
Version: $(VERSION)
Cflags: -I$${includedir}
Libs: -L$${libdir} -lmillrace
Libs.private: $(LIBS)
endef
export PKG_CONFIG

.PHONY: install uninstall
# All that install makes, uninstall removes; folders stay, since they may have been there before.
install: all
	@$(absolute)install -d -m 755 '$(BINS)' '$(LIBS_TO)/pkgconfig' '$(INCLUDES)' $(MANS:%='$(MAN)/man%') '$(BASH_COMPLETIONS)' '$(ZSH_COMPLETIONS)'
	@install -m 755 $(PROGRAMS:%=$(BIN)/%) '$(BINS)'
	@install -m 644 common/millrace.h '$(INCLUDES)'
	@install -m 644 $(BIN)/libmillrace.a '$(LIBS_TO)'
	@install -m 755 $(BIN)/libmillrace.so.0 '$(LIBS_TO)/libmillrace.so.$(VERSION)'
	@ln -sf libmillrace.so.$(VERSION) '$(LIBS_TO)/libmillrace.so.0'
	@ln -sf libmillrace.so.0 '$(LIBS_TO)/libmillrace.so'
	@printf '%s\n' "$$PKG_CONFIG" >'$(LIBS_TO)/pkgconfig/millrace.pc' && chmod 644 '$(LIBS_TO)/pkgconfig/millrace.pc'
	@$(foreach n,$(MANS),install -m 644 $(call pages,$(n)) '$(MAN)/man$(n)' &&) true
	@for program in $(PROGRAMS); do install -m 644 scripts/completion.bash '$(BASH_COMPLETIONS)'/$$program || exit 1; done
	@install -m 644 scripts/completion.zsh '$(ZSH_COMPLETIONS)/_millrace'
	@echo 'installed below $(DESTDIR)$(PREFIX)$(if $(DESTDIR),,; run ldconfig if programs do not find libmillrace.so.0)'

uninstall:
	@$(absolute)rm -f $(PROGRAMS:%='$(BINS)'/%) '$(INCLUDES)/millrace.h' '$(LIBS_TO)/pkgconfig/millrace.pc' \
		$(patsubst %,'$(LIBS_TO)'/libmillrace.%,a so so.0 so.$(VERSION)) $(PAGES_TO) \
		$(PROGRAMS:%='$(BASH_COMPLETIONS)'/%) '$(ZSH_COMPLETIONS)/_millrace'
	@echo 'removed from $(DESTDIR)$(PREFIX)'

# ---- what is run -------------------------------------------------------------------------------------------------------------
build = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc))

demo:
	@scripts/deps.sh
	@$(build) all
	@MILLRACE_BIN=$(BIN) scripts/demo.sh

test:
	@scripts/deps.sh --test
	@$(build) all tests
	@MILLRACE_BIN=$(BIN) MILLRACE_SAN=$(SAN) JOBS=$(JOBS) tests/run.sh $(TESTS)

# On the code that ships: the release build, every instruction of every operation (x86-64). ALL=1 also kills where nothing has changed.
test-crash:
	@scripts/deps.sh
	@$(build) $(BIN)/tests/crash
	@$(BIN)/tests/crash $(if $(ALL),-a) -j$$((3 * $$(nproc)))
	@CC='$(CC)' tests/crash/variants.sh $(BIN)

# KILLS=200000 for a long one
test-steps:
	@scripts/deps.sh
	@$(build) all $(BIN)/tests/steps
	@MILLRACE_BIN=$(BIN) $(BIN)/tests/steps -n $(or $(KILLS),10000) -j $(or $(JOBS),$$(nproc)) $(if $(SEED),-s $(SEED)) $(if $(TESTS),-o '$(TESTS)')

model:
	@scripts/deps.sh --model
	@CC='$(CC)' tests/model/run.sh $(TESTS)

# SECONDS=1800 for a long one
storm:
	@scripts/deps.sh --test
	@$(build) all $(BIN)/tests/proc_storm
	@MILLRACE_BIN=$(BIN) tests/storm/run.sh $(or $(SECONDS),60)

fuzz:
	@scripts/deps.sh --fuzz
	@$(build) CC=clang SAN=fuzzer-no-link,address,undefined BIN=bin/fuzz fuzzers
	@JOBS=$(or $(JOBS),1) tests/fuzz/run.sh bin/fuzz $(or $(SECONDS),60) $(or $(TESTS),$(FUZZERS))

valgrind:
	@scripts/deps.sh --test --valgrind
	@$(build) tests
	@MILLRACE_BIN=$(BIN) MILLRACE_SAN=valgrind MODEL_STEPS=50 JOBS=$(JOBS) tests/run.sh $(TESTS)

lint:
	@scripts/deps.sh --lint
	@scripts/lint.sh

# One run of all that measures, or TESTS="bench_csv bench_idle".
MEASURES = $(BENCHES:%=$(BIN)/%) $(wildcard tests/bench/bench_*.sh)
bench:
	@scripts/deps.sh
	@$(build) all $(BENCHES:%=$(BIN)/%)
	@CC='$(CC)' MILLRACE_BIN=$(BIN) tests/bench/report.sh run $(if $(TESTS),$(foreach t,$(TESTS),$(filter %/$(t) %/$(t).sh,$(MEASURES))),$(MEASURES))

# What the last "make bench" has measured, into data/bench/.
bench-curves:
	@scripts/deps.sh --bench
	@MILLRACE_BIN=$(BIN) tests/bench/report.sh page

clean:
	rm -rf $(BIN)
