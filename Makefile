# make            programs in bin/, kernels in lib/
# make setup      install the Debian packages that are missing (needs root), and say which
# make demo       train and evaluate on made-up data, from nothing
# make check      set-up, lint, all tests
# make bench      one full-size training step beside PyTorch's (installs PyTorch into a scratch folder)
# make options    bring the OPTIONS of the man pages up to date with the programs' tables
# make V=1 ...    with the commands shown in full
# make fuzz       fuzz what reads bytes from outside, each target for FUZZ_SECONDS (60)
# make SAN=1 ...  any of these with address and undefined-behaviour sanitizers, below build/san
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

CC      := gcc
Q        = $(if $(V),,@echo "  $@"; )
KIND    := $(if $(FUZZING),fuzz,$(if $(SAN),san))
O       := $(if $(KIND),build/$(KIND),.)
OBJ     := $(if $(KIND),build/$(KIND)/obj,build/obj)
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS  := -std=c11 -D_GNU_SOURCE -I. -O2 -g -fno-common $(WARN)
LDLIBS  := -lmsgpackc -ljansson -lz -ldl -lm
ifneq ($(SAN),)
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
ifneq ($(FUZZING),)
CC      := clang-19
CFLAGS  += -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

COMMON   := $(patsubst %.c,$(OBJ)/%.o,$(wildcard common/*.c common/*/*.c))
PROGRAMS := $(patsubst filters/%.c,$(O)/bin/msa-%,$(wildcard filters/*.c))

# Kernels are compiled for each level of the processor; the best object that it runs is opened at run time.
LEVELS   := $(if $(filter x86_64,$(shell uname -m)),base v3 v4,base)
MARCH_v3 := -march=x86-64-v3
MARCH_v4 := -march=x86-64-v4 -mprefer-vector-width=512
KFLAGS   := -O3 -fPIC -fopenmp -fvisibility=hidden -fno-math-errno -fno-trapping-math
KLINK    := $(if $(SAN),,-Wl,-z,defs)
MVEC     := $(if $(filter x86_64,$(shell uname -m)),-lmvec)
KERNELS  := $(LEVELS:%=$(O)/lib/msa-cpu-%.so) $(O)/lib/msa-test.so

all: $(PROGRAMS) $(KERNELS)

# Where the kernels are found by a program that does not stand beside lib (a unit test).
$(OBJ)/common/nn/device.o: CFLAGS += -DMSA_LIBDIR='"$(abspath $(O)/lib)"'

$(OBJ)/libmsa.a: $(COMMON)
	$(Q)rm -f $@ && ar rcs $@ $^
$(O)/bin/msa-%: $(OBJ)/filters/%.o $(OBJ)/libmsa.a | $(O)/bin
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)
$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

define kernels_for
$(OBJ)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS) $$(KFLAGS) $$(MARCH_$(1)) -MMD -MP -c -o $$@ $$<
$(O)/lib/msa-cpu-$(1).so: $(patsubst %.c,$(OBJ)/$(1)/%.o,$(wildcard kernels/cpu/*.c)) | $(O)/lib
	$$(Q)$$(CC) $$(CFLAGS) $$(KLINK) -shared -fopenmp -o $$@ $$^ -ldnnl $$(MVEC) -lm
endef
$(foreach level,$(LEVELS),$(eval $(call kernels_for,$(level))))
$(O)/lib/msa-test.so: kernels/test/test.c kernels/kernels.h kernels/table.def | $(O)/lib
	$(Q)$(CC) $(CFLAGS) -fPIC -fvisibility=hidden -shared -o $@ $< -ldl

# Fuzz targets: tests/fuzz/NAME.c, here with a main that replays the inputs that are kept for it.
FUZZED      := frames back pickle safetensors options
FUZZERS     := $(FUZZED:%=$(OBJ)/fuzz/%)
FUZZ_SHARED := $(patsubst %,$(OBJ)/tests/fuzz/%.o,fuzz frames_mutate $(if $(FUZZING),,replay))
$(FUZZERS): $(OBJ)/fuzz/%: $(OBJ)/tests/fuzz/%.o $(FUZZ_SHARED) $(OBJ)/libmsa.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(if $(FUZZING),-fsanitize=fuzzer) -o $@ $^ $(LDLIBS)
fuzzers: $(FUZZERS)

# Unit tests: tests/unit/NAME.c is a program of its own.
UNITS := $(patsubst tests/unit/%.c,$(OBJ)/unit/%,$(wildcard tests/unit/*.c))
$(OBJ)/unit/%: tests/unit/%.c $(OBJ)/libmsa.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -o $@ $< $(OBJ)/libmsa.a -lcmocka $(LDLIBS)
units: $(UNITS) $(FUZZERS) all

$(O)/bin $(O)/lib:
	mkdir -p $@

# --- tests --------------------------------------------------------------------------------------
# Every test is a TAP producer: C units and bats files. A hang is a failure: each has a time limit.
TESTS := $(UNITS) $(FUZZERS) $(wildcard tests/*.bats)
test: units
	O=$(O) prove --timer -j 2 --exec 'tests/run' $(TESTS)
check: setup lint
	@$(MAKE) --no-print-directory test

# --- fuzzing ------------------------------------------------------------------------------------
FUZZ_SECONDS := 60
fuzz:
	tests/setup fuzz
	@$(MAKE) --no-print-directory FUZZING=1 fuzzers
	tests/fuzz/run $(FUZZ_SECONDS) $(FUZZED)

# --- lint ---------------------------------------------------------------------------------------
SOURCES := $(wildcard common/*.[ch] common/*/*.[ch] filters/*.c kernels/*.h kernels/*/*.[ch] tests/unit/*.[ch] tests/fuzz/*.[ch])
SCRIPTS := $(wildcard pipelines/*) tests/run tests/helper.bash tests/options tests/setup tests/bench/step tests/fuzz/run .ci/run
lint: all
	@echo '  lint: clang-format, cppcheck, shellcheck, mandoc'
	@clang-format --dry-run --Werror $(SOURCES)
	@cppcheck --quiet --std=c11 --error-exitcode=1 --enable=warning,performance,portability \
	    --suppress=invalidFunctionArg --inline-suppr '-D_Noreturn=__attribute__((noreturn))' \
	    -I. -j 2 common filters kernels
	@shellcheck -x $(SCRIPTS) $(wildcard tests/*.bats)
	@mandoc -Tlint -W warning $(wildcard man/*)
	@O=$(O) tests/options check $(wildcard man/msa-*.1)

options: all
	tests/options update $(wildcard man/msa-*.1)

# --- the first minute -----------------------------------------------------------------------------
setup:
	tests/setup
demo: setup
	@$(MAKE) --no-print-directory all
	pipelines/demo
bench: all
	tests/bench/step

clean:
	rm -rf bin lib build demo

.PHONY: all units fuzzers fuzz test check lint options setup demo bench clean
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
