/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The config as the rest of penstock sees it: one immutable, reference-counted snapshot. Every
 * option is filled in (defaults and inheritance are already applied), ranges are expanded, and
 * all of it has been checked.
 */
#ifndef PENSTOCK_CONF_CONF_H
#define PENSTOCK_CONF_CONF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "os/addr.h"
#include "os/log.h"

enum conf_engine { ENGINE_AUTO, ENGINE_SELECT, ENGINE_EPOLL };
enum conf_on_limit { ON_LIMIT_DROP, ON_LIMIT_RESET, ON_LIMIT_WAIT, ON_LIMIT_EVICT };
enum conf_relay { RELAY_AUTO, RELAY_COPY, RELAY_SPLICE };
enum conf_persist { PERSIST_RESTART, PERSIST_CRASH };

/* What a listener takes. A socket passed by systemd tells by itself what it is. */
enum conf_protocol {
    PROTOCOL_STREAM,   /* TCP, UNIX */
    PROTOCOL_DATAGRAM, /* UDP */
    PROTOCOL_EITHER
};

/* on_change: what becomes of the sessions of a rule that was removed, or whose upstream changed.
 * Anything else is how many milliseconds they have left. */
enum conf_on_change {
    ON_CHANGE_KEEP = -1,
    ON_CHANGE_DRAIN = -2, /* drain_timeout is what they have left */
    ON_CHANGE_KILL = 0
};

/* daemon.control; "off": none. */
#define CONF_CONTROL_DEFAULT "/run/penstock/control.sock"

/* Where something was written. `file` is "default" for a built-in value. */
struct conf_place {
    const char *file;
    unsigned line;
};

/* Options of the group `daemon`. */
struct conf_daemon {
#define DAEMON(member) member;
#define START(member)  member;
#define RULE(member)
#define BOTH(member)
#define SENT(member)
#define EACH(member)
#include "conf/members.def"
#undef DAEMON
#undef START
#undef RULE
#undef BOTH
#undef SENT
#undef EACH
};

/* Options of a rule. */
struct conf_options {
#define DAEMON(member)
#define START(member)
#define RULE(member) member;
#define BOTH(member) member;
#define SENT(member) member;
#define EACH(member) member;
#include "conf/members.def"
#undef DAEMON
#undef START
#undef RULE
#undef BOTH
#undef SENT
#undef EACH
};

/* Names of one option that takes several, in an array of their own. */
struct conf_names {
    const char *const *list;
    size_t count;
};

/* One socket to listen on. A port range has become one of these a port. */
struct conf_listen {
    struct conf_place at;
    const struct conf_rule *rule; /* whose it is */
    enum conf_protocol protocol;
    enum addr_kind kind; /* ADDR_LITERAL, ADDR_ANY, ADDR_PATH, ADDR_SYSTEMD */
    struct addr address; /* ADDR_LITERAL; ADDR_ANY: [::] with the port, both families;
                            ADDR_PATH: AF_UNIX */
    const char *systemd; /* ADDR_SYSTEMD: the name; else NULL */
    const char *text;    /* as people know it: "0.0.0.0:7003", "*:80", "unix:/run/x", "systemd:web",
                            "udp:0.0.0.0:53", "udp:239.1.2.3:5000%eth1,eth2<10.0.0.1",
                            "udp:0.0.0.0:67+broadcast%eth1" */
    uint16_t upstream_port;   /* where this socket's clients go; 0 when the upstream has no port */
    uint32_t max_connections; /* of this address alone; UINT32_MAX when only the rule's holds */
    uint32_t backlog;
    mode_t socket_mode;
    const char *socket_owner; /* NULL: leave as created */
    const char *socket_group;
    const char *interface; /* the options as they were set, "eth1,eth2" ... */
    const char *source;
    bool broadcast;               /* broadcasts are taken, too */
    struct conf_names interfaces; /* ... and taken apart; none: any */
    const struct addr *sources;   /* a group's: only what these send (RFC 4607); without ports */
    size_t source_count;
};

/* One place that each datagram is sent to. */
struct conf_target {
    struct conf_place at;
    struct addr address; /* port 0: upstream_port of the listen */
    const char *interface;
    struct conf_names interfaces; /* through each of them; none: as the routes say */
    uint32_t ttl;                 /* of datagrams to a group */
    uint32_t source_port;         /* from which they are sent; 0: any */
    bool broadcast;               /* the address is, or may be, a broadcast address */
};

