# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# "systemctl restart": sessions go on in the next process.

sessions_survive_restarts() {
    local sockets inode
    write_conf << CONF
rules =
{
    web = { listen = [ "127.0.0.1:80", "unix:/run/penstock/web.sock" ]; upstream = "127.0.0.1:7"; };
    $load_rule
};
CONF
    start_clean && load_begin 500 && await is StatusText '500 sessions, *' || return 1
    sockets=$(open_sockets) inode=$(listener_inode 81)
    for _ in 1 2 3 4 5; do
        mark_journal
        restart_once && load_do moved &&
            await has_line -g 'taken over.* sessions=500 listeners=3 lost=0' || return 1
        # The sessions are out of the store; what is left there are the listeners, in one parcel.
        await is NFileDescriptorStore 2 &&
            expect "the listener" "$(listener_inode 81)" "$inode" &&
            works 80 && unix_works /run/penstock/web.sock &&
            await eval "[ \$(open_sockets) = $sockets ]" || return 1
    done
    expect NRestarts "$(show NRestarts)" 0 && await is StatusText '500 sessions, *' &&
        load_end finish && await is StatusText '0 sessions, *' &&
        await eval "[ \$(open_sockets) = $((sockets - 1000)) ]"
}

new_sessions_come_through_restarts() {
    write_conf <<< "rules = { $churn_rule };"
    start_clean && churn_begin 100 || return 1
    for _ in 1 2 3 4 5; do
        mark_journal
        await has_line RULE=churn END=done && restart_once && await has_line RULE=churn END=done || return 1
    done
    churn_end && await is StatusText '0 sessions, *'
}

# The manager is asked on a socket of its own.
restart_needs_no_bus() {
    write_conf <<< "rules = { $load_rule };"
    systemctl stop dbus.socket dbus.service 2> /dev/null
    ! busctl status > /dev/null 2>&1 && start_clean && load_begin 10 && restart_once && load_end finish
}

restart_right_behind_a_reload() {
    write_conf <<< "rules = { $load_rule };"
    start_clean && load_begin 20 || return 1
    write_conf <<< "rules = { $load_rule $web_rule };"
    systemctl reload "$unit" && restart_once && works 80 && load_do moved && load_end finish
}

sessions_end_after_a_restart_when_it_stops() {
    write_conf <<< "daemon = { drain_timeout = \"1s\"; }; rules = { $load_rule };"
    start_clean && load_begin 20 && restart_once && load_do moved && load_do let-go || return 1
    systemctl stop "$unit" || return 1
    load_end reset && refused 81 &&
        expect NFileDescriptorStore "$(show NFileDescriptorStore)" 0 &&
        expect Result "$(show Result)" success
}

bad_config_does_not_spoil_the_restart() {
    local s
    write_conf <<< "rules = { $web_rule };"
    start_clean || return 1
    exec {s}<> /dev/tcp/127.0.0.1/80
    echo_over "$s" before || return 1
    write_conf <<< "rules = { web = { listen = \"127.0.0.1:82\"; upstraem = \"127.0.0.1:7\"; }; };"
    restart_once || return 1
    echo_over "$s" after && works 80 && refused 82 &&
        await is StatusText '*former rules go on*' &&
        await has_line -p err -g "^$conf:1: .*upstraem" &&
        await has_line -p err -g 'the former rules go on' || return 1
    # Also at the second restart, of which the former is itself one of these.
    restart_once && echo_over "$s" again && works 80 || return 1
    write_conf <<< "rules = { web = { listen = \"127.0.0.1:82\"; upstream = \"127.0.0.1:7\"; }; };"
    systemctl reload "$unit" && await works 82 && await refused 80 && echo_over "$s" "at the end" || return 1
    exec {s}>&-
    await is StatusText '0 sessions, *'
}

