# normal.gp - the histogram of a million normal draws and the density.
set xrange [-4:4]
set yrange [0:0.44]
set xlabel "{/:Italic z}"
set ylabel "density"
set ytics 0.1
set samples 400
plot "figures/results/normals.tsv" using 1:2 with boxes ls 11 notitle, \
     exp(-x**2 / 2) / sqrt(2 * pi) with lines ls 2 notitle