struct conf_rule {
    struct conf *conf; /* the snapshot that owns this; conf_ref() it to keep the rule */
    struct conf_place at;
    const char *name;
    struct conf_options options;
    struct conf_listen *listens;
    size_t listen_count;          /* at least 1 */
    enum addr_kind upstream_kind; /* ADDR_LITERAL, ADDR_NAME, ADDR_PATH */
    struct addr upstream; /* ADDR_LITERAL (its port is upstream_port of the listen), ADDR_PATH */
    const char *upstream_name; /* ADDR_NAME: the host name; else NULL */
    const char *upstream_text; /* as written, for messages: "backend.example:8000-8009" */
    enum conf_protocol upstream_protocol; /* EITHER: its listener's */
    /* UDP only. Without targets each session has a socket connected to `upstream`; with targets,
     * each datagram is sent to every one of them: a list, a group, a broadcast address, or one
     * reached through an interface. All are of one family; upstream_kind is ADDR_LITERAL and
     * `upstream` the first. */
    const struct conf_target *targets;
    size_t target_count;
};

struct conf {
    struct conf_daemon daemon;
    struct conf_rule *rules; /* in the order of the files */
    size_t rule_count;
    const char *path;             /* of the main file */
    struct conf_place *daemon_at; /* see conf_daemon_place() */
    atomic_uint refs;             /* use conf_ref() and conf_unref() */
    struct arena *arena;          /* holds every string and array of the snapshot */
};

/* What is wrong with a config, all of it, in the order of the files. */
struct conf_error {
    struct conf_place at; /* line 0: the file as a whole */
    char *text;           /* what is wrong, what is allowed */
    bool warning;         /* does not keep the config from being used */
};

struct conf_errors {
    struct conf_error *list;
    size_t count;
    size_t fatal;        /* how many are no warnings */
    struct arena *arena; /* holds the texts and file names */
};

/*
 * Read the file at `path` and conf.d/[^.]*.conf beside it in name order, check everything and give
 * a snapshot with one reference. Returns NULL when there was any error but warnings. *errors is
 * always filled (count 0 when all is well); free it with conf_errors_free().
 * penstock.conf(5) describes the language.
 */
struct conf *conf_load(const char *path, struct conf_errors *errors);

/* A look at what the files would be: another text in one of conf.d, or none. */
struct conf_edit {
    const char *name; /* of the file there: "web.conf" */
    const char *text; /* NULL: the file is not there */
};

/* As conf_load(), with that file as if it was so; NULL: all as they are. */
struct conf *conf_load_edited(const char *path, const struct conf_edit *edit,
                              struct conf_errors *errors);

/*
 * The same with `text` of `len` bytes as the one file, called `path`: a config that was handed over
 * as text. Touches no file, and so does not know which directories, users and groups exist.
 */
struct conf *conf_load_text(const char *path, const char *text, size_t len,
                            struct conf_errors *errors);

/* Print one, as below. */
void conf_error_print(const struct conf_error *error, FILE *out);

/* Print each as "file:line: text" (warnings: "file:line: warning: text"), a line each. */
void conf_errors_print(const struct conf_errors *errors, FILE *out);
void conf_errors_free(struct conf_errors *errors);

/* Write the first that is no warning as that line, without its end. False: there is none. */
bool conf_errors_first(const struct conf_errors *errors, char *out, size_t size);

/* Is there to be a control socket? */
bool conf_has_control(const struct conf_daemon *d);

/* By any thread. */
struct conf *conf_ref(struct conf *conf);
void conf_unref(struct conf *conf); /* frees with the last reference; NULL is allowed */

/* bind(2): a wildcard takes its port on every address of its family; "*" does so for both. A group
 * that is another one on each interface is bound as a wildcard, too. Of an IP address only. */
bool conf_listen_takes_all(const struct conf_listen *l);

/* Different addresses of which bind(2) has only one at a time: one port, and the same IP address,
 * or one of them takes it on all addresses of a family of the other. */
bool conf_listens_overlap(const struct conf_listen *a, const struct conf_listen *b);

/* Where the option of the group `daemon` was set, for messages about what only a start can tell. */
struct conf_place conf_daemon_place(const struct conf *conf, const char *option);

/* The same, but of one that is not set the main file: where it could be. */
struct conf_place conf_daemon_near(const struct conf *conf, const char *option);

/* Write the effective config in the config language: conf_load() of it gives an equal snapshot. */
void conf_dump(const struct conf *conf, FILE *out);

/* The same with only `count` of its rules, in that order; at least one. */
void conf_dump_rules(const struct conf *conf, const struct conf_rule *const *rules, size_t count,
                     FILE *out);

/* Print the manual's rows (roff) for every option; doc/ is checked against it. */
void conf_print_options(FILE *out);

/* The first address that is no socket passed by systemd; NULL when all are. */
const struct conf_listen *conf_not_passed(const struct conf *conf);

/* Can penstockd end when it is idle? Only when systemd listens on every address in its place. */
static inline bool conf_is_all_passed(const struct conf *conf)
{
    return conf_not_passed(conf) == NULL;
}

/* Descriptors that the limits promise: two a session (of UDP: one), one a listener. */
uint64_t conf_descriptors_promised(const struct conf *conf);

/* Local ports that the limits of UDP promise: one a session, but none towards a UNIX socket. */
uint64_t conf_ports_promised(const struct conf *conf);

#endif
