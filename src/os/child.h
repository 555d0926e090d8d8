/* SPDX-License-Identifier: BSD-2-Clause */
/* Another program, run to its end, and what it says. Nothing here waits for it but child_finish().
 */
#ifndef PENSTOCK_OS_CHILD_H
#define PENSTOCK_OS_CHILD_H

#include <sys/types.h>

/* Of the output, what is kept: its beginning. */
#define CHILD_OUTPUT_MAX 65536

struct child {
    pid_t pid;
    int fd;     /* readable when it has ended (pidfd_open(2)); for a poll, and nothing else */
    int output; /* the file in memory where it writes */
};

struct child_end {
    int status;   /* exit status, or -1 when it was killed */
    int signal;   /* that killed it, or 0 */
    char *output; /* standard output and error, which the caller frees; NULL without memory */
};

/*
 * Run argv[0] (searched in PATH without a slash) with this environment, its standard input
 * /dev/null, every signal as at first and none blocked. Returns 0 and fills *child, or a negative
 * errno: also that of execve(2), when the program can't be run.
 */
int child_start(struct child *child, char *const argv[], char *const envp[]);

/* Our environment, but with this "NAME=value" for any NAME there is. The array is the caller's to
 * free(3), the texts in it are not. NULL: no memory. setenv(3) is nothing for a process with
 * threads whose libraries may be reading the environment. */
char **child_environment(char *variable);

/* When it has ended, or else waiting for that: fill *end, and let go of it. Returns 0, or a
 * negative errno when somebody else has heard of the end. */
int child_finish(struct child *child, struct child_end *end);

/* Make it end. When that is so is up to the kernel; child_finish() is still to come. */
void child_kill(const struct child *child);

/* Make it end, and let go of it without waiting. What may be left of it goes when we do. */
void child_drop(struct child *child);

#endif
