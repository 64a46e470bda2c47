# neurons.gp - the weights of sixteen neurons of the first layer, as images.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 12cm,3.2cm
set multiplot layout 2,8 margins 0.005,0.995,0.01,0.99 spacing 0.008,0.02
unset key
unset tics
unset colorbox
set border 15 lw 0.3
set xrange [-0.5:27.5]
set yrange [27.5:-0.5]
set size ratio 1
set palette defined (-1 "#9C2A1E", 0 "#FBFAF6", 1 "#1B3A5C")
set cbrange [-0.25:0.25]
do for [j=0:15] {
    plot "figures/results/mlp-first-weights.tsv" index (j + 1) using 2:3:4 with image
}
unset multiplot
