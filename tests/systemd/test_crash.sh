# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A process that dies, hangs or is killed: the next one takes up the same listeners.

# The process first: the state asked for before it may still be the old one's.
is_replaced() { [[ $(main_pid) != @(0|$1) ]] && is ActiveState active; }

killed_service_refuses_nobody() {
    local pid inode clients=() s i
    drop_in gap <<< '[Service]
RestartSec=3s'
    write_conf << 'CONF'
rules = { web = { listen = [ "127.0.0.1:80", "unix:/run/penstock/web.sock" ]; upstream = "127.0.0.1:7"; }; };
CONF
    start_clean && works 80 || return 1
    pid=$(main_pid) inode=$(listener_inode 80)
    kill -KILL "$pid"
    await is SubState auto-restart || return 1
    unix_works /run/penstock/web.sock &
    for ((i = 0; i < 50; i++)); do
        exec {s}<> /dev/tcp/127.0.0.1/80 || return 1
        echo "client $i" >&"$s"
        clients+=("$s")
    done
    # They have all come while nobody was there.
    expect SubState "$(show SubState)" auto-restart || return 1
    for ((i = 0; i < 50; i++)); do
        s=${clients[i]}
        read -rt 20 -u "$s" line
        expect "the echo" "$line" "client $i" || return 1
        exec {s}>&-
    done
    wait $! || {
        echo "  the client of the UNIX socket has not been served"
        return 1
    }
    await is_replaced "$pid" && works 80 && unix_works /run/penstock/web.sock &&
        expect "the listener" "$(listener_inode 80)" "$inode" &&
        expect NRestarts "$(show NRestarts)" 1 && await is NFileDescriptorStore 2
}

sessions_end_with_a_crash() {
    local pid
    write_conf <<< "rules = { $web_rule $load_rule };"
    # Also those that have been in the store before.
    start_clean && load_begin 20 && restart_once && load_do moved && load_do let-go || return 1
    pid=$(main_pid)
    kill -KILL "$pid"
    load_end cut && await is_replaced "$pid" && works 80
}

hung_service_is_replaced_by_the_watchdog() {
    local pid last i
    drop_in watchdog <<< '[Service]
WatchdogSec=4s'
    write_conf <<< "rules = { $web_rule };"
    start_clean || return 1
    pid=$(main_pid)
    # While its loop turns, it says so twice a period: longer than one, it lives.
    for i in 1 2 3; do
        last=$(show WatchdogTimestampMonotonic)
        await eval "[ \$(show WatchdogTimestampMonotonic) != $last ]" || return 1
    done
    expect MainPID "$(main_pid)" "$pid" || return 1
    kill -STOP "$pid"
    await is_replaced "$pid" && works 80 || return 1
    expect NRestarts "$(show NRestarts)" 1 && has_line -g 'Watchdog timeout'
}

# What was at work goes on, and a config that is mended takes effect.
bad_config_does_not_spoil_the_start_after_a_crash() {
    local pid inode
    write_conf <<< "rules = { $web_rule };"
    start_clean && works 80 || return 1
    pid=$(main_pid) inode=$(listener_inode 80)
    write_conf <<< "rules = { nonsense };"
    kill -KILL "$pid"
    await is_replaced "$pid" && works 80 && expect "the listener" "$(listener_inode 80)" "$inode" || return 1
    has_line -g 'the former rules go on' || return 1
    pid=$(main_pid)
    kill -KILL "$pid"
    await is_replaced "$pid" && works 80 || return 1
    write_conf <<< "rules = { $web_rule other = { listen = \"127.0.0.1:90\"; upstream = \"127.0.0.1:7\"; }; };"
    systemctl reload "$unit" && await works 90 && works 80 && restart_once && works 90 && await is NFileDescriptorStore 2
}

tests+=(
    killed_service_refuses_nobody
    bad_config_does_not_spoil_the_start_after_a_crash
    sessions_end_with_a_crash
    hung_service_is_replaced_by_the_watchdog
)
