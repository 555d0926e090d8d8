/* SPDX-License-Identifier: BSD-2-Clause */
/* A server within a test, of which every answer is a stream, or comes later. */
#ifndef PENSTOCK_TESTS_HTTP_STREAMS_H
#define PENSTOCK_TESTS_HTTP_STREAMS_H

#include "http_world.h"

#define ENDLESS SIZE_MAX

/* What is streamed: a pattern, so that a byte that is lost or doubled is seen. */
struct source {
    struct stream stream;
    struct world_of_streams *all;
    size_t left;
    size_t given;
    size_t slice; /* at most so much at once */
    size_t ready; /* nothing more for now */
    bool wakes_itself;
    bool breaks; /* when nothing is left */
    unsigned fills;
    unsigned done;
    uint64_t filled_at; /* the turn of the loop */
};

#define SOURCES 24

struct world_of_streams {
    struct http_world w;
    struct source sources[SOURCES];
    size_t count;
    struct request *waiting;
    unsigned gone;

    /* Turns of the loop: a pipe that is always readable has each begin another. */
    int pipe[2];
    struct watch watch;
    struct deferred end_of_turn;
    uint64_t turn;
    unsigned fills; /* and handlers, in this turn, and at most */
    unsigned most_fills;
};

static inline char pattern_at(size_t at)
{
    return (char)('a' + at % 23);
}

static inline ssize_t fill(struct stream *st, char *to, size_t size)
{
    struct source *s = container_of(st, struct source, stream);

    s->fills++;
    s->all->fills++;
    if (s->filled_at == s->all->turn && s->all->turn > 0)
        ck_abort_msg("filled twice in a turn"); /* an assertion that holds is slow */
    s->filled_at = s->all->turn;
    if (s->wakes_itself) {
        stream_wake(st);
        stream_wake(st);
        s->wakes_itself = false;
        return 0;
    }
    if (s->left == 0)
        return s->breaks ? STREAM_BROKEN : STREAM_OVER;
    size = size < s->left ? size : s->left;
    size = size < s->ready ? size : s->ready;
    size = size < s->slice ? size : s->slice;
    for (size_t i = 0; i < size; i++)
        to[i] = pattern_at(s->given++);
    s->left -= s->left == ENDLESS ? 0 : size;
    s->ready -= s->ready == ENDLESS ? 0 : size;
    return (ssize_t)size;
}

static inline void done(struct stream *st)
{
    container_of(st, struct source, stream)->done++;
}

static inline void gone(void *arg)
{
    struct world_of_streams *all = arg;

    all->gone++;
    all->waiting = NULL;
}

static inline struct answer *serve(void *arg, struct request *rq)
{
    struct world_of_streams *all = arg;
    struct source *s = &all->sources[all->count];

    all->fills++;
    if (strcmp(request_path(rq), "/later") == 0) {
        all->waiting = rq;
        return request_wait(rq, gone, all);
    }
    if (strcmp(request_path(rq), "/at-once") == 0) {
        struct answer *later = request_wait(rq, gone, all);

        request_answer(rq, text_answer(200, "at once"));
        return later;
    }
    if (strcmp(request_path(rq), "/text") == 0)
        return text_answer(200, "a text");
    ck_assert_uint_lt(all->count++, SOURCES);
    s->all = all;
    s->stream = (struct stream){.fill = fill, .done = done};
    return answer_stream("text/plain", &s->stream);
}

/* Who is idle for so long is closed; 0: as ever. */
static inline bool set_up_idle(struct world_of_streams *all, int way, unsigned idle_s)
{
    memset(all, 0, sizeof(*all));
    if (!http_world_on_way(&all->w, way))
        return false;
    for (size_t i = 0; i < SOURCES; i++)
        all->sources[i] = (struct source){.left = ENDLESS, .ready = ENDLESS, .slice = SIZE_MAX};
    all->w.server.idle_s = idle_s;
    http_world_listen(&all->w, serve, all);
    return true;
}

static inline bool set_up(struct world_of_streams *all, int way)
{
    return set_up_idle(all, way, 0);
}

/* Nobody is closed only because nothing has been heard of him. */
static inline bool set_up_patient(struct world_of_streams *all, int way)
{
    return set_up_idle(all, way, 3600);
}

static inline void tear_down(struct world_of_streams *all)
{
    http_await_nobody(&all->w);
    http_world_end(&all->w);
    for (size_t i = 0; i < all->count; i++)
        ck_assert_uint_eq(all->sources[i].done, 1);
}

static inline void ask(struct world_of_streams *all, struct client *c, const char *path)
{
    char text[128];

    client_open(&all->w, c);
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    client_send(c, text);
}

/* --- turns ------------------------------------------------------------------------------------ */

static inline void on_turn_end(struct deferred *d)
{
    struct world_of_streams *all = container_of(d, struct world_of_streams, end_of_turn);

    all->turn++;
    if (all->fills > all->most_fills)
        all->most_fills = all->fills;
    all->fills = 0;
}

static inline void on_turn(struct watch *w, unsigned events)
{
    struct world_of_streams *all = container_of(w, struct world_of_streams, watch);

    (void)events;
    loop_defer(all->w.loop, &all->end_of_turn, on_turn_end);
}

static inline void count_turns(struct world_of_streams *all)
{
    ck_assert_int_eq(pipe(all->pipe), 0);
    ck_assert_int_eq(write(all->pipe[1], "", 1), 1);
    all->watch = WATCH_NONE;
    all->turn = 1;
    ck_assert_int_eq(loop_watch(all->w.loop, &all->watch, all->pipe[0], LOOP_READ, on_turn), 0);
}

static inline void stop_counting(struct world_of_streams *all)
{
    loop_unwatch(all->w.loop, &all->watch);
    all->turn = 0;
    close(all->pipe[0]);
    close(all->pipe[1]);
}

/* --- what is awaited -------------------------------------------------------------------------- */

static inline bool is_waiting(void *arg)
{
    return ((struct world_of_streams *)arg)->waiting != NULL;
}

static inline bool is_gone(void *arg)
{
    return ((struct world_of_streams *)arg)->gone > 0;
}

/* The server has booked a descriptor for each. */
static inline bool has_one_client(void *arg)
{
    return atomic_load(&((struct world_of_streams *)arg)->w.fds.booked) == 1;
}

static inline bool is_filled(void *arg)
{
    return ((struct source *)arg)->fills > 0;
}

static inline bool is_done(void *arg)
{
    return ((struct source *)arg)->done > 0;
}

#endif
