# style.gp: read by gnuplot before every plot figures/NAME.gp: the book's font, colours and size.
# (fontscale 0.75 makes a point of the font a point of the page.) Line styles 1 to 5 are for data; 9 is a dotted mark, 11 is for boxes of a histogram.

set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 11cm,6.4cm linewidth 1 dashlength 0.6
set encoding utf8
set minussign
set style line 1 lc rgb "#1B3A5C" lw 1.4 pt 7 ps 0.5
set style line 2 lc rgb "#9C2A1E" lw 1.4 pt 6 ps 0.55
set style line 3 lc rgb "#2E6B5E" lw 1.4 pt 5 ps 0.5
set style line 4 lc rgb "#B0761C" lw 1.4 pt 9 ps 0.6
set style line 5 lc rgb "#7B2D6B" lw 1.4 pt 13 ps 0.6
set style line 9 lc rgb "#6B6B6B" lw 1.2 dt (1.5,3)
set style line 11 lc rgb "#C3CCD8"
set style fill solid 1.0 noborder
set border 3 lc rgb "#666666" lw 0.8
set tics nomirror out scale 0.6 textcolor rgb "#222222"
set key noautotitle samplen 2 spacing 1.15
