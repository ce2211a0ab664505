# How alike features are: Figure 5. For figures, which sources it behind plots.bash.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what is used and set there

# cosines RUN DATASET: mean cosine of each pair of features over the test split, a row a feature.
cosines() {
    local features stages=(msa-load '' msa-{encode,decompose,dump} awk)
    features=$(note "$1/predict.safetensors" features) || fail 1 "'$1' has noted no features"
    msa-load -q --split test "${said[@]}" "$2" |
        encode_text "$1" "$2" |
        msa-encode -p "$1/encode.safetensors" |
        msa-decompose -p "$1/decompose.safetensors" |
        msa-dump --values --tensor "$features" |
        awk -v OFS='\t' -v made_for="$features" '
            # Behind the line of a tensor [rows,width] there is one a sample: its id, and the numbers last.
            BEGIN { expected = split(made_for, order, ",") }
            left > 0 { row[feature, left--] = $0; next }
            /^[0-9]+ [DE] / { add() }
            /^    [^ ]+ .* min / {
                feature = $1
                match($0, /\[[0-9]+,[0-9]+\]/)
                split(substr($0, RSTART + 1, RLENGTH - 2), shape, ",")
                samples = left = shape[1]; width = shape[2]
            }
            # The features of a sample stand side by side in x.
            function add(r, f, i, n, word) {
                if (samples && !features)
                    for (f = 1; f <= expected; f++)
                        if ((order[f], 1) in row) name[++features] = order[f]
                for (r = samples; r > 0; r--) {
                    for (f = 1; f <= features; f++) {
                        n = split(row[name[f], r], word, " ") - width
                        for (i = 1; i <= width; i++) {
                            x[f * width + i] = word[n + i] + 0
                            if (word[n + i] !~ /[0-9]/) undefined[f] # nan or inf, which not every awk can add
                        }
                    }
                    add_sample()
                }
                total += samples
                samples = 0
            }
            function add_sample(f, g, norm) {
                for (f = 1; f <= features; f++) {
                    norm[f] = sqrt(dot(f * width, f * width))
                    if (norm[f] < 1e-12) norm[f] = 1e-12
                    for (g = 1; g < f; g++) sum[g, f] += dot(f * width, g * width) / (norm[f] * norm[g])
                }
            }
            function dot(a, b, i, product) {
                for (i = 1; i <= width; i++) product += x[a + i] * x[b + i]
                return product
            }
            function mean(f, g) {
                return f in undefined || g in undefined ? "nan" : sprintf("%.4f", sum[f < g ? f : g, f < g ? g : f] / total)
            }
            function printed(f) { return toupper(substr(name[f], 3, 1)) substr(name[f], 1, 1) }
            END {
                for (f = 1; f <= features; f++) printf "%s%s", OFS, printed(f)
                for (f = 1; f <= features; f++) {
                    printf "\n%s", printed(f)
                    for (g = 1; g <= features; g++)
                        printf "%s%s", OFS, f == g ? "1.0000" : mean(f, g)
                }
                print ""
            }' || cause "${PIPESTATUS[@]}"
}

draw_cosines() {
    local kind
    replace "$out/with.tsv" cosines "$with" "$data"
    replace "$out/without-cl.tsv" cosines "$no_cl" "$data"
    for kind in with without-cl; do
        cat "$out/$kind.tsv" >"$work/$kind.tsv"
    done
    draw "$out/cosines" 1100,540 <<'END'
set datafile nocolumnheaders
set multiplot layout 1,2 title 'Mean cosine of each pair of features, test split' font ',15' margins 0.05,0.88,0.13,0.83 \
    spacing 0.06
set palette defined (-1 '#D55E00', 0 '#ffffff', 1 '#0072B2')
set cbrange [-1:1]
set cblabel 'cosine' offset 0.5
unset grid
unset key
set border 0
set tics scale 0
set size ratio 1
set yrange [*:*] reverse
set xlabel 'T text, V vision, A audio; s similarity, d dissimilarity'
ink(x) = abs(x) > 0.6 ? 0xffffff : 0x222222
do for [n in 'with without-cl'] {
    set title (n eq 'with' ? 'with CL' : 'without CL') offset 0, -0.5
    f = n.'.tsv'
    if (n eq 'with') { unset colorbox } else { set colorbox user origin 0.91, 0.13 size 0.015, 0.7 }
    plot f matrix rowheaders columnheaders with image pixels, \
        f matrix rowheaders columnheaders using 1:2:(sprintf('%.2f', $3)):(ink($3)) with labels tc rgb variable
}
END
}
