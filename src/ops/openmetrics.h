/* SPDX-License-Identifier: BSD-2-Clause */
/* The OpenMetrics text format 1.0, written. Knows nothing of penstock. */
#ifndef PENSTOCK_OPS_OPENMETRICS_H
#define PENSTOCK_OPS_OPENMETRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text that grows; it is `failed` once there was no memory, and stays so. */
struct om {
    char *text; /* to be freed */
    size_t size, room;
    bool failed;
};

struct om_label {
    const char *name;
    const char *value; /* any text: it is escaped */
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

/* "# EOF". */
void om_end(struct om *om);

#endif
