/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of the kernel's that older headers of the C library do not have (linux/udp.h,
 * linux/in6.h). A kernel without them says ENOPROTOOPT. */
#ifndef PENSTOCK_OS_DGRAM_KERNEL_H
#define PENSTOCK_OS_DGRAM_KERNEL_H

enum {
    DGRAM_UDP_SEGMENT = 103,       /* Linux 4.18 */
    DGRAM_UDP_GRO = 104,           /* Linux 5.0 */
    DGRAM_IPV6_MULTICAST_ALL = 29, /* Linux 4.20 */
};

#endif
