#!/usr/bin/env bats
# shellcheck disable=SC2094 # a file is read and written at once: that is what is tried
# Nothing of the user's is lost: what outputs may take the place of, how they are named until they are whole, who may
# write one, and what -f removes.
load helper
load resume.bash
export session

# What it says on standard error.
errors_of() {
    # shellcheck disable=SC2069 # in this order
    "$@" 2>&1 >/dev/null
}

# refused MESSAGE COMMAND...: it ends with status 2 and that line, and changes nothing here.
refused() {
    touch names.before sums.before
    find . | sort >names.before
    find . -type f ! -name '*.before' -exec cksum {} + | sort >sums.before
    run errors_of "${@:2}"
    [ "$status" -eq 2 ] || { echo "$*: $status $output" && return 1; }
    [ "$output" = "$1" ] || { echo "${*:2}: $output" && return 1; }
    find . | sort | diff names.before -
    find . -type f ! -name '*.before' -exec cksum {} + | sort | diff sums.before -
}

# Files of all kinds.
set_out() {
    cp "$GOLDEN/data.pkl" data.pkl
    cp "$GOLDEN/predict.init.safetensors" other.safetensors
    msa-load --split test data.pkl -o kept.msa
    msa-load -z --split test data.pkl -o kept.msa.gz
    tar -cf all.tar other.safetensors
    tar -czf all.tgz other.safetensors
    "$PYTHON" -c "import zipfile; zipfile.ZipFile('all.zip', 'w').writestr('x', 'x')"
    printf '(dp0\nVtrain\np1\nI1\ns.' >old.pkl
    echo 'my notes' >notes.txt
    mkdir -p run
}

@test "no output is an input of the same program" {
    set_out
    ln -s data.pkl soft.pkl
    ln data.pkl hard.pkl
    refused "msa-load: cannot write 'kept.msa': it is what is being read" msa-load --train --resume --state kept.msa kept.msa
    refused "msa-load: cannot write 'hard.pkl': it is what is being read" msa-load --train --resume --state hard.pkl data.pkl
    refused "msa-load: cannot write 'data.pkl': it is what is being read" msa-load data.pkl -o data.pkl
    refused "msa-load: cannot write 'soft.pkl': it is what is being read" msa-load data.pkl -o soft.pkl
    refused "msa-load: cannot write 'hard.pkl': it is what is being read" msa-load --train --state hard.pkl data.pkl
    refused "msa-load: cannot write './data.pkl': it is what is being read" msa-load --info soft.pkl -o ./data.pkl
    refused "msa-loss: cannot write 'kept.msa': it is what is being read" msa-loss kept.msa -o kept.msa
    refused "msa-loss: cannot write 'kept.msa': it is what is being read" msa-loss -o kept.msa <kept.msa
    refused "msa-tokenize: cannot write 'notes.txt': it is what is being read" msa-tokenize --vocab notes.txt -o notes.txt kept.msa
    refused "msa-tokenize: cannot write 'notes.txt': it is what is being read" \
        msa-tokenize --lines --vocab kept.msa notes.txt -o notes.txt
    refused "msa-predict: cannot write 'other.safetensors': it is what is being read" \
        msa-predict --init other.safetensors -o other.safetensors kept.msa
    refused "msa-predict: cannot write 'other.safetensors': it is the file of the parameters" \
        msa-predict -p other.safetensors -o other.safetensors kept.msa
    echo $'label\tprediction\n1\t1' >judged.tsv
    refused "msa-metrics: cannot write 'judged.tsv': it is what is being read" \
        msa-metrics --from-tsv judged.tsv --family mosi -o judged.tsv
    mkdir bert
    cp other.safetensors bert/model.safetensors
    cp notes.txt bert/config.json
    for file in config.json model.safetensors; do
        refused "msa-encode: cannot write 'bert/$file': it is what is being read" \
            msa-encode --text bert --bert bert -o bert/$file kept.msa
    done
    # what is there already, and is none of them, is replaced
    echo new >bert/more.msa
    run msa-loss kept.msa -o bert/more.msa
    [ "$status" -ne 2 ] || { echo "$output" && false; }
}

