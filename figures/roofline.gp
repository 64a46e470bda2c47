# roofline.gp - kernels under the roof: operations per second against operations per byte.
file = "figures/results/roofline.tsv"
number(key, col) = real(system(sprintf("awk -F '\\t' '$1 == \"%s\" { print $%d }' %s", key, col, file)))
peak = number("peak", 5)
bandwidth = number("copy", 6) * 12
set logscale xy
set xrange [0.05:12]
set yrange [1:230]
set xlabel "operations per byte"
set ylabel "10^9 operations per second"
set xtics ("1/16" 0.0625, "1/4" 0.25, "1" 1, "4" 4)
set ytics (1, 2, 5, 10, 20, 50, 100, 200)
set key at graph 0.98,0.32 right Left reverse
shown(name) = name eq "peak" || name eq "copy" || name eq "stream" ? NaN : 1
plot (bandwidth * x < peak ? bandwidth * x : peak) with lines lc rgb "#666666" lw 1.6 title "roof", \
     file every ::1 using ($4 * shown(strcol(1))):5 with points lc rgb "#9C2A1E" pt 7 ps 0.6 title "in cache", \
     "" every ::1 using ($4 * shown(strcol(1))):6 with points lc rgb "#1B3A5C" pt 9 ps 0.7 title "in memory", \
     "" every ::1 using ($4 * shown(strcol(1))):6:1 with labels font ",6.5" textcolor rgb "#222222" offset 0,-0.8
