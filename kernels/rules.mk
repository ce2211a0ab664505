# The kernels, as shared objects in lib/ that programs open at run time: the CPU's, CUDA's, and those of a device for tests.

# The CPU's are compiled for each level of the processor; the best that it runs is opened.
LEVELS   := $(if $(filter x86_64,$(shell uname -m)),base v3 v4,base)
MARCH_v3 := -march=x86-64-v3
MARCH_v4 := -march=x86-64-v4 -mprefer-vector-width=512
KFLAGS   := -O3 -fPIC -fopenmp -fvisibility=hidden -fno-math-errno -fno-trapping-math
KLINK    := $(if $(SAN),,-Wl,-z,defs)
MVEC     := $(if $(filter x86_64,$(shell uname -m)),-lmvec)
KERNELS  := $(LEVELS:%=$(O)/lib/msa-cpu-%.so) $(O)/lib/msa-test.so

define kernels_for
$(OBJ)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(Q)$$(COMPILE) $$(KFLAGS) $$(MARCH_$(1)) -DLEVEL='"$(1)"' -MMD -MP -c -o $$@ $$<
$(O)/lib/msa-cpu-$(1).so: $(patsubst %.c,$(OBJ)/$(1)/%.o,$(filter kernels/cpu/%.c,$(SOURCES))) | $(O)/lib
	$$(Q)$$(COMPILE) $$(LDFLAGS) $$(KLINK) -shared -fopenmp -o $$@ $$^ -ldl $$(MVEC) -lm
endef
$(foreach level,$(LEVELS),$(eval $(call kernels_for,$(level))))
$(O)/lib/msa-test.so: kernels/test/test.c kernels/kernels.h kernels/table.def | $(O)/lib
	$(Q)$(COMPILE) $(LDFLAGS) -fPIC -fvisibility=hidden -shared -o $@ $< -ldl

# The GPU's kernels, where there is CUDA's compiler: machine code for two generations, and what the driver compiles for
# later ones, all of it compressed. cuBLAS is opened at run time.
## CUDA_HOME=     the folder of CUDA, found by its compiler unless given; empty builds nothing for GPUs
ifeq ($(origin CUDA_HOME),undefined)
CUDA_HOME := $(patsubst %/bin/nvcc,%,$(firstword $(wildcard /usr/local/cuda/bin/nvcc) $(shell command -v nvcc)))
endif
NVCC      = $(CUDA_HOME)/bin/nvcc -std=c++17 -O3 -lineinfo -Xfatbin=-compress-all -I. $(CUDA_FOR) \
            -Werror all-warnings -Xcompiler=-fPIC,-fvisibility=hidden,-Wall,-Wextra,-Werror,-Wno-unused-function
CUDA_FOR := -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=[sm_90,compute_90]
CU       := $(filter kernels/cuda/%.cu,$(SOURCES))
ifneq ($(if $(KIND),,$(CUDA_HOME)),)
KERNELS  += $(O)/lib/msa-cuda.so
endif
$(OBJ)/cuda/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(Q)$(NVCC) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
$(O)/lib/msa-cuda.so: $(CU:kernels/cuda/%.cu=$(OBJ)/cuda/%.o) | $(O)/lib
	$(Q)$(NVCC) -shared -cudart static -Xlinker --as-needed,-z,defs -Xlinker -rpath,$(CUDA_HOME)/lib64 -o $@ $^ -ldl
