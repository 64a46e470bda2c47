# activations.gp - six activations, and their derivatives below.
set terminal pdfcairo size 13.5cm,9.5cm
set multiplot layout 2,2 margins 0.06,0.98,0.08,0.97 spacing 0.08,0.09
file = "figures/results/activations.tsv"
set xrange [-4:4]
set xtics 2
set key top left Left reverse
set yrange [-1.2:4]
plot 0 with lines ls 9, \
     file using 1:2 with lines ls 1 title "relu", \
     "" using 1:3 with lines ls 2 title "leaky relu, slope 0.1", \
     "" using 1:4 with lines ls 3 title "elu"
plot 0 with lines ls 9, \
     file using 1:5 with lines ls 1 title "softplus", \
     "" using 1:6 with lines ls 2 title "silu", \
     "" using 1:7 with lines ls 3 title "gelu"
set yrange [-0.2:1.2]
set ytics 0.5
unset key
plot 0 with lines ls 9, 1 with lines ls 9, \
     file using 1:8 with lines ls 1, "" using 1:9 with lines ls 2, "" using 1:10 with lines ls 3
plot 0 with lines ls 9, 1 with lines ls 9, \
     file using 1:11 with lines ls 1, "" using 1:12 with lines ls 2, "" using 1:13 with lines ls 3
unset multiplot
