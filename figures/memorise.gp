# memorise.gp - how fast true labels, random labels and noise are learned by heart.
set xrange [0:140]
set yrange [0:1.02]
set xlabel "epoch"
set ylabel "training accuracy"
set key bottom right
file = "figures/results/memorise.tsv"
plot file using 1:2 with lines ls 1 title "true labels", \
     "" using 1:3 with lines ls 2 title "random labels", \
     "" using 1:4 with lines ls 3 title "random labels of noise"
