# ladder.gp - billions of operations per second of each rung against the size; the three loops are too slow to be seen.
set logscale x
set xrange [28:4800]
set yrange [0:130]
set xlabel "rows and columns {/:Italic n}"
set ylabel "10^9 operations per second"
set xtics ("32" 32, "64" 64, "128" 128, "256" 256, "512" 512, "1024" 1024, "2048" 2048)
set ytics 20
set key off
set rmargin 15
f = "figures/results/ladder.tsv"
last(c) = real(system("tail -1 ".f." | cut -f".c))
set label "peak" at 2250,123 textcolor rgb "#6B6B6B"
top = last(9)
low = last(8) < top - 8 ? last(8) : top - 8
set label "AVX-512" at 2250,top textcolor rgb "#9C2A1E"
set label "AVX2" at 2250,low textcolor rgb "#B0761C"
set label "panels" at 2250,last(7) textcolor rgb "#2E6B5E"
set label "tiles" at 2250,last(6) textcolor rgb "#7B2D6B"
set label "rows" at 2250,last(5) textcolor rgb "#1B3A5C"
plot f using 1:2 with lines ls 9, \
     f using 1:5 with linespoints ls 1 dt 2, \
     f using 1:6 with linespoints ls 5, \
     f using 1:7 with linespoints ls 3, \
     f using 1:8 with linespoints ls 4, \
     f using 1:9 with linespoints ls 2
