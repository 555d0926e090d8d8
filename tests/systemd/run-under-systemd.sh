#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run-under-systemd.sh - boot a real systemd (PID 1 of its own PID namespace)
# on a throw-away overlay of this machine's root file system, run COMMAND in
# it, and exit with COMMAND's exit status.  Nothing on the host is changed
# except below the directories given with --bind.
#
#   run-under-systemd.sh [OPTION]... [--] COMMAND [ARG]...
#
#   --bind SRC[:DST[:ro]]  bind-mount SRC (a directory or file) at DST
#                          (default: SRC); may be repeated.
#                          Without any --bind, the current directory is bound.
#   --chdir DIR            COMMAND's working directory (default: first DST)
#   --timeout SEC          limit for COMMAND (default 300; exit status 124)
#   --boot-timeout SEC     limit for the boot (default 30; exit status 125)
#   --target UNIT          what to boot (default basic.target)
#   --root DIR             overlay DIR (say, made by debootstrap) instead of /
#   --host-net             share the host's network namespace
#   --journal FILE         write the inner journal to FILE before shutting down
#   --verbose              print timings and the boot state to stderr
#   --check                only tell whether this can work here (0, or 77)
#
# Exit status: COMMAND's; 124 COMMAND timed out; 125 systemd did not boot;
# 77 not possible on this machine; N if COMMAND ran `systemctl exit N`.
#
# Needs: root (CAP_SYS_ADMIN, CAP_MKNOD), cgroup2 mounted somewhere, overlayfs;
# Debian packages systemd, dbus, util-linux, bsdutils (script), perl-base; libnss-systemd
# for the names of dynamic users.

set -u
export LC_ALL=C.UTF-8
ME=run-under-systemd
# Capabilities that reach past the namespaces; dropped for everything inside.
DROP=-sys_time,-sys_module,-sys_rawio,-syslog,-audit_read,-audit_control,-wake_alarm,-block_suspend,-mac_override,-mac_admin,-sys_pacct

# Units that cost boot time, write to the host's kernel, or make no sense here
# (a getty's vhangup() on /dev/console would even end the whole run).
MASK="
dev-hugepages.mount proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount
sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
modprobe@.service kmod-static-nodes.service systemd-modules-load.service systemd-sysctl.service
systemd-binfmt.service systemd-sysusers.service systemd-tmpfiles-setup-dev.service systemd-remount-fs.service
systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service systemd-pstore.service
systemd-firstboot.service systemd-machine-id-commit.service systemd-repart.service systemd-pcrphase.service
systemd-pcrphase-sysinit.service systemd-hwdb-update.service systemd-journal-catalog-update.service ldconfig.service
systemd-ask-password-console.path systemd-ask-password-wall.path systemd-initctl.socket
systemd-journald-audit.socket systemd-journal-flush.service
systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service
systemd-timesyncd.service systemd-networkd.service systemd-networkd.socket systemd-resolved.service
systemd-logind.service getty.target console-getty.service cryptsetup.target integritysetup.target veritysetup.target
systemd-tmpfiles-clean.timer apt-daily.timer apt-daily-upgrade.timer emergency.service rescue.service
"

die() { printf '%s: %s\n' "$ME" "$2" >&2; exit "$1"; }

#############################################################################
# Inner stages (RUS_* come from the outer script by the environment)
#############################################################################
if [ "${1-}" = __stage2 ]; then
    # New mount, PID, UTS, IPC (and net) namespaces; /proc is still the host's.
    set -e
    read -r hostpid _ < /proc/self/stat       # our PID in the host's namespace
    echo $$ > "$RUS_CG/cgroup.procs"          # ours alone; then root the cgroup ns here
    echo "$hostpid" > "$RUS_BASE/pid1.tmp"
    mv "$RUS_BASE/pid1.tmp" "$RUS_BASE/pid1"
    exec unshare --cgroup -- /bin/bash "$RUS_SELF" __stage3
