/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of penstockd. */
#ifndef PENSTOCK_DAEMON_OPTIONS_H
#define PENSTOCK_DAEMON_OPTIONS_H

#include <stdint.h>

enum job { JOB_RUN, JOB_CHECK, JOB_DUMP, JOB_BEFORE_STOP, JOB_HELP, JOB_VERSION, JOB_USAGE };

struct options {
    enum job job;
    const char *config;   /* of argv, or the built-in path */
    int64_t exit_idle_ms; /* -1: not given */
};

/* Read the command line. JOB_USAGE: it was wrong, and standard error says how. */
struct options options_parse(int argc, char **argv);

void options_print_help(void);
void options_print_version(void);

#endif
