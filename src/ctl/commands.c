/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/commands.h"

#include "ctl/ctl.h"

#define SELECTION                                                                                  \
    "  --rule RULE        only of this rule\n"                                                     \
    "  --client ADDRESS   only of this client, or of a network (192.0.2.0/24)\n"                   \
    "  --state STATE      only dialling, open, half-closed or flushing\n"                          \
    "  --older TIME       only those that began so long ago (10min)\n"

#define TIMEOUT(usual)                                                                             \
    "  --timeout TIME     wait so long for an answer (default: " usual "; off: for ever)\n"

#define ANSWER_MS 10000 /* for what penstockd says at once */
#define READY_MS  30000

const struct command commands[] = {
    {
        .name = "status",
        .takes = TAKES_JSON | TAKES_TIMEOUT | TAKES_WATCH,
        .run = cmd_status,
        .summary = "how penstockd is",
        .help = TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "rules",
        .takes = TAKES_JSON | TAKES_TIMEOUT | TAKES_WATCH,
        .run = cmd_rules,
        .summary = "every rule: its state, addresses, sessions and bytes",
        .help = TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "sessions",
        .takes = TAKES_JSON | TAKES_TIMEOUT | TAKES_WATCH | TAKES_RULE | TAKES_CLIENT |
                 TAKES_STATE | TAKES_OLDER | TAKES_SORT | TAKES_LIMIT,
        .run = cmd_sessions,
        .synopsis = "[--rule RULE] [--client ADDRESS[/BITS]] [--state STATE]\n"
                    "         [--older TIME] [--sort KEY] [--limit N]",
        .summary = "who is connected, and to whom",
        .help = SELECTION "  --sort KEY         by id (as it is without), age, idle or bytes\n"
                          "  --limit N          the first N only\n" TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "show",
        .takes = TAKES_JSON | TAKES_TIMEOUT,
        .operands = 1,
        .needed = true,
        .run = cmd_show,
        .synopsis = "ID",
        .summary = "all about one session",
        .help = TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "kill",
        .takes = TAKES_JSON | TAKES_TIMEOUT | TAKES_RULE | TAKES_CLIENT | TAKES_STATE |
                 TAKES_OLDER | TAKES_ALL,
        .operands = 1,
        .run = cmd_kill,
        .synopsis = "ID | --all | [--rule RULE] [--client ADDRESS[/BITS]]\n"
                    "         [--state STATE] [--older TIME]",
        .summary = "end sessions at once",
        .help = SELECTION "  --all              every one\n" TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "pause",
        .takes = TAKES_JSON | TAKES_TIMEOUT,
        .operands = 1,
        .needed = true,
        .run = cmd_steer,
        .synopsis = "RULE",
        .summary = "take no new clients; they wait, sessions go on",
        .help = TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "resume",
        .takes = TAKES_JSON | TAKES_TIMEOUT,
        .operands = 1,
        .needed = true,
        .run = cmd_steer,
        .synopsis = "RULE",
        .summary = "take clients again",
        .help = TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "drain",
        .takes = TAKES_JSON | TAKES_TIMEOUT,
        .operands = 1,
        .needed = true,
        .run = cmd_steer,
        .synopsis = "RULE",
        .summary = "pause, and end the sessions after drain_timeout",
        .help = TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "reload",
        .takes = TAKES_JSON | TAKES_TIMEOUT,
        .run = cmd_reload,
        .summary = "read the config anew, and say what has changed",
        .help = TIMEOUT("off"),
    },
    {
        .name = "diff",
        .takes = TAKES_JSON | TAKES_TIMEOUT,
        .run = cmd_diff,
        .summary = "what a reload would change now",
        .help = TIMEOUT("10s"),
        .timeout_ms = ANSWER_MS,
    },
    {
        .name = "add",
        .takes = TAKES_JSON | TAKES_CONFIG | TAKES_MAX | TAKES_OPTION,
        .operands = 3,
        .needed = true,
        .run = cmd_add,
        .synopsis = "NAME LISTEN UPSTREAM [--max N] [-o OPTION=VALUE]...\n"
                    "         [--config FILE]",
        .summary = "a new rule: write its file, check it, and reload",
        .help = "  --max N            its max_connections\n"
                "  -o, --option OPTION=VALUE\n"
                "                     any option of a rule, as often as needed\n"
                "  --config FILE      beside this config (default: what penstockd runs with)\n",
    },
    {
        .name = "remove",
        .takes = TAKES_JSON | TAKES_CONFIG,
        .operands = 1,
        .needed = true,
        .run = cmd_remove,
        .synopsis = "NAME [--config FILE]",
        .summary = "delete the file of such a rule, and reload",
        .help = "  --config FILE      beside this config (default: what penstockd runs with)\n",
    },
    {
        .name = "tail",
        .takes = TAKES_JSON,
        .run = cmd_tail,
        .summary = "what happens, as it happens",
    },
    {
        .name = "top",
        .takes = TAKES_INTERVAL,
        .run = cmd_top,
        .synopsis = "[--interval TIME]",
        .summary = top_summary,
        .help = "  --interval TIME    look at the daemon so often (default: 1s)\n",
    },
    {
        .name = "check",
        .takes = TAKES_CONFIG,
        .run = cmd_check,
        .synopsis = "[--config FILE]",
        .summary = "check the config with penstockd --check",
        .help = "  --config FILE      this one (default: what penstockd runs with)\n",
    },
    {
        .name = "wait-ready",
        .takes = TAKES_TIMEOUT,
        .run = cmd_wait_ready,
        .synopsis = "[--timeout TIME]",
        .summary = "wait until penstockd answers",
        .help = "  --timeout TIME     at most so long (default: 30s; off: no matter how long)\n",
        .timeout_ms = READY_MS,
    },
    {.name = NULL},
};
