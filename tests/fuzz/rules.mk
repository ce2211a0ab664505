# Fuzz targets: tests/fuzz/NAME.c. `make fuzz` links them with libFuzzer; otherwise each has a main that replays the inputs
# kept for it, and is a test like the others.
FUZZED      := frames back kept pickle safetensors bert options tokenize
FUZZERS     := $(FUZZED:%=$(OBJ)/fuzz/%)
FUZZ_SHARED := $(patsubst %,$(OBJ)/tests/fuzz/%.o,fuzz sets frames_mutate $(if $(FUZZING),,replay))

$(FUZZERS): $(OBJ)/fuzz/%: $(OBJ)/tests/fuzz/%.o $(FUZZ_SHARED) $(OBJ)/libmsa.a
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LDFLAGS) $(if $(FUZZING),-fsanitize=fuzzer) -o $@ $^ $(LDLIBS)
fuzzers: $(FUZZERS) ## build the fuzz targets

## FUZZ_SECONDS=  how long to fuzz each target (60)
FUZZ_SECONDS := 60
fuzz: ## fuzz what reads bytes from outside, with Clang's libFuzzer
	tests/setup fuzz
	@$(MAKE) --no-print-directory FUZZING=1 fuzzers
	tests/fuzz/run $(FUZZ_SECONDS) $(FUZZED)
.PHONY: fuzz fuzzers
