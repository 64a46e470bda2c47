# descent.gp - training and test error against the number of random features.
set logscale xy
set xrange [5:3200]
set yrange [0.01:300]
set xtics (5, 10, 20, 50, 100, 200, 500, "1000" 1000, "3200" 3200)
set format y "%g"
set xlabel "random features"
set ylabel "mean square error"
set key top right
set arrow from 100,0.01 to 100,300 nohead ls 9 back
set label "n = 100" at 104,0.016 font ",8" textcolor rgb "#6B6B6B"
file = "figures/results/descents.tsv"
plot file using 1:4:5 with filledcurves lc rgb "#E8D3D0" notitle, \
     0.25 with lines lc rgb "#6B6B6B" lw 0.9 dt (6,4) notitle, \
     file using 1:2 with lines ls 1 title "training", \
     file using 1:3 with linespoints ls 2 title "test", \
     "figures/results/descent-ridge.tsv" using 1:3 with lines ls 3 title "test, with weight decay"
