# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# "systemctl reload", good and bad, and what can go wrong behind it.

reload_changes_rules_and_keeps_the_rest() {
    local s pid inode
    write_conf <<< "rules = { $web_rule };"
    start_clean || return 1
    pid=$(main_pid) inode=$(listener_inode 80)
    exec {s}<> /dev/tcp/127.0.0.1/80
    echo_over "$s" before || return 1
    write_conf << CONF
rules =
{
    $web_rule
    more = { listen = [ "127.0.0.1:82", "unix:/run/penstock/more.sock" ]; upstream = "127.0.0.1:7"; };
};
CONF
    systemctl reload "$unit" || return 1
    await works 82 && await unix_works /run/penstock/more.sock || return 1
    expect MainPID "$(main_pid)" "$pid" &&
        expect "the listener" "$(listener_inode 80)" "$inode" &&
        echo_over "$s" after || return 1
    await is ActiveState active && await is StatusText '*; 2 rules on 3 listeners; *' || return 1
    # And back: what is gone refuses at once, and its file is gone.
    write_conf <<< "rules = { $web_rule };"
    systemctl reload "$unit" || return 1
    await refused 82 && await eval '[ ! -e /run/penstock/more.sock ]' || return 1
    echo_over "$s" "at the end"
    exec {s}>&-
    expect MainPID "$(main_pid)" "$pid" &&
        expect "the listener" "$(listener_inode 80)" "$inode" &&
        expect NRestarts "$(show NRestarts)" 0
}

bad_config_fails_the_reload_and_changes_nothing() {
    local s
    write_conf <<< "rules = { $web_rule };"
    start_clean || return 1
    exec {s}<> /dev/tcp/127.0.0.1/80
    echo_over "$s" before || return 1
    write_conf << CONF
rules =
{
    $web_rule
    more = { listen = "127.0.0.1:82"; upstraem = "127.0.0.1:7"; };
};
CONF
    ! systemctl reload "$unit" 2> /dev/null || {
        echo "  systemctl reload has exited with 0"
        return 1
    }
    expect ActiveState "$(show ActiveState)" active &&
        await has_line -p err -g "^$conf:4: .*upstraem" || return 1
    # It has not even been asked to: there is no line of its own about a config.
    ! has_line -g 'config not reloaded|reloaded' || return 1
    works 80 && refused 82 && echo_over "$s" after || return 1
    exec {s}>&-
}

signal_with_a_bad_config_changes_nothing_and_says_so() {
    write_conf <<< "rules = { $web_rule };"
    start_clean || return 1
    write_conf <<< "rules = { $web_rule more = { listen = \"127.0.0.1:82\"; upstraem = \"127.0.0.1:7\"; }; };"
    kill -HUP "$(main_pid)"
    await is StatusText '*upstraem*' && await is ActiveState active &&
        has_line -p err -g "$conf:1: .*upstraem" &&
        has_line -p warning -g 'config not reloaded' &&
        works 80 && refused 82 || return 1
    # The next good one wipes it out.
    write_conf <<< "rules = { $web_rule };"
    systemctl reload "$unit" && await is StatusText '[0-9]* sessions, *; 1 rules on 1 listeners; *'
}

rule_that_can_not_change_is_told_and_keeps_its_former_self() {
    write_conf <<< "rules = { $web_rule };"
    start_clean || return 1
    # Port 7 is the echo service's.
    write_conf << 'CONF'
rules =
{
    web  = { listen = "127.0.0.1:7"; upstream = "127.0.0.1:7"; };
    more = { listen = "127.0.0.1:82"; upstream = "127.0.0.1:7"; };
};
CONF
    systemctl reload "$unit" || return 1
    await is StatusText 'some rules or options could not change; *' && works 80 && works 82 &&
        has_line -p err -g "$conf:3: .*127.0.0.1:7"
}

saved_config_is_noticed() {
    local pid
    write_conf <<< "daemon = { watch_config = true; }; rules = { $web_rule };"
    start_clean || return 1
    pid=$(main_pid)
    sed 's/:80/:82/' "$conf" > "$conf.new" && mv "$conf.new" "$conf" # as editors do
    await works 82 && await refused 80 || return 1
    sed -i 's/:82/:80/' "$conf"
    await works 80 && await refused 82 && expect MainPID "$(main_pid)" "$pid"
}

tests+=(
    reload_changes_rules_and_keeps_the_rest
    bad_config_fails_the_reload_and_changes_nothing
    signal_with_a_bad_config_changes_nothing_and_says_so
    rule_that_can_not_change_is_told_and_keeps_its_former_self
    saved_config_is_noticed
)
