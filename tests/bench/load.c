/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "load.h"
#include "load_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: load up|down|rr|conn|udp|burst --connect ADDRESS:PORT --listen ADDRESS:PORT "
    "[option...]\n"
    "Plays the clients and the upstream of a proxy, and prints what got through as JSON.\n"
    "  up, down   bulk data from the clients to the upstream, or the other way\n"
    "  rr         requests and replies on kept connections\n"
    "  conn       connections: connect, request, reply, close\n"
    "  udp        datagrams that the upstream sends back\n"
    "  burst      datagrams that it does not\n"
    "  --connect ADDRESS:PORT  where the clients connect to (IPv4)\n"
    "  --listen ADDRESS:PORT   where the upstream listens; the same for a run without a proxy\n"
    "  --conns N               busy connections, or clients of datagrams (1)\n"
    "  --idle N                idle connections beside them (0)\n"
    "  --request N             bytes in a request, or in a datagram (64)\n"
    "  --reply N               bytes in a reply (256)\n"
    "  --each N                datagrams under way of each client (burst: sent at once), at most "
    "(1)\n"
    "  --flight N              and of all clients together (64)\n"
    "  --runs                  datagrams are sent in runs (UDP_SEGMENT)\n"
    "  --warm MS               time before measuring (200)\n"
    "  --window MS             time measured (1000)\n"
    "  --hold                  print {\"phase\": ...} and wait for a line on standard input "
    "before\n"
    "                          and after the idle connections are opened; measure nothing\n"
    "  --cpu-file FILE         cpu.stat or cpuacct.usage of the proxy's cgroup\n"
    "  --sched-file FILE       /proc/PID/schedstat of the ksoftirqd of the proxy's CPU\n";

void load_die(const char *fmt, ...)
{
    va_list args;

    printf("{\"error\": \"");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\"}\n");
    exit(1);
}

static void usage_error(const char *what)
{
    fprintf(stderr, "load: %s\n%s", what, usage_text);
    exit(2);
}

static unsigned number(const char *text, unsigned max)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value > max)
        usage_error("bad number");
    return (unsigned)value;
}

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN];

    if (!colon || (size_t)(colon - text) >= sizeof host)
        usage_error("bad address");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (inet_pton(AF_INET, host, &addr.sin_addr) != 1)
        usage_error("bad address");
    addr.sin_port = htons((uint16_t)number(colon + 1, 65535));
    return addr;
}

static enum load_work work_named(const char *name)
{
    static const char *const names[] = {"up", "down", "rr", "conn", "udp", "burst"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum load_work)i;
    usage_error("unknown work");
    return LOAD_RR;
}

static void check_udp(const struct load_options *o)
{
    if (!o->conns || !o->each || o->each > o->flight || o->idle || o->hold)
        usage_error("datagrams need clients, --each, and at least as many for --flight");
    if (o->request_size < sizeof(struct load_mark) || o->request_size > LOAD_MOST)
        usage_error("a datagram has 16 to 65507 bytes");
}

static void parse(int argc, char **argv, struct load_options *o)
{
    static const struct option longs[] = {
        {"connect", required_argument, NULL, 'c'},
        {"listen", required_argument, NULL, 'l'},
        {"conns", required_argument, NULL, 'n'},
        {"idle", required_argument, NULL, 'i'},
        {"request", required_argument, NULL, 'q'},
        {"reply", required_argument, NULL, 'p'},
        {"each", required_argument, NULL, 'e'},
        {"flight", required_argument, NULL, 'f'},
        {"runs", no_argument, NULL, 'r'},
        {"warm", required_argument, NULL, 'w'},
        {"window", required_argument, NULL, 'W'},
        {"hold", no_argument, NULL, 'h'},
        {"cpu-file", required_argument, NULL, 'u'},
        {"sched-file", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->connect = address(optarg);
            break;
        case 'l':
            o->listen = address(optarg);
            break;
        case 'n':
            o->conns = number(optarg, 100000);
            break;
        case 'i':
            o->idle = number(optarg, 100000);
            break;
        case 'q':
            o->request_size = number(optarg, 65536);
            break;
        case 'p':
            o->reply_size = number(optarg, 65536);
            break;
        case 'e':
            o->each = number(optarg, LOAD_BATCH);
            break;
        case 'f':
            o->flight = number(optarg, 100000);
            break;
        case 'r':
            o->runs = true;
            break;
        case 'w':
            o->warm_ns = number(optarg, 600000) * (uint64_t)1000000;
            break;
        case 'W':
            o->window_ns = number(optarg, 600000) * (uint64_t)1000000;
            break;
        case 'h':
            o->hold = true;
            break;
        case 'u':
            o->cpu_file = optarg;
            break;
        case 's':
            o->sched_file = optarg;
            break;
        default:
            usage_error("unknown option");
        }
    }
    if (optind != argc - 1)
        usage_error("name one work");
    o->work = work_named(argv[optind]);
    if (!o->connect.sin_port || !o->listen.sin_port || !o->request_size || !o->reply_size)
        usage_error("--connect and --listen are needed, and sizes from 1 byte up");
    if (o->work >= LOAD_UDP)
        check_udp(o);
}

