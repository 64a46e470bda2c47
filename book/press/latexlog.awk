# latexlog.awk: reads LaTeX's log; complains about warnings and about boxes that are more than
# 1 pt too full, with the text in question, and fails if there are any.

function complain(message) { print "LaTeX: " message > "/dev/stderr"; failed = 1 }

# The line behind "Overfull \hbox" shows the beginning of the box: enough to find it.
pending != "" { complain(pending ": " substr($0, 1, 160)); pending = "" }

/^Overfull \\[hv]box \([0-9.]+pt too/ {
    split($0, part, /[(p]/)
    if (part[2] + 0 > 1) pending = $0
}
/^(LaTeX|Package|Class|pdfTeX|LuaTeX)[^:]* [Ww]arning/ { if (!benign($0)) complain($0) }
/^Missing character/ || /^warning +\(pdf backend\)/ { complain($0) }
/^Margins: / { complain($0) }

# Told on every run that a further one is needed; "pdf" sees to that by itself.
function benign(text) {
    return text ~ /Rerun|rerun|Label\(s\) may have changed/
}
END { exit failed }
