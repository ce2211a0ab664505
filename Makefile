# make            programs in bin/, kernels in lib/
# make install    programs, pipelines, pages, completion to PREFIX (/usr/local), below DESTDIR; uninstall removes them
# make dist       msa-VERSION.tar.gz of the last commit
# make setup      install the Debian packages that are missing (needs root), and say which
# make demo       train and evaluate on made-up data, from nothing
# make demo-paper the paper's experiments, made small, on made-up data: a page of tables and figures
# make check      set-up, lint, all tests
# make check-all  the same, and all tests with sanitizers too
# make check-gpu  on a machine with a GPU: what tests of kernels and of a training show on it
# make bundle     what check-gpu and bench-gpu need in one folder, build/bundle, for a machine without our packages
# make bench      one full-size training step beside PyTorch's (installs PyTorch into a scratch folder)
# make bench-gpu  on a machine with a GPU: a table of training steps, beside PyTorch's where there is one
# make fuzz       fuzz what reads bytes from outside, each target for FUZZ_SECONDS (60)
# make faults     have each call fail that can, in each program, each in a run of its own; make test takes a sample
# make options    bring the OPTIONS of the man pages up to date with the programs' tables
# make V=1 ...    with the commands shown in full
# make SAN=1 ...  any of these with address and undefined-behaviour sanitizers, below build/san
# CC, CXX, CFLAGS, CPPFLAGS, LDFLAGS are yours, and CUDA_HOME, the folder of CUDA; so are the folders of make install
# (bindir, mandir, ...)
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

CC       = gcc
CXX      = g++
CFLAGS   = -O2 -g
Q        = $(if $(V),,@echo "  $@"; )
KIND    := $(if $(FUZZING),fuzz,$(if $(SAN),san))
O       := $(if $(KIND),build/$(KIND),.)
OBJ     := $(if $(KIND),build/$(KIND)/obj,build/obj)
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
FLAGS   := -std=c11 -D_GNU_SOURCE -I. -fno-common $(WARN)
COMPILE  = $(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS)
LDLIBS  := -lmsgpackc -ljansson -lutf8proc -ldeflate -lz -ldl -lm
ifneq ($(SAN),)
FLAGS   += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
ifneq ($(FUZZING),)
CC      := clang-19
FLAGS   += -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
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

# The GPU's kernels, where there is CUDA's compiler (CUDA_HOME= does without): machine code for two generations, and what
# the driver compiles for those that come. cuBLAS is opened at run time.
ifeq ($(origin CUDA_HOME),undefined)
CUDA_HOME := $(patsubst %/bin/nvcc,%,$(firstword $(wildcard /usr/local/cuda/bin/nvcc) $(shell command -v nvcc)))
endif
NVCC      = $(CUDA_HOME)/bin/nvcc -std=c++17 -O3 -lineinfo -I. $(CUDA_FOR) \
            -Werror all-warnings -Xcompiler=-fPIC,-fvisibility=hidden,-Wall,-Wextra,-Werror,-Wno-unused-function
