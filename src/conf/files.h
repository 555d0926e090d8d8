/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader asks of the file system. */
#ifndef PENSTOCK_CONF_FILES_H
#define PENSTOCK_CONF_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Files are read up to this size. */
#define FILES_SIZE_MAX ((size_t)64 * 1024 * 1024)

/*
 * Read a whole file. Returns 0 and sets *text, which the caller frees, and *len: a newline is
 * added to the contents, which counts, and a NUL, which does not. Or returns a negative errno:
 * -EISDIR for a directory, -EINVAL for what is no regular file either (nor a pipe, where that may
 * be: one that nobody has open for writing is empty), -EFBIG for a file over FILES_SIZE_MAX.
 */
int files_read(const char *path, bool may_be_pipe, char **text, size_t *len);

/*
 * The paths of the files in `dir` named *.conf, those that begin with a dot left out, in the order
 * of their bytes. Returns their number (0 when there is no such directory) and sets *paths, which
 * the caller frees with files_list_free(), or returns a negative errno.
 */
int files_list(const char *dir, char ***paths);
void files_list_free(char **paths, int count);

/* The directory that holds `path`, without the slash at its end ("." for a bare name, "/" for the
 * root's own). The caller frees it; NULL without memory. */
char *files_directory(const char *path);

/* 0 when `path` is a directory, else a negative errno. */
int files_check_directory(const char *path);

#endif
