/* SPDX-License-Identifier: BSD-2-Clause */
/* What the load measures with: clocks, the CPU time of all that takes part, and latencies. */
#include "config.h"

#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t load_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* --- CPU time ------------------------------------------------------------------------------- */

/* The first number of a file, which may follow the word usage_usec (then in microseconds). */
static uint64_t read_ns(const char *path)
{
    char text[256];
    unsigned long long value;
    ssize_t n;
    int fd;

    if (!path)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        load_die("%s: %s", path, strerror(errno));
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        load_die("%s: nothing to read", path);
    text[n] = '\0';
    if (sscanf(text, "usage_usec %llu", &value) == 1)
        return value * 1000;
    if (sscanf(text, "%llu", &value) == 1)
        return value;
    load_die("%s: not understood", path);
}

static uint64_t cpu_of(pid_t pid)
{
    struct timespec ts;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
        load_die("no CPU clock of the upstream process");
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* All that all CPUs did but idle: proc(5), /proc/stat. */
static uint64_t machine_ns(void)
{
    unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
    FILE *f = fopen("/proc/stat", "re");

    if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
                     &iowait, &irq, &softirq, &steal) != 8)
        load_die("/proc/stat: not understood");
    fclose(f);
    return (user + nice + system + irq + softirq + steal) *
           (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}

struct load_cpu load_cpu_now(const struct load_options *o, pid_t upstream)
{
    return (struct load_cpu){
        .proxy = read_ns(o->cpu_file),
        .softirq = read_ns(o->sched_file),
        .load = cpu_of(0) + cpu_of(upstream),
        .machine = machine_ns(),
    };
}

void load_cpu_since(const struct load_cpu *before, const struct load_options *o, pid_t upstream,
                    struct load_result *r)
{
    struct load_cpu after = load_cpu_now(o, upstream);

    r->cpu_ns = after.proxy - before->proxy;
    r->softirq_ns = after.softirq - before->softirq;
    r->load_cpu_ns = after.load - before->load;
    r->machine_ns = after.machine - before->machine;
}

/* --- latencies ------------------------------------------------------------------------------ */

void load_record(struct load_hist *h, uint64_t ns)
{
    unsigned power = 0;

    h->count++;
    while (ns >> power >= 2 * LOAD_HIST_STEPS)
        power++;
    h->slot[power * LOAD_HIST_STEPS + (ns >> power)]++; /* the top seven bits choose */
}

uint64_t load_quantile(const struct load_hist *h, double part)
{
    uint64_t want = (uint64_t)((double)h->count * part), seen = 0;

    for (unsigned i = 0; i < LOAD_HIST_SIZE; i++) {
        seen += h->slot[i];
        if (h->slot[i] && seen > want) {
            unsigned power = i / LOAD_HIST_STEPS, step = i % LOAD_HIST_STEPS;

            if (power == 0)
                return step;
            return ((uint64_t)(LOAD_HIST_STEPS + step + 1) << (power - 1)) - 1;
        }
    }
    return 0;
}
