# near-zero.gp - the relative error of e^x - 1 below zero, in single precision.
set logscale xy
set xrange [1e-6:90]
set yrange [1e-8:1]
set xlabel "{/:Italic −x}"
set ylabel "relative error"
set format x "10^{%T}"
set format y "10^{%T}"
set ytics 100
plot 2.0**-24 with lines ls 9, \
     "figures/results/near-zero.tsv" using 1:($2 > 0 ? $2 / 2**24 : 1/0) with lines ls 2 title "{/:Italic e^x} − 1 as it stands", \
     "" using 1:($3 > 0 ? $3 / 2**24 : 1/0) with lines ls 1 title "with the logarithm"
