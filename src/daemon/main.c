/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/conf.h"
#include "daemon/before_stop.h"
#include "daemon/options.h"
#include "daemon/reexec_env.h"
#include "daemon/service.h"
#include "daemon/snapshot.h"
#include "loop/engine.h"
#include "ops/ops.h"
#include "os/fds.h"
#include "os/log.h"
#include "os/log_sink.h"
#include "os/user.h"

/* In the journal each line gets its priority (sd-daemon(3)). */
static void print_errors(const struct conf_errors *errors)
{
    bool journal = log_stderr_is_journal();

    for (size_t i = 0; i < errors->count; i++) {
        const struct conf_error *e = &errors->list[i];

        if (journal)
            fprintf(stderr, "<%d>", e->warning ? LEVEL_WARNING : LEVEL_ERROR);
        conf_error_print(e, stderr);
    }
}

/* The snapshot, or NULL with every error on standard error. */
static struct conf *load(const char *path)
{
    struct conf_errors errors;
    struct conf *conf = conf_load(path, &errors);

    print_errors(&errors);
    conf_errors_free(&errors);
    return conf;
}

static size_t count_listens(const struct conf *conf)
{
    size_t count = 0;

    for (size_t i = 0; i < conf->rule_count; i++)
        count += conf->rules[i].listen_count;
    return count;
}

/* What the config's own option is checked for. */
static bool may_exit_idle(const struct options *o, const struct conf *conf)
{
    const struct conf_listen *l = o->exit_idle_ms > 0 ? conf_not_passed(conf) : NULL;

    if (l)
        fprintf(stderr,
                "%s:%u: rule %s listens on %s by itself; with --exit-idle-time every address must "
                "be a systemd:NAME\n",
                l->at.file, l->at.line, l->rule->name, l->text);
    return l == NULL;
}

/* A penstockd that is about to become this program asks whether that can read what it writes. */
static bool can_take_over(void)
{
    const char *wanted = getenv(REEXEC_VERSION_VARIABLE);
    char ours[16];

    if (!wanted)
        return true;
    for (int version = SNAPSHOT_OLDEST; version <= SNAPSHOT_VERSION; version++) {
        snprintf(ours, sizeof(ours), "%d", version);
        if (strcmp(wanted, ours) == 0) {
            printf(REEXEC_ANSWER "\n", version);
            return true;
        }
    }
    fprintf(stderr, "snapshots of version %s are wanted, penstockd %s reads versions %d to %d\n",
            wanted, PACKAGE_VERSION, SNAPSHOT_OLDEST, SNAPSHOT_VERSION);
    return false;
}

/* A program of root's that takes over without them would end all that runs (service.c). */
static bool has_user(const struct conf *conf)
{
    const struct conf_daemon *d = &conf->daemon;
    const char *option = NULL;
    struct conf_place at;
    uid_t uid;
    gid_t gid;

    if (!getenv(REEXEC_VERSION_VARIABLE) || geteuid() != 0)
        return true;
    if (d->user && user_find(d->user, &uid, &gid))
        option = "user";
    else if (d->group && group_find(d->group, &gid))
        option = "group";
    if (!option)
        return true;
    at = conf_daemon_place(conf, option);
    fprintf(stderr, "%s:%u: there is no such %s\n", at.file, at.line, option);
    return false;
}

/* How many local ports the kernel gives out (ip(7)); 0 when it doesn't say. */
static uint64_t ports_available(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    unsigned first = 1, last = 0;
    bool known;

    if (!file)
        return 0;
    known = fscanf(file, "%u %u", &first, &last) == 2 && first <= last;
    fclose(file);
    return known ? (uint64_t)last - first + 1 : 0;
}

static void check_ports(const struct conf *conf, const char *path)
{
    uint64_t promised = conf_ports_promised(conf), available = ports_available();

    if (available > 0 && promised > available)
        fprintf(stderr,
                "%s: warning: the limits promise %" PRIu64 " UDP sessions, each with a local port, "
                "and there are %" PRIu64 ": lower max_connections, or widen "
                "net.ipv4.ip_local_port_range\n",
                path, promised, available);
}

/* What this build has not. */
static bool has_parts(const struct conf *conf)
{
    bool no_engine = conf->daemon.engine == ENGINE_EPOLL && !engine_epoll;
    const char *option = no_engine ? "engine" : ops_missing(conf);
    struct conf_place at;

    if (!option)
        return true;
    at = conf_daemon_place(conf, option);
    fprintf(stderr, "%s:%u: %s: this build has no %s\n", at.file, at.line,
            no_engine ? "engine \"epoll\"" : option, no_engine ? "epoll" : "control socket");
    return false;
}

static int check(const struct options *o)
{
    uint64_t promised, available = fds_available();
    const char *path = o->config;
    struct conf *conf;

    if (!can_take_over())
        return EX_UNAVAILABLE;
    conf = load(path);
    if (!conf)
        return EX_CONFIG;
    if (!may_exit_idle(o, conf) || !has_user(conf) || !has_parts(conf)) {
        conf_unref(conf);
        return EX_CONFIG;
    }
    promised = conf_descriptors_promised(conf) + ops_descriptors(conf);
    printf("%s: ok, %zu rules, %zu addresses\n", path, conf->rule_count, count_listens(conf));
    printf("descriptors: the limits promise %" PRIu64 ", %" PRIu64 " can be had\n", promised,
           available);
    if (promised > available)
        fprintf(stderr,
                "%s: warning: the limits promise more descriptors than can be had: lower "
                "max_connections, or raise the hard limit (LimitNOFILE= under systemd)\n",
                path);
    check_ports(conf, path);
    conf_unref(conf);
    return EXIT_SUCCESS;
}

static int dump(const char *path)
{
    struct conf *conf = load(path);

    if (!conf)
        return EX_CONFIG;
    conf_dump(conf, stdout);
    conf_unref(conf);
    return EXIT_SUCCESS;
}

static int run(const struct options *o, char **argv)
{
    struct conf *conf = load(o->config);

    if (conf && !may_exit_idle(o, conf)) {
        conf_unref(conf);
        conf = NULL;
    }
    return service_run(conf, argv, o->exit_idle_ms);
}

int main(int argc, char **argv)
{
    struct options o = options_parse(argc, argv);
    int status = EXIT_SUCCESS;

    fds_open_standard(O_RDWR);
    switch (o.job) {
    case JOB_RUN:
        return run(&o, argv);
    case JOB_CHECK:
        status = check(&o);
        break;
    case JOB_DUMP:
        status = dump(o.config);
        break;
    case JOB_BEFORE_STOP:
        return before_stop();
    case JOB_HELP:
        options_print_help();
        break;
    case JOB_VERSION:
        options_print_version();
        break;
    case JOB_USAGE:
        return EX_USAGE;
    }
    /* What was printed must have arrived: a full disk is an error too. */
    if (fflush(stdout) || ferror(stdout)) {
        perror("penstockd: standard output");
        return EXIT_FAILURE;
    }
    return status;
}
