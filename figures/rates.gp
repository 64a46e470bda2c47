# rates.gp - by which factor gradient descent shrinks the distance per step, against the rate.
set xlabel "rate"
set ylabel "factor per step"
set xrange [0:0.112]
set yrange [0.85:1.25]
set key left top Left reverse
set arrow from 0,1 to 0.112,1 nohead ls 9
set label "2/({/:Italic µ} + {/:Italic L})" at 0.0905,0.872 right font ",7.5"
set label "2/{/:Italic L}" at 0.1,1.03 right offset -0.5,0 font ",7.5"
plot abs(1 - x) ls 3 title "|1 − {/:Italic ηµ}|, {/:Italic µ} = 1", \
     abs(1 - 20 * x) ls 2 title "|1 − {/:Italic ηL}|, {/:Italic L} = 20", \
     "figures/results/bowls-rates.tsv" using 2:3 with points ls 1 title "measured"
