/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The select(2) engine. Its sets are arrays of words that grow with the largest descriptor:
 * FD_SETSIZE is a limit of fd_set in libc, not of the kernel, which takes as many words as `nfds`
 * asks for. FD_SET() and fd_set are therefore not used to reach into them.
 */
#include "config.h"

#include "loop/engine.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "base/clock.h"
#include "loop/loop.h"

/*
 * Where epoll begins to cost less, measured with `make bench` (doc/ARCHITECTURE.md, "The crossing
 * point"): a select() call grows with the descriptors it is given, an epoll_wait() with those
 * ready.
 */
#define SELECT_SERVES_WELL 64

#define WORD_BITS (sizeof(unsigned long) * CHAR_BIT)

enum { WANT_READ, WANT_WRITE, READY_READ, READY_WRITE, SETS };

struct select_state {
    unsigned long *sets[SETS]; /* each `words` long */
    size_t words;
    uint32_t *tags;   /* by descriptor, words * WORD_BITS of them */
    int *quiet_place; /* by descriptor: its place in `quiet`, or -1 */
    int top;          /* the largest descriptor in a WANT set, or -1 */
    size_t resume;    /* the word at which the next scan begins, so that none is starved */

    /* Descriptors watched for nothing but errors: select() can't see those, poll(2) does. */
    struct pollfd *quiet;
    size_t quiet_count;
    size_t quiet_room;
    int64_t quiet_due;
};

static int select_init(void **state)
{
    struct select_state *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->top = -1;
    *state = s;
    return 0;
}

static void select_fini(void *state)
{
    struct select_state *s = state;

    for (int i = 0; i < SETS; i++)
        free(s->sets[i]);
    free(s->tags);
    free(s->quiet_place);
    free(s->quiet);
    free(s);
}

static void *grow(void *array, size_t old_bytes, size_t new_bytes, int fill)
{
    char *grown = realloc(array, new_bytes);

    if (grown)
        memset(grown + old_bytes, fill, new_bytes - old_bytes);
    return grown;
}

/* Make room for `fd`. What has grown when memory ends stays grown and does no harm. */
static int make_room(struct select_state *s, int fd)
{
    size_t words = s->words ? s->words : 16;
    void *grown;

    while ((size_t)fd >= words * WORD_BITS)
        words *= 2;
    if (words > s->words) {
        for (int i = 0; i < SETS; i++) {
            size_t size = sizeof(unsigned long);

            grown = grow(s->sets[i], s->words * size, words * size, 0);
            if (!grown)
                return -ENOMEM;
            s->sets[i] = grown;
        }
        size_t old = s->words * WORD_BITS, now = words * WORD_BITS;

        grown = grow(s->tags, old * sizeof(*s->tags), now * sizeof(*s->tags), 0);
        if (!grown)
            return -ENOMEM;
        s->tags = grown;
        grown = grow(s->quiet_place, old * sizeof(int), now * sizeof(int), 0xff);
        if (!grown)
            return -ENOMEM;
        s->quiet_place = grown;
        s->words = words;
    }
    return 0;
}

