/* SPDX-License-Identifier: BSD-2-Clause */
/* That /metrics says what is, each number in its place and of its unit. */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "flow/rule.h"
#include "flow/totals.h"
#include "ops/api.h"
#include "ops/metrics.h"
#include "suite.h"

static struct om om;

/* What has been written, to be searched for whole lines. */
static const char *written(void)
{
    static char text[32 * 1024];

    ck_assert(!om.failed);
    ck_assert_uint_lt(om.size + 2, sizeof(text));
    snprintf(text, sizeof(text), "\n%.*s", (int)om.size, om.text ? om.text : "");
    return text;
}

static bool says(const char *line)
{
    size_t size = strlen(line);

    for (const char *at = written(); (at = strstr(at, line)); at++) {
        if (at[-1] == '\n' && at[size] == '\n')
            return true;
    }
    return false;
}

static void expect(const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(says(lines[i]), "no \"%s\" in:%.4000s", lines[i], written());
}

static void forget(void)
{
    free(om.text);
    om = (struct om){0};
}

START_TEST(a_histogram_is_in_seconds_and_each_bucket_has_those_below)
{
    const struct om_label labels[] = {{"rule", "r"}, {NULL, NULL}};
    struct histogram h = {.counts = {[0] = 2, [4] = 3, [15] = 4, [16] = 5}, .sum_ms = 1500};

    metrics_histogram(&om, "x_seconds", labels, &h);
    ck_assert_str_eq(written(), "\n"
                                "x_seconds_bucket{rule=\"r\",le=\"0.001\"} 2\n"
                                "x_seconds_bucket{rule=\"r\",le=\"0.003\"} 2\n"
                                "x_seconds_bucket{rule=\"r\",le=\"0.01\"} 2\n"
                                "x_seconds_bucket{rule=\"r\",le=\"0.03\"} 2\n"
                                "x_seconds_bucket{rule=\"r\",le=\"0.1\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"0.3\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"1.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"3.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"10.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"30.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"100.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"300.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"1000.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"3600.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"14400.0\"} 5\n"
                                "x_seconds_bucket{rule=\"r\",le=\"86400.0\"} 9\n"
                                "x_seconds_bucket{rule=\"r\",le=\"+Inf\"} 14\n"
                                "x_seconds_count{rule=\"r\"} 14\n"
                                "x_seconds_sum{rule=\"r\"} 1.5\n");
    forget();
}
END_TEST

/* --- a rule ----------------------------------------------------------------------------------- */

/* No two numbers are the same. */
static const char *const rule_lines[] = {
    "penstock_sessions{rule=\"r\"} 3",
    "penstock_sessions_limit{rule=\"r\"} 8",
    "penstock_sessions_opened_total{rule=\"r\"} 11",
    "penstock_sessions_ended_total{rule=\"r\",end=\"done\"} 12",
    "penstock_sessions_ended_total{rule=\"r\",end=\"idle-timeout\"} 13",
    "penstock_clients_refused_total{rule=\"r\",reason=\"limit\"} 14",
    "penstock_relayed_bytes_total{rule=\"r\",direction=\"in\"} 15",
    "penstock_relayed_bytes_total{rule=\"r\",direction=\"out\"} 16",
    "penstock_relayed_datagrams_total{rule=\"r\",direction=\"in\"} 17",
    "penstock_relayed_datagrams_total{rule=\"r\",direction=\"out\"} 18",
    "penstock_dropped_datagrams_total{rule=\"r\"} 19",
    "penstock_connect_duration_seconds_bucket{rule=\"r\",le=\"0.1\"} 20",
    "penstock_connect_duration_seconds_count{rule=\"r\"} 20",
    "penstock_connect_duration_seconds_sum{rule=\"r\"} 1.4",
    "penstock_session_duration_seconds_bucket{rule=\"r\",le=\"10.0\"} 21",
    "penstock_session_duration_seconds_count{rule=\"r\"} 21",
    "penstock_session_duration_seconds_sum{rule=\"r\"} 105.5",
};

START_TEST(a_rule_has_its_numbers)
{
    const struct conf_rule conf = {.name = (char[]){"r"}, .options.max_connections = 8};
    struct rule rule = {.conf = &conf,
                        .running = true,
                        .live = 3,
                        .account = {.ended = {[END_DONE] = 12, [END_IDLE_TIMEOUT] = 13},
                                    .refused = {[END_LIMIT] = 14},
                                    .connect = {.sum_ms = 1400},
                                    .lasted = {.sum_ms = 105500}}};
    const struct totals totals = {.live = 3,
                                  .opened = 11,
                                  .bytes_in = 15,
                                  .bytes_out = 16,
                                  .datagrams_in = 17,
                                  .datagrams_out = 18,
                                  .dropped = 19};
    const struct metrics_rule r = {&rule, &totals};
    const struct metrics_family *f;

    list_init(&rule.listeners);
    rule.account.connect.counts[histogram_bucket(70)] = 20;
    rule.account.lasted.counts[histogram_bucket(5000)] = 21;
    for (unsigned i = 0; (f = metrics_family(i)); i++) {
        om_family(&om, f->name, f->type, f->unit, f->help);
        if (f->write)
            f->write(&om, f->name, &r);
    }
    expect(rule_lines, COUNT_OF(rule_lines));
    forget();
}
END_TEST

