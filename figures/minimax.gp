# minimax.gp - the error of two polynomials of the same degree for the exponential.
set xrange [-0.36:0.36]
set yrange [-1e-7:2e-8]
set xlabel "{/:Italic r}"
set ylabel "relative error"
set ytics ("-10^{-7}" -1e-7, "-5·10^{-8}" -5e-8, "0" 0)
set key at graph 0.5,0.3 center Left reverse
plot 0 with lines ls 9, \
     "figures/results/minimax-curve.tsv" using 1:2 with lines ls 2 title "Taylor", \
     "" using 1:3 with lines ls 1 title "Remez"
