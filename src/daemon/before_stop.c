/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/before_stop.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "daemon/store.h"
#include "os/systemd.h"

/* The manager answers in milliseconds, unless it is in trouble itself. */
#define ASK_MS 5000

/* 0: it has ended by itself. */
static pid_t main_pid(void)
{
    const char *text = getenv("MAINPID");
    char *end;
    long pid;

    if (!text || !text[0])
        return 0;
    errno = 0;
    pid = strtol(text, &end, 10);
    return *end || errno || pid < 2 || pid > INT_MAX ? -1 : (pid_t)pid;
}

int before_stop(void)
{
    pid_t pid = main_pid();
    struct systemd_unit unit;
    int error;

    if (pid < 0) {
        fputs("penstockd: $MAINPID is no process\n", stderr);
        return EX_USAGE;
    }
    if (pid == 0)
        return EXIT_SUCCESS;
    error = systemd_ask(&unit, ASK_MS);
    if (error) {
        fprintf(stderr,
                "penstockd: whether this is a restart is not known, sessions will be ended: %s\n",
                strerror(-error));
        return EXIT_FAILURE;
    }
    if (!unit.restarting)
        return EXIT_SUCCESS;
    if (unit.store_most < STORE_LEAST) {
        fprintf(stderr,
                "penstockd: sessions can't live on and will be ended: FileDescriptorStoreMax= of "
                "the unit is %u, needed are %d\n",
                unit.store_most, STORE_LEAST);
        return EXIT_FAILURE;
    }
    if (kill(pid, BEFORE_STOP_SIGNAL) < 0 && errno != ESRCH) {
        perror("penstockd: kill");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
