/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of conf.d that come and go, each in one step: penstockd, which may read them at any time,
 * finds a file whole or not at all. What is aside meanwhile has a name that begins with a dot,
 * which penstockd does not read. What has happened is on the disk when a function returns; if that
 * can't be, what puts or takes undoes it and fails, while what undoes or forgets has done so all
 * the same.
 */
#ifndef PENSTOCK_CTL_CONF_DIR_H
#define PENSTOCK_CTL_CONF_DIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct conf_dir {
    char *path;
    int fd;
    bool made;       /* by us; then it goes again unless it is used */
    struct stat put; /* what conf_dir_put() has made */
};

/* Each from here on returns 0 or a negative errno. */

/* Open the conf.d beside that config and make it if it is not there; wait until nobody else who
 * did the same has it open any more, `ms` at most: -EBUSY. -ENOLINK: it is a link to nothing. */
int conf_dir_open(struct conf_dir *d, const char *config, int64_t ms);

/* Give it back. Allowed for one that could not be opened. */
void conf_dir_close(struct conf_dir *d);

/* The path of a file there; the caller frees it. */
char *conf_dir_path(const struct conf_dir *d, const char *name);

/* Is there anything of that name? */
bool conf_dir_has(const struct conf_dir *d, const char *name);

/* A new file, readable for all. -EEXIST: there is one of that name. */
int conf_dir_put(struct conf_dir *d, const char *name, const char *text);

/* Undo it. One that is not as it was put any more is left alone: -ESTALE. */
int conf_dir_unput(struct conf_dir *d, const char *name);

/* Put a file aside; then either back, or away for good. */
int conf_dir_take(struct conf_dir *d, const char *name);
int conf_dir_untake(struct conf_dir *d, const char *name);
int conf_dir_forget(struct conf_dir *d, const char *name);

#endif
