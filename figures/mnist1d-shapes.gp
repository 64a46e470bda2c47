# mnist1d-shapes.gp - the ten shapes of MNIST-1D, and a signal of each, running downwards.
set terminal pdfcairo size 12cm,6.2cm
set multiplot layout 2,10 margins 0.02,0.98,0.03,0.93 spacing 0.012,0.06
file = "figures/results/mnist1d-shapes.tsv"
unset key
unset tics
set border 0
do for [row=0:1] {
    set xrange [row == 0 ? -0.75 : -0.9 : row == 0 ? 0.75 : 0.9]
    set yrange [row == 0 ? 11.4 : 40 : row == 0 ? -0.4 : -1]
    do for [k=0:9] {
        if (row == 0) { set title sprintf("%d", k) offset 0,-0.8 } else { unset title }
        plot 0 with lines lc rgb "white" notitle, \
             file using (row == 0 ? column(sprintf("shape%d", k)) : column(sprintf("signal%d", k))):0 \
             with linespoints ls (row == 0 ? 1 : 2) lw (row == 0 ? 1.6 : 0.8) pt 7 ps (row == 0 ? 0.3 : 0.15)
    }
}
unset multiplot
