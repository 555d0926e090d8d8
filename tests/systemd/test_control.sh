# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The control socket in the service's runtime directory.

control=/run/penstock/control.sock

# ask_control METHOD TARGET: the answer, with its first line.
ask_control() {
    printf '%s %s HTTP/1.0\r\n\r\n' "$1" "$2" | socat -T 10 -,ignoreeof UNIX-CONNECT:$control
}

control_answers() { ask_control GET /v1/status | grep -qF "\"pid\":$(main_pid),"; }

control_socket_outlives_every_change() {
    "$program" --version | grep -q '^control: yes' || return 77
    write_conf <<< 'rules = { web = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7"; }; };'
    start_clean && await control_answers || return 1
    expect "the file" "$(stat -c %A:%U $control)" 'srw-rw----:penstockd' || return 1
    expect "a reload" "$(ask_control POST /v1/reload)" '*200 OK*"outcome":"ok","generation":2,*' || return 1
    mark_journal
    restart_once && await control_answers || return 1
    mark_journal
    kill -USR2 "$(main_pid)"
    await has_line -g 'taken over' && await control_answers || return 1
    systemctl stop "$unit" && [ ! -e $control ]
}

nobody_is_turned_away_from_the_control_socket() {
    "$program" --version | grep -q '^control: yes' || return 77
    write_conf <<< 'rules = { web = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7"; }; };'
    start_clean && await control_answers || return 1
    coproc ASKER { /tests/systemd/asker.py $control 2>&1; }
    local answered asker=$ASKER_PID from=${ASKER[0]} to=${ASKER[1]}
    for _ in 1 2 3; do
        mark_journal
        restart_once && await control_answers || return 1
    done
    mark_journal
    kill -USR2 "$(main_pid)"
    await has_line -g 'taken over' && await control_answers || return 1
    eval "exec $to>&-"
    read -r answered <&"$from"
    wait "$asker" && [ "$answered" -gt 0 ]
}

write_control() {
    write_conf <<< "daemon = { control = \"$1\"; }; rules = { $web_rule };"
}

# Where the config has it no more its file is gone, after a restart as after a crash.
control_socket_moves() {
    "$program" --version | grep -q '^control: yes' || return 77
    local pid control=/run/penstock/control.sock before
    write_control $control
    start_clean && await control_answers || return 1
    before=$control control=/run/penstock/other.sock
    write_control $control
    restart_once && await control_answers || return 1
    [ ! -e $before ] || {
        echo "  $before is there after a restart"
        return 1
    }
    before=$control control=/run/penstock/control.sock
    write_control $control
    pid=$(main_pid)
    kill -KILL "$pid"
    await is_replaced "$pid" && await control_answers || return 1
    [ ! -e $before ] || {
        echo "  $before is there after a crash"
        return 1
    }
    await is NFileDescriptorStore 2
}

# Of somebody else at the path of the control socket, who is left alone.
anothers_socket_is_left_alone() {
    "$program" --version | grep -q '^control: yes' || return 77
    local before other
    write_conf <<< "rules = { $web_rule };"
    start_clean && await control_answers || return 1
    rm $control
    socat UNIX-LISTEN:$control,fork,mode=600 EXEC:cat &
    other=$!
    await [ -S $control ] || return 1
    before=$(stat -c '%i %A %U' $control)
    restart_once && works 80 && await has_line -g 'another process listens on it' || return 1
    expect "the file after a restart" "$(stat -c '%i %A %U' $control)" "$before" || return 1
    systemctl stop "$unit"
    kill $other
    wait $other
    start_clean && await control_answers
}

tests+=(control_socket_outlives_every_change nobody_is_turned_away_from_the_control_socket
    control_socket_moves anothers_socket_is_left_alone)
