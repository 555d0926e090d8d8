/* SPDX-License-Identifier: BSD-2-Clause */
/* What /metrics is made of. Names follow the conventions of Prometheus: what is ours begins with
 * "penstock_", times are in seconds, and labels have few values: never a client's address. */
#ifndef PENSTOCK_OPS_METRICS_H
#define PENSTOCK_OPS_METRICS_H

#include "ops/openmetrics.h"

struct api;
struct histogram;
struct listener;
struct rule;
struct totals;

/* A rule that has series. */
struct metrics_rule {
    struct rule *rule; /* referenced */
    const struct totals *totals;
};

/* One family of those that each rule has. */
struct metrics_family {
    const char *name, *type, *unit, *help;
    void (*write)(struct om *om, const char *name, const struct metrics_rule *r);
    /* Instead, if each of its listeners has it: there can be ten thousands of them, too. */
    void (*write_listener)(struct om *om, const char *name, const struct metrics_rule *r,
                           const struct listener *l);
};

/* The one of that number, from 0; NULL behind the last (metrics_rules.c). */
const struct metrics_family *metrics_family(unsigned number);

/* The samples of a histogram: `labels` are those of all of them, at most two (metrics_rules.c). */
void metrics_histogram(struct om *om, const char *name, const struct om_label *labels,
                       const struct histogram *h);

/* What there is once: the loop, descriptors, the config (metrics_daemon.c); and of the process and
 * its machine (metrics_process.c). */
void metrics_daemon(struct om *om, const struct api *api);
void metrics_process(struct om *om, const struct api *api);

#endif
