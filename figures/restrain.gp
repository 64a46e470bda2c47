# restrain.gp - training and test losses of a network that learns 400 digits, by epoch.
set xlabel "epoch"
set ylabel "loss"
set logscale xy
set xrange [1:200]
set yrange [0.0005:2.5]
set xtics (1, 2, 5, 10, 20, 50, 100, 200)
set ytics ("0.001" 0.001, "0.01" 0.01, "0.1" 0.1, "1" 1)
set key bottom left
file = "figures/results/restrain-curves.tsv"
plot file using 1:2 with lines ls 2 dt (4,3) notitle, file using 1:3 with lines ls 2 title "nothing", \
     file using 1:4 with lines ls 3 dt (4,3) notitle, file using 1:5 with lines ls 3 title "weight decay", \
     file using 1:6 with lines ls 1 dt (4,3) notitle, file using 1:7 with lines ls 1 title "dropout"