fi
if [ "${1-}" = __stage3 ]; then
    set -e
    T=$RUS_BASE/t R=$RUS_BASE/t/root
    console=$(tty) || console=
    mount -t tmpfs -o mode=700 tmpfs "$T"
    mkdir "$T/upper" "$T/work" "$R"
    chmod 755 "$T/upper" "$R"
    mount -t overlay -o "lowerdir=$RUS_ROOT,upperdir=$T/upper,workdir=$T/work" overlay "$R"

    mount -t proc -o nosuid,nodev,noexec proc "$R/proc"
    mount --bind "$R/proc/sys" "$R/proc/sys"  # the host's sysctls read-only ...
    if [ "$RUS_NET" = private ]; then         # ... but net.* is our namespace's own
        mount --bind "$R/proc/sys/net" "$R/proc/sys/net"
    fi
    mount -o remount,bind,ro "$R/proc/sys"
    if [ -e "$R/proc/sysrq-trigger" ]; then mount --bind /dev/null "$R/proc/sysrq-trigger"; fi
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$R/sys"
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$R/sys/fs/cgroup"
    mount -t tmpfs -o mode=755,nosuid,noexec tmpfs "$R/dev"
    mknod -m 666 "$R/dev/null" c 1 3;   mknod -m 666 "$R/dev/zero" c 1 5
    mknod -m 666 "$R/dev/full" c 1 7;   mknod -m 666 "$R/dev/random" c 1 8
    mknod -m 666 "$R/dev/urandom" c 1 9; mknod -m 666 "$R/dev/tty" c 5 0
    mkdir "$R/dev/pts" "$R/dev/shm" "$R/dev/mqueue"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5,nosuid,noexec devpts "$R/dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$R/dev/shm"
    mount -t mqueue -o nosuid,nodev,noexec mqueue "$R/dev/mqueue"
    ln -s pts/ptmx "$R/dev/ptmx"; ln -s /proc/self/fd "$R/dev/fd"
    ln -s fd/0 "$R/dev/stdin"; ln -s fd/1 "$R/dev/stdout"; ln -s fd/2 "$R/dev/stderr"
    if [ -n "$console" ]; then : > "$R/dev/console"; mount --bind "$console" "$R/dev/console"; fi
    mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$R/run"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$R/tmp"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$R/var/tmp"
    mkdir -p "$R/run/lock"

    # systemd's configuration for the test system; all of it in the overlay
    mount -t tmpfs -o mode=755 tmpfs "$R/etc/systemd/system"    # none of the host's units
    mkdir -p "$R/etc/systemd/system-generators"
    # shellcheck disable=SC2046
    (cd "$R/lib/systemd/system-generators" && printf '%s\n' *) | sed "s|^|system-generators/|" |
        perl -e 'chdir shift or die; for (@ARGV, <STDIN>) { chomp; unlink; symlink "/dev/null", $_ or die "$_: $!" }' \
            "$R/etc/systemd" $(printf 'system/%s ' $MASK)
    # tmpfiles: never let "D /tmp" empty a directory bound below /tmp
    mkdir -p "$R/etc/tmpfiles.d"; ln -sfn /dev/null "$R/etc/tmpfiles.d/tmp.conf"
    mkdir -p "$R/etc/systemd/journald.conf.d"
    printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\nForwardToWall=no\n' \
        > "$R/etc/systemd/journald.conf.d/zz-$ME.conf"
    # a machine-id of its own; an empty one would mean "first boot"
    tr -d - < /proc/sys/kernel/random/uuid > "$T/machine-id"
    cat "$T/machine-id" > "$R/etc/machine-id"

    while IFS=$'\t' read -r src dst mode; do
        [ -n "$src" ] || continue
        if [ -d "$src" ]; then mkdir -p "$R$dst"
        else mkdir -p "$R${dst%/*}"; [ -e "$R$dst" ] || : > "$R$dst"; fi
        mount --bind "$src" "$R$dst"
        if [ "$mode" = ro ]; then mount -o remount,bind,ro "$R$dst"; fi
    done <<< "$RUS_BINDS"

    cd "$R"
    pivot_root . .
    umount -l .
    cd /
    exec env -i container=$ME PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        TERM=dumb LANG=C.UTF-8 \
        setpriv --bounding-set "$DROP" --inh-caps -all \
        /lib/systemd/systemd --system --show-status=0 --unit="$RUS_TARGET"
fi

