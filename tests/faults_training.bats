#!/usr/bin/env bats
# Each program in a training line: calls fail one at a time, and the training goes on from there (faults/faults.py).
load helper

# faults NAME [HOW]: in a training, or one that is "resumed".
faults() {
    [ "$BUILD" = "$ROOT" ] || skip "the allocator is the sanitizer's"
    "$PYTHON" "$ROOT/tests/faults/faults.py" "$BUILD" "${2-training}" "msa-$1" >&3
}

@test "msa-load: calls fail, and the training is resumed" { faults load; }
@test "msa-encode: calls fail, and the training is resumed" { faults encode; }
@test "msa-companions: calls fail, and the training is resumed" { faults companions; }
@test "msa-decompose: calls fail, and the training is resumed" { faults decompose; }
@test "msa-predict: calls fail, and the training is resumed" { faults predict; }
@test "msa-loss: calls fail, and the training is resumed" { faults loss; }
@test "msa-gdwg: calls fail, and the training is resumed" { faults gdwg; }
@test "msa-metrics: calls fail, and the training is resumed" { faults metrics; }
@test "msa-backprop: calls fail, and the training is resumed" { faults backprop; }

@test "msa-load: calls fail in a resumed training, which is resumed again" { faults load resumed; }
@test "msa-encode: calls fail in a resumed training, which is resumed again" { faults encode resumed; }
@test "msa-companions: calls fail in a resumed training, which is resumed again" { faults companions resumed; }
@test "msa-decompose: calls fail in a resumed training, which is resumed again" { faults decompose resumed; }
@test "msa-predict: calls fail in a resumed training, which is resumed again" { faults predict resumed; }
@test "msa-loss: calls fail in a resumed training, which is resumed again" { faults loss resumed; }
@test "msa-gdwg: calls fail in a resumed training, which is resumed again" { faults gdwg resumed; }
@test "msa-metrics: calls fail in a resumed training, which is resumed again" { faults metrics resumed; }
@test "msa-backprop: calls fail in a resumed training, which is resumed again" { faults backprop resumed; }
