# steps.gp - the error of two difference quotients against the step.
set logscale xy
set xrange [1e-15:2]
set yrange [1e-13:10]
set xlabel "step {/:Italic h}"
set ylabel "error"
set xtics ("10^{-15}" 1e-15, "10^{-12}" 1e-12, "10^{-9}" 1e-9, "10^{-6}" 1e-6, "10^{-3}" 1e-3, "1" 1)
set ytics ("10^{-12}" 1e-12, "10^{-9}" 1e-9, "10^{-6}" 1e-6, "10^{-3}" 1e-3, "1" 1)
set key at graph 0.03,0.24 left Left reverse
best = (3 * 2.0**-53)**(1.0 / 3)
set arrow from best, 1e-13 to best, 10 nohead ls 9
plot "figures/results/steps.tsv" using 2:3 with linespoints ls 2 title "one-sided", \
     "" using 2:4 with linespoints ls 1 title "central"
