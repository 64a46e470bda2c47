# moons.gp - the score of the network over the plane at four moments of the training.
set multiplot layout 2,2 margins 0.02,0.98,0.03,0.93 spacing 0.04,0.10
set xrange [-1.75:2.75]
set yrange [-1.25:1.75]
unset xtics
unset ytics
unset key
unset colorbox
set border 15 lw 0.5
set palette defined (-1 "#e9b9ae", 0 "#fbfaf6", 1 "#b3c6db")
set cbrange [-1.5:1.5]
moment = "0 10 40 200"
do for [k=0:3] {
    map = sprintf("figures/results/moons-map%d.tsv", k)
    set title sprintf("step %s", word(moment, k + 1)) offset 0,-0.6
    set view map
    set contour base
    set cntrparam levels discrete 0
    set cntrparam cubicspline points 8
    unset surface
    set table $border
    splot map skip 2 using 1:2:3
    unset table
    unset contour
    set surface
    set style line 7 lc rgb "#1c1b19" lw 1.4
    points = "figures/results/moons-points.tsv"
    if (|$border| > 5) {
        plot map skip 2 using 1:2:3 with image, $border using 1:2 with lines ls 7, \
             points using 1:($3 > 0 ? $2 : 1/0) with points pt 7 ps 0.22 lc rgb "#1B3A5C", \
             "" using 1:($3 < 0 ? $2 : 1/0) with points pt 6 ps 0.25 lc rgb "#9C2A1E"
    } else {
        plot map skip 2 using 1:2:3 with image, \
             points using 1:($3 > 0 ? $2 : 1/0) with points pt 7 ps 0.22 lc rgb "#1B3A5C", \
             "" using 1:($3 < 0 ? $2 : 1/0) with points pt 6 ps 0.25 lc rgb "#9C2A1E"
    }
}
unset multiplot