@test "nor do two outputs of one program go into one file" {
    set_out
    refused "msa-dump: cannot write 'new.txt': another output goes there too" \
        msa-dump kept.msa -t -o kept2.msa --report ./new.txt --record new.txt
    refused "msa-metrics: cannot write 'run/../new.txt': another output goes there too" \
        msa-metrics kept.msa --predictions new.txt -o run/../new.txt
    refused "msa-synth: cannot write 'run/vocab.txt': another output goes there too" msa-synth --bert run -o run/vocab.txt
}

@test "no output takes the place of another kind of file" {
    set_out
    local file what kinds=("data.pkl a pickle" "old.pkl a pickle" "other.safetensors a safetensors file"
        "all.tar a tar archive" "all.tgz a gzip archive" "all.zip a zip archive")
    for what in "${kinds[@]}"; do
        file=${what%% *} what=${what#* }
        refused "msa-loss: cannot write '$file': a stream may not replace $what" msa-loss kept.msa -o "$file"
        refused "msa-loss: cannot write '$file': a stream may not replace $what" msa-loss -z kept.msa -o "$file"
        refused "msa-load: cannot write '$file': a report may not replace $what" msa-load --info "$GOLDEN/data.pkl" -o "$file"
        refused "msa-load: cannot write '$file': a commit may not replace $what" \
            msa-load --train --state "$file" "$GOLDEN/data.pkl"
        refused "msa-metrics: cannot write '$file': a log may not replace $what" msa-metrics --log "$file" kept.msa
        refused "msa-backprop: cannot write '$file': a log may not replace $what" msa-backprop --log "$file" kept.msa
        refused "msa-metrics: cannot write '$file': predictions may not replace $what" \
            msa-metrics --predictions "$file" kept.msa
        refused "msa-dump: cannot write '$file': a report may not replace $what" msa-dump --report "$file" kept.msa
        refused "msa-dump: cannot write '$file': a stream may not replace $what" \
            msa-dump -t --record "$file" kept.msa -o new.msa
    done
    for file in kept.msa kept.msa.gz; do
        refused "msa-metrics: cannot write '$file': a log may not replace a stream" msa-metrics --log $file
        refused "msa-load: cannot write '$file': a report may not replace a stream" msa-load --info data.pkl -o $file
        refused "msa-load: cannot write '$file': a commit may not replace a stream of another kind" \
            msa-load --train --state $file data.pkl
        refused "msa-synth: cannot write '$file': a pickle may not replace a stream" msa-synth -o $file
        msa-load --split test data.pkl -o $file
    done
    # text is for those alone that write such text
    for option in "metrics --predictions" "metrics --log" "backprop --log"; do
        what="a log"
        [ "$option" != "metrics --predictions" ] || what=predictions
        # shellcheck disable=SC2086 # words
        refused "msa-${option%% *}: cannot write 'notes.txt': $what may not replace a file of another kind" msa-$option notes.txt
    done
    refused "msa-load: cannot write 'notes.txt': a commit may not replace a file of another kind" \
        msa-load --train --state notes.txt data.pkl
    # one for the other neither, nor a table that begins as ours do
    local columns
    for columns in "epoch split loss" "epoch step lr" "epoch step lrs total" "epoch step lr msr w_msr totals"; do
        tr ' ' '\t' <<<"$columns" >metrics.tsv
        refused "msa-backprop: cannot write 'metrics.tsv': a log may not replace a file of another kind" \
            msa-backprop --log metrics.tsv
    done
    for columns in "epoch split" "epoch split mae" "epoch split samples_seen mae"; do
        tr ' ' '\t' <<<"$columns" >metrics.tsv
        refused "msa-metrics: cannot write 'metrics.tsv': a log may not replace a file of another kind" \
            msa-metrics --log metrics.tsv
    done
    for columns in "id split path" "id split label prediction" \
        "id split label prediction class probabilities s_text"; do
        tr ' ' '\t' <<<"$columns" >manifest.tsv
        refused "msa-metrics: cannot write 'manifest.tsv': predictions may not replace a file of another kind" \
            msa-metrics --predictions manifest.tsv
    done
    msa-load --info data.pkl -o notes.txt
    msa-load --split test data.pkl -o notes.txt
}

@test "what nobody may write stays, from root too" {
    set_out
    chmod 444 notes.txt kept.msa
    local line="cannot write 'notes.txt': it is write-protected"
    protected() {
        run errors_of "$@"
        [ "$status" -eq 1 ]
        [[ $output == *": $line" ]] || { echo "$*: $output" && false; }
        [ "$(cat notes.txt)" = 'my notes' ]
    }
    protected msa-load --info data.pkl -o notes.txt
    protected msa-dump kept.msa --report notes.txt
    ln -s notes.txt soft
    line="cannot write 'soft': it is write-protected"
    protected msa-loss kept.msa -o soft
    line="cannot write 'kept.msa': it is write-protected"
    protected msa-dump -t --record kept.msa -o new.msa </dev/null
    [ ! -e new.msa ]
}

@test "- is standard output for -o and --report, and no file for others" {
    set_out
    local option
    for option in "load --train data.pkl --state" "metrics kept.msa --predictions" "metrics kept.msa --log" \
        "backprop kept.msa --log" "dump -t kept.msa --record" "dump kept.msa --npy" "synth --bert"; do
        # shellcheck disable=SC2086 # words
        refused "msa-${option%% *}: --${option##*--}: '-' is no file here (./- is one of that name)" msa-$option -
    done
    refused "msa-predict: --params: '-' is no file here (./- is one of that name)" msa-predict -p - kept.msa
    [ "$(msa-dump kept.msa --report -)" = "$(msa-dump kept.msa -o -)" ]
    msa-dump -t kept.msa --record ./- -o new.msa 2>/dev/null
    msa-dump --diff -q ./- kept.msa
}

@test "files in a folder that is written are judged as others" {
    set_out
    mkdir bert arrays
    cp data.pkl bert/config.json
    local what="a BERT of msa-synth's may not replace" samples="--samples 4,2,2" name
    # shellcheck disable=SC2086 # words
    synth() { refused "msa-synth: cannot write '$1'$2" msa-synth $samples --bert bert -o "${3-new.pkl}"; }
    synth bert/config.json ": $what a pickle"
    cp data.pkl bert/model.safetensors
    rm bert/config.json
    synth bert/model.safetensors ": $what a pickle"
    # one of another program, whole or a part of it
    rm -r bert
    mkdir bert
    echo '{}' >bert/config.json
    synth bert/config.json ": $what a file of another kind"
    echo '[PAD]' >bert/vocab.txt
    synth bert/vocab.txt ": $what a file of another kind"
    rm bert/config.json bert/vocab.txt
    cp other.safetensors bert/model.safetensors
    synth bert/model.safetensors ": $what a safetensors file of another kind"
    # in a folder that is not there yet
    rm -r bert
    for name in bert/vocab.txt ./bert//vocab.txt; do
        refused "msa-synth: cannot write 'bert/vocab.txt': another output goes there too" \
            msa-synth --bert bert -o "$name"
    done
    # its own, of a run that was killed too
    msa-synth --samples 4,2,2 --bert bert -o bert/new.pkl
    cp -r bert was
    : >bert/vocab.txt
    rm bert/config.json
    msa-synth --samples 4,2,2 --bert bert/ -o bert/new.pkl
    diff -r was bert
    msa-dump --npy arrays kept.msa
    first=$(cd arrays && find . -name '*.npy' | sort | head -n 1)
    first=${first#./}
    msa-dump --npy arrays kept.msa
    ln -sf ../data.pkl "arrays/$first"
    refused "msa-dump: cannot write 'arrays/$first': an array may not replace a pickle" msa-dump --npy arrays kept.msa
    ln -sf ../kept.msa "arrays/$first"
    refused "msa-dump: cannot write 'arrays/$first': it is what is being read" msa-dump --npy arrays kept.msa
}

@test "what is open already is written as it is" {
    set_out
    { echo before; msa-load --info data.pkl -o /dev/stdout; echo after; } >out.txt
    { echo before; msa-load --info data.pkl; echo after; } >expected.txt
    cmp out.txt expected.txt
    { echo before; msa-load --info data.pkl -o /dev/fd/3; echo after; } 3>out.txt >other.txt
    msa-load --info data.pkl | cmp - out.txt
    printf 'before\nafter\n' | cmp - other.txt
    msa-load --info data.pkl -o /proc/self/fd/4 4>>out.txt
    [ "$(wc -l <out.txt)" -eq $((2 * $(msa-load --info data.pkl | wc -l))) ]
    msa-load --info data.pkl -o /dev/null
    run msa-load --info data.pkl -o /dev/fd/77
    [ "$status" -eq 1 ]
    [ "$output" = "msa-load: cannot write '/dev/fd/77': Bad file descriptor" ]
}

# hold FILE COMMAND: runs it, with the pipe `pipe`, open as 9, for its input, until release; waits for the file.
hold() {
    local file=$1
    shift
    mkfifo pipe
    "$@" 3>&- &
    holder=$!
    exec 9>pipe
    head -c -40 kept.msa >&9
    until [ -e "$file" ]; do
        kill -0 "$holder" || return 1
        sleep 0.01
    done
}
release() {
    tail -c 40 kept.msa >&9
    exec 9>&-
    rm pipe
    wait "$holder"
}

@test "names that are the user's, and what a killed run leaves" {
    set_out
    for name in thesis.tmp .thesis.tmp .thesis.abcdef.tmp .thesis.msa-own.tmp; do
        echo mine >$name
    done
    msa-load --split test data.pkl -o thesis
    hold .thesis.lock msa-dump -t -q pipe -o thesis 2>/dev/null
    kill -9 "$holder"
    exec 9>&-
    rm pipe
    [ -e .thesis.lock ]
    echo half >.thesis.msa-0123abcd.tmp # of one that was killed before it could rename it
    msa-load --split test data.pkl -o thesis
    msa-dump --diff -q thesis kept.msa
    rm thesis
    for name in thesis.tmp .thesis.tmp .thesis.abcdef.tmp .thesis.msa-own.tmp; do
        [ "$(cat $name)" = mine ]
        rm $name
    done
    [ -z "$(find . -name '*thesis*')" ] || { ls -A && false; }
}

@test "two programs do not write one file, whatever it is called, in another network namespace neither" {
    set_out
    mkdir there
    local busy="another program is writing it" isolated=()
    hold .out.msa.lock msa-dump -t -q pipe -o out.msa 2>report.txt
    ! unshare -n true 2>/dev/null || isolated=(unshare -n)
    ! unshare -rn true 2>/dev/null || [ ${#isolated[@]} -gt 0 ] || isolated=(unshare -rn)
    [ ${#isolated[@]} -gt 0 ] || echo "# no network namespace is permitted here" >&3
    run "${isolated[@]}" msa-tokenize --vocab "$ROOT/tests/golden/tokenizer/vocab.txt" kept.msa -o out.msa
    [ "$status" -eq 1 ]
    [ "$output" = "msa-tokenize: cannot write 'out.msa': $busy" ]
    run msa-load data.pkl -o there/../out.msa
    [ "$output" = "msa-load: cannot write 'there/../out.msa': $busy" ]
    [ ! -e out.msa ]
    release
    msa-dump --diff -q kept.msa out.msa
    hold kept2.msa msa-dump -t -q --record kept2.msa pipe -o /dev/null
    run "${isolated[@]}" msa-dump -t --record kept2.msa kept.msa -o other.msa
    [ "$status" -eq 1 ]
    [ "$output" = "msa-dump: cannot write 'kept2.msa': $busy" ]
    release
    msa-dump --diff -q kept.msa kept2.msa
    # one writes in place, the other replaces by rename
    rm out.msa
    hold report.txt msa-dump pipe --report report.txt
    run msa-load --info data.pkl -o report.txt
    [ "$output" = "msa-load: cannot write 'report.txt': $busy" ]
    release
    hold .report.txt.lock msa-dump -t -q pipe -o report.txt 2>/dev/null
    run msa-dump kept.msa --report report.txt
    [ "$output" = "msa-dump: cannot write 'report.txt': $busy" ]
    release
    msa-dump --diff -q kept.msa report.txt
    [ -z "$(find . -name '*.lock' -o -name '*.tmp')" ]
}

@test "two trainings in one folder, in two network namespaces" {
    unshare -n true 2>/dev/null || skip "unshare -n is not permitted"
    second_fails unshare -n bash
}

# A short training in run/, of one epoch and checkpoint, or EPOCHS.
trains() {
    local EPOCHS=${EPOCHS-1}
    line "$(training | sed 's/--validate-every 2//')"
}

@test "-f removes what says itself that it is a checkpoint, and nothing else" {
    EPOCHS=3 trains
    [ "$status" -eq 0 ]
    (cd run && echo ./*) >before
    cp run/encode.safetensors.3 run/encode.safetensors.2024  # a copy of the user's
    cp run/encode.safetensors run/encode.safetensors.best
    echo notes >run/encode.safetensors.1999
    echo notes >run/encode.safetensors.03
    echo notes >run/encode.safetensors.5.tmp
    cp run/predict.safetensors run/decompose.safetensors.4   # of another program
    cp -a run was
    FORCE=-f trains
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    for name in encode.safetensors.{2024,best,1999,03,5.tmp} decompose.safetensors.4; do
        cmp {was,run}/"$name"
        rm run/"$name"
    done
    (cd run && echo ./*) | sed 's/safetensors[.]1/safetensors.3/g' >after
    sed 's/ [^ ]*safetensors[.]2//g' before | cmp - after
    # and they are not in the way of a training without -f
    rm -r run
    mkdir run
    cp was/encode.safetensors.2024 was/encode.safetensors.1999 run
    trains
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    cmp {was,run}/encode.safetensors.2024
}

@test "a file whose place a checkpoint would take is not replaced" {
    echo notes >run/decompose.safetensors.1
    trains
    [ "$(cut -d ' ' -f 4 statuses)" -eq 2 ]
    [ "$output" = "msa-decompose: cannot write 'run/decompose.safetensors.1': it is not a checkpoint, but a checkpoint of this training would replace it" ]
    [ "$(cat run/decompose.safetensors.1)" = notes ]
    FORCE=-f trains
    [[ $output == "msa-decompose: cannot write 'run/decompose.safetensors.1': it is not a checkpoint"* ]]
    # with --validate-every there are more than epochs
    local epochs every number whole
    while read -r epochs every number; do
        rm run/*
        echo notes >run/"decompose.safetensors.$number"
        line "$(EPOCHS=$epochs training | sed "s/--validate-every 2/--validate-every $every/")"
        [[ $output == "msa-decompose: cannot write 'run/decompose.safetensors.$number': it is not a checkpoint, but "* ]] ||
            { echo "$output" && false; }
        [ "$(cut -d ' ' -f 4 statuses)" -eq 2 ]
        [ "$(ls run)" = "decompose.safetensors.$number" ]
    done <<<"2 2 3
        2 2 4
        3 3 6
        3 1 12"
    # what is beyond these stays; one that comes in mid-training too
    rm run/*
    echo notes >run/decompose.safetensors.5
    line "$(EPOCHS=2 training)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(cat run/decompose.safetensors.5)" = notes ]
    rm run/*
    whole=$(training)
    line "${whole/msa-gdwg/"$(at_step 5 'open("run/decompose.safetensors.3", "w").write("notes")') | msa-gdwg"}"
    [ "$output" = "msa-decompose: cannot write 'run/decompose.safetensors.3': it is not a checkpoint, and is not replaced" ] ||
        { echo "$output" && false; }
    [ "$(cut -d ' ' -f 4 statuses)" -eq 1 ]
    [ "$(cat run/decompose.safetensors.3)" = notes ]
}

@test "with -f, parameters replace only their like" {
    set_out
    local file what
    for what in "data.pkl a pickle" "kept.msa a stream" "notes.txt a file of another kind" "all.zip a zip archive" \
        "other.safetensors a safetensors file of another kind"; do
        file=${what%% *} what=${what#* }
        cp "$file" was
        for force in '' -f; do
            line "$(FORCE=$force training | sed "s,-p run/decompose.safetensors,-p $file,")"
            [ "$(cut -d ' ' -f 4 statuses)" -eq 2 ] || { cat statuses; echo "$output" && false; }
            [ "$output" = "msa-decompose: cannot write '$file': parameters may not replace $what" ] || { echo "$output" && false; }
            cmp was "$file"
            [ -z "$(ls -A run)" ] || { ls -A run && false; }
        done
    done
    EPOCHS=2 trains
    cp -a run was.run
    # of the same program, and its own initial values
    line "$(FORCE=-f training | sed 's,msa-decompose,& --init run/decompose.safetensors,')"
    [ "$(cut -d ' ' -f 4 statuses)" -eq 2 ]
    [ "$output" = "msa-decompose: cannot write 'run/decompose.safetensors': it is what is being read" ]
    line "$(FORCE=-f training | sed 's,msa-decompose,& --init run/decompose.safetensors.2,')"
    [ "$(cut -d ' ' -f 4 statuses)" -eq 2 ]
    [ "$output" = "msa-decompose: cannot write 'run/decompose.safetensors': 'run/decompose.safetensors.2', which is being read, has the name of a checkpoint of it" ]
    diff -r run was.run
}

@test "no other output of the line has the name of parameters, or of a checkpoint" {
    local name option
    for name in encode.safetensors.3 predict.safetensors.10; do
        line "$(training | sed "s,--log run/steps.tsv,--log run/../run/$name,")"
        [ "$(cut -d ' ' -f 9 statuses)" -eq 2 ] || { echo "$output" && false; }
        [ "$output" = "msa-backprop: cannot write 'run/../run/$name': it has the name of parameters, 'run/${name%.[0-9]*}', or of a checkpoint of them" ] || { echo "$output" && false; }
        line "$(training | sed "s,--log run/metrics.tsv,--log run/$name,")"
        [ "$(cut -d ' ' -f 8 statuses)" -eq 2 ]
        for option in record report; do
            line "$(training | sed "s,msa-loss,msa-dump -t --$option run/$name | &,")"
            [ "$(cut -d ' ' -f 6 statuses)" -eq 2 ]
        done
    done
    line "$(training | sed "s,-p run/predict.safetensors,-p run/encode.safetensors.2,")"
    [ "$(cut -d ' ' -f 5 statuses)" -eq 2 ]
    [[ $output == "msa-predict: -p 'run/encode.safetensors.2' and 'run/encode.safetensors', of a stage before: "* ]]
    line "$(training | sed "s,-p run/encode.safetensors,-p run/decompose.safetensors.2,")"
    [ "$(cut -d ' ' -f 4 statuses)" -eq 2 ]
    [ -z "$(ls -A run)" ]
    line "$(training | sed "s,run/state.msa,run/encode.safetensors.2,")"
    [ "$(cut -d ' ' -f 3 statuses)" -eq 2 ]
    [ "$output" = "msa-encode: cannot write 'run/encode.safetensors.2': it has the name of parameters, 'run/encode.safetensors', or of a checkpoint of them" ] || { echo "$output" && false; }
    line "$(training | sed "s,--log run/steps.tsv,--log run/state.msa,")"
    [ "$(cut -d ' ' -f 9 statuses)" -eq 2 ]
    [ "$output" = "msa-backprop: cannot write 'run/state.msa': another program of the line writes it" ] || { echo "$output" && false; }
    [ -z "$(ls -A run)" ]
}

@test "names that will be too long are so from the start" {
    local long
    long=$(printf 'n%.0s' $(seq 235))
    line "$(training | sed "s,-p run/encode.safetensors,-p run/$long,")"
    [ "$(cut -d ' ' -f 3 statuses)" -eq 1 ]
    [ "$output" = "msa-encode: cannot write 'run/$long.999999999': File name too long" ] || { echo "$output" && false; }
    line "$(training | sed "s,run/state.msa,run/${long}nnnnnnnnn,")"
    [ "$output" = "msa-load: cannot write 'run/${long}nnnnnnnnn': File name too long" ] || { echo "$output" && false; }
    [ -z "$(ls -A run)" ]
    line "$(EPOCHS=1 training | sed "s,-p run/encode.safetensors,-p run/${long%nnnnnnnnnn},")"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
}

@test "a report does not empty a file before there is something to report" {
    echo precious >report.txt
    msa-load --split test "$GOLDEN/data.pkl" -o test.msa
    for operands in nosuch.msa "$GOLDEN/data.pkl" "--diff test.msa nosuch.msa" "-t nosuch.msa"; do
        for option in -o --report; do
            [ "$option $operands" != "-o -t nosuch.msa" ] || continue
            # shellcheck disable=SC2086 # several
            run msa-dump $operands $option report.txt
            [[ $status -ne 0 ]]
            [ "$(cat report.txt)" = precious ]
        done
    done
    run -0 msa-dump test.msa -o report.txt
    grep -q '^0 H ' report.txt
}

@test "a device or a FIFO is written as it is, and stays; parameters want a regular file" {
    mknod null c 1 3 2>/dev/null || skip "no devices can be made here"
    mkfifo pipe
    cat pipe >got &
    line "$(golden_load | sed 's|run/state.msa|null|') | $(golden_model) | msa-loss | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ -c null ]
    rm -f run/*
    exec {both}<>pipe
    line "$(golden_load | sed 's|run/state.msa|pipe|') | $(golden_model) | msa-loss | msa-backprop"
    exec {both}<&-
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ -p pipe ]
    rm -f run/*
    mknod run/encode.safetensors c 1 3
    line "$(golden_load) | $(golden_encode) -f | $(golden_decompose) | $(golden_predict) | msa-loss | msa-backprop"
    [ "$output" = "msa-encode: -p 'run/encode.safetensors' is not a regular file, as parameters are" ]
    [[ $(cat statuses) == *" 2 "* ]]
    [ -c run/encode.safetensors ]
    [ "$(ls -A run)" = encode.safetensors ]
}

@test "a link to the folder of a run may lead elsewhere while it is at work, and files may be links" {
    local whole
    EPOCHS=3 undisturbed
    mkdir -p linked/{first,second,elsewhere}
    for name in encode.safetensors encode.safetensors.{1..9} state.msa steps.tsv; do
        echo "the other's" >linked/second/"$name"
    done
    last=$(cd whole/run && printf '%s\n' decompose.safetensors.? | tail -n 1)
    cp whole/run/"$last" linked/second
    cp -r linked/second was
    ln -s first linked/run
    ln -s ../elsewhere/p linked/first/predict.safetensors
    whole=$(EPOCHS=3 training)
    line "cd linked; ${whole/msa-gdwg/"$(at_step 2 'os.remove("run"), os.symlink("second", "run")') | msa-gdwg"}"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    diff -r was linked/second
    cmp whole/run/predict.safetensors linked/elsewhere/p
    rm linked/second/* linked/run
    ln -s first linked/run
    for name in encode.safetensors decompose.safetensors steps.tsv metrics.tsv; do
        cmp {whole,linked}/run/$name
    done
    [ "$(cd whole/run && echo ./*)" = "$(cd linked/run && echo ./*)" ]
    # with -f, what is at the end of a link is replaced too
    line "cd linked; $(EPOCHS=3 FORCE=-f training)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ -L linked/run/predict.safetensors ]
    cmp whole/run/predict.safetensors linked/elsewhere/p
}

@test "what msa-dump writes in place is missed at the end if it is removed or cut" {
    set_out
    local option act status
    for option in record report; do
        for act in "rm new" "truncate -s 3 new"; do
            rm -f new
            hold new msa-dump -t -q pipe -o /dev/null --$option new 2>said
            until [ "$(stat -c %s new)" -gt 3 ]; do sleep 0.01; done
            $act
            status=0
            release || status=$?
            [ $status -eq 1 ]
            [[ $(cat said) == "msa-dump: 'new' was "*" while it was being written"* ]] || { cat said && false; }
        done
    done
}

@test "a log that is removed in mid-run is missed at the next checkpoint" {
    local log program whole
    for log in steps metrics; do
        rm -f run/*
        whole=$(training)
        line "${whole/msa-gdwg/"$(at_step 5 "os.unlink(\"run/$log.tsv\")") | msa-gdwg"}"
        program=msa-backprop
        [ $log = steps ] || program=msa-metrics
        [ "$output" = "$program: 'run/$log.tsv' was removed or replaced while it was being written" ] ||
            { echo "$output" && false; }
        [[ $(cat statuses) == *" 1"* ]]
    done
    rm -f run/*
    line "${whole/msa-gdwg/"$(at_step 5 'os.rename("run/steps.tsv", "run/old"), open("run/steps.tsv", "w")') | msa-gdwg"}"
    [ "$output" = "msa-backprop: 'run/steps.tsv' was removed or replaced while it was being written" ]
    [ ! -s run/steps.tsv ]
    rm -f run/*
    line "${whole/msa-gdwg/"$(at_step 5 'open("run/steps.tsv", "w")') | msa-gdwg"}"
    [[ $output == "msa-backprop: 'run/steps.tsv' was changed while it was being written: it has "*" bytes but expected "* ]]
}

# at_end CODE: a stage that runs Python before it passes the end on.
at_end() {
    echo "$PYTHON $ROOT/tests/forge.py 'import os
if kind == \"E\": $1'"
}

@test "so are parameters, the last checkpoint and the commit, removed, replaced or changed" {
    local name program code whole
    export EPOCHS=2
    whole=$(training)
    lost() { # PROGRAM NAME
        [ "$output" = "msa-$1: 'run/$2' was removed, replaced or changed during the training" ] || { echo "$output" && return 1; }
        [[ $(cat statuses) == *" 1 "* ]] || return
        rm -f run/*
    }
    for name in encode.safetensors predict.safetensors decompose.safetensors.2 state.msa; do
        program=${name%%.*}
        [ "$program" != state ] || program=load
        for code in "os.unlink(\"run/$name\")" "os.rename(\"run/$name\", \"old\"), os.system(\"cp old run/$name\")" \
            "open(\"run/$name\", \"a\").write(\"x\")"; do
            line "${whole/msa-gdwg/"$(at_step 5 "$code") | msa-gdwg"}"
            lost "$program" "$name"
        done
    done
    for name in encode.safetensors decompose.safetensors.4; do # after the last checkpoint
        line "${whole/msa-gdwg/"$(at_end "os.unlink(\"run/$name\")") | msa-gdwg"}"
        lost "${name%%.*}" "$name"
    done
    line "${whole/msa-gdwg/"$(at_end 'os.unlink("run/steps.tsv")') | msa-gdwg"}"
    [ "$output" = "msa-backprop: 'run/steps.tsv' was removed or replaced while it was being written" ]
    # the checkpoint before the last is needed for nothing, and a touch is no change
    rm -f run/*
    line "${whole/msa-gdwg/"$(at_step 5 'os.unlink("run/encode.safetensors.1"), [os.utime(e) for e in os.scandir("run")]') | msa-gdwg"}"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
}
