# What is predicted: Figure 6. For figures, which sources it behind plots.bash.
# shellcheck shell=bash
# shellcheck disable=SC2154 # what is set there

# predictions RUN DATASET: label and prediction of each sample of the test split, if that is finite.
predictions() {
    run_script evaluate "$1" "$2" test --quiet "${renames[@]}" --predictions "$work/predicted" >/dev/null
    awk -F '\t' -v OFS='\t' '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        NR == 1 || $column["prediction"] !~ /^[-+]?(inf|nan)$/ { print $column["label"], $column["prediction"] }' "$work/predicted"
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
        END { for (b = -15; NR > 1 && b <= 15; b++) print b * range / 10, 100 * count[b] / (NR - 1) }'
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

draw_predictions() {
    local kind run
    range=$(header_of "$data" | sed -n 's/^0 H .*  range \([0-9.]*\).*/\1/p')
    bound=$([ "$range" = 1 ] && echo 0.1 || echo 0.5) # the classes of MSC
    for kind in with without; do
        run=$([ $kind = with ] && echo "$with" || echo "$no_msc")
        predictions "$run" "$data" >"$work/pairs"
        distribution "$range" 1 <"$work/pairs" >"$work/labels"
        distribution "$range" 2 <"$work/pairs" >"$work/$kind.shares"
        ranges "$bound" <"$work/pairs" >"$work/$kind.ranges"
    done
    export range bound
    draw "$out/predictions" 1200,520 <<'END'
range = get('range') + 0; bound = get('bound') + 0
set multiplot layout 1,2 title 'Predictions on the test split' font ',15' margins 0.07,0.98,0.22,0.84 spacing 0.08
set key below center Left reverse samplen 4 spacing 1.3
set title 'distribution'
set xlabel 'label or prediction'
set ylabel 'share of samples, per cent'
set xrange [-1.6 * range:1.6 * range]
set yrange [0:*]
set style fill solid 1 noborder
plot 'labels' using 'at':'share' with boxes lc rgb '#d9d9d9' title 'labels', \
    'with.shares' using 'at':'share' with linespoints ls 1 title 'with MSC', \
    'without.shares' using 'at':'share' with linespoints ls 2 title 'without MSC'
set title 'range, by the class of the label'
set xlabel 'box: middle half; bar: median; grey: labels of the class'
set ylabel 'prediction'
set xrange [0.5:3.5]
set yrange [*<-1.1 * range:1.1 * range<*]
set xtics ('negative' 1, 'neutral' 2, 'positive' 3)
set boxwidth 0.22
set style fill solid 0.35 border
do for [c = 1:3] {
    set object c rectangle from c - 0.45, (c == 1 ? -range : c == 2 ? -bound : bound) \
        to c + 0.45, (c == 1 ? -bound : c == 2 ? bound : range) fc rgb '#e4e4e4' fs solid 1 noborder behind
}
plot 'with.ranges' using (column('class') - 0.18):'quarter':'least':'most':'three' with candlesticks whiskerbars 0.6 \
        lc rgb '#0072B2' lw 2 title 'with MSC', \
    '' using (column('class') - 0.29):'half':(0.22):(0) with vectors nohead lc rgb '#0072B2' lw 4 notitle, \
    'without.ranges' using (column('class') + 0.18):'quarter':'least':'most':'three' with candlesticks whiskerbars 0.6 \
        lc rgb '#D55E00' lw 2 title 'without MSC', \
    '' using (column('class') + 0.07):'half':(0.22):(0) with vectors nohead lc rgb '#D55E00' lw 4 notitle
END
}