changed_config_takes_effect_at_the_restart() {
    local s
    write_conf <<< "rules = { $web_rule old = { listen = \"127.0.0.1:83\"; upstream = \"127.0.0.1:7\"; }; };"
    start_clean || return 1
    exec {s}<> /dev/tcp/127.0.0.1/83
    echo_over "$s" before || return 1
    write_conf <<< "rules = { $web_rule new = { listen = \"127.0.0.1:82\"; upstream = \"127.0.0.1:7\"; }; };"
    restart_once && works 80 && works 82 && refused 83 && echo_over "$s" after || return 1
    exec {s}>&-
    await has_line RULE=old END=done IN=13 OUT=13
}

restart_while_a_name_is_being_resolved() {
    local s dns
    dns_begin || return
    write_conf << 'CONF'
rules = { name = { listen = "127.0.0.1:80"; upstream = "a.test:7"; connect_timeout = "60s"; }; };
CONF
    start_clean || return 1
    dns=$(show MainPID dns.service)
    kill -STOP "$dns"
    exec {s}<> /dev/tcp/127.0.0.1/80
    await is StatusText '1 sessions, *' && restart_once && await is StatusText '1 sessions, *'
    local status=$?
    kill -CONT "$dns"
    [ $status = 0 ] && echo_over "$s" resolved || return 1
    exec {s}>&-
    await has_line RULE=name END=done UPSTREAM=127.0.0.1:7
}

# A backlog that is full does not answer: connect(2) goes on until somebody accepts.
restart_while_a_connect_is_under_way() {
    local s slow_pid slow_in slow_out
    write_conf << 'CONF'
rules = { slow = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7001"; connect_timeout = "60s"; }; };
CONF
    start_clean || return 1
    coproc SLOW {
        exec python3 -c '
import socket, sys
s = socket.create_server(("127.0.0.1", 7001), backlog=0)
first = socket.create_connection(("127.0.0.1", 7001))
print(flush=True)
sys.stdin.readline()
s.accept()
c, _ = s.accept()
c.sendall(c.recv(100))
c.recv(1)'
    }
    # shellcheck disable=SC2153
    slow_pid=$SLOW_PID
    exec {slow_out}<&"${SLOW[0]}" {slow_in}>&"${SLOW[1]}"
    read -rt 10 -u "$slow_out" || return 1
    exec {s}<> /dev/tcp/127.0.0.1/80
    await eval "[ -n \"\$(ss -Htn state syn-sent 'dport = :7001')\" ]" && restart_once &&
        await is StatusText '1 sessions, *' || return 1
    echo go >&"$slow_in"
    echo_over "$s" connected || return 1
    exec {s}>&-
    wait "$slow_pid" || return 1
    await has_line RULE=slow UPSTREAM=127.0.0.1:7001
}

# Without the messenger, or without a store, a restart is a stop and a start.
restart_without_a_store_ends_sessions() {
    local how
    write_conf << CONF
daemon = { drain_timeout = "0s"; };
rules =
{
    web = { listen = [ "127.0.0.1:80", "unix:/run/penstock/web.sock" ]; upstream = "127.0.0.1:7"; };
    $load_rule
};
CONF
    for how in ExecStop= FileDescriptorStoreMax=0; do
        drop_in no-store <<< "[Service]
$how"
        start_clean && load_begin 20 && load_do let-go && restart_once && load_end reset || return 1
        # What the former process had in the store was shut down, and is not taken for a listener.
        works 80 && unix_works /run/penstock/web.sock || return 1
        expect Result "$(show Result)" success || return 1
    done
    undo_drop_ins
}

# As at an upgrade of systemd.
store_survives_a_new_manager() {
    write_conf <<< "rules = { $load_rule };"
    start_clean && load_begin 20 && systemctl daemon-reexec || return 1
    await is NFileDescriptorStore 2 && restart_once && load_do moved &&
        systemctl daemon-reexec && load_do moved && restart_once && load_end finish
}

tests+=(
    sessions_survive_restarts
    new_sessions_come_through_restarts
    restart_needs_no_bus
    restart_right_behind_a_reload
    sessions_end_after_a_restart_when_it_stops
    bad_config_does_not_spoil_the_restart
    changed_config_takes_effect_at_the_restart
    restart_while_a_name_is_being_resolved
    restart_while_a_connect_is_under_way
    restart_without_a_store_ends_sessions
    store_survives_a_new_manager
)
