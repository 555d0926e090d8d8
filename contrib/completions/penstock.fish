# SPDX-License-Identifier: BSD-2-Clause
# fish completion of penstock(1); rule names and session ids come from the daemon.

set -l commands status rules sessions show kill pause resume drain reload diff add remove tail top check wait-ready

function __penstock_ask
    set -l socket (string match -rg -- '--socket[= ](\S+)' (commandline -p))
    set -q socket[1]; and set socket --socket $socket[1]
    penstock $socket --timeout 1s $argv[1] 2>/dev/null | awk 'NR > 1 { print $1 }'
end

complete -c penstock -f
complete -c penstock -l socket -r -F -d 'Control socket'
complete -c penstock -l no-color -d 'No colours'
complete -c penstock -s h -l help -d 'Print help'
complete -c penstock -s V -l version -d 'Print the version'

set -l none "not __fish_seen_subcommand_from $commands"
complete -c penstock -n $none -a status -d 'How penstockd is'
complete -c penstock -n $none -a rules -d 'Every rule'
complete -c penstock -n $none -a sessions -d 'Who is connected, and to whom'
complete -c penstock -n $none -a show -d 'All about one session'
complete -c penstock -n $none -a kill -d 'End sessions at once'
complete -c penstock -n $none -a pause -d 'Take no new clients'
complete -c penstock -n $none -a resume -d 'Take clients again'
complete -c penstock -n $none -a drain -d 'Pause, and end the sessions'
complete -c penstock -n $none -a reload -d 'Read the config anew'
complete -c penstock -n $none -a diff -d 'What a reload would change'
complete -c penstock -n $none -a add -d 'A new rule'
complete -c penstock -n $none -a remove -d 'Delete such a rule'
complete -c penstock -n $none -a tail -d 'What happens, as it happens'
complete -c penstock -n $none -a top -d 'Rules and sessions live'
complete -c penstock -n $none -a check -d 'Check the config'
complete -c penstock -n $none -a wait-ready -d 'Wait until penstockd answers'

set -l seen __fish_seen_subcommand_from
complete -c penstock -n "$seen pause resume drain remove" -a '(__penstock_ask rules)'
complete -c penstock -n "$seen show kill" -a '(__penstock_ask sessions)'
complete -c penstock -n "$seen status rules sessions show kill pause resume drain reload diff add remove tail" -l json -d 'The answer as it is'
complete -c penstock -n "$seen status rules sessions" -l watch -d 'Again and again'
complete -c penstock -n "$seen sessions kill" -l rule -x -a '(__penstock_ask rules)' -d 'Of this rule'
complete -c penstock -n "$seen sessions kill" -l client -x -d 'Of this client'
complete -c penstock -n "$seen sessions kill" -l state -x -a 'dialling open half-closed flushing' -d 'In this state'
complete -c penstock -n "$seen sessions kill" -l older -x -d 'Begun so long ago'
complete -c penstock -n "$seen sessions" -l sort -x -a 'id age idle bytes' -d 'In this order'
complete -c penstock -n "$seen sessions" -l limit -x -d 'The first so many'
complete -c penstock -n "$seen kill" -l all -d 'Every one'
set -l options max_connections on_limit connect_timeout idle_timeout half_close_timeout \
    udp_timeout udp_replies keepalive keepalive_idle keepalive_interval keepalive_count on_change \
    persist relay backlog socket_mode socket_owner socket_group interface source broadcast ttl \
    source_port
complete -c penstock -n "$seen add" -l max -x -d 'Most sessions at a time'
complete -c penstock -n "$seen add" -s o -l option -x -a (string join ' ' -- $options=) -d 'Any option of a rule'
complete -c penstock -n "$seen add remove" -l config -r -F -d 'Beside this file'
complete -c penstock -n "$seen check" -l config -r -F -d 'This file'
complete -c penstock -n "$seen wait-ready" -l timeout -x -d 'At most so long'
complete -c penstock -n "$seen status rules sessions show kill pause resume drain reload diff" -l timeout -x -d 'Wait so long for an answer'
complete -c penstock -n "$seen top" -l interval -x -d 'Look so often'
