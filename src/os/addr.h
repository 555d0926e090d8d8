/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses: what the config says (struct addr_spec) and what a socket has (struct addr).
 * Pure values: parsing, printing and comparing touch no descriptor, resolver or clock.
 */
#ifndef PENSTOCK_OS_ADDR_H
#define PENSTOCK_OS_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * One end of a socket, small enough to sit in every session. A UNIX path is borrowed (from the
 * config snapshot) and begins with '@' when it is abstract; `path` is NULL for an unnamed peer,
 * which `peer_pid` and `peer_uid` then describe.
 */
struct addr {
    sa_family_t family; /* AF_UNSPEC: none; AF_INET, AF_INET6, AF_UNIX */
    in_port_t port;     /* in host byte order */
    uint32_t scope;     /* IPv6 zone index, or 0 */
    union {
        struct in_addr v4;
        struct in6_addr v6;
        struct {
            const char *path;
            uint32_t peer_pid; /* of an accepted UNIX client (SO_PEERCRED, unix(7)) */
            uint32_t peer_uid;
        } un;
    };
};

/* Enough for any struct addr in print, its NUL included: "unix:" and sun_path. */
#define ADDR_TEXT_MAX 128

/*
 * Print as the config language writes it: "192.0.2.7:22", "[2001:db8::1]:22",
 * "[fe80::1%2]:22", "unix:/run/x.sock", "unix:@name", "unix:pid=12,uid=1000" (unnamed peer),
 * "-" (none). Returns `out`; cuts, never overruns.
 */
const char *addr_print(const struct addr *a, char *out, size_t size);

/* Same family, address, port and scope, or same path. */
bool addr_equal(const struct addr *a, const struct addr *b);

/* What kind of IP address it is; false for any other family. A group is a multicast address (RFC
 * 5771, RFC 4291 section 2.7); broadcast is 255.255.255.255 alone, as no other tells by itself. */
bool addr_is_wildcard(const struct addr *a);
bool addr_is_group(const struct addr *a);
bool addr_is_broadcast(const struct addr *a);

/*
 * To and from the kernel's form. addr_to_sockaddr returns the length for bind(2)/connect(2), or
 * 0 when the address is none or a path does not fit sun_path. addr_from_sockaddr gives
 * AF_UNSPEC for a family it doesn't know; a UNIX name is not copied (path is NULL), and an IPv4
 * peer of a dual-stack socket (::ffff:192.0.2.7, RFC 4291 section 2.5.5.2) becomes the IPv4
 * address that it is.
 */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
void addr_from_sockaddr(struct addr *out, const struct sockaddr_storage *in, socklen_t len);

enum addr_kind {
    ADDR_LITERAL, /* an IPv4 or IPv6 address */
    ADDR_ANY,     /* "*": every address of both families */
    ADDR_NAME,    /* a host name, to be resolved */
    ADDR_PATH,    /* a UNIX path, or "@name" */
    ADDR_SYSTEMD, /* sockets passed by systemd under this FileDescriptorName */
};

enum addr_scheme {
    ADDR_SCHEME_NONE, /* none was written: tcp for a listener, the listener's for an upstream */
    ADDR_SCHEME_TCP,
    ADDR_SCHEME_UDP,
};

/* An address as written: "[tcp:|udp:]host:port[-port]", "unix:PATH", "systemd:NAME". */
struct addr_spec {
    enum addr_scheme scheme;
    enum addr_kind kind;
    uint16_t port_first; /* 0 for a kind without ports */
    uint16_t port_last;  /* equal to port_first without a range */
    struct addr literal; /* ADDR_LITERAL: the address, with port_first */
    char name[256];      /* ADDR_NAME, ADDR_PATH, ADDR_SYSTEMD: the name; else empty */
};

/* What an address is for: of that alone speaks what is said of a wrong one. */
enum addr_use {
    ADDR_FOR_ANYTHING,
    ADDR_TO_LISTEN,   /* no host name */
    ADDR_OF_UPSTREAM, /* no wildcard, nothing that is passed */
    ADDR_OF_HTTP,     /* neither, and no scheme */
};

/*
 * Read an address. Returns NULL and fills *out, or returns what is wrong and what is allowed
 * (static text, for the end of an error message). Host names follow RFC 1123 section 2.1 (letters,
 * digits, hyphens and underscores, labels of at most 63 bytes, 253 in all). An address that is one,
 * but not for that use, is no error here.
 */
const char *addr_spec_parse_for(enum addr_use use, const char *text, struct addr_spec *out);

static inline const char *addr_spec_parse(const char *text, struct addr_spec *out)
{
    return addr_spec_parse_for(ADDR_FOR_ANYTHING, text, out);
}

#endif
