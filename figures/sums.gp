# sums.gp - the relative error of three summations against the number of terms.
set logscale xy
set xrange [12:9e7]
set yrange [5e-10:2]
set xlabel "number of terms {/:Italic n}"
set ylabel "relative error"
set xtics 100 logscale
set xtics ("10^2" 1e2, "10^4" 1e4, "10^6" 1e6, "10^8" 1e8)
set ytics ("10^{-9}" 1e-9, "10^{-6}" 1e-6, "10^{-3}" 1e-3, "1" 1)
set key at graph 0.04,0.98 top left Left reverse
clip(e) = e < 6e-10 ? 6e-10 : e
plot "figures/results/sums.tsv" using 1:(clip($3)) with linespoints ls 1 title "in order", \
     "" using 1:(clip($4)) with linespoints ls 2 title "pairwise", \
     "" using 1:(clip($5)) with linespoints ls 3 title "compensated", \
     2.0**-24 with lines ls 9 notitle
