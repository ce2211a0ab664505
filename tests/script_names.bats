#!/usr/bin/env bats
# What scripts do with names of files, and with runs of others, that programs could take for something else: options of them,
# commands of a terminal or of gnuplot, lines and columns of a table.
load helper

small=(--dim 16 --heads 2 --layers 'text=1,vision=1,audio=1' --batch 8 --epochs 1 --quiet)

# A data set and a run of it, in the folder of the tests.
setup_file() {
    load helper
    setup_ready
    msa-synth --samples 24,8,24 -o data.pkl
    msa-synth --samples 4,4,4 --bert bert -o other.pkl
    MSA_BIN=$BUILD/bin "$ROOT/pipelines/train" data.pkl trained "${small[@]}"
}

pipeline() {
    run env MSA_BIN="$BUILD/bin" timeout -k 5 200 "$ROOT/pipelines/$1" "${@:2}"
}

# works SCRIPT ARGUMENT...
works() {
    pipeline "$@"
    [ "$status" -eq 0 ] || { echo "$*: $status: $output" && return 1; }
}

# copies NAME...: of the run.
copies() {
    local copy
    for copy; do
        cp -r "$BATS_FILE_TMPDIR/ready/trained" "./$copy"
    done
}

# seen TEXT: whether nothing in it commands a terminal.
seen() {
    "$PYTHON" -c 'import re, sys
text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
found = re.findall("[^\t\n -~\xa0-\u061b\u061d-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff]", text)
sys.exit("%r" % found if found else 0)' <<<"$1"
}

evil=$'\xc2\x9b31m\xe2\x80\xae\x1b[2J\xff\xe2\x80\xa8\x7f'

# --- the functions ---

