# variants.gp - a garment, and what augmentation makes of it.
set terminal pdfcairo size 11cm,1.9cm
set margins 0,0,0,0
unset border
unset tics
unset colorbox
set palette gray negative
set cbrange [0:1]
set multiplot
do for [i=0:5] {
    set lmargin at screen i / 6.0 + 0.004
    set rmargin at screen (i + 1) / 6.0 - 0.004
    set xrange [-0.5:27.5]
    set yrange [27.5:-0.5]
    plot sprintf("< awk '$1 == \"%d\"' figures/results/variants.tsv", i) using 2:3:4 with image pixels
}
unset multiplot
