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
 * watched already stays so. Returns the number by which its news tell it, or a negative errno
 * (-ENOSPC: the system's limit).
 */
int watchdir_add(int fd, const char *dir);

struct watchdir_news {
    int directory;    /* its number */
    const char *name; /* of a file in it, or "" for the directory itself */
    bool created;     /* it has just come to be, and whoever made it may be writing to it yet */
};

typedef bool watchdir_fn(void *arg, const struct watchdir_news *news);

/* Read all the news, and ask wanted() for each. Returns whether any was; and true when news were
 * lost, as any may have been wanted. */
bool watchdir_read(int fd, watchdir_fn *wanted, void *arg);

#endif
