#!/usr/bin/env bats
# What tests/against takes for the same, and what not: its comparisons, on what programs have left in two folders.
load helper

# old/ and new/, with the same in each: a kept stream, parameters, a table, a file of another sort.
two_folders() {
    mkdir old
    msa-load --split test --batch 3 "$GOLDEN/data.pkl" -o old/test.msa
    cp "$GOLDEN/predict.init.safetensors" old/p.safetensors
    printf 'epoch\tmae\n1\t0.5\n2\t0.25\n' >old/metrics.tsv
    echo words >old/vocab.txt
    cp -r old new
    chmod -R u+w old new
}

compare() {
    run "$PYTHON" "$ROOT/tests/against.py" compare old new notes
    [ "$status" -eq 0 ]
}

# differs SORT TEXT: there is a difference in this sort of files alone, in which the text is.
differs() {
    compare
    [ "$(grep -c '^not ok' <<<"$output")" -eq 1 ] || { echo "$output" && return 1; }
    grep -q "^not ok $1, " <<<"$output" || { echo "$output" && return 1; }
    grep -qF -- "$2" <<<"$output" || { echo "$output" && return 1; }
    rm -r old new
}

# Changes the stream in new/ by Python, for each frame.
forge_new() {
    "$PYTHON" "$ROOT/tests/forge.py" "$1" <old/test.msa >new/test.msa
}

@test "the same bytes are the same, and what was gained is noted" {
    two_folders
    compare
    [ "$(cut -d , -f 1 <<<"$output")" = "ok others
ok parameters
ok streams
ok tables" ]
    [ ! -s notes ]
    forge_new 'body["more"] = 1
if kind == "D": tensors["place"] = np.arange(B)'
    printf 'loss\tmae\tepoch\n7\t0.5\t1\n8\t0.25\t2\n' >new/metrics.tsv
    touch new/more.tsv
    compare
    [ "$(grep -c '^ok' <<<"$output")" -eq 4 ] || { echo "$output" && false; }
    [ "$(cat notes)" = "gained: D.more
gained: D.tensors.place
gained: E.more
gained: H.more
gained: column.loss
gained: file more.tsv" ] || { cat notes && false; }
}

@test "one bit, one value, a column, a key, a tensor, a frame, a file" {
    two_folders
    printf '\x01' | dd of=new/p.safetensors bs=1 seek=$(($(stat -c %s old/p.safetensors) - 4)) conv=notrunc status=none
    differs parameters p.safetensors
    two_folders
    forge_new 'if kind == "D": tensors["label"] = -tensors["label"]'
    differs streams "msa-dump --diff: D tensor 'label'"
    two_folders
    forge_new 'if kind == "D": tensors["text"] = np.where(tensors["text"] == 0, np.float32(-0.0), tensors["text"])'
    differs streams D.tensors.text # which are equal as numbers
    two_folders
    forge_new 'if kind == "D": del tensors["label"]'
    differs streams "D tensor 'label': <f4[3] and nothing"
    two_folders
    forge_new 'if kind == "H": del body["family"]'
    differs streams 'H family: sims and nothing'
    two_folders
    msa-load --split test --batch 4 "$GOLDEN/data.pkl" -o new/test.msa
    differs streams test.msa
    two_folders
    printf 'epoch\tmae\n1\t0.5\n2\t0.26\n' >new/metrics.tsv
    differs tables "column.mae[1]: '0.25' and '0.26'"
    two_folders
    printf 'epoch\tMAE\n1\t0.5\n2\t0.25\n' >new/metrics.tsv
    differs tables column.mae
    two_folders
    printf 'epoch\tmae\n1\t0.5\n' >new/metrics.tsv
    differs tables metrics.tsv
    two_folders
    rm new/vocab.txt
    differs others vocab.txt
}

@test "the stage that is killed before a step" {
    line "msa-load --train --batch 5 --epochs 1 $GOLDEN/data.pkl | $PYTHON $ROOT/tests/against.py until 0 | cat >seen"
    [ "$status" -ne 0 ]
    [ "$(cut -d " " -f 3 statuses)" -eq 137 ]
}
