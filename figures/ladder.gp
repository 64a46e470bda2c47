# ladder.gp - billions of operations per second of each rung against the size.
set logscale xy
set xrange [28:4400]
set yrange [0.3:200]
set xlabel "rows and columns {/:Italic n}"
set ylabel "10^9 operations per second"
set xtics ("32" 32, "64" 64, "128" 128, "256" 256, "512" 512, "1024" 1024, "2048" 2048)
set ytics ("1" 1, "10" 10, "100" 100)
set key off
set rmargin 15
f = "figures/results/ladder.tsv"
some(x) = x > 0 ? x : NaN
set label "AVX-512" at 2250,132 textcolor rgb "#9C2A1E"
set label "AVX2" at 2250,90 textcolor rgb "#B0761C"
set label "panels" at 2250,50 textcolor rgb "#2E6B5E"
set label "tiles" at 2250,28 textcolor rgb "#7B2D6B"
set label "rows" at 2250,16 textcolor rgb "#1B3A5C"
set label "loops" at 1130,0.5 textcolor rgb "#6B6B6B"
plot f using 1:(some($2)) with lines ls 9, \
     f using 1:(some($4)) with linespoints lc rgb "#6B6B6B" lw 1.8 pt 7 ps 0.35, \
     f using 1:(some($5)) with linespoints ls 1 dt 2, \
     f using 1:(some($6)) with linespoints ls 5, \
     f using 1:(some($7)) with linespoints ls 3, \
     f using 1:(some($8)) with linespoints ls 4, \
     f using 1:(some($9)) with linespoints ls 2
