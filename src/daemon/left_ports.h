/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP ports that we have left while the service manager has their sockets, too: those have their
 * addresses until it has closed them, which can't be hurried. Retired (sock_retire()), they let a
 * new one be bound beside them (listener_open_beside()). That is only asked for at these ports: who
 * else has one shares it with nobody.
 */
#ifndef PENSTOCK_DAEMON_LEFT_PORTS_H
#define PENSTOCK_DAEMON_LEFT_PORTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* A bit for each. Zeroed, there are none. */
struct left_ports {
    uint8_t bits[8192];
};

static inline void left_ports_add(struct left_ports *p, in_port_t port)
{
    p->bits[port / 8] |= (uint8_t)(1u << port % 8);
}

static inline bool left_ports_has(const struct left_ports *p, in_port_t port)
{
    return p->bits[port / 8] >> port % 8 & 1;
}

#endif
