# bowls.gp - the paths of all rules, each at its best rate, on the three bowls; three rules in a row of panels.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 11.6cm,14.4cm
set multiplot
set isosamples 120,120
set samples 120
set cntrparam bspline
unset colorbox
unset key
set border 15 lw 0.5
set tics scale 0.3 font ",7" offset 0,0.3
set ytics offset 0.4,0
paths = "figures/results/bowls-paths.tsv"
along(x, y) = 0.5 * (x**2 + 20 * y**2)
turned(x, y) = along(0.8660254 * x + 0.5 * y, -0.5 * x + 0.8660254 * y)
valley(x, y) = (1 - x)**2 + 100 * (y - x**2)**2
method = "sgd momentum nesterov adagrad rmsprop adadelta adam adamw lamb muon newton lbfgs"
array name[12] = ["gradient descent", "momentum", "Nesterov", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "LAMB", "Muon", "Newton", "L-BFGS"]
colour = "#1B3A5C #9C2A1E #B0761C"
array place[3] = [0.14, 0.45, 0.76]
do for [row=0:3] {
    top = 0.965 - 0.2475 * row
    bottom = top - 0.185
    set tmargin at screen top
    set bmargin at screen bottom
    do for [m=1:3] {
        set label m "● ".name[3 * row + m] at screen place[m],bottom-0.036 textcolor rgb word(colour, m) font ",8" left front
    }
    do for [b=1:3] {
        bowl = word("along turned valley", b)
        set lmargin at screen 0.045 + 0.33 * (b - 1)
        set rmargin at screen 0.325 + 0.33 * (b - 1)
        if (b < 3) { set xrange [-5.6:4]; set yrange [-2.6:2.6]; set xtics 2; set ytics 1; set cntrparam levels discrete 0.2,1,3,8,16,30,50,80 }
        if (b == 3) { set xrange [-1.7:1.5]; set yrange [-0.4:1.7]; set xtics 1; set ytics 0.5; set cntrparam levels discrete 0.05,0.5,2,5,15,50,120 }
        unset title
        set contour base
        unset surface
        set table $level
        if (b == 1) { splot along(x, y) }
        if (b == 2) { splot turned(x, y) }
        if (b == 3) { splot valley(x, y) }
        unset table
        if (row == 0) { set title bowl offset 0,-0.7 }
        unset contour
        set surface
        plot $level using 1:2 with lines lc rgb "#D5D8DC" lw 0.6, \
             for [m=1:3] paths using (strcol(2) eq bowl && strcol(3) eq word(method, 3 * row + m) ? $4 : NaN):5 \
                 with linespoints lc rgb word(colour, m) lw 0.8 pt 7 ps 0.17
        do for [m=1:3] { unset label m }
    }
}
unset multiplot
