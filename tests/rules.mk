# Builds and runs tests. Each test is a program that prints TAP: units in C, and bats files.
include tests/emulation/rules.mk tests/fuzz/rules.mk

# tests/unit/NAME.c is a program of its own. Units find kernels as programs do: in ../lib of their folder.
UNITS := $(patsubst tests/unit/%.c,$(OBJ)/unit/%,$(wildcard tests/unit/*.c)) $(OBJ)/unit/emulation
$(OBJ)/unit/%: tests/unit/%.c $(OBJ)/libmsa.a
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LDFLAGS) -MMD -MP -o $@ $< $(OBJ)/libmsa.a -lcmocka $(LDLIBS)
$(OBJ)/lib: | $(O)/lib
	@mkdir -p $(@D)
	ln -sr $(O)/lib $@

# For timings: what a device can do, a device that does nothing, and, with CUDA, what records when a GPU's kernels ran.
BENCH := $(OBJ)/bench/rates $(O)/lib/msa-idle.so
ifneq ($(if $(KIND),,$(wildcard $(CUDA_HOME)/include/cupti.h)),)
BENCH += $(OBJ)/bench/kernel_times.so
endif
$(OBJ)/bench/rates: tests/bench/rates.c $(OBJ)/libmsa.a | $(OBJ)/lib
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LDFLAGS) -MMD -MP -o $@ $< $(OBJ)/libmsa.a $(LDLIBS)
$(OBJ)/bench/kernel_times.so: tests/bench/kernel_times.c
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LDFLAGS) -isystem $(CUDA_HOME)/include -fPIC -shared -o $@ $< -ldl
$(O)/lib/msa-idle.so: tests/bench/idle.c kernels/kernels.h kernels/table.def | $(O)/lib
	$(Q)$(COMPILE) $(LDFLAGS) -fPIC -fvisibility=hidden -shared -o $@ $<

# Makes calls fail, one at a time: tests/faults.
$(OBJ)/fault.so: tests/faults/fault.c
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LDFLAGS) -fPIC -shared -o $@ $< -ldl

# A test that hangs has failed: each has a time limit (tests/run). Those that take long come first, so that none of them is
# left to run alone at the end; some mostly wait, so there are more jobs than processors.
LONG  := $(patsubst %,tests/%.bats,wrong_lines paper faults_training locale faults_alone hostile_streams resume pretrain \
           examples valgrind install pipelines files margin predict gpu scripts script_names names_runs)
SHORT := $(filter-out $(LONG),$(wildcard tests/*.bats)) $(UNITS) $(FUZZERS)
PROVE := prove --timer -j 3 --exec tests/run

units: $(UNITS) $(FUZZERS) $(OBJ)/fault.so $(O)/lib/msa-emulated.so $(BENCH) all | $(OBJ)/lib ## build all that tests need
test: units ## run all tests
	@O=$(O) $(PROVE) $(LONG) $(SHORT)
check: setup ## set-up, lint, all tests
	@$(MAKE) --no-print-directory -j 2 units
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test
# Both builds in one run of prove, whose summary is that of both. tests/run knows build/san/tests/X.bats.
SAN_OF = $(patsubst tests/%,build/san/tests/%,$(patsubst build/%,build/san/%,$(1)))
check-all: setup ## check, and all tests with sanitizers too
	@$(MAKE) --no-print-directory -j 2 units
	@$(MAKE) --no-print-directory -j 2 SAN=1 units
	@$(MAKE) --no-print-directory lint
	@O=. $(PROVE) $(LONG) $(call SAN_OF,$(LONG)) $(SHORT) $(call SAN_OF,$(SHORT))
# One test at a time, on all processors. It takes longer than tests/run allows; each run in it has a limit of its own.
faults: setup ## make each call fail that can, in each program, each in a run of its own; test takes a sample
	@$(MAKE) --no-print-directory all $(OBJ)/fault.so
	@O=$(O) FAULTS=all bats --tap --timing tests/faults_alone.bats tests/faults_training.bats
check-gpu: units ## on a machine with a GPU: what tests of kernels and of a training show on it
	@CUDA_HOME=$(CUDA_HOME) tests/gpu/check
bench: all $(BENCH) ## what small networks take, and a full-size training step beside PyTorch's (installs it into a scratch folder)
	tests/bench/small
	tests/bench/step
bench-models: all $(BENCH) ## training steps of the small baselines, beside PyTorch's (likewise), CH-SIMS
	tests/bench/models
bench-growth: all $(BENCH) ## what a training step takes as batch, frames, threads and relays grow
	tests/bench/growth
bench-gpu: units ## on a machine with a GPU: a table of training steps, beside PyTorch's where there is one
	@CUDA_HOME=$(CUDA_HOME) tests/bench/gpu
bundle: units ## what check-gpu and bench-gpu need in one folder, build/bundle, for a machine without our packages
	@tests/gpu/bundle build/bundle
.PHONY: units test check check-all faults check-gpu bench bench-models bench-growth bench-gpu bundle
