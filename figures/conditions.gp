# conditions.gp - steps until the value is a millionth of the first, against the condition number.
set logscale xy
set xlabel "condition number {/:Italic κ}"
set ylabel "steps"
set xrange [1.8:600]
set yrange [3:3000]
set key left top Left reverse
table = "figures/results/bowls-conditions.tsv"
plot 3.45 * x ls 9 title "{/:Italic κ} ln 1000 / 2", 3.45 * sqrt(x) ls 9 dt (4,3) title "√{/:Italic κ} ln 1000 / 2", \
     table using 1:2 with linespoints ls 2 title "gradient descent", \
     table using 1:4 with linespoints ls 3 title "Nesterov", \
     table using 1:3 with linespoints ls 1 title "momentum"
