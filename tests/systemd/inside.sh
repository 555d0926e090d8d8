#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Run by systemd.test.sh inside the throw-away system, as root: /stage holds what make install made,
# /tests the tests of the source. With arguments only those tests (functions of test_*.sh) are run.
set -u
trap '' PIPE # a client that has ended is a failed test, not the end of all
unit=penstockd.service
unit_file=$(find /stage -name $unit | head -n 1)
unit_file=${unit_file#/stage}
socket_file=$(find /stage -name penstockd.socket | head -n 1)
socket_file=${socket_file#/stage}
conf=$(sed -n 's/^ExecStart=.* --config //p' "/stage$unit_file")
# shellcheck disable=SC2034
program=$(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' "/stage$unit_file")

tests=()
for file in lib service reload restart upgrade crash persist stop logging activation udp control; do
    [ $file = lib ] || file=test_$file
    # shellcheck source=/dev/null
    . "/tests/systemd/$file.sh" || exit 125
done
[ $# -eq 0 ] || tests=("$@")

cp -a /stage/. / || exit 125
mkdir -p "${conf%/*}"
case $unit_file in
/usr/lib/* | /usr/local/lib/* | /etc/*) ;;
*) ln -s "$unit_file" /usr/lib/systemd/system/ ;; # an unusual prefix
esac
ldconfig
systemctl daemon-reload
systemd-run -q --unit=echo socat TCP-LISTEN:7,bind=127.0.0.1,backlog=1000,fork,reuseaddr EXEC:cat
await eval '(exec {s}<> /dev/tcp/127.0.0.1/7)' || exit 125

for test in "${tests[@]}"; do
    run "$test"
done

count="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || count+=", $skipped skipped"
echo "$count"
[ "$failed" -eq 0 ]
