# variants.gp - a garment, and what augmentation makes of it.
set terminal pdfcairo size 11cm,2.1cm
set margins 0,0,0,0
unset border
unset tics
unset colorbox
set palette gray negative
set cbrange [0:1]
set xrange [-1:179]
set yrange [28.5:-1.5]
set size ratio -1
plot "figures/results/variants.tsv" skip 2 using ($2 + 30 * $1):3:4 with image pixels
