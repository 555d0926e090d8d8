# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Datagrams: through restarts, over a crash, by a socket unit.

udp_rule='dns = { listen = [ "udp:127.0.0.1:1053", "udp:*:1054" ]; upstream = "127.0.0.1:7"; };'

# An upstream that answers with what it got and the port that it came from: another port is another session.
udp_upstream() {
    systemctl is-active -q udp-echo && return
    # shellcheck disable=SC2016
    systemd-run -q --unit=udp-echo socat UDP4-RECVFROM:7,bind=127.0.0.1,fork,reuseaddr \
        SYSTEM:'read -r line; echo "$line $SOCAT_PEERPORT"' &&
        await eval 'ss -Hlun "sport = :7" 2> /dev/null | grep -q .'
}

# ask FD TEXT [SECONDS]: prints the port by which the answer has come; it waits so long for it.
ask() {
    local answer
    printf '%s\n' "$2" >&"$1"
    answer=$(timeout "${3:-20}" dd bs=65536 count=1 status=none <&"$1")
    expect "the answer" "$answer" "$2 *" >&2 && echo "${answer##* }"
}

udp_inodes() { ss -Hlune "sport = :1053 or sport = :1054" 2> /dev/null | grep -o 'ino:[0-9]*'; }

udp_sessions_survive_restarts() {
    local one other port wild inodes i pid
    write_conf <<< "rules = { $udp_rule };"
    udp_upstream && start_clean || return 1
    exec {one}<> /dev/udp/127.0.0.1/1053 {other}<> /dev/udp/127.0.0.2/1054
    port=$(ask "$one" hello) && wild=$(ask "$other" hello) && inodes=$(udp_inodes) || return 1
    for _ in 1 2 3; do
        mark_journal
        pid=$(main_pid)
        systemctl restart "$unit" &
        # None is lost while it changes, nor is the session.
        for ((i = 0; i < 100; i++)); do
            expect "the port" "$(ask "$one" "$i")" "$port" || return 1
        done
        wait $! && [ "$(main_pid)" != "$pid" ] &&
            await has_line -g 'taken over.* sessions=2 listeners=2 lost=0' &&
            expect "the port" "$(ask "$other" again)" "$wild" &&
            expect "the listeners" "$(udp_inodes)" "$inodes" &&
            await is NFileDescriptorStore 2 || return 1
    done
    systemctl kill -s USR2 "$unit" && await has_line -g 'taken over.* sessions=2 .*lost=0' &&
        expect "the port" "$(ask "$one" upgraded)" "$port" &&
        expect "the port" "$(ask "$other" upgraded)" "$wild"
    i=$?
    exec {one}>&- {other}>&-
    return $i
}

datagrams_wait_for_the_next_process() {
    local pid inodes clients=() s i
    drop_in gap <<< '[Service]
RestartSec=3s'
    write_conf <<< "rules = { $udp_rule };"
    udp_upstream && start_clean || return 1
    pid=$(main_pid) inodes=$(udp_inodes)
    kill -KILL "$pid"
    await is SubState auto-restart || return 1
    for ((i = 0; i < 20; i++)); do
        exec {s}<> "/dev/udp/127.0.0.1/$((1053 + i % 2))" || return 1
        echo "client $i" >&"$s"
        clients+=("$s")
    done
    expect SubState "$(show SubState)" auto-restart || return 1
    for ((i = 0; i < 20; i++)); do
        s=${clients[i]}
        expect "the answer" "$(timeout 20 dd bs=65536 count=1 status=none <&"$s")" "client $i *" || return 1
        exec {s}>&-
    done
    await is_replaced "$pid" && expect "the listeners" "$(udp_inodes)" "$inodes"
}

# The manager may still have the former sockets when the new ones are opened.
udp_addresses_change_over_restarts_and_reloads() {
    local host s pid
    udp_upstream
    write_conf <<< 'rules = { dns = { listen = "udp:0.0.0.0:1053"; upstream = "127.0.0.1:7"; }; };'
    start_clean || return 1
    for host in 127.0.0.1 '*' 127.0.0.2 0.0.0.0; do
        write_conf <<< "rules = { dns = { listen = \"udp:$host:1053\"; upstream = \"127.0.0.1:7\"; }; };"
        case $host in
        127.0.0.1) systemctl reload "$unit" ;;
        '*') restart_once ;;
        127.0.0.2)
            pid=$(main_pid)
            kill -KILL "$pid"
            await is_replaced "$pid"
            ;;
        *)
            # It goes, and comes back at once.
            write_conf <<< 'rules = { dns = { listen = "udp:127.0.0.1:1054"; upstream = "127.0.0.1:7"; }; };'
            systemctl reload "$unit" &&
                write_conf <<< "rules = { dns = { listen = \"udp:$host:1053\"; upstream = \"127.0.0.1:7\"; }; };" &&
                systemctl reload "$unit"
            ;;
        esac || return 1
        exec {s}<> "/dev/udp/127.0.0.$([ "$host" = 127.0.0.2 ] && echo 2 || echo 1)/1053"
        # What comes while an address is still to change is lost with the one that goes.
        await eval "ask $s hello 2" || return 1
        exec {s}>&-
    done
    [ -z "$(journal -p err -o cat)" ] || {
        journal -p err -o cat | sed 's/^/  /'
        return 1
    }
}

# To look at interfaces it needs netlink, which the unit must not keep from it.
a_group_is_heard_under_the_unit() {
    write_conf <<< 'rules = { tv = { listen = "udp:239.1.2.3:5000"; interface = "lo"; upstream = "127.0.0.1:7"; }; };'
    udp_upstream && start_clean || return 1
    for _ in 1 2; do
        await has_line -g 'joined.* interface=lo' &&
            expect "the answer" "$(echo hello | timeout 20 socat -t 5 - \
                UDP4-DATAGRAM:239.1.2.3:5000,ip-multicast-if=127.0.0.1 | head -n 1)" "hello *" &&
            restart_once || return 1
    done
}

a_socket_unit_has_datagrams() {
    local s port
    systemctl stop "$unit"
    mark_journal
    write_conf <<< 'rules = { dns = { listen = "systemd:dns"; upstream = "127.0.0.1:7"; }; };'
    sed -e "s/^ListenStream=.*/ListenDatagram=127.0.0.1:8053/" -e '/^Backlog=/d' \
        -e "s/^FileDescriptorName=.*/FileDescriptorName=dns\nService=$unit/" \
        "$socket_file" > /run/systemd/system/penstock-dns.socket
    systemctl daemon-reload
    udp_upstream && systemctl start penstock-dns.socket &&
        expect ActiveState "$(show ActiveState)" inactive || return 1
    # The first datagram starts it, and is answered.
    exec {s}<> /dev/udp/127.0.0.1/8053
    port=$(ask "$s" first) && expect ActiveState "$(show ActiveState)" active || return 1
    restart_once && expect "the port" "$(ask "$s" second)" "$port" || return 1
    # It is the manager's, and stays open when the service is stopped.
    systemctl reload "$unit" && expect "the port" "$(ask "$s" third)" "$port" &&
        expect NFileDescriptorStore "$(show NFileDescriptorStore)" "$(stored_always)" || return 1
    exec {s}>&-
    systemctl stop penstock-dns.socket "$unit"
}

tests+=(
    udp_sessions_survive_restarts
    datagrams_wait_for_the_next_process
    udp_addresses_change_over_restarts_and_reloads
    a_group_is_heard_under_the_unit
    a_socket_unit_has_datagrams
)
