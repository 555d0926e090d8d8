/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors in a parcel: they wait in the queue of a socket (SCM_RIGHTS, unix(7)), and whoever
 * gets that one descriptor gets them all, in order. What is in a parcel stays open, and is closed
 * when the parcel is.
 *
 * It is for systemd's descriptor store. The manager compares each descriptor with all that it has
 * (kcmp(2)), and does nothing else meanwhile: 1 ms for 40 of them, 10 s for 4000.
 */
#ifndef PENSTOCK_OS_PARCEL_H
#define PENSTOCK_OS_PARCEL_H

#include <stddef.h>

/*
 * Put duplicates of the first of these descriptors into a new parcel: as many as it holds, some
 * tens of thousands. Returns their number and sets *parcel to a descriptor (close-on-exec); or a
 * negative errno (-ETOOMANYREFS: more would be on their way than RLIMIT_NOFILE has).
 */
int parcel_pack(const int *fds, size_t count, int *parcel);

/*
 * Take all out of a parcel, which is empty then; the caller closes it. Returns their number; they
 * are close-on-exec. Or a negative errno, and what was in it is closed: -E2BIG over `room`,
 * -EMFILE, -EBADMSG when this is no whole parcel.
 */
int parcel_unpack(int parcel, int *fds, size_t room);

#endif
