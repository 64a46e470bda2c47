# shrink.gp - what decay and early stopping keep of each direction, and the test error by effective parameters.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 12cm,5.2cm
set multiplot layout 1,2 margins 0.07,0.985,0.17,0.96 spacing 0.1,0.1
set logscale x
set xrange [0.01:100]
set yrange [0:1.05]
set xtics ("0.01" 0.01, "0.1" 0.1, "1" 1, "10" 10, "100" 100)
set ytics 0.5
set xlabel "{/:Italic λ}/{/:Italic γ} = {/:Italic ηλT}" offset 0,0.4
set ylabel "share kept" offset 1.5,0
set key bottom right
plot x / (1 + x) ls 1 title "weight decay", 1 - exp(-x) ls 2 title "early stopping"
unset logscale x
set xrange [1.5:13]
set yrange [0.08:0.35]
set xtics 2,2,12
set ytics 0.1
set xlabel "effective parameters"
set ylabel "test error" offset 1.5,0
set key top right
plot "figures/results/tradeoff-decay.tsv" using 7:5 with linespoints ls 1 title "decay", \
     "figures/results/tradeoff-steps.tsv" using 7:5 with linespoints ls 2 title "steps", \
     "figures/results/tradeoff-degree.tsv" using 7:5 with points ls 3 title "degree"
unset multiplot
