# calibration.gp - is a confidence the share of right answers?
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 8cm,6.4cm linewidth 1 dashlength 0.6
set xrange [0:1]
set yrange [0:1]
set xlabel "confidence"
set ylabel "share of right answers"
unset key
plot x with lines ls 9, "figures/results/softmax-calibration.tsv" skip 2 using ($2 >= 50 ? $3 : 1/0):4 with linespoints ls 1
