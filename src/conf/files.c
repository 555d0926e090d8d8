/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/files.h"

/* A buffer that grows as a file of unknown size is read (a pipe is one, too). */
struct buffer {
    char *text;
    size_t size, used;
};

/* Room for another read, and for the newline and the NUL of the end. */
static int make_room(struct buffer *b)
{
    size_t size = b->size == 0 ? 65536 : b->size * 2;
    char *larger;

    if (b->size - b->used > 4096)
        return 0;
    if (b->used > FILES_SIZE_MAX)
        return -EFBIG;
    larger = realloc(b->text, size);
    if (larger == NULL)
        return -ENOMEM;
    b->text = larger;
    b->size = size;
    return 0;
}

static int read_all(int fd, struct buffer *b)
{
    for (;;) {
        int error = make_room(b);

        if (error != 0)
            return error;
        ssize_t n = read(fd, b->text + b->used, b->size - b->used - 2);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            b->used += (size_t)n;
    }
}

/* Is it something to read, and without end? A pipe is waited for only while somebody has its other
 * end. */
static int check_kind(int fd, bool may_be_pipe)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (S_ISFIFO(st.st_mode) && may_be_pipe)
        return fcntl(fd, F_SETFL, 0) < 0 ? -errno : 0;
    return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

int files_read(const char *path, bool may_be_pipe, char **text, size_t *len)
{
    struct buffer b = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int error;

    if (fd < 0)
        return errno == ENXIO ? -EINVAL : -errno; /* a socket, or a device that is not there */
    error = check_kind(fd, may_be_pipe);
    if (error == 0)
        error = read_all(fd, &b);
    close(fd);
    if (error != 0) {
        free(b.text);
        return error;
    }
    b.text[b.used++] = '\n';
    b.text[b.used] = '\0';
    *text = b.text;
    *len = b.used;
    return 0;
}

static int is_conf_name(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > strlen(".conf") &&
           strcmp(entry->d_name + len - strlen(".conf"), ".conf") == 0;
}

/* Not alphasort(3), which depends on the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int files_list(const char *dir, char ***paths)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, is_conf_name, compare_names);
    bool complete = true;

    *paths = NULL;
    if (count < 0)
        return errno == ENOENT ? 0 : -errno;
    if (count > 0)
        *paths = calloc((size_t)count, sizeof(char *));
    for (int i = 0; i < count; i++) {
        if (*paths != NULL && asprintf(&(*paths)[i], "%s/%s", dir, entries[i]->d_name) < 0) {
            (*paths)[i] = NULL; /* undefined after a failure */
            complete = false;
        }
        free(entries[i]);
    }
    free(entries);
    if (count > 0 && (*paths == NULL || !complete)) {
        files_list_free(*paths, count);
        *paths = NULL;
        return -ENOMEM;
    }
    return count;
}

void files_list_free(char **paths, int count)
{
    for (int i = 0; paths != NULL && i < count; i++)
        free(paths[i]);
    free(paths);
}

char *files_directory(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int files_check_directory(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}
