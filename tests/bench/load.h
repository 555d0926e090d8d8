/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load of the benchmark: one process that plays the clients and one that plays the upstream,
 * with whatever is to be measured between them (or nothing: the direct run).
 *
 * Over TCP every connection begins with one exchange (request_size bytes out, reply_size bytes
 * back), so that a connection counts only once it is known to reach the upstream. What follows
 * depends on the work. How it is over UDP, load_udp.h tells.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOAD_STALL_NS UINT64_C(3000000000)  /* nothing for this long: the proxy is stuck */
#define LOAD_OPEN_NS  UINT64_C(12000000000) /* for opening all kept connections */

enum load_work {
    LOAD_UP,    /* bulk, client to upstream, on kept connections */
    LOAD_DOWN,  /* bulk, upstream to client, on kept connections */
    LOAD_RR,    /* exchanges, one after the other on each kept connection */
    LOAD_CONN,  /* connect, one exchange, close; and again */
    LOAD_UDP,   /* datagrams that the upstream sends back */
    LOAD_BURST, /* datagrams that it does not */
};

struct load_options {
    enum load_work work;
    struct sockaddr_in connect; /* where the clients go: the proxy */
    struct sockaddr_in listen;  /* where the upstream is; the same address in a direct run */
    unsigned conns;             /* busy connections; clients, over UDP */
    unsigned idle;              /* connections that stay silent after their first exchange */
    unsigned request_size;      /* bytes; of a datagram, over UDP */
    unsigned reply_size;        /* bytes */
    unsigned each;              /* datagrams under way, at most, of one client ... */
    unsigned flight;            /* ... and of all */
    bool runs;                  /* neighbours to the same address go as one packet */
    uint64_t warm_ns;           /* before the measured window */
    uint64_t window_ns;         /* the measured window */
    bool hold;                  /* stop before and after the idle connections, for stdin lines */
    const char *cpu_file;       /* a cgroup's cpu.stat or cpuacct.usage: the proxy's CPU, or NULL */
    const char *sched_file;     /* /proc/PID/schedstat of the proxy CPU's ksoftirqd, or NULL */
};

/* What the two processes share. */
struct load_shared {
    _Atomic uint64_t sunk; /* bytes that the upstream took in LOAD_UP, after the first exchange;
                              datagrams that it took, over UDP */
    _Atomic uint64_t disordered; /* LOAD_BURST: datagrams that came after one sent later */
    _Atomic uint64_t empty;      /* empty datagrams that came, though none was sent */
    int news;                    /* LOAD_BURST: an eventfd, written to when datagrams were taken */
};

/*
 * Latencies in nanoseconds, in steps of 1/64 of each power of two: an error of at most 1.6 %, which
 * is far below the differences between rounds.
 */
#define LOAD_HIST_STEPS 64
#define LOAD_HIST_SIZE  (60 * LOAD_HIST_STEPS)

struct load_hist {
    uint64_t count;
    uint64_t slot[LOAD_HIST_SIZE];
};

struct load_result {
    uint64_t elapsed_ns;
    uint64_t units;       /* exchanges or connections; bytes for bulk; datagrams delivered */
    uint64_t cpu_ns;      /* of the proxy; 0 without cpu_file */
    uint64_t softirq_ns;  /* of the proxy CPU's ksoftirqd; 0 without sched_file */
    uint64_t load_cpu_ns; /* of the client and upstream processes together */
    uint64_t machine_ns;  /* of everything on all CPUs, in clock ticks: to see what disturbed */
    unsigned failed;      /* connections that ended before their reply (LOAD_CONN) */
    unsigned idle_lost;   /* idle connections that were ended from the other side */
    uint64_t sent;        /* datagrams */
    uint64_t lost;        /* of these: gone, or not back in time */
    uint64_t disordered;  /* of these: overtaken by one sent later by the same client */
    uint64_t empty;       /* datagrams that came though none was sent */
    struct load_hist hist;
};

/* CPU times since the start of each, in nanoseconds. */
struct load_cpu {
    uint64_t proxy, softirq, load, machine;
};

/* Monotonic time in nanoseconds. */
uint64_t load_now(void);

struct load_cpu load_cpu_now(const struct load_options *options, pid_t upstream);

/* Fills in the result's CPU times. */
void load_cpu_since(const struct load_cpu *before, const struct load_options *options,
                    pid_t upstream, struct load_result *result);

void load_record(struct load_hist *hist, uint64_t ns);

/* The upper end of the step under which the given part of all values lies. */
uint64_t load_quantile(const struct load_hist *hist, double part);

/* Prints {"error": "..."} on stdout and exits with status 1. The text must need no escaping. */
void load_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Serves as the upstream on a listening, non-blocking socket until killed. */
void load_upstream(const struct load_options *options, int listener, struct load_shared *shared)
    __attribute__((noreturn));

/* Runs the clients; returns when the window is over, or dies with the reason. */
void load_clients(const struct load_options *options, struct load_shared *shared, pid_t upstream,
                  struct load_result *result);

#endif
