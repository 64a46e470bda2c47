# parting.gp - the losses of an epoch's steps: of our run, of PyTorch's, and of PyTorch's with the pixels in another order;
# and how the first and the last of them differ from the second.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 11cm,9.4cm linewidth 1 dashlength 0.6
file = "figures/results/parting.tsv"
set multiplot layout 2,1 margins 0.115,0.985,0.105,0.98 spacing 0,0.085
set xrange [0:938]
set xtics 200
set yrange [0:2.4]
set ytics 0.5
set ylabel "loss"
set key top right reverse Left
plot file skip 2 using 1:3 with lines lc rgb "#D9B98A" lw 3 title "PyTorch", \
     "" skip 2 using 1:4 with lines ls 2 lw 1.4 title "PyTorch, pixels in another order", \
     "" skip 2 using 1:2 with lines ls 1 lw 0.5 title "ours"
set logscale y
set yrange [1e-8:1]
set xlabel "step"
set ylabel "relative difference"
set ytics ("10^{-8}" 1e-8, "10^{-6}" 1e-6, "10^{-4}" 1e-4, "10^{-2}" 1e-2, "1" 1)
set key at graph 0.03,0.98 top left Left reverse
apart(x, y) = abs(x - y) / y < 2e-8 ? 2e-8 : abs(x - y) / y
plot file skip 2 using 1:(apart($4, $3)) with points ls 2 ps 0.3 title "PyTorch, pixels in another order", \
     "" skip 2 using 1:(apart($2, $3)) with points ls 1 ps 0.3 title "ours"
unset multiplot
