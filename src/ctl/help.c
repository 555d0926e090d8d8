/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/help.h"

#include <stdio.h>

#include "conf/conf.h"

static const char for_all[] =
    "  --socket PATH      penstockd's control socket (default: $PENSTOCK_SOCKET,\n"
    "                     else " CONF_CONTROL_DEFAULT ")\n"
    "  --no-color         no colours; there are some on a terminal unless NO_COLOR is set\n"
    "  -h, --help         print this, or about a command, and exit\n"
    "  -V, --version      print the version, and exit\n";

static const char for_json[] =
    "  --json             the daemon's answer as it is (JSON), for programs\n";

static const char for_watch[] = "  --watch[=TIME]     again and again, every TIME (default: 2s)\n";

void help_all(const struct command *commands)
{
    printf("Usage: penstock COMMAND [OPTION...]\n"
           "See and steer penstockd while it runs.\n"
           "\n");
    for (const struct command *c = commands; c->name; c++)
        printf("  %-11s %s\n", c->name, c->summary);
    printf(
        "\n"
        "Options of all commands:\n"
        "%s"
        "Of those that print what penstockd says:\n"
        "%s"
        "Of status, rules and sessions:\n"
        "%s"
        "Each command has a --help of its own.\n"
        "\n"
        "Exit status: 0 done, 1 penstockd said no, 2 wrong usage, 3 penstockd can't be reached.\n"
        "Of diff: 0 nothing would change, 1 something would, 2 the config has errors, or 3.\n"
        "See penstock(1).\n",
        for_all, for_json, for_watch);
}

void help_command(const struct command *c)
{
    printf("Usage: penstock %s%s%s\n"
           "%s\n"
           "\n"
           "%s%s%s%s",
           c->name, c->synopsis ? " " : "", c->synopsis ? c->synopsis : "", c->summary,
           c->help ? c->help : "", c->takes & TAKES_JSON ? for_json : "",
           c->takes & TAKES_WATCH ? for_watch : "", for_all);
}
