# curve.gp - test error against the number of training examples.
row(key, column) = real(system("awk -F '\t' -v k=".key." -v c=".column." '$1 == k { print $c }' figures/results/curve.tsv"))
set logscale xy
set xrange [1500:75000]
set yrange [0.09:0.3]
set xlabel "examples"
set ylabel "test error"
set format x "%.0f"
set xtics (1875, 3750, 7500, 15000, 30000, 60000)
set ytics (0.1, 0.15, 0.2, 0.25, 0.3)
set key top right
plot row("factor", "2") * x ** -row("slope", "2") with lines ls 9, \
     row("factor", "4") * x ** -row("slope", "4") with lines ls 9, \
     "< grep ^[0-9] figures/results/curve.tsv" using 1:2:3 with yerrorbars ls 1 title "plain", \
     "" using 1:4:5 with yerrorbars ls 2 title "full"
