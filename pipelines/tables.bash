# Tables of the results of several trainings, for reproduce, ablate and fraction, which source it behind experiments.bash.
# shellcheck shell=bash
# shellcheck disable=SC2154 # set there

# The paper's Tables 3, 4 and 5, each number the mean of five seeds. CH-SIMS's Acc-2 and F1 are in its Table 2.
paper() {
    cat <<'END'
mosi  DMMSA        acc2_has0=83.97 f1_has0=83.92 acc2_non0=85.70 f1_non0=85.70 acc7=45.39 mae=0.710 corr=0.793
mosei DMMSA        acc2_has0=82.63 f1_has0=83.04 acc2_non0=86.27 f1_non0=86.21 acc7=53.91 mae=0.527 corr=0.777
mosei 0.8          acc2_has0=82.41 f1_has0=82.87 acc2_non0=86.15 f1_non0=86.14 acc7=53.39 mae=0.532 corr=0.772
mosei 0.6          acc2_has0=83.77 f1_has0=84.01 acc2_non0=86.12 f1_non0=85.99 acc7=52.77 mae=0.538 corr=0.769
mosei 0.4          acc2_has0=82.78 f1_has0=83.16 acc2_non0=86.09 f1_non0=86.03 acc7=53.36 mae=0.540 corr=0.767
mosei 0.2          acc2_has0=80.68 f1_has0=81.27 acc2_non0=85.03 f1_non0=85.06 acc7=52.37 mae=0.551 corr=0.760
mosei 0.1          acc2_has0=81.89 f1_has0=82.33 acc2_non0=85.08 f1_non0=85.04 acc7=52.18 mae=0.552 corr=0.755
sims  DMMSA        acc3=69.63 acc5=46.92 mae=0.3778 corr=0.66
sims  without-msc  acc3=68.41 acc5=44.68 mae=0.3807 corr=0.656
sims  without-cl   acc3=69.41 acc5=46.74 mae=0.3828 corr=0.651
sims  without-gdwg acc3=69.32 acc5=46.17 mae=0.3776 corr=0.663
END
}

