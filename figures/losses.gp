# losses.gp - losses of a difference, and of a score whose truth is yes.
set multiplot layout 1,2 margins 0.07,0.98,0.14,0.97 spacing 0.12,0.1
set xrange [-3:3]
set yrange [0:4]
set ytics 1
set xlabel "{/:Italic d}"
set key top center
plot x**2 with lines ls 1 title "squared", \
     abs(x) with lines ls 2 title "absolute", \
     abs(x) <= 1 ? x**2 / 2 : abs(x) - 0.5 with lines ls 3 title "Huber, δ = 1"
set xlabel "{/:Italic z}"
set key top right
set samples 400
plot log(1 + exp(-x)) with lines ls 1 title "logistic", \
     x < 1 ? 1 - x : 0 with lines ls 2 title "hinge", \
     x < 0 ? 1 : 0 with lines ls 9 title "mistakes"
unset multiplot
