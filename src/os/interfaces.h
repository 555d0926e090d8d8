/* SPDX-License-Identifier: BSD-2-Clause */
/* The network interfaces of this machine: which there are, which addresses they have, and word when
 * that changes (rtnetlink(7)). */
#ifndef PENSTOCK_OS_INTERFACES_H
#define PENSTOCK_OS_INTERFACES_H

#include <stdbool.h>
#include <stdint.h>

#include "os/addr.h"

struct interfaces;

/* As they are now; NULL without memory, or errno. */
struct interfaces *interfaces_new(void);
void interfaces_free(struct interfaces *is); /* NULL is allowed */

/* Look again. Returns 0, or a negative errno, and then they are as they were. */
int interfaces_refresh(struct interfaces *is);

/* The index of the one of that name, which is up; 0: there is none. */
unsigned interfaces_index(const struct interfaces *is, const char *name);

/* The name of the one of that index; NULL: there is none. Good until the next look. */
const char *interfaces_name(const struct interfaces *is, unsigned index);

/* Has this machine that address (whatever the port)? */
bool interfaces_has(const struct interfaces *is, const struct addr *a);

/* A number that is another one when the interface of that index has got other addresses of that
 * family than before. */
uint64_t interfaces_stamp(const struct interfaces *is, unsigned index, sa_family_t family);

/* The index of the one through which the routes lead to `to` now; 0: through none. Asks the kernel:
 * a negative errno is that it could not be asked (no descriptor, no port, no memory). */
int interfaces_towards(const struct interfaces *is, const struct addr *to);

/* Is it the broadcast address of a network that this machine is in? Asks the kernel; false when
 * that can't be told. */
bool interfaces_is_broadcast(const struct addr *a);

/* A descriptor that is readable when something about links or addresses has changed, or a negative
 * errno. */
int interfaces_watch(void);

/* Read it empty. Was there news? Lost messages are news, too. */
bool interfaces_news(int fd);

#endif
