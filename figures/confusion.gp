# confusion.gp - what was taken for what.
set terminal pdfcairo font "TeX Gyre Pagella,8.5" fontscale 0.75 size 9.5cm,8cm linewidth 1 dashlength 0.6
set xrange [-0.5:9.5]
set yrange [9.5:-0.5]
unset key
unset colorbox
set border 15 lw 0.5
set palette defined (0 "#fbfaf6", 200 "#90a8c8", 1000 "#1B3A5C")
set cbrange [0:1000]
set for [c=0:9] xtics add (word("T-shirt trousers pullover dress coat sandal shirt sneaker bag boot", c + 1) c) rotate by 45 right
set for [c=0:9] ytics add (word("T-shirt trousers pullover dress coat sandal shirt sneaker bag boot", c + 1) c)
plot "figures/results/softmax-confusion.tsv" skip 2 using 3:2:4 with image pixels, \
     "" skip 2 using 3:2:($4 > 0 ? sprintf("%d", $4) : ""):($4 > 400 ? 0xffffff : 0x222222) with labels textcolor rgb variable font ",7"