/* Room in `quiet` for one more than are watched in any way: going quiet later can't fail. */
static int make_quiet_room(struct select_state *s)
{
    size_t room = s->words * WORD_BITS;
    struct pollfd *grown;

    if (s->quiet_room >= room)
        return 0;
    grown = realloc(s->quiet, room * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    s->quiet = grown;
    s->quiet_room = room;
    return 0;
}

static void set_bit(unsigned long *set, int fd, bool on)
{
    unsigned long bit = 1ul << ((size_t)fd % WORD_BITS);

    if (on)
        set[(size_t)fd / WORD_BITS] |= bit;
    else
        set[(size_t)fd / WORD_BITS] &= ~bit;
}

static void set_quiet(struct select_state *s, int fd, bool on)
{
    int place = s->quiet_place[fd];

    if (on && place < 0) {
        if (s->quiet_count == 0)
            s->quiet_due = clock_monotonic_ms() + LOOP_ERROR_MS;
        s->quiet_place[fd] = (int)s->quiet_count;
        s->quiet[s->quiet_count++] = (struct pollfd){.fd = fd};
    } else if (!on && place >= 0) {
        struct pollfd *last = &s->quiet[--s->quiet_count];

        s->quiet[place] = *last;
        s->quiet_place[last->fd] = place;
        s->quiet_place[fd] = -1;
    }
}

static void lower_top(struct select_state *s)
{
    for (size_t word = (size_t)s->top / WORD_BITS + 1; word-- > 0;) {
        unsigned long both = s->sets[WANT_READ][word] | s->sets[WANT_WRITE][word];

        if (both) {
            s->top = (int)(word * WORD_BITS + WORD_BITS - 1 - (size_t)__builtin_clzl(both));
            return;
        }
    }
    s->top = -1;
}

static int select_modify(void *state, int fd, uint32_t tag, int old, int now)
{
    struct select_state *s = state;

    if (old == ENGINE_UNWATCHED) {
        int error = make_room(s, fd);

        if (error == 0)
            error = make_quiet_room(s);
        if (error)
            return error;
    }
    int set = now == ENGINE_UNWATCHED ? 0 : now;

    set_bit(s->sets[WANT_READ], fd, set & LOOP_READ);
    set_bit(s->sets[WANT_WRITE], fd, set & LOOP_WRITE);
    set_quiet(s, fd, now == 0);
    s->tags[fd] = tag;
    if (set && fd > s->top)
        s->top = fd;
    else if (!set && fd == s->top)
        lower_top(s);
    return 0;
}

static int add_event(struct select_state *s, struct engine_event *out, int n, int fd,
                     unsigned events)
{
    out[n] = (struct engine_event){.fd = fd, .tag = s->tags[fd], .events = events};
    return n + 1;
}

/* Turn the ready sets into events, `found` bits at most, beginning where the last scan ended. */
static int collect_ready(struct select_state *s, struct engine_event *out, int n, int found,
                         size_t words)
{
    size_t word = s->resume < words ? s->resume : 0;

    for (size_t i = 0; i < words && found > 0; i++, word = word + 1 < words ? word + 1 : 0) {
        unsigned long r = s->sets[READY_READ][word], w = s->sets[READY_WRITE][word];

        while (r | w) {
            unsigned long bit = (r | w) & -(r | w);
            int fd = (int)(word * WORD_BITS + (size_t)__builtin_ctzl(bit));

            if (n == ENGINE_BATCH) {
                s->resume = word;
                return n;
            }
            n = add_event(s, out, n, fd, (r & bit ? LOOP_READ : 0) | (w & bit ? LOOP_WRITE : 0));
            found -= !!(r & bit) + !!(w & bit);
            r &= ~bit;
            w &= ~bit;
        }
    }
    s->resume = word;
    return n;
}

/* Ask for errors where nothing else is watched for. */
static int collect_errors(struct select_state *s, struct engine_event *out)
{
    int n = 0;

    s->quiet_due = clock_monotonic_ms() + LOOP_ERROR_MS;
    if (poll(s->quiet, s->quiet_count, 0) <= 0)
        return 0;
    for (size_t i = 0; i < s->quiet_count && n < ENGINE_BATCH / 2; i++) {
        if (s->quiet[i].revents & POLLERR)
            n = add_event(s, out, n, s->quiet[i].fd, LOOP_ERROR);
    }
    return n;
}

static int select_wait(void *state, struct engine_event *out, int timeout_ms)
{
    struct select_state *s = state;
    size_t words = (size_t)(s->top + 1 + (int)WORD_BITS - 1) / WORD_BITS;
    struct timeval tv;
    int found, n = 0;

    if (s->quiet_count > 0) {
        int64_t left = s->quiet_due - clock_monotonic_ms();

        if (left <= 0) {
            n = collect_errors(s, out);
            left = LOOP_ERROR_MS;
        }
        if (n > 0)
            timeout_ms = 0;
        else if (timeout_ms < 0 || timeout_ms > left)
            timeout_ms = (int)left;
    }
    for (int i = 0; words > 0 && i < 2; i++)
        memcpy(s->sets[READY_READ + i], s->sets[WANT_READ + i], words * sizeof(unsigned long));
    tv = (struct timeval){.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    found = select(s->top + 1, (fd_set *)(void *)s->sets[READY_READ],
                   (fd_set *)(void *)s->sets[READY_WRITE], NULL, timeout_ms < 0 ? NULL : &tv);
    if (found < 0)
        return errno == EINTR ? n : -errno;
    return collect_ready(s, out, n, found, words);
}

static size_t select_capacity(const void *state)
{
    (void)state;
    return SELECT_SERVES_WELL;
}

const struct engine engine_select = {
    .name = "select",
    .init = select_init,
    .fini = select_fini,
    .modify = select_modify,
    .wait = select_wait,
    .capacity = select_capacity,
};
