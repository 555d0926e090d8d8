# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# "systemctl stop": it ends all, within drain_timeout, and leaves nothing.

stop_lets_sessions_end() {
    local s
    write_conf << 'CONF'
daemon = { drain_timeout = "60s"; };
rules =
{
    web = { listen = [ "127.0.0.1:80", "unix:/run/penstock/web.sock" ]; upstream = "127.0.0.1:7"; };
};
CONF
    start_clean || return 1
    exec {s}<> /dev/tcp/127.0.0.1/80
    echo_over "$s" before || return 1
    systemctl stop --no-block "$unit"
    # The listeners are in the manager's store, but nobody is let in any more.
    await is SubState stop-sigterm && await refused 80 || return 1
    ! unix_works /run/penstock/web.sock 2> /dev/null || return 1
    await is StatusText '1 sessions, *' && echo_over "$s" after || return 1
    expect SubState "$(show SubState)" stop-sigterm || return 1
    exec {s}>&-
    await is ActiveState inactive &&
        expect Result "$(show Result)" success &&
        expect ExecMainStatus "$(show ExecMainStatus)" 0 &&
        expect NFileDescriptorStore "$(show NFileDescriptorStore)" 0 &&
        [ ! -e /run/penstock/web.sock ]
}

stop_cuts_what_does_not_end() {
    write_conf <<< "daemon = { drain_timeout = \"1s\"; }; rules = { $load_rule };"
    start_clean && load_begin 50 && load_do let-go || return 1
    systemctl stop "$unit" || return 1
    load_end reset && refused 81 || return 1
    expect Result "$(show Result)" success &&
        expect NFileDescriptorStore "$(show NFileDescriptorStore)" 0 &&
        await has_line RULE=load END=shutdown &&
        # What is left of them is no socket of anybody's.
        expect "what is left" "$(ss -Htn state connected exclude time-wait 'sport = :81')" ''
}

# It must not hand over to nobody.
killed_with_sigterm_is_stopped() {
    write_conf <<< "daemon = { drain_timeout = \"0s\"; }; rules = { $load_rule };"
    start_clean && load_begin 10 && load_do let-go || return 1
    systemctl kill --kill-whom=main "$unit"
    load_end reset && await is ActiveState inactive && refused 81 &&
        expect Result "$(show Result)" success && expect NRestarts "$(show NRestarts)" 0
}

tests+=(
    stop_lets_sessions_end
    stop_cuts_what_does_not_end
    killed_with_sigterm_is_stopped
)
