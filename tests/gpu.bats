#!/usr/bin/env bats
# What is to be run on a GPU, as far as it can be tried without one.
load helper

@test "check-gpu skips where there is no GPU, and that is no failure" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    run "$ROOT/tests/gpu/check"
    [ "$status" -eq 0 ] # of all steps, where there is one
    [[ $output == "skipped: no GPU ("*")" ]] || [[ $output == *" 0 of "*" failed" ]]
}

@test "trainings by the GPU's kernels give the same bytes twice, and the CPU's losses" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    GPU=emulated OUT=$PWD/out run "$ROOT/tests/gpu/check" repeated beside-the-cpu frozen
    [ "$status" -eq 0 ]
    [[ $output == *"0 of 3 failed" ]]
}

@test "auto says what it has taken, and why" {
    run msa-load --split test "$GOLDEN/data.pkl" -o data.msa
    run msa-encode -v --init "$GOLDEN/encode.init.safetensors" --dim 32 --heads 4 \
        --layers text=1,vision=1,audio=2 data.msa -o encoded.msa
    [ "$status" -eq 0 ]
    [[ $output == *"device cuda:0 "* ]] || [[ $output == *"no device 'cuda': "*"device cpu:"* ]]
    msa-decompose --init "$GOLDEN/decompose.init.safetensors" encoded.msa |
        msa-predict --init "$GOLDEN/predict.init.safetensors" -o predicted.msa
    run msa-loss -v predicted.msa -o lost.msa
    [ "$status" -eq 0 ]
    [[ $output == *"auto: the CPU, as a GPU is no faster at what this stage computes"*"device cpu:"* ]]
    [[ $output != *cuda* ]]
}

# A command in the bundle that this test has made and moved, without anything of this environment.
bundled() {
    env -i GPU=emulated PATH=/usr/bin:/bin timeout -k 5 300 elsewhere/run "$@"
}

@test "a bundle has all that its programs need but glibc, and is tested where it is put" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    "$ROOT/tests/gpu/bundle" "$PWD/bundle"
    mv bundle elsewhere
    bundled bash -c 'ldd bin/* lib/* libraries/* build/obj/*/*' >needs
    [ "$(grep -c "$PWD/elsewhere/libraries/libjansson.so" needs)" -gt 1 ]
    [ -e elsewhere/libraries/libdnnl.so.2 ]
    run grep -Ev "^[a-z]|=> $PWD/elsewhere/|/lib(c|m|mvec|dl)\.so\.|/ld-linux|linux-vdso" needs
    [ -z "$output" ]
    run bundled tests/gpu/check golden devices
    [ "$status" -eq 0 ]
    [[ $output == *"0 of 2 failed" ]]
    run bundled env SIZE=8 TIMES=1 STEPS=1 WARM=0 PRECISIONS=bf16 TORCH=none tests/bench/gpu tiny
    [ "$status" -eq 0 ]
    [[ $output == *"| tiny | 2 | bf16 | "* ]]
}

@test "a bundle that is too large is an error" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    BUNDLE_MOST=1000000 run "$ROOT/tests/gpu/bundle" "$PWD/bundle"
    [ "$status" -eq 1 ]
    [[ $output == "bundle: "*" bytes, but at most 1000000 are wanted" ]]
}

# --- timings

@test "bench-gpu skips where there is no GPU, and that is no failure" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    "$ROOT/build/obj/bench/rates" --device cuda --size 1 && skip "there is one, and it would be timed"
    run "$ROOT/tests/bench/gpu"
    [ "$status" -eq 0 ]
    [[ $output == "skipped: no GPU (device 'cuda' cannot be used: "*")" ]]
    run -2 env GPU=cpu PRECISIONS=f32 SIZE=8 "$ROOT/tests/bench/gpu" none
    [[ $output == *"no set 'none'"* ]]
}

# stand_in NAME: a program of that name, first in the path, with the lines of stdin
stand_in() {
    mkdir -p stand-ins
    (echo '#!/bin/bash' && cat) >"stand-ins/$1"
    chmod +x "stand-ins/$1"
}

@test "bench-gpu: a row for each batch and precision; memory and PyTorch by what stands for them" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    stand_in nvidia-smi <<'END'
case "$*" in
*name*) echo "A GPU, 580.1" ;;
*loop-ms*) echo 1000 && echo 1300 && exec sleep 60 ;;
*memory.used*) echo 400 ;;
esac
END
    stand_in torch <<'END'
