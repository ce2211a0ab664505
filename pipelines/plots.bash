# What curves and figures share, which source it behind common.bash: columns of logs, and the style of what is drawn.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # they use what is set here, and common.bash sets the rest

# split_rows RUN SPLIT: the rows of its metrics.tsv that belong to one split. In front their place on the axis of epochs:
# several of one epoch share it.
split_rows() {
    awk -F '\t' -v OFS='\t' -v wanted="$2" '
        NR == FNR { rows[$1, $2]++; next }
        FNR == 1 { print "at", $0 }
        $2 == wanted { print $1 - 1 + ++seen[$1] / rows[$1, $2], $0 }' "$1/metrics.tsv" "$1/metrics.tsv" | gaps
}

# gaps: what is not finite as nan, which is a gap in a curve.
gaps() {
    awk -F '\t' -v OFS='\t' '
        { for (i = 1; i <= NF; i++) if ($i ~ /^[-+]?(inf|nan)$/) $i = "nan"
          print }' | shown
}

# tasks_of RUN: what its tasks are called, in their order: the columns that both logs have, but the epoch.
tasks_of() {
    awk -F '\t' '
        FNR > 1 { next }
        NR == 1 { for (i = 1; i <= NF; i++) logged[$i]; next }
        { for (i = 1; i <= NF; i++) if ($i in logged && $i != "epoch") printf "%s ", $i }' "$1/steps.tsv" "$1/metrics.tsv" | shown
}

# names FILE PATTERN: its columns that match, and hold a number somewhere.
names() {
    awk -F '\t' -v pattern="$2" '
        NR == 1 { n = split($0, name); next }
        { for (i = 1; i <= n; i++) if ($i ~ /[0-9]/) found[i] = 1 }
        END { for (i = 1; i <= n; i++) if (found[i] && name[i] ~ pattern) printf "%s ", name[i] }' "$1"
}

# among "NAME ..." "NAME ...": those of the first that are among the second.
among() {
    local one all
    read -ra all <<<"$1"
    for one in "${all[@]}"; do
        [[ " $2 " != *" $one "* ]] || printf '%s ' "$one"
    done
}

# Data go to a folder of their own, in which gnuplot runs: names of files are those that are given here, and of none that gnuplot
# takes for a command. Exported variables are found by get(NAME).
work=$(scratch)
trap 'rm -rf "$work"' EXIT

style() {
    cat <<'END'
get(name) = system('printf %s "$'.name.'"')

# Okabe and Ito's colours, which all eyes tell apart. Metrics have theirs by name, tasks and their weights by the order of
# `tasks`.
shades = '#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9'
colours = 'mae #D55E00 corr #CC79A7 acc2 #0072B2 f1 #0072B2 acc2_has0 #0072B2 f1_has0 #0072B2 '. \
    'acc2_non0 #56B4E9 f1_non0 #56B4E9 acc3 #E69F00 acc7 #E69F00 acc5 #009E73'
tasks = get('tasks')
place(name, list) = sum [i=1:words(list)] (word(list, i) eq name ? i : 0)
task(name) = place(name[1:2] eq 'w_' ? name[3:*] : name, tasks)
shade(i) = i ? word(shades, (i - 1) % words(shades) + 1) : '#000000'
colour(name) = place(name, colours) ? word(colours, place(name, colours) + 1) : shade(task(name))

# Every second of those that may lie on each other is dashed.
alternating(name, list) = place(name, list) % 2 ? 1 : 2

set encoding utf8
set datafile separator tab columnheaders
set border 3 lc rgb '#555555'
set tics nomirror out textcolor rgb '#333333'
set grid lt 1 lw 1 lc rgb '#e4e4e4'

# With a task, and without it.
set style line 1 lw 2 pt 7 ps 0.5 lc rgb '#0072B2'
set style line 2 lw 2 pt 5 ps 0.5 lc rgb '#D55E00' dt 2
END
}

# cannot_draw FILE REASON: says so; others may be drawn, but `undrawn`, the status of the script, is 1.
undrawn=0
cannot_draw() {
    say "$name: cannot draw '$1': $2" >&2
    undrawn=1
}

# draw FILE SIZE: what the commands on standard input draw, as FILE.png and FILE.svg; both, or neither is touched.
draw() {
    local kind said
    { style && cat; } >"$work/commands"
    for kind in 'png pngcairo' "svg svg background 'white'"; do
        said=$(cd "$work" && gnuplot -d -e "set terminal ${kind#* } size $2 noenhanced font 'sans-serif,11'" commands \
            2>&1 >"drawn.${kind%% *}") && [ -s "$work/drawn.${kind%% *}" ] && continue
        said=$(sed '/./!d; s/.* line [0-9]*: //' <<<"$said" | tail -n 1)
        cannot_draw "$1" "gnuplot: ${said:-no picture}"
        return
    done
    for kind in png svg; do
        replace "$1.$kind" cat "$work/drawn.$kind"
    done
}
