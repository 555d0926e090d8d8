# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# persist = "crash": sessions of such a rule go on in the next process, whatever has ended the first.

persist_rule='ssh = { listen = "127.0.0.1:82"; upstream = "127.0.0.1:7"; persist = "crash"; };'

# open_sessions PORT COUNT: their descriptors are in $open then.
open_sessions() {
    local s i
    open=()
    for ((i = 0; i < $2; i++)); do
        exec {s}<> "/dev/tcp/127.0.0.1/$1" || return 1
        open+=("$s")
        echo_over "$s" "session $i" || return 1
    done
}
all_echo() {
    local s
    for s in "${open[@]}"; do
        echo_over "$s" "$1" || return 1
    done
}
close_sessions() {
    local s
    for s in "${open[@]}"; do
        exec {s}>&-
    done
}

crash() {
    local pid
    pid=$(main_pid)
    kill -KILL "$pid"
    await is_replaced "$pid"
}

# The listeners, the file, and a parcel for each session.
store_holds() { await is NFileDescriptorStore "$1"; }

sessions_survive_a_crash() {
    local precious s line
    write_conf <<< "rules = { $web_rule $persist_rule };"
    start_clean && open_sessions 82 20 || return 1
    precious=("${open[@]}")
    exec {s}<> /dev/tcp/127.0.0.1/80 || return 1
    echo_over "$s" "not precious" && store_holds 23 || return 1
    crash || return 1
    # Those of the other rule are lost.
    if read -rt 20 -u "$s" line; then
        echo "  a session without persist has said '$line'"
        return 1
    fi
    exec {s}>&-
    open=("${precious[@]}")
    all_echo "after a crash" && store_holds 23 || return 1
    # Once more, and by every other way into another process.
    crash && all_echo "after another crash" || return 1
    restart_once && all_echo "after a restart" && store_holds 23 || return 1
    systemctl kill --kill-whom=main -s USR2 "$unit" && await has_line -g 'taken over' || return 1
    all_echo "after a new program" && store_holds 23 && crash && all_echo "after the last crash" || return 1
    # Ids go on, and nobody is counted twice.
    works 82 && close_sessions && await has_line -g 'rule=ssh id=1 .* end=done in=101 out=101 ' || return 1
    await has_line -g 'rule=ssh id=20 .* end=done ' && store_holds 3
}

# Its bytes are gone with the process: the client must not think that it is whole.
session_with_bytes_in_flight_is_reset_by_a_crash() {
    write_conf <<< "rules = { $web_rule $persist_rule };"
    start_clean || return 1
    rm -f /tmp/full /tmp/crashed
    python3 - << 'PYTHON' &
import os, select, socket, time
s = socket.create_connection(("127.0.0.1", 82))
s.setblocking(False)
quiet = 0
while quiet < 10:
    try:
        s.send(bytes(1 << 16))
        quiet = 0
    except BlockingIOError:
        select.select([], [s], [], 0.1)
        quiet += 1
open("/tmp/full", "w").close()
end = time.monotonic() + 60
while not os.path.exists("/tmp/crashed") and time.monotonic() < end:
    time.sleep(0.05)
s.settimeout(30)
try:
    while s.recv(1 << 20):
        pass
except ConnectionResetError:
    raise SystemExit(0)
raise SystemExit("the stream has ended as if it were whole")
PYTHON
    local client=$!
    await test -e /tmp/full && crash && touch /tmp/crashed && wait $client || return 1
    await has_line -g 'rule=ssh id=1 end=error' && works 82 && store_holds 3
}

# A FIN that was passed on is not forgotten, and a reset is one though the store has the socket too.
persistent_sessions_end_as_others_do() {
    write_conf <<< "rules = { $persist_rule };"
    start_clean || return 1
    python3 - "$(main_pid)" << 'PYTHON'
import os, signal, socket, struct, subprocess, sys, time

def show(what):
    return subprocess.check_output(["systemctl", "show", "-P", what, "penstockd.service"], text=True).strip()

def connect():
    s = socket.create_connection(("127.0.0.1", 82))
    s.settimeout(30)
    s.sendall(b"x")
    assert s.recv(1) == b"x"
    return s

def crash():
    pid = int(show("MainPID"))
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 30
    while not (show("MainPID") not in ("0", str(pid)) and show("ActiveState") == "active"):
        assert time.monotonic() < end, "it is not started again"
        time.sleep(0.05)

half, reset, whole = connect(), connect(), connect()
crash()
whole.shutdown(socket.SHUT_WR)
assert whole.recv(1) == b"", "the end of the stream"
half.sendall(b"y")
assert half.recv(1) == b"y"
half.shutdown(socket.SHUT_WR)
assert half.recv(1) == b"", "the end of the stream, although the store has it"
reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
reset.close()
PYTHON
    # shellcheck disable=SC2181
    [ $? -eq 0 ] && await has_line -g 'end=client-reset' && store_holds 3
}

tests+=(
    sessions_survive_a_crash
    session_with_bytes_in_flight_is_reset_by_a_crash
    persistent_sessions_end_as_others_do
)
