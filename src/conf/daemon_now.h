/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's options that are at work. Not all may be those of the last config that was loaded:
 * some are read at the start alone, and a socket may not have been to be had as the config says.
 */
#ifndef PENSTOCK_CONF_DAEMON_NOW_H
#define PENSTOCK_CONF_DAEMON_NOW_H

#include "conf/conf.h"

/* Options that change together, or not at all; the rights of the control socket not without it. */
enum daemon_part {
    DAEMON_START,
    DAEMON_CONTROL,
    DAEMON_RIGHTS,
    DAEMON_HTTP,
    DAEMON_LOG,
    DAEMON_REST
};

#define DAEMON_PARTS (DAEMON_REST + 1)

/* A set of them. */
#define DAEMON_PART(part) (1u << (part))

struct daemon_now {
    struct conf_daemon options;
    struct conf *from[DAEMON_PARTS]; /* referenced, as the texts are theirs; NULL: as unset */
};

/* All as in this one, with which the daemon has begun, but the parts `failed`: there is no such
 * socket then, and the others have their defaults. */
void daemon_now_begin(struct daemon_now *now, struct conf *conf, unsigned failed);

/* Another one is loaded: all as in that, but what is read at the start and the parts `failed`. */
void daemon_now_change(struct daemon_now *now, struct conf *conf, unsigned failed);

/* As they are at this moment, for any thread. */
void daemon_now_copy(struct daemon_now *to, const struct daemon_now *from);

/* Free what it holds. */
void daemon_now_end(struct daemon_now *now);

#endif