static int listen_on(const struct sockaddr_in *addr)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == -1)
        load_die("socket: %s", strerror(errno));
    if (bind(fd, (const struct sockaddr *)addr, sizeof *addr) == -1 || listen(fd, 4096) == -1)
        load_die("upstream: %s", strerror(errno));
    return fd;
}

static void print_result(const struct load_result *r)
{
    printf(
        "{\"seconds\": %.6f, \"units\": %llu, \"cpu\": %.6f, \"softirq\": %.6f, "
        "\"load_cpu\": %.6f, \"machine_cpu\": %.3f, \"failed\": %u, \"idle_lost\": %u, "
        "\"sent\": %llu, \"lost\": %llu, \"disordered\": %llu, \"empty\": %llu, \"p50_us\": %.3f, "
        "\"p99_us\": %.3f}\n",
        (double)r->elapsed_ns / 1e9, (unsigned long long)r->units, (double)r->cpu_ns / 1e9,
        (double)r->softirq_ns / 1e9, (double)r->load_cpu_ns / 1e9, (double)r->machine_ns / 1e9,
        r->failed, r->idle_lost, (unsigned long long)r->sent, (unsigned long long)r->lost,
        (unsigned long long)r->disordered, (unsigned long long)r->empty,
        (double)load_quantile(&r->hist, 0.50) / 1e3, (double)load_quantile(&r->hist, 0.99) / 1e3);
}

/* Becomes the upstream, in the process that was forked for it. */
static void serve(const struct load_options *o, int listener, struct load_shared *shared)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (o->work >= LOAD_UDP)
        load_udp_upstream(o, listener, shared);
    load_upstream(o, listener, shared);
}

static void drive(const struct load_options *o, struct load_shared *shared, pid_t upstream,
                  struct load_result *result)
{
    if (o->work == LOAD_UDP)
        load_udp_clients(o, shared, upstream, result);
    else if (o->work == LOAD_BURST)
        load_udp_bursts(o, shared, upstream, result);
    else
        load_clients(o, shared, upstream, result);
}

int main(int argc, char **argv)
{
    struct load_options options = {
        .conns = 1,
        .request_size = 64,
        .reply_size = 256,
        .each = 1,
        .flight = 64,
        .warm_ns = 200000000,
        .window_ns = 1000000000,
    };
    struct load_shared *shared;
    struct load_result *result = calloc(1, sizeof *result);
    pid_t upstream;
    int listener;

    parse(argc, argv, &options);
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !result)
        load_die("out of memory");
    listener =
        options.work >= LOAD_UDP ? load_udp_listen(&options.listen) : listen_on(&options.listen);
    shared->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (shared->news == -1)
        load_die("eventfd: %s", strerror(errno));
    upstream = fork();
    if (upstream == -1)
        load_die("fork: %s", strerror(errno));
    if (upstream == 0)
        serve(&options, listener, shared);
    close(listener);
    drive(&options, shared, upstream, result);
    kill(upstream, SIGKILL);
    waitpid(upstream, NULL, 0);
    if (!options.hold)
        print_result(result);
    free(result);
    return 0;
}
