#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The installed service under a real systemd, in a throw-away overlay of this machine.
#
#   systemd.test.sh [BUILDDIR]      BUILDDIR: where make was run (default: $top_builddir, or here)
#
# Prints "ok NAME" or "FAILED NAME" a test and ends with "N passed, N failed". Exit status: 0 all
# passed, 1 some failed, 77 not possible here (it says why).
set -u
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "${1:-${top_builddir:-.}}")

skip() {
    echo "systemd tests skipped: $*"
    exit 77
}

why=$("$here/run-under-systemd.sh" --check 2>&1) || skip "$why"
for tool in socat journalctl systemd-analyze findmnt; do
    command -v "$tool" > /dev/null || skip "$tool is missing"
done
[ -x "$build/penstockd" ] || skip "there is no $build/penstockd"
"$build/penstockd" --version | grep -q '^systemd: yes' || skip "built without systemd"
if grep -q __asan_init "$build/penstockd"; then
    skip "a sanitizer's run-time needs what the unit's hardening forbids"
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/root" "$stage/log"
if ! make -s -C "$build" install DESTDIR="$stage/root" > "$stage/log/install" 2>&1; then
    cat "$stage/log/install"
    echo "0 passed, 1 failed"
    exit 1
fi

# A prefix of another kind (as distcheck's) is none where systemd looks for units, or that a hardened one sees.
case $(cd "$stage/root" && find . -name penstockd -path '*/sbin/*') in
./usr/sbin/penstockd | ./usr/local/sbin/penstockd) ;;
*) skip "the build's prefix is neither /usr nor /usr/local" ;;
esac

"$here/run-under-systemd.sh" --bind "$stage/root:/stage:ro" --bind "$here/..:/tests:ro" \
    --journal "$stage/log/journal" --timeout 580 --chdir / -- /bin/bash /tests/systemd/inside.sh "${@:2}" |
    tee "$stage/log/output"
status=${PIPESTATUS[0]}
if [ "$status" -ne 0 ]; then
    echo "--- the last of the journal"
    tail -n 60 "$stage/log/journal"
    # The last line is the count, also when the tests did not come to their end.
    tail -n 1 "$stage/log/output" | grep -E '^[0-9]+ passed, ' || echo "0 passed, 1 failed"
fi
exit "$status"
