# Checks the source, and holds the man pages against the programs' tables of options.
SCRIPTS := $(wildcard pipelines/* tests/*.bash tests/*/*.bash tests/*.bats tests/gpu/*) tests/run tests/against tests/layout tests/options tests/setup \
           $(addprefix tests/bench/,step bert gpu small models growth) tests/fuzz/run .ci/run

PAGES   := $(sort $(PROGRAMS:$(O)/bin/%=man/%.1) $(wildcard man/msa-*.1)) # of each program, and no others

lint: all ## clang-format, cppcheck, shellcheck, mandoc
	@echo '  lint: clang-format, cppcheck, shellcheck, mandoc'
	@clang-format --dry-run --Werror $(SOURCES)
	@cppcheck --quiet --std=c11 --error-exitcode=1 --enable=warning,performance,portability \
	    --suppress=invalidFunctionArg --inline-suppr '-D_Noreturn=__attribute__((noreturn))' \
	    -I. -j 2 common filters kernels
	@shellcheck -x $(SCRIPTS)
	@! grep -nE '^ +\[.*\] && \[.*\]$$' tests/*.bats # of which the first half cannot fail: a line each
	@tests/layout
	@mandoc -Tlint -W warning $(wildcard man/*)
	@O=$(O) tests/options check $(PAGES)

options: all ## bring the OPTIONS of the man pages up to date with the programs' tables
	tests/options update $(PAGES)
.PHONY: lint options
