# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Where the log goes.

stopped_journal_stops_nobody() {
    local journald i
    write_conf <<< "rules = { $web_rule };"
    start_clean || return 1
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
    start_clean && works 80 || return 1
    await eval "journal -o json _TRANSPORT=stdout PRIORITY=6 | grep -q '\"MESSAGE\":\"rule=err id=1 '"
}

syslog_lines_arrive() {
    sed -i 's/"stderr"/"syslog"/' "$conf"
    start_clean && works 80 || return 1
    await eval "journal -o json _TRANSPORT=syslog PRIORITY=6 SYSLOG_IDENTIFIER=penstockd \
        SYSLOG_FACILITY=3 | grep -q '\"MESSAGE\":\"rule=err id=1 '"
}

tests+=(
    stopped_journal_stops_nobody
    stderr_lines_carry_their_level
    syslog_lines_arrive
)
