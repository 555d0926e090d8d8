#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# See penstock at work: install what is needed (Debian packages), build, start a web server as the upstream and
# penstockd before it, send a request through, and look at penstock's own page through a second forward.
#
#   contrib/demo.sh          stays, until Ctrl-C
#   contrib/demo.sh --once   shows it and exits
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/contrib/packages.sh"
dir=${BUILD_DIR:-$top/build/demo}
once=
case ${1-} in
'') ;;
--once) once=yes ;;
*)
    sed -n '3,8s/^# \{0,1\}//p' "$0"
    exit 64
    ;;
esac

# shellcheck disable=SC2086
install_packages $PACKAGES_BUILD $PACKAGES_DEMO
say "building in $dir"
mkdir -p "$dir"
build "$dir" > "$dir/build.log" 2>&1 || {
    tail -n 40 "$dir/build.log"
    exit 1
}

work=$(mktemp -d)
upstream= daemon=
cleanup() {
    trap '' INT TERM
    [ -z "$daemon" ] || kill "$daemon" 2> /dev/null || :
    [ -z "$daemon" ] || wait "$daemon" 2> /dev/null || :
    [ -z "$upstream" ] || kill "$upstream" 2> /dev/null || :
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Free ports of the loopback address.
ports=$(python3 -c '
import socket
free = [socket.socket() for _ in range(4)]
for s in free: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in free))')
# shellcheck disable=SC2086
set -- $ports
listen=$1 behind=$2 http=$3 page=$4

mkdir "$work/www"
echo "Hello from the upstream." > "$work/www/index.html"
python3 -m http.server --bind 127.0.0.1 --directory "$work/www" "$behind" > "$work/upstream.log" 2>&1 &
upstream=$!

cat > "$work/penstock.conf" << CONF
daemon = { control = "$work/control.sock"; http = "127.0.0.1:$http"; };
rules = {
  web  = { listen = "127.0.0.1:$listen"; upstream = "127.0.0.1:$behind"; };
  page = { listen = "127.0.0.1:$page"; upstream = "127.0.0.1:$http"; };
};
CONF
say "the config: two forwards, the second to penstock's own page"
cat "$work/penstock.conf"
say "penstockd --config penstock.conf"
"$dir/penstockd" --config "$work/penstock.conf" 2> "$work/penstockd.log" &
daemon=$!

request() { curl --silent --show-error --fail --max-time 10 "http://127.0.0.1:$listen/"; }

# Both are up when a request goes through.
tries=0
until request > "$work/answer" 2> "$work/error"; do
    tries=$((tries + 1))
    if [ $tries -ge 100 ] || ! kill -0 "$daemon" 2> /dev/null; then
        cat "$work/error" "$work/penstockd.log" "$work/upstream.log"
        exit 1
    fi
    sleep 0.1
done
say "curl http://127.0.0.1:$listen/"
cat "$work/answer"
say "the line it left in the log"
until grep -q ' end=done ' "$work/penstockd.log"; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || exit 1
    sleep 0.1
done
grep ' end=done ' "$work/penstockd.log" | tail -n 1
say "curl http://127.0.0.1:$page/v1/status"
curl --silent --show-error --fail --max-time 10 "http://127.0.0.1:$page/v1/status"
curl --silent --show-error --fail --max-time 10 "http://127.0.0.1:$page/" > "$work/page"
grep -q '<title>penstock</title>' "$work/page"
say "its page, live, through the second forward: http://127.0.0.1:$page/"
if [ -n "$once" ]; then
    say "done"
    exit 0
fi
say "it goes on: open that in a browser, and try http://127.0.0.1:$listen/; Ctrl-C ends it. New log lines:"
tail -n 0 -f "$work/penstockd.log" --pid="$daemon"