[ "$1" != -c ] || { echo PyTorch 2 on the CPU && exit; }
case "$*" in
*" --set tiny --batch 2 --steps 2 --device cpu --precision f32 --compile f32") seconds=2000.0 ;;
*" --set tiny --batch 4 --steps 2 --device cpu --precision f32 --compile f32") seconds=1000.0 ;;
*) exit 1 ;;
esac
echo "set=tiny batch=2 precision=f32 compiled=0 threads=1 median_s=$seconds min_s=0.1"
echo "f32 compiled: NoCompiler: there is none" >&2
END
    GPU=cpu SIZE=8 TIMES="1 2" STEPS=2 WARM=0 PRECISIONS=f32 TORCH_PYTHON=torch PATH=$PWD/stand-ins:$PATH \
        run --separate-stderr "$ROOT/tests/bench/gpu" tiny
    [ "$status" -eq 0 ]
    # shellcheck disable=SC2154 # --separate-stderr sets it
    [ "$stderr" = $'bench: PyTorch, f32 compiled: NoCompiler: there is none\nbench: PyTorch, f32 compiled: NoCompiler: there is none' ]
    [[ ${lines[0]} == 20??-??-??", A GPU, 580.1, 2 steps, milliseconds; PyTorch 2 on the CPU" ]]
    number='[0-9]+\.[0-9]{2}'
    stages="( \| $number \($number\)){4}"
    for row in 2:2000000.00 4:1000000.00; do
        grep -E "^\| tiny \| ${row%:*} \| f32 \| $number \| $number$stages \| $number \| - \| 900 \| $number \| $number \| ${row#*:} \| 0\.00 \| - \| - \|\$" <<<"$output"
    done
    [ -z "$(find "$ROOT/build" -maxdepth 1 -name 'bench.*')" ]
}

# A CUPTI that gives two buffers of records: kernels of 3 and 40 ns and a copy of 7, and a kernel of 500.
stand_in_cupti() {
    cc -shared -fPIC -isystem "${CUDA_HOME:-/usr/local/cuda}/include" -o libcupti.so -x c - <<'END' || skip "no cupti.h"
#include <cupti.h>
static CUpti_BuffersCallbackRequestFunc give;
static CUpti_BuffersCallbackCompleteFunc take;
static void fill(int count, const int *kinds, const int *times)
{
    uint8_t *buffer;
    size_t size, most;
    give(&buffer, &size, &most);
    CUpti_ActivityKernel4 *records = (void *)buffer;
    for (int i = 0; i < count; i++) {
        records[i].kind = kinds[i];
        records[i].start = 1000;
        records[i].end = 1000 + times[i];
    }
    take(0, 0, buffer, size, count * sizeof *records);
}
CUptiResult cuptiActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc a, CUpti_BuffersCallbackCompleteFunc b)
{
    give = a;
    take = b;
    return CUPTI_SUCCESS;
}
CUptiResult cuptiActivityEnable(CUpti_ActivityKind kind)
{
    return kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL ? CUPTI_SUCCESS : CUPTI_ERROR_UNKNOWN;
}
CUptiResult cuptiActivityGetNextRecord(uint8_t *buffer, size_t filled, CUpti_Activity **record)
{
    CUpti_ActivityKernel4 *next = *record ? (CUpti_ActivityKernel4 *)*record + 1 : (void *)buffer;
    *record = (void *)next;
    return (uint8_t *)next < buffer + filled ? CUPTI_SUCCESS : CUPTI_ERROR_MAX_LIMIT_REACHED;
}
CUptiResult cuptiActivityFlushAll(uint32_t forced)
{
    enum { KERNEL = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, COPY = CUPTI_ACTIVITY_KIND_MEMCPY };
    fill(3, (int[]){KERNEL, COPY, KERNEL}, (int[]){3, 7, 40});
    fill(1, (int[]){KERNEL}, (int[]){500});
    return forced ? CUPTI_SUCCESS : CUPTI_ERROR_UNKNOWN;
}
END
}

@test "each process writes when its kernels ran; without CUPTI nothing" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    local watching=$ROOT/build/obj/bench/kernel_times.so
    local process=(python3 -c "import ctypes, sys; ctypes.CDLL(sys.argv[1]).InitializeInjection()" "$watching")
    [ -e "$watching" ] || skip "there is no CUPTI to build it for"
    mkdir times
    export KERNEL_TIMES=$PWD/times LD_LIBRARY_PATH=$PWD
    for major in {11..19}; do ln -s libcupti.so "libcupti.so.$major"; done # before those that the machine has
    echo "not a library" >libcupti.so
    "${process[@]}"
    [ -z "$(ls times)" ]
    stand_in_cupti
    "${process[@]}"
    "${process[@]}"
    for file in times/*; do [ "$(cat "$file")" = $'1000 1003\n1000 1040\n1000 1500' ]; done
    [ "$(find times -type f | wc -l)" -eq 2 ]
}

@test "spans that overlap are counted once, to the nanosecond" {
    # shellcheck source=tests/bench/common.bash
    . "$ROOT/tests/bench/common.bash"
    local at=1764150000000000
    run covered <<END
${at}500 ${at}901
${at}100 ${at}103
${at}600 ${at}700
${at}102 ${at}105
END
    [ "$output" = 0.000000406 ]
    run covered </dev/null
    [ "$output" = 0.000000000 ]
}

@test "bench-gpu: a stage that fails ends it, and says why" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    GPU=cpu SIZE=8 TIMES=1 STEPS=1 WARM=0 PRECISIONS="f32 tf32" TORCH=none run "$ROOT/tests/bench/gpu" tiny
    [ "$status" -ne 0 ]
    [[ $output == *"--precision can be f32 or bf16"* ]]
}
