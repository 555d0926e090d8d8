# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Socket units, idle exit, and the start at boot.

# make_socket NAME PORT: a socket unit, made of the example as it says.
make_socket() {
    sed -e "s/^ListenStream=.*/ListenStream=127.0.0.1:$2/" \
        -e "s/^FileDescriptorName=.*/FileDescriptorName=$1\nService=$unit/" \
        "$socket_file" > "/run/systemd/system/penstock-$1.socket"
}

sockets_are_passed_by_name() {
    local s
    systemctl stop "$unit"
    mark_journal
    write_conf << 'CONF'
rules =
{
    first  = { listen = "systemd:first"; upstream = "127.0.0.1:7"; };
    second = { listen = "systemd:second"; upstream = "127.0.0.1:7"; };
};
CONF
    make_socket first 8001
    make_socket second 8002
    systemctl daemon-reload
    systemctl start penstock-first.socket penstock-second.socket || return 1
    expect ActiveState "$(show ActiveState)" inactive || return 1
    # The first client starts it, and is served.
    works 8001 && works 8002 || return 1
    expect ActiveState "$(show ActiveState)" active || return 1
    await has_line RULE=first END=done && await has_line RULE=second END=done || return 1
    # They are the manager's anyway, and not put into its store.
    expect NFileDescriptorStore "$(show NFileDescriptorStore)" "$(stored_always)" || return 1
    exec {s}<> /dev/tcp/127.0.0.1/8001
    echo_over "$s" before && restart_once && echo_over "$s" after && works 8001 && works 8002 || return 1
    exec {s}>&-
    systemctl stop penstock-first.socket penstock-second.socket "$unit"
}

idle_service_ends_and_comes_back() {
    local s pid
    systemctl stop "$unit"
    mark_journal
    write_conf << 'CONF'
daemon = { exit_idle_time = "500ms"; };
rules  = { idle = { listen = "systemd:idle"; upstream = "127.0.0.1:7"; }; };
CONF
    make_socket idle 8003
    systemctl daemon-reload
    systemctl start penstock-idle.socket && works 8003 || return 1
    pid=$(main_pid)
    await is ActiveState inactive && expect Result "$(show Result)" success || return 1
    # The next client starts another, which lives as long as its session.
    exec {s}<> /dev/tcp/127.0.0.1/8003
    echo_over "$s" "here again" || return 1
    [ "$(main_pid)" != "$pid" ] || return 1
    pid=$(main_pid)
    for _ in {1..20}; do
        sleep 0.05
        echo_over "$s" "still here" && expect SubState "$(show SubState)" running || return 1
    done
    expect MainPID "$(main_pid)" "$pid" &&
        restart_once && echo_over "$s" "after a restart" || return 1
    exec {s}>&-
    await is ActiveState inactive && expect Result "$(show Result)" success || return 1
    works 8003 || return 1
    systemctl stop penstock-idle.socket "$unit"
}

enabled_service_comes_with_the_boot_target() {
    systemctl stop "$unit"
    write_conf <<< "rules = { $web_rule };"
    systemctl enable -q "$unit" || return 1
    expect "is-enabled" "$(systemctl is-enabled "$unit")" enabled || return 1
    expect ActiveState "$(show ActiveState)" inactive || return 1
    systemctl start --no-block multi-user.target
    await is ActiveState active && works 80
}

tests+=(
    sockets_are_passed_by_name
    idle_service_ends_and_comes_back
    enabled_service_comes_with_the_boot_target
)