# Each run's numbers, those of its test.tsv: model, metric, value. Accuracies and F1 in per cent.
# results MODEL FOLDER...
results() {
    local seed
    while [ $# -gt 0 ]; do
        for seed in $seeds; do
            awk -F '\t' -v OFS='\t' -v OFMT=%.9g -v model="$1" '
                NR == 1 { split($0, name) }
                NR == 2 {
                    for (i = 3; i <= NF; i++)
                        print model, name[i], $i ~ /nan|inf/ ? "nan" : name[i] ~ /^(acc|f1)/ ? $i * 100 : $i
                }' "$2/seed-$seed/test.tsv"
        done
        shift 2
    done
}

# Of these, mean and sample deviation over seeds, the paper's number, and how far the mean is from that of the first
# model: beyond the deviation of such a difference, or within.
statistics() {
    awk -F '\t' -v OFS='\t' -v CONVFMT=%.9g -v OFMT=%.9g -v set="$1" '
        NR == FNR {
            split($0, word, " ")
            for (i = 3; word[1] == set && i in word; i++) {
                split(word[i], pair, "=")
                printed[word[2] == "DMMSA" ? first : word[2], pair[1]] = pair[2]
            }
            next
        }
        { place = $1 OFS $2 }
        !(place in count) { rows[++places] = place; model[places] = $1; metric[places] = $2 }
        { value[place, ++count[place]] = $3 }
        $3 == "nan" { undefined[place] }
        { sum[place] += $3 }
        function deviation_of(place, mean, n, i, squares) {
            for (i = 1; i <= n; i++) squares += (value[place, i] - mean) ^ 2
            return sqrt(squares / (n - 1))
        }
        END {
            print "model", "metric", "seeds", "mean", "deviation", "paper", "difference", "bound", "verdict"
            for (r = 1; r <= places; r++) {
                p = rows[r]; q = model[1] OFS metric[r]
                mean[p] = p in undefined ? "nan" : sum[p] / count[p]
                deviation[p] = count[p] < 2 || p in undefined ? "-" : deviation_of(p, mean[p], count[p])
                paper = (model[r], metric[r]) in printed ? printed[model[r], metric[r]] : "-"
                difference = bound = verdict = "-"
                if (model[r] != model[1] && !(p in undefined) && !(q in undefined)) {
                    difference = mean[p] - mean[q]
                    if (deviation[p] != "-") {
                        bound = sqrt(deviation[p] ^ 2 + deviation[q] ^ 2)
                        worse = metric[r] == "mae" ? difference : -difference
                        verdict = worse > bound ? "worse" : -worse > bound ? "better" : "within"
                    }
                }
                print p, count[p], mean[p], deviation[p], paper, difference, bound, verdict
            }
        }' first="$2" <(paper) -
}

# The same for people, a row a model.
printable() {
    awk -F '\t' -v OFS='\t' '
        function heading(m) {
            if (m == "mae") return "MAE"
            if (m == "corr") return "Corr"
            sub(/^acc/, "Acc-", m); sub(/^f1/, "F1", m); sub(/_/, " ", m)
            return m
        }
        function digits(m) { return m == "mae" || m == "corr" ? "%.4f" : "%.2f" }
        NR == 1 { next }
        !($1 in model_seen) { model_seen[$1]; models[++rows] = $1; seeds[$1] = $3 }
        !($2 in seen) { seen[$2]; metrics[++columns] = $2 }
        {
            cell[$1, $2] = ($4 == "nan" ? $4 : sprintf(digits($2), $4)) ($5 == "-" ? "" : sprintf(" ± " digits($2), $5))
            paper[$1, $2] = $6
            if ($6 != "-") in_paper[$1]
            if ($9 != "-") judged[$1]
            if ($9 == "worse" || $9 == "better")
                beyond[$1, $9] = beyond[$1, $9] (beyond[$1, $9] == "" ? $9 ": " : ", ") \
                    sprintf("%s %+" substr(digits($2), 2), heading($2), $7)
        }
        function against(model, said) {
            if (!(model in judged)) return rows > 1 && model != models[1] ? "one seed: no deviation" : "-"
            said = beyond[model, "worse"]
            if (beyond[model, "better"] != "") said = said (said == "" ? "" : "; ") beyond[model, "better"]
            return said == "" ? "within the deviation of the seeds" : said
        }
        END {
            line = "model" OFS "seeds"
            for (c = 1; c <= columns; c++) line = line OFS heading(metrics[c])
            print line (rows > 1 ? OFS "against " models[1] : "")
            for (r = 1; r <= rows; r++) {
                line = models[r] OFS seeds[models[r]]
                for (c = 1; c <= columns; c++) line = line OFS cell[models[r], metrics[c]]
                print line (rows > 1 ? OFS against(models[r]) : "")
                if (!(models[r] in in_paper)) continue
                line = "  in the paper" OFS 5
                for (c = 1; c <= columns; c++) line = line OFS paper[models[r], metrics[c]]
                print line (rows > 1 ? OFS "-" : "")
            }
        }' "$1"
}

footnotes() {
    echo "Mean ± sample deviation (n - 1) over the seeds ${seeds//$'\n'/, }; test split; accuracies and F1 in per cent."
    [ "$1" -le 2 ] || echo "Against $2: what differs from it by more than sqrt(sd_$2² + sd²), by the deviations of both rows:" \
        "that of the difference of two single runs. Other seeds can change the verdict."
}

numbers() {
    results "$@" | shown | statistics "${given[--as]-}" "$1"
}

markdown() {
    printable "$out/table.tsv" | sed "s/\t/ | /g; s/^ */| /; s/\$/ |/; 1{p; s/[^|]\\+/ --- /g}"
    echo
    footnotes "$@"
}

# write_tables MODEL FOLDER...: $out/table.tsv and $out/table.md, and the table to standard output; the first model is what
# others are held against.
write_tables() {
    replace "$out/table.tsv" numbers "$@"
    replace "$out/table.md" markdown $# "$1"
    printable "$out/table.tsv" | aligned
    footnotes $# "$1"
}