CUDA_FOR := -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=[sm_90,compute_90]
CU       := $(wildcard kernels/cuda/*.cu)
ifneq ($(if $(KIND),,$(CUDA_HOME)),)
KERNELS  += $(O)/lib/msa-cuda.so
endif

all: $(PROGRAMS) $(KERNELS)

$(OBJ)/libmsa.a: $(COMMON)
	$(Q)rm -f $@ && ar rcs $@ $^
$(O)/bin/msa-%: $(OBJ)/filters/%.o $(OBJ)/libmsa.a | $(O)/bin
	$(Q)$(COMPILE) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

define kernels_for
$(OBJ)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(Q)$$(COMPILE) $$(KFLAGS) $$(MARCH_$(1)) -DLEVEL='"$(1)"' -MMD -MP -c -o $$@ $$<
$(O)/lib/msa-cpu-$(1).so: $(patsubst %.c,$(OBJ)/$(1)/%.o,$(wildcard kernels/cpu/*.c)) | $(O)/lib
	$$(Q)$$(COMPILE) $$(LDFLAGS) $$(KLINK) -shared -fopenmp -o $$@ $$^ -ldnnl $$(MVEC) -lm
endef
$(foreach level,$(LEVELS),$(eval $(call kernels_for,$(level))))
$(O)/lib/msa-test.so: kernels/test/test.c kernels/kernels.h kernels/table.def | $(O)/lib
	$(Q)$(COMPILE) $(LDFLAGS) -fPIC -fvisibility=hidden -shared -o $@ $< -ldl

$(OBJ)/cuda/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(Q)$(NVCC) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
$(O)/lib/msa-cuda.so: $(CU:kernels/cuda/%.cu=$(OBJ)/cuda/%.o) | $(O)/lib
	$(Q)$(NVCC) -shared -cudart static -Xlinker --as-needed,-z,defs -Xlinker -rpath,$(CUDA_HOME)/lib64 -o $@ $^ -ldl

# The same sources for tests without a GPU, by the C++ compiler.
EMULATE   = $(CXX) -std=c++17 $(filter -I% -f% -D%,$(FLAGS)) -Wall -Wextra -Werror -Wno-unused-function -Wno-unknown-pragmas -Itests/emulation \
            -fPIC -fvisibility=hidden -U_FORTIFY_SOURCE -DCUDA_NAME='"emulated"' \
            -DCUDA_DRIVER='"msa-emulated.so.1"' -DCUBLAS_LIBRARY='"msa-emulated.so"' $(CPPFLAGS) $(CFLAGS)
EMULATION := $(patsubst %,$(OBJ)/emulated/tests/emulation/%.o,emulation runtime)
$(OBJ)/emulated/%.o: %.cu
	@mkdir -p $(@D)
	$(Q)$(EMULATE) -MMD -MP -x c++ -c -o $@ $<
$(OBJ)/emulated/%.o: %.cpp
	@mkdir -p $(@D)
	$(Q)$(EMULATE) -MMD -MP -c -o $@ $<
$(O)/lib/msa-emulated.so: $(CU:%.cu=$(OBJ)/emulated/%.o) $(EMULATION) | $(O)/lib
	$(Q)$(EMULATE) $(LDFLAGS) $(KLINK) -shared -Wl,-soname,$(@F).1 -o $@ $^ -ldnnl -ldl -lm

$(OBJ)/unit/emulation: $(OBJ)/emulated/tests/emulation/check.o $(EMULATION)
	@mkdir -p $(@D)
	$(Q)$(EMULATE) $(LDFLAGS) -o $@ $^ -ldnnl

# Fuzz targets: tests/fuzz/NAME.c, here with a main that replays the inputs that are kept for it.
FUZZED      := frames back kept pickle safetensors options tokenize
FUZZERS     := $(FUZZED:%=$(OBJ)/fuzz/%)
FUZZ_SHARED := $(patsubst %,$(OBJ)/tests/fuzz/%.o,fuzz sets frames_mutate $(if $(FUZZING),,replay))
$(FUZZERS): $(OBJ)/fuzz/%: $(OBJ)/tests/fuzz/%.o $(FUZZ_SHARED) $(OBJ)/libmsa.a
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LDFLAGS) $(if $(FUZZING),-fsanitize=fuzzer) -o $@ $^ $(LDLIBS)
fuzzers: $(FUZZERS)

# Unit tests: tests/unit/NAME.c is a program of its own.
UNITS := $(patsubst tests/unit/%.c,$(OBJ)/unit/%,$(wildcard tests/unit/*.c)) $(OBJ)/unit/emulation
$(OBJ)/unit/%: tests/unit/%.c $(OBJ)/libmsa.a
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LDFLAGS) -MMD -MP -o $@ $< $(OBJ)/libmsa.a -lcmocka $(LDLIBS)
# For timings: what a device can do, one that does nothing, and where CUDA is what tells when a GPU's kernels ran.
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

units: $(UNITS) $(FUZZERS) $(OBJ)/fault.so $(O)/lib/msa-emulated.so $(BENCH) all | $(OBJ)/lib
# They find kernels as the programs do: in lib beside the folder they are in.
$(OBJ)/lib: | $(O)/lib
	@mkdir -p $(@D)
	ln -sr $(O)/lib $@
# Makes calls fail, one at a time: tests/faults.
$(OBJ)/fault.so: tests/faults/fault.c
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LDFLAGS) -fPIC -shared -o $@ $< -ldl

$(O)/bin $(O)/lib:
	mkdir -p $@

# --- tests --------------------------------------------------------------------------------------
# Every test is a TAP producer: C units and bats files. A hang is a failure: each has a time limit. Those that take long
# come first, so that none of them is left to run alone at the end; some mostly wait, so that there are more than processors.
LONG  := $(patsubst %,tests/%.bats,wrong_lines paper faults_training locale faults_alone hostile_streams resume pretrain \
           examples valgrind install pipelines files margin predict gpu scripts names_runs)
SHORT := $(filter-out $(LONG),$(wildcard tests/*.bats)) $(UNITS) $(FUZZERS)
PROVE := prove --timer -j 3 --exec tests/run
test: units
	@O=$(O) $(PROVE) $(LONG) $(SHORT)
check: setup lint
	@$(MAKE) --no-print-directory test
# Both builds in one run of prove, whose summary is that of both. tests/run knows build/san/tests/X.bats.
SAN_OF = $(patsubst tests/%,build/san/tests/%,$(patsubst build/%,build/san/%,$(1)))
check-all: setup
	@$(MAKE) --no-print-directory -j 2 units
	@$(MAKE) --no-print-directory -j 2 SAN=1 units
	@$(MAKE) --no-print-directory lint
	@O=. $(PROVE) $(LONG) $(call SAN_OF,$(LONG)) $(SHORT) $(call SAN_OF,$(SHORT))

check-gpu: units
	@CUDA_HOME=$(CUDA_HOME) tests/gpu/check
bundle: units
	@tests/gpu/bundle build/bundle

# --- fuzzing ------------------------------------------------------------------------------------
FUZZ_SECONDS := 60
fuzz:
	tests/setup fuzz
	@$(MAKE) --no-print-directory FUZZING=1 fuzzers
	tests/fuzz/run $(FUZZ_SECONDS) $(FUZZED)

# --- faults -------------------------------------------------------------------------------------
# One test at a time, on all processors. It takes longer than tests/run allows; each run in it has a limit of its own.
faults: setup
	@$(MAKE) --no-print-directory all $(OBJ)/fault.so
	@O=$(O) FAULTS=all bats --tap --timing tests/faults_alone.bats tests/faults_training.bats

# --- lint ---------------------------------------------------------------------------------------
SOURCES := $(wildcard common/*.[ch] common/*/*.[ch] filters/*.c kernels/*.h kernels/*/*.[ch] kernels/*/*.cu tests/emulation/*.* tests/unit/*.[ch] tests/bench/*.c tests/faults/*.c tests/fuzz/*.[ch])
SCRIPTS := $(wildcard pipelines/*) tests/run tests/against tests/against.bash tests/helper.bash tests/resume.bash tests/names.bash tests/bert_set.bash tests/options tests/setup $(addprefix tests/bench/,step bert gpu common.bash) tests/fuzz/run $(wildcard tests/gpu/*) .ci/run
lint: all
	@echo '  lint: clang-format, cppcheck, shellcheck, mandoc'
	@clang-format --dry-run --Werror $(SOURCES)
	@cppcheck --quiet --std=c11 --error-exitcode=1 --enable=warning,performance,portability \
	    --suppress=invalidFunctionArg --inline-suppr '-D_Noreturn=__attribute__((noreturn))' \
	    -I. -j 2 common filters kernels
	@shellcheck -x $(SCRIPTS) $(wildcard tests/*.bats)
	@! grep -nE '^ +\[.*\] && \[.*\]$$' tests/*.bats # of which the first half cannot fail: a line each
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
demo-paper: setup
	@$(MAKE) --no-print-directory all
	pipelines/demo-paper
bench: all
	tests/bench/step
bench-gpu: units
	@CUDA_HOME=$(CUDA_HOME) tests/bench/gpu

clean:
	rm -rf bin lib build demo demo-paper msa-*.tar.gz

# --- install --------------------------------------------------------------------------------------
# What belongs together finds itself by relative paths, so that all of it can be moved: programs look for kernels in
# ../lib/msa of their folder, msa-train and so on are links to the pipelines (msa-predict-samples to one whose name a
# program has), and these are told where bindir is from theirs. The test device stays here.
PREFIX      = /usr/local
DESTDIR     =
prefix      = $(PREFIX)
exec_prefix = $(prefix)
bindir      = $(exec_prefix)/bin
datarootdir = $(prefix)/share
datadir     = $(datarootdir)
mandir      = $(datarootdir)/man
bashdir     = $(datadir)/bash-completion/completions
zshdir      = $(datadir)/zsh/site-functions
INSTALL     = install

VERSION   := $(shell sed -n 's/^\#define MSA_VERSION "\(.*\)"/\1/p' common/cli/msa.h)
TO_BIN     = $(DESTDIR)$(bindir)
TO_KERNELS = $(TO_BIN)/../lib/msa
TO_DATA    = $(DESTDIR)$(datadir)/msa
TO_MAN     = $(DESTDIR)$(mandir)
TO_BASH    = $(DESTDIR)$(bashdir)
TO_ZSH     = $(DESTDIR)$(zshdir)
NAMES     := $(notdir $(PROGRAMS))
PIPELINES := $(filter-out %.bash,$(notdir $(wildcard pipelines/*)))
LINK       = msa-$(1)$(if $(filter msa-$(1),$(NAMES)),-samples)
SECTIONS  := 1 5 7

install: all
	$(INSTALL) -d "$(TO_BIN)" "$(TO_BASH)" "$(TO_ZSH)" "$(TO_DATA)/pipelines" $(SECTIONS:%="$(TO_MAN)/man%")
	$(INSTALL) -d "$(TO_KERNELS)"
	$(INSTALL) $(PROGRAMS) "$(TO_BIN)"
	$(INSTALL) -m 644 $(filter-out %/msa-test.so,$(KERNELS)) "$(TO_KERNELS)"
	$(foreach s,$(SECTIONS),$(INSTALL) -m 644 $(wildcard man/*.$(s)) "$(TO_MAN)/man$(s)" &&) true
	$(INSTALL) $(PIPELINES:%=pipelines/%) "$(TO_DATA)/pipelines"
	$(INSTALL) -m 644 $(filter-out %/common.bash,$(wildcard pipelines/*.bash)) "$(TO_DATA)/pipelines"
	umask 022; sed "s|[$$]here/[.][.]/bin|\$$here/$$(realpath -m --relative-to="$(TO_DATA)/pipelines" "$(TO_BIN)")|" \
	    pipelines/common.bash >"$(TO_DATA)/pipelines/common.bash"
	$(foreach p,$(PIPELINES),ln -srf "$(TO_DATA)/pipelines/$(p)" "$(TO_BIN)/$(call LINK,$(p))" &&) true
	umask 022; for p in $(NAMES); do $(O)/bin/$$p --help=bash >"$(TO_BASH)/$$p" && \
	    $(O)/bin/$$p --help=zsh >"$(TO_ZSH)/_$$p" || exit; done

uninstall:
	rm -f $(NAMES:%="$(TO_BIN)/%") $(foreach p,$(PIPELINES),"$(TO_BIN)/$(call LINK,$(p))") $(NAMES:%="$(TO_BASH)/%") $(NAMES:%="$(TO_ZSH)/_%") \
	    $(foreach s,$(SECTIONS),$(patsubst man/%,"$(TO_MAN)/man$(s)/%",$(wildcard man/*.$(s)))) \
	    $(KERNELS:$(O)/lib/%="$(TO_KERNELS)/%") $(patsubst pipelines/%,"$(TO_DATA)/pipelines/%",$(wildcard pipelines/*))
	for d in "$(TO_KERNELS)" "$(TO_DATA)/pipelines" "$(TO_DATA)"; do \
	    [ ! -d "$$d" ] || rmdir --ignore-fail-on-non-empty "$$d" || exit; done

# The archive is that of the last commit, byte for byte the same wherever and whenever it is made.
dist:
	@git diff-index --quiet HEAD -- || echo 'dist: changes that are not committed are left out' >&2
	git -c tar.umask=022 archive -o msa-$(VERSION).tar --prefix=msa-$(VERSION)/ HEAD
	gzip -9nf msa-$(VERSION).tar

.PHONY: all units fuzzers fuzz faults test check check-all check-gpu bundle lint options setup demo demo-paper bench bench-gpu clean install uninstall dist
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
