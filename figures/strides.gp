# strides.gp - the time to sum a matrix along its rows and down its columns.
set logscale xy
set xrange [28:4700]
set yrange [0.3:20]
set xlabel "rows and columns {/:Italic n}"
set ylabel "ns for each number"
set xtics ("32" 32, "64" 64, "128" 128, "256" 256, "512" 512, "1024" 1024, "2048" 2048, "4096" 4096)
set ytics ("0.5" 0.5, "1" 1, "2" 2, "5" 5, "10" 10, "20" 20)
set key at graph 0.04,0.98 top left Left reverse
plot "figures/results/strides.tsv" using 1:4 with linespoints ls 2 title "columns", \
     "" using 1:5 with linespoints ls 4 title "columns, rows padded", \
     "" using 1:3 with linespoints ls 1 title "rows"
