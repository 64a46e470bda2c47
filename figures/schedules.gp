# schedules.gp - the factors of the schedules over 100 steps.
set xlabel "step"
set ylabel "factor of the rate"
set xrange [0:100]
set yrange [0:1.05]
set samples 1001
set key at graph 1.0,1.0 right top Right noreverse
down(a, b, x) = b + (a - b) * 0.5 * (1 + cos(pi * x))
cycle(t) = t <= 29 ? down(0.04, 1, t / 29.0) : down(1, 0.04e-4, (t - 29) / 70.0)
plot 0.5**int(x / 25) ls 2 title "step", 0.97**x ls 4 title "exponential", \
     down(1, 0, x / 100.0) ls 1 title "cosine", \
     x < 9 ? (x + 1) / 10.0 : x < 10 ? 1 : down(1, 0, (x - 10) / 90.0) ls 3 title "warm-up, cosine", \
     cycle(x) ls 5 title "one cycle"
