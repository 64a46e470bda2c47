# search.gp - random trials and a grid: accuracy against the rate; the best of n.
set multiplot layout 1,2 margins 0.085,0.985,0.17,0.95 spacing 0.1,0
set logscale x
set xrange [1e-4:0.1]
set yrange [0.80:1]
set xlabel "rate"
set ylabel "accuracy"
set format y "%.2f"
set format x "10^{%T}"
set key at screen 0.13,0.93 left top
plot "< grep -v of- figures/results/search-random.tsv | grep -v best" skip 2 using 2:($6 < 0.8 ? 0.8 : $6) with points ls 1 title "random", \
     "< grep -v of- figures/results/search-grid.tsv | grep -v best" skip 2 using 2:($6 < 0.8 ? 0.8 : $6) with points ls 2 title "grid"
unset logscale
unset ylabel
unset key
set key inside bottom right
set xrange [0:82]
set yrange [0.92:0.99]
set format x "%g"
set xlabel "trials"
plot "< grep of- figures/results/search-random.tsv | sed s/of-//" using 1:2 with lines ls 1 title "random", \
     "< grep of- figures/results/search-grid.tsv | sed s/of-//" using 1:2 with lines ls 2 title "grid"
unset multiplot
