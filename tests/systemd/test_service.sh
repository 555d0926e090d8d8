# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The installed service: its start, what it shows, what it may do.

unit_file_is_clean_and_hardened() {
    local out
    # systemd-analyze exits with 0 also after "Unknown key name": what it prints counts.
    out=$(systemd-analyze verify --man=no "$unit" "$socket_file" 2>&1)
    expect "systemd-analyze verify" "$out" '' || return 1
    # Netlink, to see interfaces come and go, costs it 0.1.
    systemd-analyze security --offline=true --threshold=16 --no-pager \
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
    systemctl start "$unit" || return 1
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
    drop_in group <<< '[Service]
SupplementaryGroups=www-data'
    write_conf << 'CONF'
rules =
{
    web = { listen = "unix:/run/penstock/group.sock"; upstream = "127.0.0.1:7";
            socket_mode = "0660"; socket_group = "www-data"; };
};
CONF
    start_clean || return 1
    expect "mode and group" "$(stat -c %A:%G /run/penstock/group.sock)" srw-rw----:www-data
}

bulk_is_spliced() {
    write_conf << 'CONF'
defaults = { relay = "splice"; };
rules = { bulk = { listen = "127.0.0.1:80"; upstream = "127.0.0.1:7"; }; };
CONF
    start_clean || return 1
    head -c 20M /dev/urandom > /tmp/bulk
    socat -t 20 - TCP:127.0.0.1:80 < /tmp/bulk > /tmp/back
    cmp /tmp/bulk /tmp/back || return 1
    await has_line RULE=bulk END=done IN=20971520 OUT=20971520
}

names_resolve() {
    dns_begin || return
    write_conf <<< 'rules = { name = { listen = "127.0.0.1:80"; upstream = "a.test:7"; }; };'
    start_clean || return 1
    await works 80 && await has_line RULE=name END=done UPSTREAM=127.0.0.1:7
}

bad_config_is_told_and_not_tried_again() {
    local restarts
    systemctl stop "$unit"
    write_conf <<< 'rules = { web = { listen = "127.0.0.1:80"; upstraem = "127.0.0.1:7"; }; };'
    ! systemctl start "$unit" 2> /dev/null || return 1
    await is ActiveState failed &&
        expect ExecMainStatus "$(show ExecMainStatus)" 78 || return 1
    restarts=$(show NRestarts)
    expect NRestarts "$restarts" 0 &&
        await eval "journal -o cat -n 20 | grep -q '^$conf:1: .*upstraem'"
}

tests+=(
    unit_file_is_clean_and_hardened
    start_ends_when_it_listens
    status_counts_live_sessions
    unix_listener_in_runtime_directory
    session_has_native_journal_fields
    runs_without_privileges
    descriptor_limit_is_raised
    socket_group_may_be_a_supplementary_group
    bulk_is_spliced
    names_resolve
    bad_config_is_told_and_not_tried_again
)
