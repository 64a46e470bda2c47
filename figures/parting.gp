# parting.gp - how the losses of two runs part from PyTorch's, step by step.
set logscale y
set xrange [0:938]
set yrange [1e-8:100]
set xlabel "step"
set ylabel "relative difference of the loss"
set xtics 200
set ytics ("10^{-8}" 1e-8, "10^{-6}" 1e-6, "10^{-4}" 1e-4, "10^{-2}" 1e-2, "1" 1)
set key at graph 0.03,0.98 top left Left reverse
least(x) = x < 2e-8 ? 2e-8 : x
plot "figures/results/parting.tsv" using 1:(least($3)) with points ls 2 ps 0.3 title "PyTorch, pixels in another order", \
     "" using 1:(least($2)) with points ls 1 ps 0.3 title "ours"
