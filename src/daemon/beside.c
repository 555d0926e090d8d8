/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/beside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* A port, of one protocol: those of UDP are others than those of TCP. */
static uint32_t place(const struct conf_listen *conf)
{
    return (uint32_t)(conf->protocol == PROTOCOL_DATAGRAM) << 16 | conf->address.port;
}

/* Those that take all addresses of a family come first: any other of the port may overlap with
 * them. */
static int by_address(const struct conf_listen *x, const struct conf_listen *y)
{
    bool x_all = conf_listen_takes_all(x), y_all = conf_listen_takes_all(y);

    if (place(x) != place(y))
        return place(x) < place(y) ? -1 : 1;
    if (x_all || y_all)
        return y_all - x_all;
    if (x->address.family != y->address.family)
        return x->address.family < y->address.family ? -1 : 1;
    if (x->address.family == AF_INET)
        return memcmp(&x->address.v4, &y->address.v4, sizeof(x->address.v4));
    return memcmp(&x->address.v6, &y->address.v6, sizeof(x->address.v6));
}

static int compare(const void *a, const void *b)
{
    return by_address((*(struct listener *const *)a)->conf, (*(struct listener *const *)b)->conf);
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

/* Of the port of `conf`, or of its address. */
static size_t first_at(const struct beside *b, const struct conf_listen *conf, bool address)
{
    size_t low = 0, high = b->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct conf_listen *other = b->by_port[middle]->conf;

        if (address ? by_address(other, conf) < 0 : place(other) < place(conf))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those of the port, or of the address, from the first on. */
static int each_at(const struct beside *b, const struct conf_listen *conf, bool address,
                   beside_fn *fn, void *arg)
{
    bool all = conf_listen_takes_all(conf);
    int error = 0;

    for (size_t i = first_at(b, conf, address); i < b->count && error == 0; i++) {
        struct listener *l = b->by_port[i];

        if (address ? by_address(l->conf, conf) != 0
                    : place(l->conf) != place(conf) || !(all || conf_listen_takes_all(l->conf)))
            break;
        if (conf_listens_overlap(l->conf, conf))
            error = fn(l, arg);
    }
    return error;
}

int beside_each(struct beside *b, const struct conf_listen *conf, beside_fn *fn, void *arg)
{
    int error;

    if (!is_inet(conf))
        return 0;
    error = fill(b);
    if (error == 0)
        error = each_at(b, conf, false, fn, arg);
    if (error == 0 && !conf_listen_takes_all(conf))
        error = each_at(b, conf, true, fn, arg);
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
