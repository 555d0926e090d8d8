/* SPDX-License-Identifier: BSD-2-Clause */
/* The network interfaces of this machine: which there are, which addresses they have, and word when
 * that changes (rtnetlink(7)). */
#ifndef PENSTOCK_OS_INTERFACES_H
#define PENSTOCK_OS_INTERFACES_H

#include <stdbool.h>
#include <stddef.h>

#include "os/addr.h"

struct interfaces;

/* As they are now; NULL without memory, or errno. */
struct interfaces *interfaces_new(void);
void interfaces_free(struct interfaces *is); /* NULL is allowed */

/* Look again. Returns 0, or a negative errno, and then they are as they were. */
int interfaces_refresh(struct interfaces *is);

/* The index of the one of that name, which is up; 0: there is none. */
unsigned interfaces_index(const struct interfaces *is, const char *name);

/* Has this machine that address (whatever the port)? */
bool interfaces_has(const struct interfaces *is, const struct addr *a);

/* A descriptor that is readable when something about links or addresses has changed, or a negative
 * errno. */
int interfaces_watch(void);

/* Read it empty. Was there news? Lost messages are news, too. */
bool interfaces_news(int fd);

#endif
