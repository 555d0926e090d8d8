# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Another version of the program, by restart and in place (SIGUSR2). The other version is a copy of this one with
# another number in it.

version_of() { "$1" --version | sed -n 's/^penstockd //p'; }

# install_version VERSION: as a package manager does, by a rename.
install_version() {
    local here
    here=$(version_of "$program")
    LC_ALL=C sed "s/${here//./\\.}/$1/g" "$program" > "$program.new" &&
        chmod 755 "$program.new" && mv "$program.new" "$program" &&
        expect "the version" "$(version_of "$program")" "$1"
}

# What the number becomes: of the same length, and not the same.
other_version() { echo "${1%?}X"; }

upgrade_by_restart_and_back() {
    local here there
    here=$(version_of "$program") there=$(other_version "$here")
    write_conf <<< "rules = { $load_rule };"
    start_clean && load_begin 50 && install_version "$there" && restart_once && load_do moved &&
        await has_line -g "taken over.* from=$here\$" || return 1
    mark_journal
    install_version "$here" && restart_once && load_do moved &&
        await has_line -g "taken over.* from=$there\$" && load_end finish
}

upgrade_in_place_and_back() {
    local here there pid last
    here=$(version_of "$program") there=$(other_version "$here")
    drop_in watchdog <<< '[Service]
WatchdogSec=4s'
    write_conf <<< "rules = { $load_rule };"
    start_clean && load_begin 50 && install_version "$there" || return 1
    pid=$(main_pid)
    kill -USR2 "$pid"
    await has_line -g "taken over.* from=$here\$" && load_do moved || return 1
    expect MainPID "$(main_pid)" "$pid" && await is StatusText '50 sessions, *' &&
        await is NFileDescriptorStore 2 &&
        expect CapEff "$(status_of CapEff)" 0000000000000400 &&
        expect Seccomp "$(status_of Seccomp)" 2 || return 1
    # The watchdog is fed by the new program: longer than a period of it, it lives.
    for _ in 1 2 3; do
        last=$(show WatchdogTimestampMonotonic)
        await eval "[ \$(show WatchdogTimestampMonotonic) != $last ]" || return 1
    done
    mark_journal
    install_version "$here" && kill -USR2 "$pid" &&
        await has_line -g "taken over.* from=$there\$" && load_do moved &&
        expect MainPID "$(main_pid)" "$pid" || return 1
    # It is still the service that the manager knows: a restart goes on from here.
    restart_once && load_end finish && undo_drop_ins
}

program_that_can_not_run_is_not_taken() {
    local pid
    write_conf <<< "rules = { $load_rule };"
    start_clean && load_begin 10 || return 1
    pid=$(main_pid)
    mv "$program" "$program.good"
    printf '#!/bin/sh\necho "no library"\nexit 127\n' > "$program"
    chmod 755 "$program"
    kill -USR2 "$pid"
    await has_line -p err -g 'not handed over.*127'
    local status=$?
    mv "$program.good" "$program"
    [ $status = 0 ] && expect MainPID "$(main_pid)" "$pid" && load_do moved && load_end finish
}

# What is no program at all: everything waits in the store for one that is.
break_program() {
    mv "$program" "$program.good"
    printf '#!/bin/sh\nexit 127\n' > "$program"
    chmod 755 "$program"
}

restart_into_a_broken_program_loses_nothing() {
    local s
    write_conf <<< "rules = { $web_rule $load_rule };"
    start_clean && load_begin 20 || return 1
    # The messenger of the good program has announced the restart, as when a library goes later.
    drop_in messenger <<< "[Service]
ExecStop=
ExecStop=-+$program.good --before-stop"
    break_program
    ! systemctl restart "$unit" 2> /dev/null && await is SubState auto-restart
    local status=$?
    exec {s}<> /dev/tcp/127.0.0.1/80 || status=1
    mv "$program.good" "$program"
    [ $status = 0 ] && await is ActiveState active && echo_over "$s" "waited long" &&
        load_do moved && load_end finish || return 1
    exec {s}>&-
}

stop_of_what_waits_resets_it() {
    write_conf <<< "rules = { $load_rule };"
    start_clean && load_begin 20 && load_do let-go || return 1
    drop_in messenger <<< "[Service]
ExecStop=
ExecStop=-+$program.good --before-stop"
    break_program
    ! systemctl restart "$unit" 2> /dev/null && await is SubState auto-restart && systemctl stop "$unit"
    local status=$?
    mv "$program.good" "$program"
    [ $status = 0 ] && load_end reset && refused 81 &&
        expect NFileDescriptorStore "$(show NFileDescriptorStore)" 0
}

tests+=(
    upgrade_by_restart_and_back
    upgrade_in_place_and_back
    program_that_can_not_run_is_not_taken
    restart_into_a_broken_program_loses_nothing
    stop_of_what_waits_resets_it
)
