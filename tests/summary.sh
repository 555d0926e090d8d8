#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Sum up what `make check` has left in the build directory $1: Check's lines, "N passed, N failed" lines, and
# scripts that have neither, one each. The last line printed is the sum.
set -u
cd "${1:-.}" || exit 99
find . -name '*.trs' | sort | while read -r trs; do
    log=${trs%.trs}.log
    result=$(sed -n 's/^:test-result: //p' "$trs" | head -n 1)
    awk -v result="$result" -v name="${trs%.trs}" '
        /^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/ {
            gsub(/,/, ""); n++; f += $5 + $7; p += $3 - $5 - $7
        }
        /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { n++; p += $1; f += $3; s += $5 }
        END {
            bad = result != "PASS" && result != "SKIP"
            if (n == 0) { p = result == "PASS"; s = result == "SKIP"; f = bad }
            else if (bad && f == 0) f = 1    # it died after its count
            print p + 0, f + 0, s + 0, name
        }' "$log"
done | awk '
    { p += $1; f += $2; s += $3; if ($2 > 0) print "failed: " $4 }
    END {
        if (NR == 0) { print "no test was run"; f = 1 }
        printf "%d passed, %d failed%s\n", p, f, (s > 0 ? ", " s " skipped" : "")
        exit (f > 0)
    }'
