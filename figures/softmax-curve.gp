# softmax-curve.gp - accuracy of softmax regression by epoch.
set xrange [0:41]
set yrange [0.78:0.88]
set xlabel "epoch"
set ylabel "accuracy"
set format y "%.2f"
set key bottom right
plot "figures/results/softmax.tsv" using 1:3 with linespoints ls 1 title "training", \
     "" using 1:4 with linespoints ls 2 title "test"
