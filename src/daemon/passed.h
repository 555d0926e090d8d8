/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that we were given at start: by a socket unit of the service manager, under its name; or
 * our own listening sockets of before, kept by the manager over a crash. */
#ifndef PENSTOCK_DAEMON_PASSED_H
#define PENSTOCK_DAEMON_PASSED_H

#include "conf/conf.h"
#include "daemon/left_ports.h"
#include "flow/listener.h"
#include "os/log.h"
#include "os/systemd.h"

/* Our names in the manager's store: the snapshot; parcels (os/parcel.h) of sessions' sockets, and
 * of listening ones, with the file that the control socket among them has made at the end
 * (sock_file_id_print()). */
#define PASSED_SNAPSHOT  ".h"
#define PASSED_SESSION   ".s"
#define PASSED_LISTENING ".l"
#define PASSED_OPERATORS ".lo" /* the operators' that came by an upgrade in place */
#define PASSED_CONF      ".f"  /* the config at work */
#define PASSED_SLOT      ".c"  /* of one session each, with a number (flow/persist.h) */

/* `fd` is -1 in those that have been taken. */
struct passed {
    struct systemd_socket *sockets;
    int count;
    bool superseded; /* all sessions came with a snapshot: others of ours are duplicates */
    bool is_sought;  /* the control socket has been: another one is not wanted */
    bool damaged;    /* something of ours in the store could not be had */
    struct passed_listening *listening; /* of those under PASSED_LISTENING */
    size_t listening_count;
    struct table *by_text;  /* of these: the address as the config writes it */
    struct left_ports left; /* of these: closed by us, and not yet by the manager */
};

/* Take them from the environment. Returns 0 or a negative errno. */
int passed_take(struct passed *p);

/* Is it ours, out of the store? */
bool passed_is_stored(const struct systemd_socket *s);

/* The first whose name begins so from number `from` on: its index, or -1. */
int passed_beginning(const struct passed *p, const char *prefix, int from);

/* Shut and close our own listening sockets that `conf` has no use for: one may be in the way of an
 * address that it does want. Returns 0 or -ENOMEM. */
int passed_drop_unwanted(struct passed *p, const struct conf *conf);

/* The first under that name from number `from` on: its index, or -1. */
int passed_named(const struct passed *p, const char *name, int from);

/* Add listening sockets that have come in another way, as if they were our own out of the store
 * under `name`, which begins with PASSED_LISTENING; they are closed when there is no memory.
 * Returns 0 or -ENOMEM. */
int passed_add_listening(struct passed *p, const char *name, const int *fds, int count);

/* Close those that nobody has taken, each from a socket unit with a warning, and free the rest. */
void passed_free(struct passed *p, struct log *log);

/* Is there one for this address of the config, from number `from` on? Its index, or -1. The sockets
 * passed under one name may be several. */
int passed_find(const struct passed *p, const struct conf_listen *conf, int from);

/* The one for the control socket of the config, with the file that it made (ino 0: not known), or
 * for its address for reading; the caller's from then on. -1: there is none. */
int passed_take_control(struct passed *p, const struct conf *conf, struct sock_file_id *file);
int passed_take_http(struct passed *p, const struct conf *conf);

/* Let the listener have it. Returns 0 or a negative errno, with *why as text or NULL. */
int passed_adopt(struct passed *p, int index, struct listener *l, const char **why);

#endif
