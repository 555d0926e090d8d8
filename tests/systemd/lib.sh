# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What every test in the throw-away system stands on. inside.sh has set $unit, $unit_file, $socket_file, $conf.

passed=0 failed=0 skipped=0
load_pid='' churn_pid=''

# --- waiting and comparing ------------------------------------------------------------------

# await COMMAND...: until it succeeds, for 20 seconds at most.
await() {
    local end=$((SECONDS + 20))
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || {
            echo "  not within 20 s: $*"
            return 1
        }
        sleep 0.05
    done
}

# expect WHAT GOT WANTED: WANTED is a pattern of the shell.
expect() {
    # shellcheck disable=SC2053
    [[ $2 == $3 ]] && return 0
    echo "  $1 is '$2', not '$3'"
    return 1
}

# --- the unit -------------------------------------------------------------------------------

show() { systemctl show -P "$1" "${2:-$unit}"; }
# shellcheck disable=SC2053
is() { [[ $(show "$1") == $2 ]]; }
main_pid() { show MainPID; }
status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(main_pid)/status"; }
# Pipes come and go with the bytes, sockets do not.
open_sockets() { find "/proc/$(main_pid)/fd" -mindepth 1 -lname 'socket:*' | wc -l; }

# Of the unit, since the last mark_journal, which start_clean does. (--after-cursor would skip the first
# line that matches.)
since=@0
journal() { journalctl --no-pager -q -u "$unit" --since="$since" "$@"; }
has_line() { [ -n "$(journal -o cat "$@")" ]; }
mark_journal() { since=@$(date +%s.%6N); }

write_conf() { cat > "$conf"; }

# A new start with nothing of what went before.
start_clean() {
    systemctl stop "$unit"
    systemctl reset-failed "$unit" 2> /dev/null
    mark_journal
    systemctl start "$unit"
}

# drop_in NAME: more of the unit, from standard input, until undo_drop_ins.
drop_in() {
    mkdir -p "/run/systemd/system/$unit.d"
    cat > "/run/systemd/system/$unit.d/$1.conf"
    systemctl daemon-reload
}
undo_drop_ins() {
    rm -rf "/run/systemd/system/$unit.d"
    systemctl daemon-reload
}

# What is in the store besides: the config, and the control socket.
stored_always() { "$program" --version | grep -q '^control: yes' && echo 2 || echo 1; }

# Restart as an administrator does; it must be another process then.
restart_once() {
    local pid
    pid=$(main_pid)
    systemctl restart "$unit" || return 1
    expect ActiveState "$(show ActiveState)" active || return 1
    [ "$(main_pid)" != "$pid" ] && return 0
    echo "  the process is still $pid"
    return 1
}

# What becomes of the listener is told by its inode.
listener_inode() { ss -Hltne "sport = :$1" 2> /dev/null | grep -o 'ino:[0-9]*'; }

# --- sessions -------------------------------------------------------------------------------

# echo_through PORT TEXT: one short session; prints what came back.
echo_through() {
    local s line=''
    { exec {s}<> "/dev/tcp/127.0.0.1/$1"; } 2> /dev/null || return 1
    printf '%s\n' "$2" >&"$s"
    read -rt 10 -u "$s" line
    exec {s}>&-
    printf '%s\n' "$line"
}
works() { [ "$(echo_through "$1" hello)" = hello ]; }
refused() { ! (exec {s}<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
unix_works() { [ "$(echo hello | socat -t 20 - UNIX-CONNECT:"$1")" = hello ]; }

# echo_over FD TEXT: over a session that is there.
echo_over() {
    local line=''
    printf '%s\n' "$2" >&"$1" && read -rt 20 -u "$1" line
    expect "the echo" "$line" "$2"
}

# shellcheck disable=SC2034
web_rule='web = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7"; };'

# Many sessions that stay (sessions.py), through port 81.
# shellcheck disable=SC2034
load_rule='load = { listen = "127.0.0.1:81"; upstream = "127.0.0.1:7000"; max_connections = 1000; };'

load_answer() {
    local line=''
    read -rt 100 -u "$load_out" line
    expect "what the sessions say" "$line" 'ok*'
}

# Sessions that are to be full are so before long: of BYTES a side at most.
set_buffers() {
    echo "4096 131072 $1" > /proc/sys/net/ipv4/tcp_rmem
    echo "4096 16384 $1" > /proc/sys/net/ipv4/tcp_wmem
}

load_begin() {
    set_buffers 262144
    coproc LOAD { exec python3 /tests/systemd/sessions.py 81 7000 "$1"; }
    # shellcheck disable=SC2153
    load_pid=$LOAD_PID
    # Of our own, for LOAD is gone when the program is.
    exec {load_out}<&"${LOAD[0]}" {load_in}>&"${LOAD[1]}"
    load_answer
}
load_do() {
    echo "$1" >&"$load_in"
    load_answer
}
load_end() {
    load_do "$1"
    local status=$?
    exec {load_out}<&- {load_in}>&-
    {
        kill "$load_pid"
        wait "$load_pid"
    } 2> /dev/null
    load_pid=
    return $status
}

# Sessions that come and go (churn.py), through port 84.
# shellcheck disable=SC2034
churn_rule='churn = { listen = "127.0.0.1:84"; upstream = "127.0.0.1:7003"; max_connections = 1000; };'
churn_begin() {
    rm -f /tmp/churn /tmp/churn.out
    mkfifo /tmp/churn
    python3 /tests/systemd/churn.py 84 7003 "$1" < /tmp/churn > /tmp/churn.out 2>&1 &
    churn_pid=$!
    exec {churn_stdin}> /tmp/churn
}
churn_end() {
    exec {churn_stdin}>&-
    wait "$churn_pid"
    churn_pid=
    expect "what the sessions say" "$(tail -n 5 /tmp/churn.out)" '{"sessions": [1-9]* "faults": []}'
}

# A name server that knows a.test, dns.service.
dns_begin() {
    command -v dnsmasq > /dev/null || return 77
    [ "$(show ActiveState dns.service)" != active ] || return 0
    systemd-run -q --unit=dns dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= \
        --no-resolv --no-hosts --listen-address=127.0.0.1 --bind-interfaces \
        --host-record=a.test,127.0.0.1
    rm -f /etc/resolv.conf
    echo "nameserver 127.0.0.1" > /etc/resolv.conf
}

# --- all of it ------------------------------------------------------------------------------

run() {
    local pid
    set_buffers 4194304
    "$1"
    case $? in
    0) passed=$((passed + 1)) && echo "ok $1" ;;
    77) skipped=$((skipped + 1)) && echo "skipped $1" ;;
    *)
        failed=$((failed + 1)) && echo "FAILED $1"
        journalctl --no-pager -q -u "$unit" -o short-precise -n 25 | sed 's/^/    /'
        ;;
    esac
    # What a test that has failed has left.
    [ ! -d "/run/systemd/system/$unit.d" ] || undo_drop_ins
    for pid in $load_pid $churn_pid; do
        kill -KILL "$pid"
        wait "$pid"
    done 2> /dev/null
    load_pid='' churn_pid=''
}
