# Builds programs in bin/ and the kernels they open in lib/. `make help` lists all targets, and the variables that are
# yours to set.
#
# Here are the programs and the library they share; kernels/rules.mk has the kernels of the CPU and of GPUs,
# filters/install.mk install and dist, tests/rules.mk what builds and runs tests, tests/lint.mk what checks the source.
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules

## V=1            show commands in full
## SAN=1          build and test with address and undefined-behaviour sanitizers, in build/san
## CC=            the C compiler (gcc); likewise CXX, CFLAGS, CPPFLAGS, LDFLAGS
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

# Sources are found in folders of any depth. Each filters/NAME.c is a program; what is in folders below it belongs to the
# library, as common/ does.
SOURCES  := $(sort $(filter %.c %.h %.cpp %.cu,$(shell find common filters kernels tests -type f)))
MAINS    := $(wildcard filters/*.c)
PROGRAMS := $(MAINS:filters/%.c=$(O)/bin/msa-%)
LIBRARY  := $(filter-out $(MAINS),$(filter common/%.c filters/%.c,$(SOURCES)))

include kernels/rules.mk

all: $(PROGRAMS) $(KERNELS) ## programs in bin/, kernels in lib/; what make alone does

$(O)/bin/msa-%: $(OBJ)/filters/%.o $(OBJ)/libmsa.a | $(O)/bin
	$(Q)$(COMPILE) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OBJ)/libmsa.a: $(LIBRARY:%.c=$(OBJ)/%.o)
	$(Q)rm -f $@ && ar rcsP $@ $^
$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<
$(O)/bin $(O)/lib:
	mkdir -p $@

help: ## this list
	@awk -F : '/^[a-z-]+:.* ## / { name = $$1; sub(/.* ## /, ""); printf "%-14s %s\n", name, $$0 } \
	    /^## / { variables = variables substr($$0, 4) "\n" } \
	    END { printf "\n%s", variables }' $(filter Makefile %.mk,$(MAKEFILE_LIST))
setup: ## install the Debian packages that are missing (needs root), and say which
	tests/setup
demo: setup ## train and evaluate on made-up data, from nothing
	@$(MAKE) --no-print-directory all
	pipelines/demo
demo-paper: setup ## the paper's experiments, made small, on made-up data: a page of tables and figures
	@$(MAKE) --no-print-directory all
	pipelines/demo-paper
clean: ## remove what make has built and the demos have written
	rm -rf bin lib build demo demo-paper msa-*.tar.gz
.PHONY: all help setup demo demo-paper clean

include filters/install.mk tests/rules.mk tests/lint.mk
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
