# depth-histograms.gp - how the outputs of layers 1, 5, 10 and 20 are distributed.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 12cm,9.6cm
set multiplot layout 5,4 margins 0.185,0.985,0.05,0.95 spacing 0.03,0.035
file = "figures/results/depth-histograms.tsv"
names = "small_tanh large_tanh xavier_tanh xavier_sigmoid he_relu"
label = "'0.01, tanh' '0.1, tanh' 'Xavier, tanh' 'Xavier, sigmoid' 'He, relu'"
color = "#6B6B6B #B0761C #1B3A5C #7B2D6B #9C2A1E"
layers = "1 5 10 20"
unset key
unset ytics
set border 1
set xtics scale 0.4 offset 0,0.4 autofreq
do for [s=1:5] {
    low = s <= 3 ? -1 : 0
    high = s == 5 ? 3 : 1
    set xrange [low:high]
    set xtics low, (high - low) / 2.0, high
    do for [k=1:4] {
        set title (s == 1 ? "layer " . word(layers, k) : "") offset 0,-0.7
        if (k == 1) {
            set label 1 word(label, s) at graph -0.07, 0.5 right
        } else {
            unset label 1
        }
        name = word(names, s) . "_" . word(layers, k)
        if (s == 5) { set yrange [0:0.08] } else { set yrange [0:*] }
        plot file using (low + ($1 + 0.5) * (high - low) / 60.0):(column(name)) with boxes lc rgb word(color, s)
    }
}
unset multiplot