/* --- the daemon ------------------------------------------------------------------------------- */

static const struct ops_reload *reloaded(void *arg)
{
    return arg;
}

static void no_event(struct watch *w, unsigned events)
{
    (void)w;
    (void)events;
}

static const char *const daemon_lines[] = {
    "penstock_config_generation 3",
    "penstock_config_loaded_timestamp_seconds 1700000000.5",
    "penstock_config_reload_in_progress 0",
    "penstock_config_last_reload_successful 1",
    "penstock_config_last_reload_timestamp_seconds 1700000009.25",
    "penstock_loop_engine_info{engine=\"select\"} 1",
    "penstock_loop_watched_descriptors 2",
    "penstock_loop_lag_seconds_count 0",
    "penstock_descriptors_booked 7",
    "penstock_descriptors_limit 500",
    "penstock_pipes 4",
    "penstock_pipes_idle 1",
    "penstock_pipes_limit 9",
};

START_TEST(the_daemon_has_its_numbers)
{
    struct ops_reload last = {.outcome = OPS_RELOAD_OK,
                              .generation = 3,
                              .at_ms = 1700000009250,
                              .loaded_at_ms = 1700000000500};
    struct fds fds = {.booked = 7, .room = 500};
    struct worker worker = {.fds = &fds, .pipes = {.open = 4, .idle = 1, .most = 9}};
    struct api api = {.host = {.worker = &worker, .reloaded = reloaded, .arg = &last}};
    struct watch watches[2] = {WATCH_NONE, WATCH_NONE};
    int ends[2];

    list_init(&worker.rules);
    worker.loop = loop_new(LOOP_SELECT);
    ck_assert_ptr_nonnull(worker.loop);
    ck_assert_int_eq(pipe(ends), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(loop_watch(worker.loop, &watches[i], ends[i], 0, no_event), 0);
    metrics_daemon(&om, &api);
    expect(daemon_lines, COUNT_OF(daemon_lines));
    forget();
    for (int i = 0; i < 2; i++) {
        loop_unwatch(worker.loop, &watches[i]);
        close(ends[i]);
    }
    loop_free(worker.loop);
}
END_TEST

/* --- the process and its machine -------------------------------------------------------------- */

/* In place of what the kernel says (-Wl,--wrap=open). */
static const char *netstat;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;
    int fd;

    if (netstat && strcmp(path, "/proc/self/net/netstat") == 0) {
        fd = memfd_create("netstat", MFD_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, netstat, strlen(netstat)), (ssize_t)strlen(netstat));
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        return fd;
    }
    if (flags & O_CREAT) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return __real_open(path, flags, mode);
}

static const struct {
    const char *netstat, *overflows, *drops; /* NULL: there is no such series */
} machines[] = {
    {"TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\nTcpExt: 1 23 456 7\n"
     "IpExt: InNoRoutes InOctets\nIpExt: 8 9\n",
     "23", "456"},
    {"IpExt: A B\nIpExt: 8 9\nTcpExt: ListenDrops ListenOverflows\nTcpExt: 5 "
     "18446744073709551615\n",
     "18446744073709551615", "5"},
    {"TcpExt: ListenOverflowsOther xListenDrops ListenDrops\nTcpExt: 1 2 3\n", NULL, "3"},
    {"TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 2\n", "2", NULL},
    {"TcpExt: A B\nTcpExt: 1 2\nIpExt: ListenOverflows ListenDrops\nIpExt: 3 4\n", NULL, NULL},
    {"TcpExt: ListenOverflows ListenDrops\n", NULL, NULL},
    {"", NULL, NULL},
};

/* NULL: none. */
static void expect_number(const char *name, const char *number)
{
    char line[256];

    snprintf(line, sizeof(line), "%s %s", name, number ? number : "");
    if (number)
        ck_assert_msg(says(line), "no \"%s\" in:%.4000s", line, written());
    else
        ck_assert_msg(!strstr(written(), line), "%.4000s", written());
}

START_TEST(the_machine_has_its_numbers)
{
    struct fds fds = {0};
    struct worker worker = {.fds = &fds};
    struct api api = {.host.worker = &worker, .started_at_ms = 1700000000500};
    struct rlimit limit;
    char most[32];

    netstat = machines[_i].netstat;
    metrics_process(&om, &api);
    netstat = NULL;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    snprintf(most, sizeof(most), "%llu", (unsigned long long)limit.rlim_cur);
    expect_number("process_max_fds", most);
    expect_number("process_start_time_seconds", "1700000000.5");
    expect_number("penstock_host_listen_overflows_total", machines[_i].overflows);
    expect_number("penstock_host_listen_drops_total", machines[_i].drops);
    forget();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_histogram_is_in_seconds_and_each_bucket_has_those_below);
    tcase_add_test(tcase, a_rule_has_its_numbers);
    tcase_add_test(tcase, the_daemon_has_its_numbers);
    tcase_add_loop_test(tcase, the_machine_has_its_numbers, 0, COUNT_OF(machines));
    return suite_run(suite);
}
