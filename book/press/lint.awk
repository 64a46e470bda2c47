# lint.awk: reads chapters as they were written, and complains about lines of code that are too
# long for the page.  (Chunks are checked by roots.awk; an unescaped << by noweb; references,
# citations, formulas and the rest by the filters.)

BEGIN { if (!limit) limit = 78 }

function complain(message) {
    print FILENAME ":" FNR ": " message > "/dev/stderr"
    failed = 1
}

FNR == 1            { in_code = 0 }
/^<<.*>>=[ \t]*$/   { in_code = 1; next }
/^@[ \t]/ || /^@$/  { in_code = 0; next }
in_code && length($0) > limit {
    complain("this line of code has " length($0) " columns; there is room for " limit)
}
END { exit failed }
