# thin.gp - products of few rows with packed and unpacked weights, below the roof.
set logscale xy 2
set xrange [0.9:66]
set yrange [8:140]
set xlabel "rows {/:Italic m}"
set ylabel "10^9 operations per second"
set xtics (1, 2, 4, 8, 16, 32, 64)
set ytics (10, 20, 40, 80, 120)
set key at graph 0.98,0.08 bottom right Left reverse
f = "figures/results/thin.tsv"
plot f using 1:2 with lines ls 9 title "roof", \
     f using 1:3 with linespoints ls 1 title "weights packed once", \
     f using 1:4 with linespoints ls 2 title "packed in each call"
