# bowls.gp - the paths of six rules, each at its best rate, on the three bowls.
set terminal pdfcairo size 11cm,5.4cm
set multiplot layout 1,3 margins 0.05,0.99,0.24,0.90 spacing 0.065,0.0
set isosamples 120,120
set samples 120
set contour base
unset surface
set cntrparam bspline
unset colorbox
unset key
set border 15 lw 0.5
set tics scale 0.3 font ",7"
set style line 6 lc rgb "#2F7FB5" lw 1.4 pt 7 ps 0.5
paths = "figures/results/bowls-paths.tsv"
along(x, y) = 0.5 * (x**2 + 20 * y**2)
turned(x, y) = along(0.8660254 * x + 0.5 * y, -0.5 * x + 0.8660254 * y)
valley(x, y) = (1 - x)**2 + 100 * (y - x**2)**2
method = "sgd momentum adagrad adam newton lbfgs"
colour = "#1B3A5C #9C2A1E #2E6B5E #B0761C #7B2D6B #2F7FB5"
array name[6] = ["gradient descent", "momentum", "Adagrad", "Adam", "Newton", "L-BFGS"]
array place[6] = [0.10, 0.34, 0.51, 0.65, 0.76, 0.89]
do for [m=1:6] {
    set label m "● ".name[m] at screen place[m],0.06 textcolor rgb word(colour, m) font ",8" left offset -3,0
}
do for [b=1:3] {
    bowl = word("along turned valley", b)
    if (b < 3) { set xrange [-5.6:4]; set yrange [-2.6:2.6]; set xtics 2; set cntrparam levels discrete 0.2,1,3,8,16,30,50,80 }
    if (b == 3) { set xrange [-1.7:1.5]; set yrange [-0.4:1.7]; set xtics 1; set cntrparam levels discrete 0.05,0.5,2,5,15,50,120 }
    set table $level
    if (b == 1) { splot along(x, y) }
    if (b == 2) { splot turned(x, y) }
    if (b == 3) { splot valley(x, y) }
    unset table
    set title bowl offset 0,-0.7
    unset contour
    set surface
    plot $level using 1:2 with lines lc rgb "#D5D8DC" lw 0.6, \
         for [m=1:6] paths using (strcol(2) eq bowl && strcol(3) eq word(method, m) ? $4 : NaN):5 \
             with linespoints lc rgb word(colour, m) lw 0.7 pt 7 ps 0.16
    unset label
    set contour base
    unset surface
}
unset multiplot
