/* SPDX-License-Identifier: BSD-2-Clause */
/* From the files' values to the snapshot: everything that is no syntax. Pure. */
#ifndef PENSTOCK_CONF_CHECK_H
#define PENSTOCK_CONF_CHECK_H

#include "base/arena.h"
#include "conf/conf.h"
#include "conf/node.h"

/*
 * Judge the trees (the main file's first) and give a snapshot with one reference, that owns the
 * arena in which all of it lives. NULL only without memory, and then the arena is the caller's.
 * With fatal errors the snapshot is incomplete, fit only for conf_unref().
 */
struct conf *check_config(const struct conf_tree *trees, size_t count, struct arena *arena,
                          struct conf_errors *errors);

#endif
