# depth.gp - deviations of signals and of gradients in networks of twenty layers.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 12cm,6.2cm
set multiplot layout 1,2 margins 0.075,0.985,0.155,0.89 spacing 0.075,0
file = "figures/results/depth.tsv"
names = "small_tanh large_tanh xavier_tanh xavier_sigmoid xavier_relu he_relu torch_relu"
label = "'0.01, tanh' '0.1, tanh' 'Xavier, tanh' 'Xavier, sigmoid' 'Xavier, relu' 'He, relu' 'default, relu'"
color = "#6B6B6B #B0761C #1B3A5C #7B2D6B #2E6B5E #9C2A1E #4A90A4"
points = "1 9 7 13 5 6 2"
set logscale y
set format y "10^{%L}"
set xrange [0:20.5]
set xtics 5
set xlabel "layer"
set yrange [1e-16:1e3]
set ytics 1e-16, 1e4
set title "signal" offset 0,-0.6
set key bottom left Left reverse samplen 1.5 spacing 1
plot for [s=1:7] file using 1:(column(word(names, s))) with linespoints lw 1.3 ps 0.35 \
     pt int(word(points, s)) lc rgb word(color, s) title word(label, s)
set title "gradient" offset 0,-0.6
unset key
plot for [s=1:7] file using 1:(column(word(names, s) . "_gradient")) with linespoints lw 1.3 ps 0.35 \
     pt int(word(points, s)) lc rgb word(color, s)
unset multiplot
