#!/bin/bash
# tests/fuzz/fuzz.sh [RUNS [TARGET...]]: fuzz the readers with libFuzzer, RUNS times each (50,000, as in continuous
# integration; before a release 1,000,000), or the named targets alone. A target is tests/fuzz/NAME.c; the modules that
# are instrumented stand in its line "Fuzzed: ...", the others come from the library; what it starts from is in
# tests/fuzz/NAME/. Needs clang. Ends with "N passed, N failed"; what made a target fail stays in build/fuzz/.
cd "$(dirname "$0")/../.." || exit 1
make -s library || exit 1
runs=${1:-50000}
shift
out=build/fuzz
mkdir -p $out
passed=0 failed=0
for target in ${*:-$(basename -s .c tests/fuzz/*.c)}; do
    modules=$(sed -n 's/.*Fuzzed: \([a-z_ ]*\).*/\1/p' tests/fuzz/$target.c)
    mkdir -p $out/$target-corpus
    if clang -std=gnu11 -g -O1 -ffp-contract=off -pthread -Itangled -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
            -fsanitize=fuzzer,address,undefined -o $out/$target tests/fuzz/$target.c \
            $(for m in $modules; do echo tangled/$m.c; done) build/libdlfs.a -lz -lm &&
        $out/$target -runs="$runs" -max_len=4096 -rss_limit_mb=512 -malloc_limit_mb=64 -artifact_prefix=$out/$target- \
            $out/$target-corpus $(ls -d tests/fuzz/$target 2>/dev/null) >$out/$target.log 2>&1
    then echo "ok   $target: $runs runs"; passed=$((passed + 1))
    else echo "FAIL $target: see $out/$target.log"; failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
