#!/usr/bin/env bats
# What is to be run on a GPU, as far as it can be tried without one.
load helper

@test "check-gpu skips where there is no GPU, and that is no failure" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    run "$ROOT/tests/gpu/check"
    [ "$status" -eq 0 ] # of all steps, where there is one
    [[ $output == "skipped: no GPU ("*")" ]] || [[ $output == *" 0 of "*" failed" ]]
}

@test "two trainings by the GPU's kernels, with dropout, give the same bytes, and the CPU's losses" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    GPU=emulated OUT=$PWD/out run "$ROOT/tests/gpu/check" repeated beside-the-cpu
    [ "$status" -eq 0 ]
    [[ $output == *"0 of 2 failed" ]]
}

@test "auto says what it has taken, and why" {
    run msa-load --split test "$GOLDEN/data.pkl" -o data.msa
    run msa-encode -v --init "$GOLDEN/encode.init.safetensors" --dim 32 --heads 4 \
        --layers text=1,vision=1,audio=2 data.msa -o encoded.msa
    [ "$status" -eq 0 ]
    [[ $output == *"device cuda:0 "* ]] || [[ $output == *"no device 'cuda': "*"device cpu:"* ]]
}

# A command in the bundle that this test has made and moved, without anything of this environment.
bundled() {
    env -i GPU=emulated PATH=/usr/bin:/bin timeout -k 5 300 elsewhere/run "$@"
}

@test "a bundle has all that its programs need but glibc, and is tested where it is put" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    "$ROOT/tests/gpu/bundle" "$PWD/bundle"
    mv bundle elsewhere
    bundled bash -c 'ldd bin/* lib/* build/obj/unit/*' >needs
    [ "$(grep -c "$PWD/elsewhere/libraries/libdnnl.so" needs)" -gt 1 ]
    run grep -Ev "^[a-z]|=> $PWD/elsewhere/|/lib(c|m|mvec|dl)\.so\.|/ld-linux|linux-vdso" needs
    [ -z "$output" ]
    run bundled tests/gpu/check golden devices
    [ "$status" -eq 0 ]
    [[ $output == *"0 of 2 failed" ]]
}

@test "a bundle that is too large is an error" {
    [ "${O:-.}" = . ] || skip "it takes the plain build"
    BUNDLE_MOST=1000000 run "$ROOT/tests/gpu/bundle" "$PWD/bundle"
    [ "$status" -eq 1 ]
    [[ $output == "bundle: "*" bytes, but at most 1000000 are wanted" ]]
}
