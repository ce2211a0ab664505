#!/usr/bin/env bats
# A training that begins where another one has been: it touches nothing of that without -f, and with -f, killed at any
# moment, it leaves either the old one whole or a new one that begins.
load helper
load resume.bash

export EPOCHS=2 # 8 steps, 4 checkpoints

@test "a first checkpoint that is another training's is not written over without -f" {
    whole() { echo "msa-load --resume --train --epochs 1 --batch 5 $* --state run/state.msa $GOLDEN/data.pkl | $(golden_model) | msa-loss | msa-backprop"; }
    line "$(whole --seed 4)"
    [ "$status" -eq 0 ]
    rm run/state.msa run/*.safetensors
    sha256sum run/* >before
    line "$(whole --seed 5)"
    [[ $output == "msa-"*": 'run/"*".safetensors.1' is a checkpoint of another training: -f trains anew and replaces it" ]] ||
        { echo "$output" && false; }
    sha256sum --quiet -c before
    line "$(whole --seed 4)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
}

@test "nothing is committed, but there are parameters: they are not lost to a wrong --state" {
    undisturbed
    cp -a whole again
    rm again/run/state.msa
    line "cd again; $(training --resume)"
    [ "$status" -ne 0 ]
    [[ $output == "msa-encode: 'run/encode.safetensors' (or a checkpoint of it) exists, and no commit to resume it from: -f trains"* ]]
    run diff -r {whole,again}/run
    [ "$output" = "Only in whole/run: state.msa" ]
    FORCE=-f line "cd again; $(FORCE=-f training --resume)"
    [ "$status" -eq 0 ]
    diff -r {whole,again}/run
}

@test "a fresh training without -f touches nothing of an old one; with -f nothing of it is left" {
    undisturbed
    cp -a whole again
    line "cd again; $(training)"
    [ "$status" -ne 0 ]
    [[ $output == "msa-encode: 'run/encode.safetensors' (or a checkpoint of it) exists: -f trains anew and replaces it" ]]
    diff -r {whole,again}/run
    line "cd again; $(FORCE=-f EPOCHS=1 training)"
    [ "$status" -eq 0 ]
    [ "$(cd again/run && echo encode.safetensors.*)" = "encode.safetensors.1 encode.safetensors.2" ]
    mkdir -p fresh/run
    line "cd fresh; $(EPOCHS=1 training)"
    rm {fresh,again}/run/state.msa # holds the command line
    diff -r {fresh,again}/run
}

@test "with -f, a training that fails before its first step leaves the old one whole" {
    undisturbed
    cp -a whole again
    line "cd again; $(FORCE=-f training | sed 's/msa-loss/msa-loss --tasks no/')"
    [ "$status" -ne 0 ]
    diff -r {whole,again}/run
}

@test "with -f, killed at any moment: all of the old one is there, or none of it counts" {
    undisturbed
    local step before
    for step in 0 1 2 3; do
        for before in msa-encode msa-gdwg msa-backprop; do
            rm -rf again && cp -a whole again
            replacing=$(FORCE=-f training)
            line "cd again; ${replacing/$before/"$(at_step $step 'os.killpg(0, 9)') | $before"}"
            [ "$status" -ne 0 ]
            FORCE=-f line "cd again; $(FORCE=-f training --resume)"
            [ "$status" -eq 0 ] || { echo "$output" && false; }
            diff -r {whole,again}/run
        done
    done
}

@test "with -f, nothing of the old one is touched before its commit has gone" {
    undisturbed
    cp -a whole again
    replacing=$(FORCE=-f training)
    stop=$(at_step 0 'os.system(f"pkill -STOP -x -s {os.getsid(0)} msa-load"); open("stopped", "w")')
    setsid timeout -k 5 60 bash -c "cd again; ${replacing/msa-backprop/"$stop | msa-backprop"}" 3>&- &
    session=$!
    until [ -e again/stopped ]; do sleep 0.02; done
    sleep 0.5 # the others go on as far as they can
    pkill -9 -s "$session"
    wait "$session" || true
    rm again/run/.*.lock # of those that were killed
    diff -r {whole,again}/run
}
