# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the set-up scripts: which Debian packages they need, and how to get them.

PACKAGES_BUILD="gcc make autoconf automake pkg-config libc6-dev libconfig-dev libc-ares-dev libsystemd-dev
    libmicrohttpd-dev libjansson-dev libcurl4-openssl-dev libncurses-dev"
PACKAGES_DEMO="python3 curl ca-certificates"
PACKAGES_TEST="check python3 iproute2 procps util-linux bsdutils dbus systemd libnss-systemd
    dnsmasq-base strace openssh-client openssh-server curl openssl nginx-light iperf3 redis-server socat
    avahi-daemon udhcpc bind9-dnsutils openvpn wireguard-go wireguard-tools prometheus tmux
    chromium chromium-driver fonts-dejavu-core fish zsh"
PACKAGES_CI="clang libclang-rt-dev xz-utils man-db"

say() { printf '\n==> %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo > /dev/null; then
        sudo "$@"
    else
        echo "run this as root, or install sudo: $* needs it" >&2
        return 1
    fi
}

is_installed() {
    dpkg-query -W -f '${Status}\n' "$1" 2> /dev/null | grep -q '^install ok installed$'
}

# Install what is missing. The servers among the packages are only programs for the tests: none is started.
install_packages() {
    missing=
    for package in "$@"; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing:$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update || return
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -e $policy ]; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy > /dev/null && as_root chmod 755 $policy
    fi
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing \
        < /dev/null
    status=$?
    [ -z "$made_policy" ] || as_root rm -f $policy
    return $status
}

# Build in $1 (made when it is not there) with the configure arguments that follow.
build() {
    dir=$1
    shift
    if [ -e "$top/config.status" ]; then
        echo "this tree was configured in place: run 'make distclean' first" >&2
        return 1
    fi
    mkdir -p "$dir" &&
        { [ -x "$top/configure" ] && [ "$top/configure" -nt "$top/configure.ac" ] ||
            (cd "$top" && autoreconf -fi); } &&
        (cd "$dir" && "$top/configure" "$@" && make -j"$(nproc)")
}
