/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets. Every descriptor made here is non-blocking and close-on-exec from its first moment.
 * Functions return a descriptor or 0, or a negative errno.
 */
#ifndef PENSTOCK_OS_SOCK_H
#define PENSTOCK_OS_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/addr.h"

/* tcp(7): probes after `idle_s` of silence, every `interval_s`, giving up after `count`. */
struct sock_keepalive {
    bool on;
    int idle_s;
    int interval_s;
    int count;
};

/* Who may connect to a UNIX socket's file. Owner and group: (uid_t)-1, (gid_t)-1 leave them alone.
 */
struct sock_file {
    mode_t mode;
    uid_t owner;
    gid_t group;
};

/* For an IPv6 listener: take IPv4 clients too; else IPV6_V6ONLY is set. */
#define SOCK_DUAL 1u
/* Bind beside a socket for which sock_share_port() was called (SO_REUSEPORT while it binds). */
#define SOCK_BESIDE 2u

/*
 * A listening stream socket. `backlog` 0 is the system's maximum (net.core.somaxconn). `how` is a
 * set of the above. `file` is for a UNIX path: a
 * stale socket file (nobody listens) is replaced, a live one gives -EADDRINUSE, a file that is no
 * socket -EEXIST, and -EBUSY when somebody else keeps the right to replace it (sock_file.h). The
 * file is never open to more than `file` says, and nothing but the socket's own file is changed.
 */
int sock_listen(const struct addr *a, int backlog, unsigned how, const struct sock_file *file);

/* May another socket of ours be bound to an address that overlaps with this one's (SO_REUSEPORT,
 * socket(7))? Until it is closed clients may come to either. */
int sock_share_port(int fd, bool share);

/* Set keepalive on a TCP socket, or clear it. Accepted sockets inherit it from their listener
 * (tcp(7)). Nothing for UNIX; best effort. */
void sock_set_keepalive(int fd, const struct addr *a, const struct sock_keepalive *ka);

/*
 * Set what every relayed TCP socket has, likewise inherited; sock_connect() does it by itself:
 * TCP_NODELAY, and SO_OOBINLINE, so that a byte sent as urgent (tcp(7)) stays in the stream instead
 * of being lost.
 */
void sock_set_stream(int fd, const struct addr *a);

/* Is `fd` a listening stream socket, and not shut down? 0, -ENOTSOCK, or -EINVAL; fills *bound (a
 * UNIX path: only the family). */
int sock_check_listening(int fd, struct addr *bound);

/* Accept one client and fill *peer. -EAGAIN: none is waiting. */
int sock_accept(int listener, struct addr *peer);

/*
 * Begin to connect. Sets *done when the connection is up already (loopback, UNIX); otherwise wait
 * for the descriptor to be writable and ask sock_connected(). -EAGAIN: a UNIX listener whose backlog is
 * full; try again later.
 */
int sock_connect(const struct addr *a, bool *done);

/*
 * What has come of an attempt to connect, once the descriptor is writable: 0, or a positive errno.
 * 0 also when the peer has reset the connection since, but has sent something before: the error is
 * left for whoever reads that.
 */
int sock_connected(int fd);

/* The pending error (SO_ERROR) as a positive errno, which clears it; 0 for none. */
int sock_error(int fd);

/* Bytes written that the other end has not taken yet (SIOCOUTQ, tcp(7), unix(7)); 0 when unknown.
 */
unsigned sock_unsent(int fd);

/* Close so that a TCP peer gets RST, and what is unsent is thrown away (SO_LINGER 0, socket(7)). */
void sock_reset(int fd);

/* --- sockets of which others hold duplicates (sock_share.c) ----------------------------------- */

/* What tells one socket from any other that there was or will be, whatever descriptors there are of
 * it and in whatever process: SO_COOKIE (Linux 4.12), never 0. The number of its inode does not:
 * that comes round. -ENOTSOCK when `fd` is none. */
int sock_id(int fd, uint64_t *id);

/*
 * The text under which the config knows the address of a listening socket (conf_listen.text):
 * "192.0.2.7:80", "[::]:80", "*:80" for one that takes both families, "unix:/path", "unix:@name",
 * "udp:192.0.2.7:53" for one of datagrams. False when it has no such text or that does not fit;
 * ADDR_TEXT_MAX is enough. One of datagrams that is connected or shares its port (SO_REUSEADDR) has
 * none: more than its address tells what it is for.
 */
bool sock_text(int fd, char *out, size_t size);

/* Refuse clients from now on, whoever holds duplicates of this listening socket; those who wait in
 * its backlog are closed too. It stays open. */
void sock_stop_listening(int fd);

/* The like for a UDP socket, which knows no shutdown(2): from now on it takes nothing, but it keeps
 * its address; others can be bound beside it (SOCK_BESIDE, DGRAM_BESIDE). Returns 0 or a negative
 * errno. */
int sock_retire(int fd);

/* Close so that a TCP peer gets FIN, behind what is unsent, whoever holds duplicates. */
void sock_end(int fd);

/*
 * As sock_reset(), whoever holds duplicates: connect(2) to AF_UNSPEC dissolves a TCP connection at
 * once. The peer of a UNIX socket sees its end, after what it has not read yet.
 */
void sock_abort(int fd);

/* Shall whoever closes the last duplicate reset the connection? (A UNIX socket has no reset.) */
void sock_reset_at_end(int fd, bool reset);

/* Shall the descriptor stay open when another program is executed? */
int sock_keep_on_exec(int fd, bool keep);

/* Another backlog for a listening socket; 0 is the system's maximum. */
int sock_relisten(int fd, int backlog);

#endif
