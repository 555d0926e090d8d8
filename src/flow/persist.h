/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions that survive a crash (persist = "crash"): their sockets are in the service manager's
 * store from the moment they relay, and their slot in a file there says where they are. While bytes
 * are between recv and the end of send the slot is marked: such a session can't be gone on with,
 * for those bytes would be gone.
 */
#ifndef PENSTOCK_FLOW_PERSIST_H
#define PENSTOCK_FLOW_PERSIST_H

#include <inttypes.h>

#include "flow/persist_file.h"
#include "flow/session.h"
#include "flow/worker.h"

/* Names in the store, with the generation: the file, and the sockets of a slot (and its number) as
 * a parcel. No two processes use the same. */
#define PERSIST_FILE_PREFIX ".m"
#define PERSIST_FILE_NAME   PERSIST_FILE_PREFIX "%" PRIx32
#define PERSIST_SLOT_NAME   ".c%" PRIx32 "-%u"
#define PERSIST_NAME_MAX    32

/* A session begins to relay: give it a slot, if its rule says so and there is a manager. Without a
 * free slot, or a file, it goes on without, and the log says so. */
void persist_begin(struct session *s);

/* It has ended; its descriptors are about to be closed. */
void persist_end(struct session *s);

/* Around everything that may move bytes of a session with a slot. */
void persist_before(struct session *s);
void persist_after(struct session *s);

/*
 * Take all out of the store, as the sessions are about to be handed over whole; and put them there
 * again when that has failed. Suspending makes the file worthless, whatever becomes of it. Returns
 * whether the manager has been told all, within half a second: else it may have duplicates of
 * sockets for as long as the service runs.
 */
bool persist_suspend(struct worker *w);
void persist_resume(struct worker *w);

/* Free what the worker has for it. */
void persist_free(struct worker *w);

#endif
