# stub.awk: tests/exercises/LABEL.c -> the functions that it declares `extern`, with empty bodies.
# An exercise's test must fail when it is linked with them.

BEGIN { print "#pragma GCC diagnostic ignored \"-Wmissing-field-initializers\"" }
/^#include/ && !/criterion/ { print }
/^extern .*\);/ {
    head = $0; sub(/^extern +/, "", head); sub(/\);.*$/, ")", head)
    type = head; sub(/[A-Za-z0-9_]+ *\(.*$/, "", type); gsub(/^ +| +$/, "", type)
    if (type == "void") print head " { }"
    else                print head " { return (" type "){0}; }"
}
