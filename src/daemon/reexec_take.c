/* SPDX-License-Identifier: BSD-2-Clause */
/* The new program's side of an upgrade in place. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/reexec.h"
#include "daemon/reexec_env.h"
#include "os/dgram.h"
#include "os/fds.h"
#include "os/memfile.h"
#include "os/sock.h"

/* A control socket, and an address for reading. */
#define OPERATORS_MOST 2

/* A number is as good as the socket behind it. */
static int take(void *arg, const struct snap_fd *fd)
{
    uint64_t cookie;

    (void)arg;
    if (fd->number <= STDERR_FILENO || sock_id(fd->number, &cookie) || cookie != fd->cookie ||
        sock_keep_on_exec(fd->number, false))
        return -1;
    sock_reset_at_end(fd->number, false);
    return fd->number;
}

static bool is_passed(const struct passed *passed, int fd)
{
    for (int i = 0; i < passed->count; i++) {
        if (passed->sockets[i].fd == fd)
            return true;
    }
    return false;
}

/* It tells by itself what it is for. */
static bool is_listening(int fd)
{
    char text[ADDR_TEXT_MAX];
    struct addr bound;

    if (sock_check_listening(fd, &bound) == 0)
        return true;
    return dgram_check(fd, &bound) == 0 && sock_text(fd, text, sizeof(text));
}

/* Nothing is known of what we were left: whoever is at the other ends must not think it whole. */
static void reset_all(struct passed *passed)
{
    int *fds, count = fds_list(&fds), listening = 0;

    for (int i = 0; i < count; i++) {
        uint64_t cookie;

        if (fds[i] <= STDERR_FILENO || is_passed(passed, fds[i]) || sock_id(fds[i], &cookie))
            continue;
        if (is_listening(fds[i]) && sock_keep_on_exec(fds[i], false) == 0)
            fds[listening++] = fds[i];
        else
            sock_abort(fds[i]);
    }
    if (listening > 0)
        passed_add_listening(passed, PASSED_LISTENING, fds, listening);
    if (count >= 0)
        free(fds);
}

/* The name to pass them under: with the file of the control socket, if that is told. */
static void name_operators(const char *names, char *out, size_t size)
{
    const char *file = strstr(names, ":@");

    if (file)
        snprintf(out, size, "%s%.*s", PASSED_OPERATORS, (int)strcspn(file + 1, ":"), file + 1);
    else
        snprintf(out, size, "%s", PASSED_OPERATORS);
}

/* The operators' listening sockets, whose numbers are among the names. */
static void take_operators(struct passed *passed, const char *names)
{
    char name[sizeof(PASSED_OPERATORS) + SOCK_FILE_ID_TEXT];
    int fds[OPERATORS_MOST], count = 0;
    struct addr bound;

    for (const char *at = strchr(names, ':'); at; at = strchr(at + 1, ':')) {
        int fd = isdigit((unsigned char)at[1]) ? atoi(at + 1) : -1;

        if (fd > STDERR_FILENO && count < OPERATORS_MOST && !is_passed(passed, fd) &&
            sock_check_listening(fd, &bound) == 0 && sock_keep_on_exec(fd, false) == 0)
            fds[count++] = fd;
    }
    name_operators(names, name, sizeof(name));
    passed_add_listening(passed, name, fds, count);
}

/* The descriptor named by the environment, which is told no further. */
static int snapshot_fd(char *names, size_t size)
{
    const char *text = getenv(REEXEC_VARIABLE);
    char *end;
    long fd;

    if (!text)
        return -ENOENT;
    errno = 0;
    fd = strtol(text, &end, 10);
    if ((*end && *end != ':') || end == text || errno || fd <= STDERR_FILENO || fd > INT_MAX)
        fd = -EBADF;
    else
        snprintf(names, size, "%s", end);
    unsetenv(REEXEC_VARIABLE);
    return (int)fd;
}

void reexec_forget(struct inheritance *in)
{
    arena_free(in->arena);
    in->arena = NULL;
}

int reexec_take(struct inheritance *in, struct passed *passed, const char **why)
{
    int fd, error = 0;
    uint8_t *bytes = NULL;
    size_t size = 0;

    *in = (struct inheritance){.take = take};
    fd = snapshot_fd(in->stored, sizeof(in->stored));
    if (fd == -ENOENT)
        return fd;
    *why = "it can't be read";
    if (fd >= 0 && !is_passed(passed, fd))
        error = memfile_read(fd, SNAPSHOT_SIZE_MOST, &bytes, &size);
    else
        error = -EBADF;
    if (fd >= 0 && !is_passed(passed, fd))
        close(fd);
    if (error == 0) {
        in->arena = arena_new();
        *why = in->arena ? snapshot_read(&in->snapshot, bytes, size, in->arena) : "out of memory";
        error = *why ? -EBADMSG : 0;
        free(bytes);
    }
    take_operators(passed, in->stored);
    if (error) {
        reexec_forget(in);
        reset_all(passed);
    }
    return error;
}
