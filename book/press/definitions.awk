# definitions.awk: a noweb filter that tells noweb where identifiers are defined.
#
#   markup ... | gawk -v defs=build/weave/defs.txt -f definitions.awk | finduses | noidx | ...
#
# The file defs.txt (made by the script "definitions", from ctags) has one line for each global
# definition: chapter file, line, identifier, kind.  Behind the chunk's line where one is
# defined we insert "@index defn IDENTIFIER"; noweb's finduses and noidx do the rest.

BEGIN {
    while ((getline < defs) > 0)
        if (!seen[$1, $2, $3]++)
            at[$1, $2] = at[$1, $2] "@index defn " $3 "\n"
}

/^@file /       { file = substr($0, 7); line = 1 }
/^@begin code / { in_code = 1 }
/^@end code /   { in_code = 0 }
/^@nl$/         { if (in_code && (file, line) in at) printf "%s", at[file, line] }
/^@nl$/ || /^@index nl$/ { line++ }
                { print }
