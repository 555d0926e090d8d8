/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom a request is addressed to. A page elsewhere can have its own name resolve to our address, so
 * that a browser takes our answers for that page's (DNS rebinding). Such a request comes with that
 * name; those who mean us come by an address, or as localhost.
 */
#ifndef PENSTOCK_OPS_HOST_NAME_H
#define PENSTOCK_OPS_HOST_NAME_H

#include <stdbool.h>

/* Is this value of the header Host (RFC 9110 section 7.2) an IP address or localhost? Pure. */
bool host_name_is_address(const char *host);

#endif
