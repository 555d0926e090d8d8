/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of a listening UNIX socket: whose it is, and who may replace it (unix(7)). */
#ifndef PENSTOCK_OS_SOCK_FILE_H
#define PENSTOCK_OS_SOCK_FILE_H

#include "os/addr.h"
#include "os/sock.h"

/*
 * Bind `fd` to the path of `a` and listen; errors and what is replaced are sock_listen()'s. Whoever
 * replaces a socket file holds a lock on the empty file PATH.lock meanwhile, so that of many that
 * start at once one only gets the path; the lock file is removed again. Waits for the lock, but
 * for a few seconds at most.
 */
int sock_file_listen(int fd, const struct addr *a, int backlog, const struct sock_file *file);

/* Is there a socket file at this path on which nobody listens? */
bool sock_file_is_stale(const struct addr *a);

/* A file, whatever it is called. */
struct sock_file_id {
    dev_t dev;
    ino_t ino;
};

/* The same as text, "@DEV.INO" in hexadecimal; and the one at the end of `text`, false when there
 * is none. */
#define SOCK_FILE_ID_TEXT 36
void sock_file_id_print(const struct sock_file_id *id, char out[SOCK_FILE_ID_TEXT]);
bool sock_file_id_parse(const char *text, struct sock_file_id *out);

/* Is it there, under this path? */
bool sock_file_is_at(const char *path, const struct sock_file_id *id);

/* Give the socket file at `path` another mode and owner, if it is still this one. Returns 0,
 * -EEXIST when something else is there, or another negative errno. */
int sock_file_change(const char *path, const struct sock_file_id *id, const struct sock_file *file);

#endif
