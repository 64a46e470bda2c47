# approximate.gp - a curve drawn by networks of one hidden layer, and how far off they are.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 12cm,8cm
set multiplot layout 2,2 margins 0.075,0.985,0.1,0.945 spacing 0.085,0.13
file = "figures/results/approximate-curves.tsv"
set xrange [-1:1]
set yrange [-1.6:1.9]
set xtics 0.5
set ytics 1
do for [n in "4 16 64"] {
    set title n . " neurons" offset 0,-0.6
    set key top left Left reverse samplen 1.5
    plot file using 1:2 with lines lw 4 lc rgb "#C3CCD8" title (n eq "4" ? "curve" : ""), \
         file using 1:(column("constructed" . n)) with lines ls 1 title (n eq "4" ? "constructed" : ""), \
         file using 1:(column("learned" . n)) with lines ls 2 title (n eq "4" ? "learned" : "")
}
set title "largest error" offset 0,-0.6
set logscale xy
set xrange [1.7:75]
set yrange [0.002:5]
set xtics (2, 4, 8, 16, 32, 64)
set ytics 10 logscale
set ytics ("0.01" 0.01, "0.1" 0.1, "1" 1)
set xlabel "neurons" offset 0,0.4
set key bottom left
file = "figures/results/approximate.tsv"
plot file using 1:2 with lines ls 9 title "bound", \
     file using 1:3 with linespoints ls 1 title "constructed", \
     file using 1:4:5:6 with yerrorbars ls 2 notitle, \
     file using 1:4 with linespoints ls 2 title "learned"
unset multiplot
