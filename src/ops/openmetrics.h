/* SPDX-License-Identifier: BSD-2-Clause */
/* The OpenMetrics text format 1.0, written; or the older one that Prometheus began with. Knows
 * nothing of penstock. */
#ifndef PENSTOCK_OPS_OPENMETRICS_H
#define PENSTOCK_OPS_OPENMETRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text that grows; it is `failed` once there was no memory, and stays so. Zeroed, it is empty.
 * `plain`: in the text format 0.0.4, which names a counter's family with "_total", knows neither
 * units nor "info", and is all that some tools can read.
 */
struct om {
    char *text; /* to be freed */
    size_t size, room;
    bool failed;
    bool plain;
};

struct om_label {
    const char *name;
    const char *value; /* any text: it is escaped, and what is no UTF-8 becomes '?' */
};

/* Begin a family. `type`: "counter", "gauge", "histogram", "info"; `unit`: NULL or what the name
 * ends in. */
void om_family(struct om *om, const char *name, const char *type, const char *unit,
               const char *help);

/* A sample: the name with its suffix ("_total", "_bucket", ... or ""), labels ended by a NULL name
 * (or NULL for none). */
void om_number(struct om *om, const char *name, const char *suffix, const struct om_label *labels,
               uint64_t value);
void om_real(struct om *om, const char *name, const char *suffix, const struct om_label *labels,
             double value);

/* "# EOF": so that a text that was cut is known as such. To the older format it is a comment. */
void om_end(struct om *om);

/* Forget the text, but keep its memory for more. */
void om_clear(struct om *om);

#endif
