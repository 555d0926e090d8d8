#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Install what is needed (Debian packages), build, and run every test. The last line is the sum:
# "N passed, N failed" and perhaps ", N skipped"; the exit status is 0 when none failed.
#
#   contrib/test.sh [configure arguments]
#
# Builds in build/test, or in $BUILD_DIR.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/contrib/packages.sh"
dir=${BUILD_DIR:-$top/build/test}

# shellcheck disable=SC2086
install_packages $PACKAGES_BUILD $PACKAGES_TEST
say "building in $dir"
build "$dir" --enable-werror "$@"
say "testing"
find "$dir/tests" -name '*.trs' -delete 2> /dev/null || :
make -C "$dir" check || :
for log in "$dir"/tests/*/*.log; do
    case $(sed -n 's/^:test-result: //p' "${log%.log}.trs" 2> /dev/null) in
    PASS) ;;
    *)
        say "${log#"$dir"/}"
        tail -n "${TEST_LOG_LINES:-400}" "$log"
        ;;
    esac
done
say "sum"
sh "$top/tests/summary.sh" "$dir"
