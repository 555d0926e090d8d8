/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/beside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "os/sock.h"

void beside_init(struct beside *b, const struct ruleset *set)
{
    *b = (struct beside){.set = set};
}

void beside_fini(struct beside *b)
{
    free(b->by_port);
    b->by_port = NULL;
    b->count = 0;
}

/* --- the listeners by port ------------------------------------------------------------------- */

static bool is_inet(const struct conf_listen *conf)
{
    return conf->kind == ADDR_LITERAL || conf->kind == ADDR_ANY;
}

/* Only these overlap with others of their port (conf_listens_overlap()). */
static bool takes_all(const struct conf_listen *conf)
{
    if (conf->kind == ADDR_ANY)
        return true;
    return conf->address.family == AF_INET ? conf->address.v4.s_addr == htonl(INADDR_ANY)
                                           : IN6_IS_ADDR_UNSPECIFIED(&conf->address.v6);
}

/* A port, of one protocol: those of UDP are others than those of TCP. */
static uint32_t place(const struct conf_listen *conf)
{
    return (uint32_t)(conf->protocol == PROTOCOL_DATAGRAM) << 16 | conf->address.port;
}

static int compare(const void *a, const void *b)
{
    const struct conf_listen *x = (*(struct listener *const *)a)->conf;
    const struct conf_listen *y = (*(struct listener *const *)b)->conf;

    if (place(x) != place(y))
        return place(x) < place(y) ? -1 : 1;
    return takes_all(y) - takes_all(x);
}

static size_t count_listeners(const struct ruleset *set)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++) {
        list_for_each (link, next, &set->rules[i]->listeners)
            count++;
    }
    return count;
}

static int fill(struct beside *b)
{
    if (b->by_port)
        return 0;
    b->by_port = calloc(count_listeners(b->set) + 1, sizeof(struct listener *)); /* never of 0 */
    if (!b->by_port)
        return -ENOMEM;
    for (size_t i = 0; i < b->set->count; i++) {
        list_for_each (link, next, &b->set->rules[i]->listeners) {
            struct listener *l = container_of(link, struct listener, link);

            if (is_inet(l->conf))
                b->by_port[b->count++] = l;
        }
    }
    qsort(b->by_port, b->count, sizeof(struct listener *), compare);
    return 0;
}

static size_t first_at(const struct beside *b, uint32_t wanted)
{
    size_t low = 0, high = b->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (place(b->by_port[middle]->conf) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int beside_each(struct beside *b, const struct conf_listen *conf, beside_fn *fn, void *arg)
{
    uint32_t wanted = place(conf);
    int error;

    if (!is_inet(conf))
        return 0;
    error = fill(b);
    for (size_t i = first_at(b, wanted); i < b->count && error == 0; i++) {
        struct listener *l = b->by_port[i];

        if (place(l->conf) != wanted || !(takes_all(l->conf) || takes_all(conf)))
            break;
        if (conf_listens_overlap(l->conf, conf))
            error = fn(l, arg);
    }
    return error;
}

/* --- opening --------------------------------------------------------------------------------- */

struct neighbours {
    const struct conf_diff *diff;
    size_t count;
};

static int goes(struct listener *l, void *arg)
{
    struct neighbours *n = arg;

    n->count++;
    return conf_diff_new(n->diff, l->conf) ? -EADDRINUSE : 0;
}

static int share(struct listener *l, void *arg)
{
    const bool *on = arg;

    return sock_share_port(l->fd, *on);
}

int beside_open(struct beside *b, const struct conf_diff *diff, struct listener *l,
                const char **why)
{
    struct neighbours n = {.diff = diff};
    bool on = true, off = false;
    int error = beside_each(b, l->conf, goes, &n);

    if (error == 0 && n.count == 0)
        error = -EADDRINUSE;
    if (error == -ENOMEM)
        *why = NULL; /* it told of the address */
    if (error)
        return error;
    if (beside_each(b, l->conf, share, &on) == 0)
        error = listener_open_beside(l, why);
    else
        error = -EADDRINUSE;
    beside_each(b, l->conf, share, &off);
    return error;
}
