# CUDA's kernels for tests without a GPU: the same sources, compiled as C++ against an emulation of CUDA.
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

# The unit test of the emulation itself.
$(OBJ)/unit/emulation: $(OBJ)/emulated/tests/emulation/check.o $(EMULATION)
	@mkdir -p $(@D)
	$(Q)$(EMULATE) $(LDFLAGS) -o $@ $^ -ldnnl
