# overhead.gp - nanoseconds of a multiplication on the tape and by bare kernels, against the size.
set logscale xy
set xrange [0.8:9e4]
set yrange [3:*]
set xlabel "elements"
set ylabel "ns per operation"
set xtics ("1" 1, "10" 10, "100" 100, "1,000" 1000, "10,000" 1e4, "100,000" 1e5)
set ytics ("10" 10, "100" 100, "1,000" 1000, "10,000" 1e4, "100,000" 1e5)
set key at graph 0.04,0.96 top left Left reverse
plot "figures/results/overhead.tsv" using 1:2 with linespoints ls 1 title "on the tape", \
     "" using 1:3 with linespoints ls 2 title "kernels alone"
