/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel says of the process and its machine (proc(5)); where it says nothing there is no
 * series. Names and meanings are those that exporters have in common. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/api.h"
#include "ops/metrics.h"

/* More than /proc/net/netstat has. */
#define FILE_MAX_BYTES (16u << 10)

/* To count so many open descriptors one by one takes about a millisecond. */
#define COUNT_MOST 1000

static void write_one(struct om *om, const char *name, const char *type, const char *unit,
                      const char *help, uint64_t value)
{
    om_family(om, name, type, unit, help);
    om_number(om, name, strcmp(type, "counter") == 0 ? "_total" : "", NULL, value);
}

/* What is in the file, as text; false when that can't be had. */
static bool read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t n = -1;

    if (fd < 0)
        return false;
    while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    close(fd);
    text[used] = '\0';
    return n >= 0;
}

/* --- the process ----------------------------------------------------------------------------- */

static void write_cpu(struct om *om)
{
    struct rusage used;

    if (getrusage(RUSAGE_SELF, &used) < 0)
        return;
    om_family(om, "process_cpu_seconds", "counter", "seconds", "CPU time, of user and system.");
    om_real(om, "process_cpu_seconds", "_total", NULL,
            (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

static void write_memory(struct om *om)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), virtual, resident;
    char text[256];

    if (!read_file("/proc/self/statm", text, sizeof(text)) ||
        sscanf(text, "%" SCNu64 " %" SCNu64, &virtual, &resident) != 2)
        return;
    write_one(om, "process_virtual_memory_bytes", "gauge", "bytes", "Memory that is mapped.",
              virtual * page);
    write_one(om, "process_resident_memory_bytes", "gauge", "bytes", "Memory that is in RAM.",
              resident * page);
}

/* Linux 6.2 and later tell it by the size of the directory; on others they are counted, but not so
 * many that sessions would have to wait for it. */
static bool count_open(const struct worker *w, uint64_t *count)
{
    struct stat st;
    DIR *dir;

    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
        *count = (uint64_t)st.st_size;
        return true;
    }
    if (atomic_load(&w->fds->booked) > COUNT_MOST)
        return false;
    dir = opendir("/proc/self/fd");
    if (!dir)
        return false;
    *count = 0;
    for (const struct dirent *e; (e = readdir(dir));)
        *count += e->d_name[0] != '.';
    closedir(dir);
    --*count; /* the one that it took to look */
    return true;
}

static void write_open(struct om *om, const struct worker *w)
{
    struct rlimit limit;
    uint64_t count;

    if (count_open(w, &count))
        write_one(om, "process_open_fds", "gauge", NULL, "Descriptors that are open.", count);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        write_one(om, "process_max_fds", "gauge", NULL, "How many may be open.", limit.rlim_cur);
}

static void write_start(struct om *om, const struct api *api)
{
    om_family(om, "process_start_time_seconds", "gauge", "seconds",
              "When this program began, since the epoch.");
    om_real(om, "process_start_time_seconds", "", NULL, (double)api->started_at_ms / 1000);
}

/* --- its machine ----------------------------------------------------------------------------- */

/* The column of that name in two lines "TcpExt: ListenOverflows ..." and "TcpExt: 12 ...". */
static bool find_number(const char *names, const char *values, const char *wanted, uint64_t *value)
{
    size_t size = strlen(wanted);

    for (;;) {
        const char *name_end = strpbrk(names, " \n"), *value_end = strpbrk(values, " \n");

        if (!name_end || !value_end)
            return false;
        if ((size_t)(name_end - names) == size && strncmp(names, wanted, size) == 0) {
            *value = strtoull(values, NULL, 10);
            return true;
        }
        if (*name_end == '\n' || *value_end == '\n')
            return false;
        names = name_end + 1;
        values = value_end + 1;
    }
}

static void write_overflows(struct om *om)
{
    char text[FILE_MAX_BYTES];
    const char *names, *values;
    uint64_t value;

    if (!read_file("/proc/self/net/netstat", text, sizeof(text)) ||
        !(names = strstr(text, "TcpExt: ")) || !(values = strstr(names + 1, "\nTcpExt: ")))
        return;
    if (find_number(names, values + 1, "ListenOverflows", &value))
        write_one(om, "penstock_host_listen_overflows", "counter", NULL,
                  "Connections that a full backlog turned away, of all sockets of the network "
                  "namespace: of other programs, too.",
                  value);
    if (find_number(names, values + 1, "ListenDrops", &value))
        write_one(om, "penstock_host_listen_drops", "counter", NULL,
                  "The same, and those that were turned away for another reason.", value);
}

void metrics_process(struct om *om, const struct api *api)
{
    write_cpu(om);
    write_memory(om);
    write_open(om, api->host.worker);
    write_start(om, api);
    write_overflows(om);
}
