/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories watched for files that come, change or go (inotify(7)). */
#ifndef PENSTOCK_OS_WATCHDIR_H
#define PENSTOCK_OS_WATCHDIR_H

#include <stdbool.h>

/* A close-on-exec, non-blocking descriptor that is readable when there is news; close(2) ends it.
 * Or a negative errno. */
int watchdir_new(void);

/*
 * Watch the files of a directory: written and closed, created, renamed in or out, deleted; and the
 * directory itself for being renamed or deleted, after which it has to be added again. What is
 * watched already stays so. Returns 0, or a negative errno (-ENOSPC: the system's limit).
 */
int watchdir_add(int fd, const char *dir);

/*
 * Read all the news, and ask wanted(arg, name) for each: the name of a file in its directory, or ""
 * for a directory itself. Returns whether any was; and true when news were lost, as any may have
 * been wanted.
 */
bool watchdir_read(int fd, bool (*wanted)(void *arg, const char *name), void *arg);

#endif
