# tradeoff.gp - fits of three degrees to ten training sets, and the parts of the test error by degree.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 12cm,8cm
set multiplot layout 2,2 margins 0.075,0.985,0.1,0.945 spacing 0.085,0.13
file = "figures/results/tradeoff-fits.tsv"
set xrange [-1:1]
set yrange [-2:2]
set xtics 0.5
set ytics 1
do for [d in "1 5 12"] {
    set title "degree " . d offset 0,-0.6
    plot file using 1:2 with lines lw 4 lc rgb "#C3CCD8", \
         for [i=0:9] file using 1:(column("d" . d . "-" . i)) with lines lw 0.8 lc rgb "#1B3A5C"
}
set title "parts of the test error" offset 0,-0.6
set xrange [0.7:12.3]
set yrange [0:0.5]
set xtics 1,1,12
set ytics 0.1
set xlabel "degree" offset 0,0.4
set key top right
file = "figures/results/tradeoff-degree.tsv"
plot file using 1:5 with linespoints ls 2 title "test error", \
     file using 1:6 with linespoints ls 3 title "training error", \
     file using 1:2 with linespoints ls 1 title "squared bias", \
     file using 1:3 with linespoints ls 4 title "variance", \
     0.09 ls 9 title "noise"
unset multiplot
