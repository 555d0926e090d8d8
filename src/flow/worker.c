/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "flow/persist.h"
#include "flow/udp.h"

int worker_init(struct worker *w, struct loop *loop, struct log *log, struct fds *fds,
                unsigned pipes)
{
    *w = (struct worker){.loop = loop, .log = log, .fds = fds, .next_id = 1, .next_listener = 1};
    list_init(&w->rules);
    list_init(&w->sessions);
    pipe_pool_init(&w->pipes, fds, pipes);
    w->scratch = malloc(SCRATCH_SIZE);
    w->resolver = resolver_new(loop, log);
    if (w->scratch && w->resolver)
        return 0;
    worker_fini(w);
    return -ENOMEM;
}

void worker_fini(struct worker *w)
{
    loop_timer_stop(w->loop, &w->drain);
    persist_free(w);
    udp_free(w);
    resolver_free(w->resolver);
    pipe_pool_fini(&w->pipes);
    free(w->scratch);
    w->resolver = NULL;
    w->scratch = NULL;
}

void worker_changed(struct worker *w)
{
    if (w->changed)
        w->changed(w->changed_arg);
}
