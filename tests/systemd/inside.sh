#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Run by systemd.test.sh inside the throw-away system, as root: /stage holds what make install made.
set -u
passed=0 failed=0 skipped=0
unit=penstockd.service
unit_file=$(find /stage -name $unit | head -n 1)
unit_file=${unit_file#/stage}
socket_file=$(find /stage -name penstockd.socket | head -n 1)
socket_file=${socket_file#/stage}
conf=$(sed -n 's/^ExecStart=.* --config //p' "/stage$unit_file")

# --- helpers --------------------------------------------------------------------------------

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

show() { systemctl show -P "$1" "${2:-$unit}"; }
# shellcheck disable=SC2053
is() { [[ $(show "$1") == $2 ]]; }
main_pid() { show MainPID; }
status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(main_pid)/status"; }
journal() { journalctl --no-pager -q -u $unit "$@"; }
has_line() { [ -n "$(journal -o cat "$@")" ]; }

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

write_conf() { cat > "$conf"; }

# A new start, whatever went before.
restart() {
    systemctl reset-failed $unit 2> /dev/null
    systemctl restart $unit
}

run() {
    "$1"
    case $? in
    0) passed=$((passed + 1)) && echo "ok $1" ;;
    77) skipped=$((skipped + 1)) && echo "skipped $1" ;;
    *) failed=$((failed + 1)) && echo "FAILED $1" ;;
    esac
}

# --- tests ----------------------------------------------------------------------------------

unit_file_is_clean_and_hardened() {
    local out
    # systemd-analyze exits with 0 also after "Unknown key name": what it prints counts.
    out=$(systemd-analyze verify --man=no $unit "$socket_file" 2>&1)
    expect "systemd-analyze verify" "$out" '' || return 1
    systemd-analyze security --offline=true --threshold=15 --no-pager \
        "$unit_file" > /tmp/security || {
        tail -n 1 /tmp/security
        return 1
    }
}

start_ends_when_it_listens() {
    write_conf << 'CONF'
daemon = { drain_timeout = "60s"; };
rules =
{
    web = { listen = [ "127.0.0.1:80", "unix:/run/penstock/web.sock" ]; upstream = "127.0.0.1:7"; };
};
CONF
    systemctl start $unit || return 1
    # No waiting here: Type=notify means that it is there when start returns.
    works 80 || return 1
    expect ActiveState "$(show ActiveState)" active &&
        expect SubState "$(show SubState)" running
}

status_counts_live_sessions() {
    local a b
    await is StatusText '0 sessions, *' || return 1
    exec {a}<> /dev/tcp/127.0.0.1/80 {b}<> /dev/tcp/127.0.0.1/80
    await is StatusText '2 sessions, *' || return 1
    exec {a}>&-
    await is StatusText '1 sessions, *' || return 1
    exec {b}>&-
    await is StatusText '0 sessions, *'
}

unix_listener_in_runtime_directory() {
    expect mode "$(stat -c %A:%U /run/penstock/web.sock)" 'srw-rw-rw-:penstockd' || return 1
    expect echo "$(printf 'over unix\n' | socat -t 10 - UNIX-CONNECT:/run/penstock/web.sock)" \
        'over unix'
}

session_has_native_journal_fields() {
    local line
    works 80 || return 1
    await has_line RULE=web END=done IN=6 OUT=6 || return 1
    line=$(journal -o json -n 1 RULE=web END=done IN=6)
    expect "the entry" "$line" '*"CLIENT":"127.0.0.1:*' &&
        expect "the entry" "$line" '*"UPSTREAM":"127.0.0.1:7"*' &&
        expect "the entry" "$line" '*"PRIORITY":"6"*' &&
        expect "the entry" "$line" '*"SYSLOG_IDENTIFIER":"penstockd"*' &&
        expect "the entry" "$line" '*"_TRANSPORT":"journal"*' &&
        expect "the entry" "$line" '*"MESSAGE":"rule=web id=* client=127.0.0.1:* end=done in=6 out=6 *'
}

runs_without_privileges() {
    local pid
    pid=$(main_pid)
    [ "$(stat -c %u "/proc/$pid")" -ge 61184 ] || {
        echo "  its user is $(stat -c %u "/proc/$pid"), not one of systemd's dynamic users"
        return 1
    }
    expect Uid "$(status_of Uid)" '[1-9]*' &&
        expect CapEff "$(status_of CapEff)" 0000000000000400 &&
        expect CapPrm "$(status_of CapPrm)" 0000000000000400 &&
        expect CapBnd "$(status_of CapBnd)" 0000000000000400 &&
        expect NoNewPrivs "$(status_of NoNewPrivs)" 1 &&
        expect Seccomp "$(status_of Seccomp)" 2 &&
        expect "the root file system" "$(findmnt -N "$pid" -no OPTIONS /)" 'ro,*' &&
        expect "its port 80" "$(ss -Hltn 'sport = :80')" '*127.0.0.1:80*'
}