@test "what scripts show is what programs show, character by character; cells are read back" {
    "$PYTHON" -c '
import sys
for c in (*range(1, 0x10000), 0x1f600, 0x10ffff):
    if not 0xd800 <= c < 0xe000 and c not in (9, 10): sys.stdout.buffer.write(("a%sb\n" % chr(c)).encode())
for b in (b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x80", b"\xf4\x90\x80\x80", b"\xc2\x9b\x9b"): sys.stdout.buffer.write(b"a%sb\n" % b)' >all
    in_scripts() { bash -c '. "$1/pipelines/text.bash"; "${@:2}"' bash "$ROOT" "$@"; }
    in_scripts shown <all >seen
    # A program's line has each as well: metadata that differs.
    "$PYTHON" - <<'END'
import json, struct
texts = open("all", "rb").read().split(b"\n")[:-1]
whole = [text.decode() for text in texts if text.decode(errors="ignore").encode() == text]
for path, value in ("one", "a"), ("other", "b"):
    for part in range(0, len(whole), 4000):
        head = {"__metadata__": {text: value for text in whole[part:part + 4000]}}
        head = json.dumps(head, ensure_ascii=False).encode()
        open("%s.%d" % (path, part), "wb").write(struct.pack("<Q", len(head)) + head)
END
    for part in one.*; do
        msa-dump --diff "$part" "other.${part#one.}" >>differ || true
    done
    "$PYTHON" - <<'END'
lines = open("seen", "rb").read().split(b"\n")[:-1]
found = {line.split(b" ", 1)[1].rsplit(b":", 1)[0] for line in open("differ", "rb").read().split(b"\n")[:-1]}
assert len(lines) == 63494 and len(found) > 60000, (len(lines), len(found))
missing = [line for line in set(lines) - found if b"??" not in line]
assert not missing, missing[:9]
END
    local text
    for text in $'a\nb\tc\\d\\n' $'\xff\xc2\x9b\xe2\x80z\xe2\x80\xaee' 'plain é中' $'x\x01\x1b[2J' '' "it's" '-n' '%s\c'; do
        [ "$(in_scripts uncell "$(in_scripts cell "$text")")" = "$text" ] || { echo "$text" && return 1; }
        [ "$(in_scripts cell "$text" | wc -l)" = 1 ]
        seen "$(in_scripts cell "$text")"
        seen "$(in_scripts say "$text")"
    done
}

# --- runs of others ---

@test "what a run of others says of itself is shown, in each form of the report, in tables, and in errors" {
    copies its
    printf 'made by\tx\ncommand\tx\ndata\t/x/%s.pkl\nsha256\t%s\\nab\\tc\nbert\t%s\n' "$evil" "$evil" "$evil" >its/about.tsv
    sed -i "1s/mae/m${evil}ae/; 2s/test/te${evil}/" its/test.tsv
    sed -i "s/^1\tvalid/1$evil\tvalid/" its/metrics.tsv
    cp -r its "its$evil"
    local form
    for form in '' --tsv --markdown; do
        works report its "its$evil" ${form:+"$form"}
        seen "$output"
        [ "$(grep -vc '^|---' <<<"$output")" -eq 3 ] || { echo "$output" && return 1; }
    done
    works report its --tsv
    [ "$(awk -F '\t' '{ print NF }' <<<"$output" | sort -u | wc -l)" = 1 ]
    pipeline report "no$evil"
    [ "$status" -eq 1 ]
    [ "$output" = "report: no training in 'no?31m??[2J???': steps.tsv is missing" ] || { echo "$output" && return 1; }
    pipeline figures --with its --out figures
    seen "$output"
    pipeline train "data$evil" new "${small[@]}"
    seen "$output"
    pipeline evaluate "its$evil" "data$evil"
    seen "$output"
    pipeline predict "no$evil" x.pkl
    seen "$output"
}

@test "a path with newlines and tabs: no line or column of about.tsv is forged, and it is read back" {
    local data=$'a\nsha256\tforged\n\\n.pkl' out=$'out\tof\n\\t'
    cp "$BATS_FILE_TMPDIR/ready/data.pkl" "$data"
    works ablate "$data" --out "$out" --only without-msc --seeds 1 "${small[@]}"
    run awk -F '\t' 'NF != 2 || seen[$1]++' "$out/full/seed-1/about.tsv"
    [ -z "$output" ] || { echo "$output" && return 1; }
    grep -qF "${PWD//\\/\\\\}"'/a\nsha256\tforged\n\\n.pkl' "$out/full/seed-1/about.tsv"
    works figures "$out" --out figures # by the path that about.tsv has
    [ -s figures/predictions.svg ]
    works report "$out/full/seed-1" --tsv
    [[ ${#lines[@]} -eq 2 && ${lines[1]} == 'out\tof\n\\t/full/seed-1'$'\t''a\nsha256\tforged\n\\n.pkl'$'\t'* ]] || { echo "$output" && return 1; }
    find "$out" -name steps.tsv -exec stat -c '%n %y' {} + >before
    works ablate "$data" --out "$out" --only without-msc --seeds 1 "${small[@]}" # it is known again
    find "$out" -name steps.tsv -exec stat -c '%n %y' {} + | cmp - before
}

# --- names that begin with a dash ---

@test "operands and folders that begin with a dash, of each script" {
    cp "$BATS_FILE_TMPDIR/ready/data.pkl" ./-x.pkl
    works train -- -x.pkl -run "${small[@]}"
    works train -- -x.pkl -run --resume "${small[@]}"
    [ -s ./-run/about.tsv ]
    works evaluate -- -run -x.pkl test --predictions -p.tsv
    [ -s ./-p.tsv ]
    works predict -- -run -x.pkl
    works predict ./-run --json -- -x.pkl
    works curves -- -run
    works report --tsv -- -run -run
    [ "${#lines[@]}" -eq 2 ]
    works pretrain -- -x.pkl -encoders "${small[@]}" --init ./-run/encode.safetensors
    cp ./-run/encode.safetensors ./-i.safetensors
    works train -- -x.pkl -on --encoders -encoders --init -i.safetensors "${small[@]}"
    works ablate -- -x.pkl --out -out --encoders -encoders --only without-msc,without-cl --seeds 1 "${small[@]}"
    works fraction -- -x.pkl --out -shares --encoders -encoders --shares .5 --seeds 1 "${small[@]}"
    works reproduce -- other -x.pkl --out -all --seeds 1 "${small[@]}"
    works figures --out -figures -- -out
    [ -s ./-figures/cosines.svg ]
    [ -s ./-all/table.md ]
    works figures --out -few --with -run --data -x.pkl
    works demo -- -demo
    [ -s ./-demo/run/about.tsv ]
    rm -r ./-*
    [ -z "$(find . -mindepth 1 -name '-*')" ]
}

@test "text by a BERT, and lines of text, whose names begin with a dash" {
    cp -r "$BATS_FILE_TMPDIR/ready/bert" ./-bert
    cp "$BATS_FILE_TMPDIR/ready/other.pkl" ./-x.pkl
    works train -- -x.pkl -run --bert -bert --batch 4 --epochs 1 --layers vision=1,audio=1 --quiet
    works pretrain -- -x.pkl -encoders --bert -bert --batch 4 --epochs 1 --layers vision=1,audio=1 --quiet
    echo 'good' >./-lines
    works predict --quiet --text -- -run -lines
    [ "${#lines[@]}" -eq 2 ] || { echo "$output" && return 1; }
    works predict --vocab -bert/vocab.txt --text -- -run - <<<good
}

@test "without -- what begins with a dash is an option, and none of these is before operands" {
    local script
    for script in train pretrain evaluate; do
        pipeline "$script" -x.pkl run
        [ "$status" -eq 2 ]
        grep -q "pipelines/$script" <<<"$output"
    done
    for script in 'report -x' 'predict -x run' 'figures -x'; do
        # shellcheck disable=SC2086 # words of their own
        pipeline $script
        [ "$status: $output" = "2: ${script%% *}: '-x' is no option (${script%% *} --help)" ] || { echo "$output" && return 1; }
    done
    [ -z "$(find . -mindepth 1 -name '*x*')" ]
}

@test "every program takes an operand behind --" {
    local program
    msa-synth --samples 4,2,2 -o ./-x.pkl
    msa-load --info -- -x.pkl >/dev/null
    for program in "$BUILD"/bin/msa-*; do
        run "$program" -- -none </dev/null
        [[ $output == *"'-none'"* || $output == *'--vocab FILE is missing'* ]] || { echo "$output" && return 1; }
    done
}

@test "folders and files that an awk would take for an assignment" {
    copies lr=1 x=y
    works report lr=1 x=y --tsv
    [ "${#lines[@]}" -eq 3 ]
    [ "$(cut -f 4 <<<"${lines[1]}")" = 1 ] # epochs, of the logs
    works curves lr=1
    [ -s lr=1/curves.svg ]
    works figures --with lr=1 --without-msc x=y --out f=g
    [ -s f=g/mae.svg ]
    cp "$BATS_FILE_TMPDIR/ready/data.pkl" a=b.pkl
    works train a=b.pkl c=d "${small[@]}"
    [ -s c=d/curves.svg ]
}

# --- gnuplot ---

# Names of folders that something could run. (shellcheck takes the quotes for a mistake.)
# shellcheck disable=SC2016
commands=('<touch taken' "it's \"quoted\" | touch taken" $'two\nlines' '$(touch taken)`touch taken`')

@test "a folder for temporary files that gnuplot would take for a command, or that ends its strings" {
    local folder
    copies one other
    cp "$BATS_FILE_TMPDIR/ready/data.pkl" .
    for folder in "${commands[@]}" -dash + 'a b'; do
        mkdir -p "./$folder"
        rm -f one/curves.*
        TMPDIR=$folder works curves one
        [ -z "$output" ] || { echo "$folder: $output" && return 1; }
        [[ -s one/curves.svg && -s one/curves.png ]]
        rm -rf figures
        TMPDIR=$folder works figures --with one --without-msc other --without-cl other --out figures --data data.pkl
        [ -z "$output" ] || { echo "$folder: $output" && return 1; }
        [ "$(cd figures && echo ./*.svg)" = './cosines.svg ./mae.svg ./predictions.svg ./weights.svg' ]
        [ -z "$(find "./$folder" -mindepth 1)" ] || { find "./$folder" && return 1; }
        [ -z "$(find . -name '*taken*' -type f)" ]
    done
}

@test "folders of runs and results that gnuplot would take for a command" {
    local folder
    cp "$BATS_FILE_TMPDIR/ready/data.pkl" .
    for folder in "${commands[@]}" "$evil"; do
        copies "$folder"
        rm -f "$folder"/curves.*
        works curves "$folder"
        [ -s "$folder/curves.svg" ]
        "$PYTHON" -c 'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' "$folder/curves.svg"
        works figures --with "$folder" --without-cl "$folder" --out "$folder/f" --data data.pkl
        [ -s "$folder/f/cosines.svg" ]
        [ ! -e taken ]
    done
}
