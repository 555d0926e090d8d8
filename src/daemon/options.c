/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

#include "base/units.h"
#include "loop/engine.h"
#include "ops/ops.h"
#include "os/pipe.h"
#include "os/systemd.h"

#define DEFAULT_CONFIG SYSCONFDIR "/penstock/penstock.conf"

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, 't'},
    {"dump", no_argument, NULL, 'd'},
    {"before-stop", no_argument, NULL, 'S'},
    {"exit-idle-time", required_argument, NULL, 'i'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* One job at a time. */
static void set_job(struct options *o, enum job job)
{
    if (o->job == JOB_RUN) {
        o->job = job;
        return;
    }
    if (o->job == JOB_USAGE)
        return;
    fputs("penstockd: --check, --dump and --before-stop are one or another, and once\n", stderr);
    o->job = JOB_USAGE;
}

static void set_exit_idle(struct options *o, const char *text)
{
    const char *error = units_parse_duration(text, &o->exit_idle_ms);

    if (!error)
        return;
    fprintf(stderr, "penstockd: --exit-idle-time \"%s\": %s\n", text, error);
    o->job = JOB_USAGE;
}

struct options options_parse(int argc, char **argv)
{
    struct options o = {.job = JOB_RUN, .config = DEFAULT_CONFIG, .exit_idle_ms = -1};
    int c;

    while ((c = getopt_long(argc, argv, "c:tdhV", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o.config = optarg;
            break;
        case 't':
            set_job(&o, JOB_CHECK);
            break;
        case 'd':
            set_job(&o, JOB_DUMP);
            break;
        case 'S':
            set_job(&o, JOB_BEFORE_STOP);
            break;
        case 'i':
            set_exit_idle(&o, optarg);
            break;
        case 'h':
            o.job = JOB_HELP;
            return o;
        case 'V':
            o.job = JOB_VERSION;
            return o;
        default:
            o.job = JOB_USAGE;
            break;
        }
    }
    if (o.job != JOB_USAGE && optind < argc) {
        fprintf(stderr, "penstockd: unexpected argument '%s'\n", argv[optind]);
        o.job = JOB_USAGE;
    }
    if (o.job == JOB_USAGE)
        fputs("Try 'penstockd --help'.\n", stderr);
    return o;
}

void options_print_help(void)
{
    printf(
        "Usage: penstockd [--config FILE] [--exit-idle-time=TIME] [--check | --dump]\n"
        "Forward TCP connections and UDP datagrams as the rules in FILE say.\n"
        "\n"
        "  -c, --config FILE  read FILE (default: %s)\n"
        "                     and conf.d/*.conf beside it\n"
        "  -t, --check        check the config, print every error, and exit\n"
        "  -d, --dump         print the effective config, and exit\n"
        "      --exit-idle-time=TIME\n"
        "                     end after this long without a session (with socket activation)\n"
        "      --before-stop  announce a restart to $MAINPID if it is one, and exit; for\n"
        "                     ExecStop= of the unit\n"
        "  -h, --help         print this, and exit\n"
        "  -V, --version      print the version and what was built in, and exit\n"
        "\n"
        "It runs in the foreground and logs to standard error, or to the journal under systemd.\n"
        "SIGHUP reads the config anew. SIGUSR2 starts the program anew in the same process (after\n"
        "an upgrade); its sessions go on.\n"
        "SIGTERM and SIGINT end it once its sessions have ended, or after drain_timeout; a second\n"
        "one ends it at once.\n"
        "Exit status: 0 ended as asked, 1 could not start or go on, 64 wrong usage, 78 wrong "
        "config.\n"
        "See penstockd(8) and penstock.conf(5).\n",
        DEFAULT_CONFIG);
}

static const char *yes_no(int yes)
{
    return yes ? "yes" : "no";
}

void options_print_version(void)
{
    printf("penstockd %s\n"
           "systemd: %s\n"
           "epoll: %s\n"
           "splice: %s\n"
           "control: %s\n"
           "config: %s\n",
           PACKAGE_VERSION, yes_no(systemd_built_in()), yes_no(engine_epoll != NULL),
           yes_no(pipe_built_in()), yes_no(ops_built_in()), DEFAULT_CONFIG);
}