descriptor_limit_is_raised() {
    local soft hard
    read -r soft hard < <(awk '/^Max open files/ { print $4, $5 }' "/proc/$(main_pid)/limits")
    [ "$soft" = "$hard" ] && [ "$soft" -ge 20000 ] && return 0
    echo "  soft $soft, hard $hard"
    return 1
}

socket_group_may_be_a_supplementary_group() {
    mkdir -p /run/systemd/system/$unit.d
    printf '[Service]\nSupplementaryGroups=www-data\n' > /run/systemd/system/$unit.d/group.conf
    systemctl daemon-reload
    write_conf << 'CONF'
rules =
{
    web = { listen = "unix:/run/penstock/group.sock"; upstream = "127.0.0.1:7";
            socket_mode = "0660"; socket_group = "www-data"; };
};
CONF
    restart || return 1
    expect "mode and group" "$(stat -c %A:%G /run/penstock/group.sock)" srw-rw----:www-data ||
        return 1
    rm -r /run/systemd/system/$unit.d
    systemctl daemon-reload
}

bulk_is_spliced() {
    write_conf << 'CONF'
defaults = { relay = "splice"; };
rules = { bulk = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7"; }; };
CONF
    restart || return 1
    head -c 20M /dev/urandom > /tmp/bulk
    socat -t 20 - TCP:127.0.0.1:80 < /tmp/bulk > /tmp/back
    cmp /tmp/bulk /tmp/back || return 1
    await has_line RULE=bulk END=done IN=20971520 OUT=20971520
}

names_resolve() {
    command -v dnsmasq > /dev/null || return 77
    systemd-run -q --unit=dns dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= \
        --no-resolv --no-hosts --listen-address=127.0.0.1 --bind-interfaces \
        --host-record=a.test,127.0.0.1
    rm -f /etc/resolv.conf
    echo "nameserver 127.0.0.1" > /etc/resolv.conf
    write_conf <<< 'rules = { name = { listen = "127.0.0.1:80"; upstream = "a.test:7"; }; };'
    restart || return 1
    await works 80 && await has_line RULE=name END=done UPSTREAM=127.0.0.1:7
}

stop_lets_sessions_end() {
    local s line=''
    exec {s}<> /dev/tcp/127.0.0.1/80
    echo before >&"$s" && read -rt 10 -u "$s" line
    expect "the echo" "$line" before || return 1
    systemctl stop --no-block $unit
    await is SubState stop-sigterm && await refused 80 || return 1
    await is StatusText '1 sessions, *' || return 1
    echo after >&"$s" && read -rt 10 -u "$s" line
    expect "the echo" "$line" after || return 1
    expect SubState "$(show SubState)" stop-sigterm || return 1
    exec {s}>&-
    await is ActiveState inactive &&
        expect Result "$(show Result)" success &&
        expect ExecMainStatus "$(show ExecMainStatus)" 0 &&
        [ ! -e /run/penstock/web.sock ]
}

bad_config_is_told_and_not_tried_again() {
    local restarts
    systemctl stop $unit
    write_conf <<< 'rules = { web = { listen = "127.0.0.1:80"; upstraem = "127.0.0.1:7"; }; };'
    ! systemctl start $unit 2> /dev/null || return 1
    await is ActiveState failed &&
        expect ExecMainStatus "$(show ExecMainStatus)" 78 || return 1
    restarts=$(show NRestarts)
    expect NRestarts "$restarts" 0 &&
        await eval "journal -o cat -n 20 | grep -q '^$conf:1: .*upstraem'"
}

killed_service_is_started_again() {
    local pid
    write_conf <<< 'rules = { web = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7"; }; };'
    restart || return 1
    pid=$(main_pid)
    kill -KILL "$pid"
    # The process first: the state asked for before it may still be the old one's.
    await eval "[[ \$(main_pid) != @(0|$pid) ]] && is ActiveState active" && works 80
}

hung_service_is_replaced_by_the_watchdog() {
    local pid last i
    mkdir -p /run/systemd/system/$unit.d
    printf '[Service]\nWatchdogSec=4s\n' > /run/systemd/system/$unit.d/watchdog.conf
    systemctl daemon-reload
    restart || return 1
    pid=$(main_pid)
    # While its loop turns, it says so twice a period: longer than one, it lives.
    for i in 1 2 3; do
        last=$(show WatchdogTimestampMonotonic)
        await eval "[ \$(show WatchdogTimestampMonotonic) != $last ]" || return 1
    done
    expect MainPID "$(main_pid)" "$pid" || return 1
    kill -STOP "$pid"
    # The process first: the state asked for before it may still be the old one's.
    await eval "[[ \$(main_pid) != @(0|$pid) ]] && is ActiveState active" && works 80 || return 1
    expect NRestarts "$(show NRestarts)" 1 &&
        [ -n "$(journal -g 'Watchdog timeout')" ] || return 1
    rm -r /run/systemd/system/$unit.d
    systemctl daemon-reload
}

stopped_journal_stops_nobody() {
    local journald i
    restart || return 1
    journald=$(systemctl show -P MainPID systemd-journald.service)
    kill -STOP "$journald"
    for ((i = 0; i < 1500; i++)); do
        works 80 || break
    done
    kill -CONT "$journald"
    expect "sessions served meanwhile" "$i" 1500 || return 1
    # The next line says how many did not get through, once journald has caught up.
    await eval 'works 80; journal -o json | grep -q "\"LOST\":"'
}

stderr_lines_carry_their_level() {
    write_conf << 'CONF'
daemon = { log_target = "stderr"; };
rules = { err = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7"; }; };
CONF
    restart && works 80 || return 1
    await eval "journal -o json _TRANSPORT=stdout PRIORITY=6 | grep -q '\"MESSAGE\":\"rule=err id=1 '"
}

syslog_lines_arrive() {
    sed -i 's/"stderr"/"syslog"/' "$conf"
    restart && works 80 || return 1
    await eval "journal -o json _TRANSPORT=syslog PRIORITY=6 SYSLOG_IDENTIFIER=penstockd \
        SYSLOG_FACILITY=3 | grep -q '\"MESSAGE\":\"rule=err id=1 '"
}

sockets_are_passed_by_name() {
    local name port
    systemctl stop $unit
    write_conf << 'CONF'
rules =
{
    first  = { listen = "systemd:first"; upstream = "127.0.0.1:7"; };
    second = { listen = "systemd:second"; upstream = "127.0.0.1:7"; };
};
CONF
    port=8001
    for name in first second; do
        sed -e "s/^ListenStream=.*/ListenStream=127.0.0.1:$port/" \
            -e "s/^FileDescriptorName=.*/FileDescriptorName=$name\nService=$unit/" \
            "$socket_file" > /run/systemd/system/penstock-$name.socket
        port=$((port + 1))
    done
    systemctl daemon-reload
    systemctl start penstock-first.socket penstock-second.socket || return 1
    expect ActiveState "$(show ActiveState)" inactive || return 1
    # The first client starts it, and is served.
    works 8001 && works 8002 || return 1
    expect ActiveState "$(show ActiveState)" active || return 1
    await has_line RULE=first END=done && await has_line RULE=second END=done || return 1
    # The sockets are systemd's: while nobody serves them, clients wait in the backlog.
    systemctl restart $unit && works 8001 && works 8002 || return 1
    systemctl stop penstock-first.socket penstock-second.socket $unit
}

enabled_service_comes_with_the_boot_target() {
    write_conf <<< 'rules = { web = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7"; }; };'
    systemctl enable -q $unit || return 1
    expect "is-enabled" "$(systemctl is-enabled $unit)" enabled || return 1
    expect ActiveState "$(show ActiveState)" inactive || return 1
    systemctl start --no-block multi-user.target
    await is ActiveState active && works 80
}

# --- all of it ------------------------------------------------------------------------------

cp -a /stage/. / || exit 125
mkdir -p "${conf%/*}"
case $unit_file in
/usr/lib/* | /usr/local/lib/* | /etc/*) ;;
*) ln -s "$unit_file" /usr/lib/systemd/system/ ;; # an unusual prefix
esac
ldconfig
systemctl daemon-reload
systemd-run -q --unit=echo socat TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat
await eval '(exec {s}<> /dev/tcp/127.0.0.1/7)' || exit 125

run unit_file_is_clean_and_hardened
run start_ends_when_it_listens
run status_counts_live_sessions
run unix_listener_in_runtime_directory
run session_has_native_journal_fields
run runs_without_privileges
run descriptor_limit_is_raised
run stop_lets_sessions_end
run socket_group_may_be_a_supplementary_group
run bulk_is_spliced
run names_resolve
run bad_config_is_told_and_not_tried_again
run killed_service_is_started_again
run hung_service_is_replaced_by_the_watchdog
run stopped_journal_stops_nobody
run stderr_lines_carry_their_level
run syslog_lines_arrive
run sockets_are_passed_by_name
run enabled_service_comes_with_the_boot_target

count="$passed passed, $failed failed"
[ $skipped -eq 0 ] || count+=", $skipped skipped"
echo "$count"
[ $failed -eq 0 ]
