#!/usr/bin/env bats
# Each program alone, on files: every call that can fail does, once and for good (faults/faults.py).
load helper

faults() {
    [ "$BUILD" = "$ROOT" ] || skip "the allocator is the sanitizer's"
    "$PYTHON" "$ROOT/tests/faults/faults.py" "$BUILD" alone "msa-$1" >&3
}

@test "msa-load: every call fails" { faults load; }
@test "msa-load --info: every call fails" { faults "load --info"; }
@test "msa-load --info --json: every call fails" { faults "load --info --json"; }
@test "msa-load --info of a gzipped stream: every call fails" { faults "load --info of a gzipped stream"; }
@test "msa-load of a gzipped stream: every call fails" { faults "load of a gzipped stream"; }
@test "msa-load to a gzipped stream: every call fails" { faults "load to a gzipped stream"; }
@test "msa-encode: every call fails" { faults encode; }
@test "msa-encode by bert: every call fails" { faults "encode bert"; }
@test "msa-encode by dnn: every call fails" { faults "encode dnn"; }
@test "msa-encode by lstm: every call fails" { faults "encode lstm"; }
@test "msa-encode by bilstm: every call fails" { faults "encode bilstm"; }
@test "msa-companions: every call fails" { faults companions; }
@test "msa-decompose: every call fails" { faults decompose; }
@test "msa-decompose by shared: every call fails" { faults "decompose shared"; }
@test "msa-fuse by concat: every call fails" { faults "fuse concat"; }
@test "msa-fuse by tensor: every call fails" { faults "fuse tensor"; }
@test "msa-fuse by low-rank: every call fails" { faults "fuse low-rank"; }
@test "msa-fuse by memory: every call fails" { faults "fuse memory"; }
@test "msa-fuse by attention: every call fails" { faults "fuse attention"; }
@test "msa-fuse by cross-modal: every call fails" { faults "fuse cross-modal"; }
@test "msa-predict: every call fails" { faults predict; }
@test "msa-predict of one modality: every call fails" { faults "predict unimodal"; }
@test "msa-predict from f, and each modality: every call fails" { faults "predict mlp"; }
@test "msa-predict with f beside two layers: every call fails" { faults "predict residual"; }
@test "msa-predict without parameters: every call fails" { faults "predict none"; }
@test "msa-predict by one layer: every call fails" { faults "predict linear"; }
@test "msa-loss: every call fails" { faults loss; }
@test "msa-loss of each modality: every call fails" { faults "loss each"; }
@test "msa-loss of samples apart: every call fails" { faults "loss diff"; }
@test "msa-loss of samples alike: every call fails" { faults "loss cmd"; }
@test "msa-loss of what is made anew: every call fails" { faults "loss recon"; }
@test "msa-relabel: every call fails" { faults relabel; }
@test "msa-gdwg: every call fails" { faults gdwg; }
@test "msa-metrics: every call fails" { faults metrics; }
@test "msa-dump: every call fails" { faults dump; }
@test "msa-tokenize: every call fails" { faults tokenize; }
@test "msa-synth: every call fails" { faults synth; }
