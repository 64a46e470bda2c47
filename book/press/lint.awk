# lint.awk: reads chapters as they were written, and complains about what noweb would let pass:
# lines of code that are too long for the page, and << in the text without an @ before it.
# (Chunks are checked by roots.awk; references, citations, formulas and the rest by the filters.)

BEGIN { if (!limit) limit = 78 }

function complain(message) {
    print FILENAME ":" FNR ": " message > "/dev/stderr"
    failed = 1
}

# The line without quoted code [[ ]], which may go on in the next line.
function without_quotes(text,    out, i) {
    while (1) {
        if (in_quote) {
            if (!(i = index(text, "]]"))) return out
            while (substr(text, i + 2, 1) == "]") i++
            text = substr(text, i + 2)
            in_quote = 0
        }
        if (!(i = index(text, "[["))) return out text
        out = out substr(text, 1, i - 1)
        text = substr(text, i + 2)
        in_quote = 1
    }
}

FNR == 1            { in_code = in_quote = 0 }
/^<<.*>>=[ \t]*$/   { in_code = 1; in_quote = 0; next }
/^@[ \t]/ || /^@$/  { in_code = 0; in_quote = 0; next }
/^$/                { in_quote = 0; next }
in_code && length($0) > limit {
    complain("this line of code has " length($0) " columns; there is room for " limit)
}
!in_code {
    text = without_quotes($0)
    gsub(/@<</, "", text)
    if (text ~ /<</) complain("unescaped << in the text: write @<<")
}
END { exit failed }
