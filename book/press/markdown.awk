# markdown.awk: a back end for noweb that writes Pandoc Markdown.
#
#   /usr/lib/noweb/markup book/*.nw | ... | gawk -f markdown.awk > build/weave/book.md
#
# noweb's pipeline is a list of lines such as "@text ...", "@nl", "@begin code 3" (see the
# Noweb Hacker's Guide).  Documentation passes through as it stands; [[code]] in it becomes
# `code`{.nw}.  A code chunk becomes one fenced block of class nwchunk that holds the chunk's
# own pipeline lines: chunks.lua will take them apart, where all of Pandoc is at hand.
#
# So that later stages can say where a mistake stands, each chapter opens with an empty div
# that names its file, and the spans and divs which may be wrong get an attribute
# at="book/02-scalars.nw:123".

function complain(message) {
    print file ":" line ": " message > "/dev/stderr"
    failed = 1
}

# The text as a Markdown code span; its fence must not occur in the text.
function code_span(text,    fence, pad) {
    fence = "`"
    while (index(text, fence)) fence = fence "`"
    pad = (text ~ /^`|`$/) ? " " : ""
    return fence pad text pad fence "{.nw}"
}

# Keep track of fenced blocks, in which [[ ]] is left alone.
function watch_fence(text,    mark, rest) {
    if (!match(text, /^ {0,3}(```+|~~~+)/)) return
    mark = substr(text, RSTART, RLENGTH)
    rest = substr(text, RSTART + RLENGTH)
    gsub(/ /, "", mark)
    if (fence == "") { fence = mark; fence_line = line }
    else if (rest ~ /^[`~]* *$/ && index(mark, fence) == 1) fence = ""
}

function with_position(text) {
    gsub(/\{\.(results?|excerpt|exercise|solution)\>/, "& at=\"" file ":" line "\"", text)
    return text
}

function put_text(text) {
    was_open = (fence != "")
    if (at_line_start) watch_fence(text)
    at_line_start = 0
    printf "%s", was_open ? text : with_position(text)
}

function begin_chapter(name) {
    file = name
    line = 1
    printf "\n\n::: {.nwfile name=\"%s\"}\n:::\n\n", file
}

function end_docs() {
    if (fence == "") return
    complain("the fenced block of line " fence_line " is still open where the text ends " \
             "(a lone @ in it is written @@)")
    fence = ""
}

function end_quote() {
    if (fence != "") printf "[[%s]]", quoted
    else printf "%s", code_span(quoted)
    in_quote = 0
}

function end_code() {
    printf "\n\n``````` {.nwchunk file=\"%s\" line=%d}\n%s```````\n\n", file, first, block
    in_code = 0
}

/^@fatal /              { complain(substr($0, 8)); next }
/^@file /               { begin_chapter(substr($0, 7)); next }
/^@begin code /         { in_code = 1; first = line; block = ""; next }
/^@end code /           { end_code(); next }
/^@nl$/ || /^@index nl$/ { line++ }
in_code                 { block = block $0 "\n"; next }

/^@begin docs /         { at_line_start = 1; next }
/^@end docs /           { end_docs(); next }
/^@quote$/              { in_quote = 1; quoted = ""; next }
/^@endquote$/           { end_quote(); next }
in_quote && /^@text /   { quoted = quoted substr($0, 7); next }
in_quote && /^@use /    { quoted = quoted "<<" substr($0, 6) ">>"; next }
in_quote && /^@nl$/     { quoted = quoted " "; next }
/^@nl$/                 { print ""; at_line_start = 1; next }
/^@text /               { put_text(substr($0, 7)); next }
END                     { exit failed }
