/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of penstock. */
#ifndef PENSTOCK_CTL_ARGS_H
#define PENSTOCK_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Options that only some commands have, as bits of command->takes. */
enum {
    TAKES_JSON = 1 << 0,
    TAKES_WATCH = 1 << 1,
    TAKES_RULE = 1 << 2,
    TAKES_CLIENT = 1 << 3,
    TAKES_STATE = 1 << 4,
    TAKES_OLDER = 1 << 5,
    TAKES_SORT = 1 << 6,
    TAKES_LIMIT = 1 << 7,
    TAKES_ALL = 1 << 8,
    TAKES_TIMEOUT = 1 << 9,
    TAKES_CONFIG = 1 << 10,
    TAKES_INTERVAL = 1 << 11,
    TAKES_MAX = 1 << 12,
    TAKES_OPTION = 1 << 13,
};

struct ctl;

struct command {
    const char *name;
    unsigned takes;
    unsigned operands; /* how many there may be ... */
    bool needed;       /* ... and whether so many must be there */
    int (*run)(struct ctl *ctl);
    const char *synopsis; /* behind the name */
    const char *summary;  /* one line */
    const char *help;     /* its options, or NULL */
    int64_t timeout_ms;   /* unless --timeout says another; 0: no limit */
};

struct args {
    const struct command *command; /* NULL: none was given */
    char *operand;                 /* of argv, or NULL ... */
    char **operands;               /* ... and all of them, ended by NULL */
    unsigned given;                /* TAKES_* */
    const char *socket;            /* never NULL */
    bool no_color, help, version;
    const char *rule, *client, *state, *older, *sort, *config; /* of argv, or NULL */
    int64_t watch_ms;                                          /* 0: once */
    int64_t timeout_ms;                                        /* 0: no limit */
    int64_t interval_ms;
    uint64_t limit;       /* UINT64_MAX: none */
    const char *max;      /* of argv, or NULL */
    const char **options; /* likewise, "NAME=VALUE" each; to be freed */
    size_t option_count;
};

/*
 * Read the command line against the table of commands, which ends with a NULL name. Returns true;
 * or false when it is wrong, and standard error says how.
 */
bool args_parse(struct args *args, const struct command *commands, int argc, char **argv);

#endif