#############################################################################
# Outer script
#############################################################################
[ -e /proc/self/fd/0 ] || exec < /dev/null      # CI may close standard input
timeout=300 boot_timeout=30 target=basic.target root=/ net=private
journal='' verbose='' check='' chdir='' binds='' first_dst=''
while [ $# -gt 0 ]; do
    case $1 in
    --bind)
        IFS=: read -r src dst mode <<< "$2"
        src=$(readlink -e -- "$src") || die 125 "no such file or directory: $2"
        case ${dst:=$src} in /*) ;; *) die 125 "--bind: $dst is no absolute path" ;; esac
        binds+="$src"$'\t'"$dst"$'\t'"$mode"$'\n'
        : "${first_dst:=$dst}"; shift 2 ;;
    --chdir) chdir=$2; shift 2 ;;
    --timeout) timeout=$2; shift 2 ;;
    --boot-timeout) boot_timeout=$2; shift 2 ;;
    --target) target=$2; shift 2 ;;
    --root) root=$(readlink -e -- "$2") || die 125 "no such directory: $2"; shift 2 ;;
    --host-net) net=host; shift ;;
    --journal) journal=$2; shift 2 ;;
    --verbose) verbose=1; shift ;;
    --check) check=1; shift ;;
    --) shift; break ;;
    -*) die 125 "unknown option $1" ;;
    *) break ;;
    esac
done

# --- can this work here? ---------------------------------------------------
[ "$(id -u)" = 0 ] || die 77 "must be root"
for t in unshare nsenter setpriv pivot_root script perl journalctl systemctl; do
    command -v "$t" > /dev/null || die 77 "$t is missing"
done
[ -x "${root%/}/lib/systemd/systemd" ] || die 77 "${root%/}/lib/systemd/systemd is missing (package systemd)"
grep -qw overlay /proc/filesystems || modprobe overlay 2> /dev/null ||
    die 77 "the kernel has no overlayfs"
cgroot=$(awk '{ for (i = 7; i <= NF; i++) if ($i == "-") { if ($(i+1) == "cgroup2") { print $5; exit } break } }' /proc/self/mountinfo)
[ -n "$cgroot" ] || die 77 "cgroup2 is not mounted"
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
[ -d "$cgroot$own" ] && cgroot=${cgroot%/}${own%/}
unshare --mount --pid --fork --uts --ipc --cgroup true 2> /dev/null || die 77 "may not create namespaces"
probe=$cgroot/$ME.$$.probe
mkdir "$probe" 2> /dev/null || die 77 "may not create cgroups in $cgroot"
rmdir "$probe"
[ -z "$check" ] || { echo "$ME: works here (cgroup2 at $cgroot)"; exit 0; }
[ $# -gt 0 ] || die 125 "no command given"
if [ -z "$binds" ]; then binds="$PWD"$'\t'"$PWD"$'\t'$'\n' first_dst=$PWD; fi

# --- set up ----------------------------------------------------------------
now() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }
exec {err}>&2                                  # 2 itself is closed later on
note() { [ -z "$verbose" ] || printf '%s: [%d ms] %s\n' "$ME" $(($(now) - t0)) "$1" >&"$err"; }
exec {napfd}<> <(:)                            # a pipe that nobody ever writes to:
nap() { read -rt "$1" -u "$napfd" || :; }      # sleep without forking sleep(1)
alive() {                                      # is $1 a child of ours, and no zombie?
    local st pp
    { read -r _ _ st pp _ < "/proc/$1/stat"; } 2> /dev/null && [ "$pp" = $$ ] && [ "$st" != Z ]
}
rmcg() {                                       # remove a cgroup tree of ours
    for _ in {1..100}; do
        [ -d "$1" ] || return 0
        echo 1 2> /dev/null > "$1/cgroup.kill"
        find "$1" -depth -type d -exec rmdir {} + 2> /dev/null
        [ -d "$1" ] || return 0
        nap 0.02
    done
    printf '%s: could not remove %s\n' "$ME" "$1" >&"$err"
}
# what a run that was killed with SIGKILL may have left
for d in "$cgroot/$ME".[0-9]* "${TMPDIR:-/tmp}/$ME".[0-9]*; do
    [ -d "$d" ] || continue
    p=${d##*/"$ME".}; p=${p%%.*}
    [ -d "/proc/$p" ] && continue
    case $d in "$cgroot"/*) rmcg "$d" ;; *) rm -rf --one-file-system -- "$d" ;; esac
done

t0=$(now)
CG=$cgroot/$ME.$$
BASE='' PID1='' OUTER=''
cleanup() {
    trap '' INT TERM HUP
    exec 2> /dev/null                          # no "Killed" notices of the shell
    if [ -n "$PID1" ] && [ -n "$OUTER" ] && alive "$OUTER"; then
        kill -KILL "$PID1"                     # takes the whole PID namespace with it
    fi
    rmcg "$CG"
    if [ -n "$OUTER" ]; then
        # It ends by itself once PID 1 is gone.  No SIGTERM: script(1) would
        # then sleep two seconds.  SIGKILL is passed on by --pdeathsig.
        [ -z "$PID1" ] || for _ in {1..200}; do alive "$OUTER" || break; nap 0.01; done
        alive "$OUTER" && kill -KILL "$OUTER"
        wait "$OUTER"
    fi
    [ -z "$BASE" ] || rm -rf --one-file-system -- "$BASE"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
mkdir "$CG" || die 125 "cannot create $CG"
BASE=${TMPDIR:-/tmp}/$ME.$$.$RANDOM$RANDOM
mkdir -m 700 "$BASE" || { BASE=''; die 125 "cannot make a directory in ${TMPDIR:-/tmp}"; }
mkdir "$BASE/t"

netflag=--net; [ "$net" = private ] || netflag=
# script(1) lends PID 1 a terminal for /dev/console, whose output lands in
# $BASE/console; --pdeathsig and --kill-child end everything if we are killed.
RUS_SELF=$(readlink -f "$0") RUS_BASE=$BASE RUS_CG=$CG RUS_NET=$net RUS_ROOT=$root \
RUS_BINDS=$binds RUS_TARGET=$target RUS_NETFLAG=$netflag SHELL=/bin/sh \
setpriv --pdeathsig KILL script -qefc '
    exec setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child \
         --uts --ipc $RUS_NETFLAG -- /bin/bash "$RUS_SELF" __stage2' "$BASE/console" \
    < /dev/null > /dev/null 2>&1 &
OUTER=$!

# --- wait for the boot -----------------------------------------------------
bootfail() {
    printf '%s: systemd did not boot: %s\n' "$ME" "$1" >&2
    [ ! -f "$BASE/console" ] || sed 's/^/console: /' "$BASE/console" >&2
    [ -z "$PID1" ] || journalctl -D "/proc/$PID1/root/run/log/journal" --no-pager 2> /dev/null | tail -n 60 >&2
    exit 125
}
deadline=$((t0 + boot_timeout * 1000))
until [ -s "$BASE/pid1" ]; do
    alive "$OUTER" || bootfail "the namespaces could not be set up"
    [ "$(now)" -lt $deadline ] || bootfail "timed out"
    nap 0.01
done
read -r PID1 < "$BASE/pid1"
until [ -S "/proc/$PID1/root/run/systemd/private" ]; do
    alive "$OUTER" || bootfail "PID 1 ended"
    [ "$(now)" -lt $deadline ] || bootfail "timed out"
    nap 0.01
done
note "PID 1 answers"
inside() {                                     # run "$@" in the namespaces of PID 1
    nsenter --target "$PID1" --all setpriv --bounding-set "$DROP" --inh-caps -all "$@"
}
while :; do
    state=$(inside systemctl is-system-running 2> /dev/null)
    case $state in running | degraded | maintenance) break ;; esac
    alive "$OUTER" || bootfail "PID 1 ended"
    [ "$(now)" -lt $deadline ] || bootfail "timed out in state '$state'"
    nap 0.02
done
note "booted: $state"
[ "$state" != maintenance ] || bootfail "state $state"
[ -z "$verbose" ] || [ "$state" = running ] || inside systemctl --failed --no-pager >&2

# --- run the command -------------------------------------------------------
# In a cgroup of its own, next to init.scope and system.slice, not in a unit.
# The shell that nsenter starts ends at once, so that what runs COMMAND is a
# child of the inner PID 1 (systemd-shutdown would wait ten seconds for a
# process whose parent is outside, and the outside would have to reap it).
# COMMAND's status comes back by fd 3, a pipe; end of file without a status
# means that the inner system has ended.
mkdir -p "$CG/$ME"
exec {in}<&0 {out}>&1
exec {statfd}< <(
    exec 3>&1 0<&"$in" 1>&"$out" 2>&"$err"
    trap - INT TERM HUP EXIT
    echo $BASHPID > "$CG/$ME/cgroup.procs"
    unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES WATCHDOG_USEC WATCHDOG_PID INVOCATION_ID JOURNAL_STREAM
    for f in /proc/self/fd/*; do               # nothing but 0 to 3 goes inside
        f=${f##*/}; [ "$f" -le 3 ] || eval "exec $f>&-"
    done
    exec nsenter --target "$PID1" --all setpriv --bounding-set "$DROP" --inh-caps -all \
        /bin/bash -c '
            (
                if cd -- "$1"; then
                    shift
                    exec 4>&2 2> /dev/null
                    env --default-signal=INT,QUIT -- "$@" 2>&4 3>&- 4>&-
                    echo $? >&3
                else
                    echo 125 >&3
                fi
            ) <&0 &' "$ME" "${chdir:-$first_dst}" "$@"
)
deadline=$(($(now) + timeout * 1000))
rc=''
while [ -z "$rc" ]; do
    read -rt 1 -u "$statfd" rc; st=$?
    if [ $st -gt 128 ] && [ "$(now)" -ge $deadline ]; then
        printf '%s: timed out after %s s: %s\n' "$ME" "$timeout" "$*" >&2
        rc=124
    elif [ $st = 1 ]; then                     # no status
        while alive "$OUTER" && [ "$(now)" -lt $deadline ]; do nap 0.02; done
        if alive "$OUTER"; then rc=124; else wait "$OUTER" 2> /dev/null; rc=$?; OUTER=''; fi
    fi
done
note "command ended: $rc"
if [ -n "$journal" ] && [ -n "$OUTER" ] && alive "$OUTER"; then
    inside journalctl -b --no-pager -o short-precise > "$journal" 2> /dev/null
fi
cleanup
trap - EXIT
note "cleaned up"
exit $rc
