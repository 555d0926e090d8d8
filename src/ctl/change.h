/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule's file in conf.d comes or goes, and penstockd reloads: all of it, or nothing. In between
 * the signals that would end us wait, and nobody else changes files there this way.
 */
#ifndef PENSTOCK_CTL_CHANGE_H
#define PENSTOCK_CTL_CHANGE_H

#include "conf/conf.h"
#include "ctl/conf_dir.h"
#include "ctl/ctl.h"
#include "ctl/signals.h"

struct change {
    struct ctl *ctl;
    const char *rule;
    char *config;            /* the main file */
    char *file;              /* the rule's in conf.d ... */
    char *path;              /* ... and where that is */
    char *asleep;            /* why penstockd is not to reload; NULL: it is */
    bool mixed;              /* a reload may change more than this */
    struct conf_errors said; /* of the config as it would be */
    struct conf_dir dir;
    sigset_t before;
    struct reply reloaded; /* what it has said */
};

/* Find the config, and hold its conf.d. Returns the exit status; what is wrong has been said. In
 * any case change_end() is to be called. */
int change_begin(struct change *c, struct ctl *ctl, const char *rule);

/* Give everything back; a signal that has come meanwhile ends us here. */
void change_end(struct change *c);

/* The whole config as it would be with this text in the rule's file, or without the file (NULL). If
 * it has errors they are said, and NULL is returned; warnings are said as well. */
struct conf *change_load(struct change *c, const char *text);

/* The config as it is on the disk; NULL when that has errors, which are said only if `say`. */
struct conf *change_load_now(struct change *c, bool say);

/* Before anything is written: would a reload, if there is to be one, change nothing else? The rule
 * itself counts if it is `wanted`, for then it should not be there. Returns the exit status; what
 * is wrong has been said. */
int change_alone(struct change *c, bool wanted);

/* Have penstockd reload, if it is to; then the rule must be at work, or not. Returns the exit
 * status; what is wrong has been said. */
int change_reload(struct change *c, bool wanted);

/* It did not go well, and the files are as they were: reload once more, and say so. */
void change_reload_back(struct change *c);

/* Say that the file could not be written or deleted. Returns the exit status. */
int change_failed(const struct change *c, const char *what, int error);

/* Print what was done: "added" or "removed". */
void change_report(struct change *c, const char *change);

#endif
