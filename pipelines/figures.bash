# Data of the figures: what runs predict, and what their features are like. For figures, which sources it.
# shellcheck shell=bash
# shellcheck disable=SC2154 # what is set there

# cosines RUN DATASET: mean cosine of each pair of features over the test split, a row a feature.
cosines() {
    msa-load --split test "$2" |
        encode_text "$1" "$2" |
        msa-encode -p "$1/encode.safetensors" |
        msa-decompose -p "$1/decompose.safetensors" |
        msa-dump --values --tensor s_text,s_vision,s_audio,d_text,d_vision,d_audio |
        awk -v OFS='\t' '
            # Behind the line of a tensor [rows,width] there is one a sample: its id, and the numbers last.
            BEGIN { split("s_text s_vision s_audio d_text d_vision d_audio", order, " ") }
            left > 0 { row[feature, left--] = $0; next }
            /^[0-9]+ [DE] / { add() }
            /^    [sd]_(text|vision|audio) .* min / {
                feature = $1
                match($0, /\[[0-9]+,[0-9]+\]/)
                split(substr($0, RSTART + 1, RLENGTH - 2), shape, ",")
                samples = left = shape[1]; width = shape[2]
            }
            # The features of a sample stand side by side in x.
            function add(r, f, i, n, word) {
                if (samples && !features)
                    for (f = 1; f <= 6; f++)
                        if ((order[f], 1) in row) name[++features] = order[f]
                for (r = samples; r > 0; r--) {
                    for (f = 1; f <= features; f++) {
                        n = split(row[name[f], r], word, " ") - width
                        for (i = 1; i <= width; i++) x[f * width + i] = word[n + i] + 0
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
            function printed(f) { return toupper(substr(name[f], 3, 1)) substr(name[f], 1, 1) }
            END {
                for (f = 1; f <= features; f++) printf "%s%s", OFS, printed(f)
                for (f = 1; f <= features; f++) {
                    printf "\n%s", printed(f)
                    for (g = 1; g <= features; g++)
                        printf "%s%.4f", OFS, f == g ? 1 : sum[f < g ? f : g, f < g ? g : f] / total
                }
                print ""
            }' || cause "${PIPESTATUS[@]}"
}

# predictions RUN DATASET: label and prediction of each sample of the test split.
predictions() {
    "$here/evaluate" "$1" "$2" test --predictions "$work/predicted" >/dev/null
    awk -F '\t' -v OFS='\t' '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        { print $column["label"], $column["prediction"] }' "$work/predicted"
}

# distribution RANGE COLUMN: of what predictions wrote, in per cent of the samples for each bin of a tenth of the range,
# the middle one about 0; what is outside of 1.5 ranges is in the bins at the ends.
distribution() {
    awk -F '\t' -v OFS='\t' -v range="$1" -v column="$2" '
        NR == 1 { print "at", "share"; next }
        {
            bin = int($column * 10 / range + 1000.5) - 1000
            count[bin < -15 ? -15 : bin > 15 ? 15 : bin]++
        }
        END { for (b = -15; b <= 15; b++) print b * range / 10, 100 * count[b] / (NR - 1) }'
}

# ranges BOUND: of what predictions wrote, for each of three classes of the label (divided at -BOUND and BOUND): least,
# quartiles and greatest prediction.
ranges() {
    awk -F '\t' -v OFS='\t' -v bound="$1" '
        NR > 1 { print $1 <= -bound ? 1 : $1 <= bound ? 2 : 3, $2 }' |
        sort -t $'\t' -k 1,1n -k 2,2g |
        awk -F '\t' -v OFS='\t' '
            function quantile(q, place, low) {
                place = 1 + q * (n - 1); low = int(place)
                return value[low] + (low < n ? (place - low) * (value[low + 1] - value[low]) : 0)
            }
            function show() {
                if (n) print class, quantile(0), quantile(.25), quantile(.5), quantile(.75), quantile(1)
                n = 0
            }
            BEGIN { print "class", "least", "quarter", "half", "three", "most" }
            $1 != class { show(); class = $1 }
            { value[++n] = $2 }
            END { show() }'
}
