/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: one client and its upstream, from accept to the line in the log.
 *
 *   admitted ──► DIAL ──► RELAY ──► ended: descriptors closed, accounted, place given back, freed
 *                  └── END ─┴── END ──►
 *
 * Each stage works on events of its own and answers with a verdict: NEXT, WAIT or END with a
 * reason. Only session.c acts on verdicts; a stage never calls another.
 *
 * In DIAL the client's descriptor is open, and the upstream's while an address is being tried; in
 * RELAY both are.
 */
#ifndef PENSTOCK_FLOW_SESSION_H
#define PENSTOCK_FLOW_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "flow/account.h"
#include "flow/half.h"
#include "flow/rule.h"
#include "loop/loop.h"
#include "os/addr.h"
#include "os/pipe.h"

struct dgram_path;
struct dial;
struct dial_state;
struct persist_slot;
struct udp_session;

enum stage { STAGE_DIAL, STAGE_RELAY };

struct verdict {
    enum { NEXT, WAIT, END } what;
    enum end end; /* of END */
};

#define VERDICT_NEXT   ((struct verdict){.what = NEXT})
#define VERDICT_WAIT   ((struct verdict){.what = WAIT})
#define VERDICT_END(e) ((struct verdict){.what = END, .end = (e)})

/* Bytes on their way from one side to the other. Idle, it owns neither memory nor pipe. */
struct flow {
    struct buf kept;   /* read, and not taken by the other side yet */
    struct pipe *pipe; /* while splicing: what it holds was read, and not taken either */
    uint64_t bytes;    /* taken by the other side */
    uint8_t streak;    /* copying: reads in a row that filled the scratch; splicing: thin ones */
    bool splicing;
};

struct session {
    struct list link; /* in the worker's list */
    struct deferred free;
    struct worker *worker;
    struct rule *rule;              /* referenced */
    struct listener *listener;      /* by which it came; NULL: that is closed for good */
    const struct conf_listen *conf; /* of the config that it began with, which is referenced */
    struct watch watch[2];          /* by enum side */
    int fd[2];                      /* -1: none */
    struct flow flow[2];            /* by the side the bytes come from */
    struct timer timer;             /* the stage's only one */
    struct persist_slot *slot;      /* in RELAY: it can survive a crash (persist.h); or NULL */
    struct dial *dial;              /* in DIAL only */
    struct udp_session *udp;        /* of datagrams (udp.h): it has no client descriptor; or NULL */
    struct addr client;
    struct addr upstream; /* the one it is connected to; AF_UNSPEC before */
    uint64_t id;
    int64_t started;     /* loop time, ms */
    int64_t active;      /* when a byte last moved */
    int64_t drain_at;    /* what on_change left it (drain.h); 0: nobody is waiting for its end */
    uint32_t connect_ms; /* from accept until the upstream was connected */
    uint32_t unsent;     /* while settling: what the send queue held when last asked */
    const char *why; /* static text that says more than the end does, for the log; or NULL ... */
    int32_t error;   /* ... and the errno that does; or 0 */
    struct half half;
    uint8_t stage;    /* enum stage */
    uint8_t half_end; /* in RELAY: why it will end once it has been flushed (enum end) */
    bool reset[2];    /* how the descriptor of this side is to be closed */
    bool connected;   /* the upstream was reached */
    bool keepalive;   /* in RELAY: keepalive is still to be set on the upstream */
    bool shared;      /* others may have its descriptors */
    bool ended;
};

/* The options its rule had when it began. */
static inline const struct conf_options *session_options(const struct session *s)
{
    return &s->conf->rule->options;
}

/*
 * Begin a session for an accepted client; a place on `l` is taken. Owns `fd` from here on, also
 * when there is no memory for it: then the client is reset and accounted for.
 */
void session_begin(struct listener *l, int fd, const struct addr *client);

/*
 * Begin one of datagrams (udp.h), for a client that has sent one along `from`. Returns it, or NULL
 * when it has ended already; then it is accounted for.
 */
struct session *session_begin_datagrams(struct listener *l, const struct dgram_path *from);

/* The worker's session of this id, or NULL. It walks over all. */
struct session *session_by_id(const struct worker *w, uint64_t id);

/* Bring the worker's list into the order of ids, in which sessions that begin stand by themselves:
 * after some were adopted. */
void sessions_sort(struct worker *w);

/* The descriptors that it has at most at a time, which are booked. */
unsigned session_fds(const struct session *s);

/*
 * A session that another process has begun: a place is taken, whatever the limits, which may have
 * been lowered meanwhile. `l` may be NULL. The caller sets all that it knows of it, the descriptors
 * first (they are the session's from then on), and then lets it go on. NULL when there is no memory
 * or no descriptor left for it.
 */
struct session *session_adopt(struct rule *rule, struct listener *l,
                              const struct conf_listen *conf);

/* The same for one of datagrams, whose client has sent along `from`; `l` must be there. */
struct session *session_adopt_datagrams(struct rule *rule, struct listener *l,
                                        const struct conf_listen *conf,
                                        const struct dgram_path *from);

/* Let it go on, in the stage that is set; `dial` says how far that has come in DIAL. */
void session_resume(struct session *s, const struct dial_state *dial);

/* Forget it without a word to either side: another process goes on with it. */
void session_abandon(struct session *s);

/*
 * For the stages: watch the descriptor of `side` for `events`, or change for what; set the
 * session's timer. What happens comes back to the stage. Return 0 or a negative errno; changing and
 * setting anew can't fail.
 */
int session_watch(struct session *s, enum side side, unsigned events);
int session_timer(struct session *s, int64_t delay_ms);

/* Act on what the session's stage has answered. After END the session must not be touched. */
void session_step(struct session *s, struct verdict v);

/*
 * End it now from outside of its stages (shutdown, kill): a side that has not got the other's FIN
 * is reset, so that a cut stream never looks whole. One whose other side was reset already ends for
 * that reason.
 */
void session_end_now(struct session *s, enum end end);

#endif
