/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/memfile.h"

static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    int error;

    sigfillset(&all);
    sigemptyset(&none);
    error = posix_spawnattr_setsigdefault(attributes, &all);
    if (error == 0)
        error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0)
        error =
            posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    return error;
}

static int set_files(posix_spawn_file_actions_t *files, int output)
{
    int error = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (error == 0)
        error = posix_spawn_file_actions_adddup2(files, output, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(files, output, STDERR_FILENO);
    return error;
}

/* Unlike fork(2) and execve(2), posix_spawn(3) tells by itself that the latter has failed. */
static int spawn(pid_t *pid, char *const argv[], char *const envp[], int output)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&files);

    if (error)
        return -error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_signals(&attributes);
        if (error == 0)
            error = set_files(&files, output);
        if (error == 0)
            error = posix_spawnp(pid, argv[0], &files, &attributes, argv, envp);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return -error;
}

/* Returns 0, or a negative errno. */
static int reap(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

char **child_environment(char *variable)
{
    size_t name = strcspn(variable, "=") + 1, count = 0;
    char **copy;

    while (environ && environ[count])
        count++;
    copy = calloc(count + 2, sizeof(*copy));
    if (!copy)
        return NULL;
    count = 0;
    for (char **at = environ; at && *at; at++) {
        if (strncmp(*at, variable, name) != 0)
            copy[count++] = *at;
    }
    copy[count] = variable;
    return copy;
}

int child_start(struct child *child, char *const argv[], char *const envp[])
{
    int error;

    child->output = memfile_new("output", NULL, 0);
    if (child->output < 0)
        return child->output;
    error = spawn(&child->pid, argv, envp, child->output);
    if (error == 0) {
        child->fd = (int)syscall(SYS_pidfd_open, child->pid, 0); /* is close-on-exec */
        if (child->fd >= 0)
            return 0;
        error = -errno;
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, WNOHANG);
    }
    close(child->output);
    return error;
}

static void close_both(struct child *child)
{
    close(child->fd);
    close(child->output);
    *child = (struct child){.fd = -1, .output = -1};
}

static char *read_output(int fd)
{
    char *text = malloc(CHILD_OUTPUT_MAX + 1);
    size_t at = 0;
    ssize_t n = 1;

    if (!text)
        return NULL;
    while (at < CHILD_OUTPUT_MAX && n > 0) {
        n = pread(fd, text + at, CHILD_OUTPUT_MAX - at, (off_t)at);
        at += n > 0 ? (size_t)n : 0;
    }
    text[at] = '\0';
    return text;
}

int child_finish(struct child *child, struct child_end *end)
{
    int status = 0, error = reap(child->pid, &status);

    *end = (struct child_end){.status = -1};
    if (error == 0 && WIFEXITED(status))
        end->status = WEXITSTATUS(status);
    else if (error == 0)
        end->signal = WTERMSIG(status);
    end->output = read_output(child->output);
    close_both(child);
    return error;
}

void child_kill(const struct child *child)
{
    kill(child->pid, SIGKILL);
}

void child_drop(struct child *child)
{
    child_kill(child);
    waitpid(child->pid, NULL, WNOHANG);
    close_both(child);
}
