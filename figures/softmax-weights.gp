# softmax-weights.gp - the weights of each class as an image.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 11cm,5.2cm linewidth 1 dashlength 0.6
set multiplot layout 2,5 margins 0.01,0.99,0.01,0.93 spacing 0.02,0.10
unset xtics
unset ytics
unset key
unset colorbox
set border 15 lw 0.5
set size ratio 1
set xrange [-0.5:27.5]
set yrange [27.5:-0.5]
set palette defined (-1 "#9C2A1E", -0.4 "#e0a090", 0 "#fbfaf6", 0.4 "#90a8c8", 1 "#1B3A5C")
set cbrange [-0.8:0.8]
array name[10] = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
do for [c=0:9] {
    set title name[c + 1] offset 0,-0.7
    plot "figures/results/softmax-weights.tsv" skip 2 using 2:3:(column(4 + c)) with image pixels
}
unset multiplot
