/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "upstream/dns.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#define RESOLV_CONF "/etc/resolv.conf"

/* What tells one resolv.conf from the next; all zero when there is none. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/*
 * A c-ares channel: the servers and search domains of one resolv.conf. One that was replaced lives
 * on until its last query has ended.
 */
struct channel {
    struct list link; /* in dns->channels */
    struct dns *dns;
    ares_channel ares;
    struct list sockets;
    struct timer timer;
    struct deferred end;
    size_t queries; /* under way */
    bool ending;
};

struct dns {
    struct loop *loop;
    struct list channels;
    struct channel *current;
    struct stamp stamp; /* of the resolv.conf that `current` has read */
    unsigned generation;
    bool closing; /* answers go nowhere */
};

/* A socket that c-ares has opened. */
struct dns_socket {
    struct watch watch;
    struct list link; /* in channel->sockets */
    struct channel *channel;
};

struct query {
    struct channel *channel;
    dns_fn *fn;
    void *arg;
};

static struct stamp read_stamp(void)
{
    struct stat st;

    if (stat(RESOLV_CONF, &st) < 0)
        return (struct stamp){0};
    return (struct stamp){
        .device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .changed = st.st_ctim};
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void channel_free(struct channel *c)
{
    ares_destroy(c->ares); /* closes its sockets, and says so to socket_changed() */
    loop_timer_stop(c->dns->loop, &c->timer);
    list_remove(&c->link);
    free(c);
}

static void channel_end(struct deferred *d)
{
    channel_free(container_of(d, struct channel, end));
}

static void timer_due(struct timer *t);

/*
 * To be called whenever c-ares has run: sets the timer for the next retry, and lets go of a
 * channel that has become useless, outside of its own callbacks.
 */
static void channel_ran(struct channel *c)
{
    struct timeval next;

    if (c->ending || c->dns->closing)
        return;
    if (c != c->dns->current && c->queries == 0) {
        c->ending = true;
        loop_timer_stop(c->dns->loop, &c->timer);
        loop_defer(c->dns->loop, &c->end, channel_end);
    } else if (ares_timeout(c->ares, NULL, &next) == NULL) {
        loop_timer_stop(c->dns->loop, &c->timer);
    } else {
        /* The timer that is already set stays when there is no memory; c-ares then runs late. */
        loop_timer(c->dns->loop, &c->timer,
                   (int64_t)next.tv_sec * 1000 + (next.tv_usec + 999) / 1000, timer_due);
    }
}

static void timer_due(struct timer *t)
{
    struct channel *c = container_of(t, struct channel, timer);

    ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    channel_ran(c);
}

static void socket_ready(struct watch *w, unsigned events)
{
    struct dns_socket *s = container_of(w, struct dns_socket, watch);
    struct channel *c = s->channel;
    int fd = w->fd;

    /* c-ares collects an error by reading. It may close the socket, which frees `s`. */
    ares_process_fd(c->ares, events & (LOOP_READ | LOOP_ERROR) ? fd : ARES_SOCKET_BAD,
                    events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    channel_ran(c);
}

static struct dns_socket *find_socket(struct channel *c, int fd)
{
    list_for_each (link, next, &c->sockets) {
        struct dns_socket *s = container_of(link, struct dns_socket, link);

        if (s->watch.fd == fd)
            return s;
    }
    return NULL;
}

/* c-ares tells what it wants to know about a socket; nothing at all: it is about to close it. */
static void socket_changed(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct channel *c = arg;
    struct dns_socket *s = find_socket(c, fd);
    unsigned events = (readable ? LOOP_READ : 0U) | (writable ? LOOP_WRITE : 0U);

    if (events == 0) {
        if (s == NULL)
            return;
        loop_unwatch(c->dns->loop, &s->watch);
        list_remove(&s->link);
        free(s);
    } else if (s != NULL) {
        loop_change(c->dns->loop, &s->watch, events);
    } else {
        /* A socket that can't be watched is a server that doesn't answer: c-ares gives up on it. */
        s = malloc(sizeof(*s));
        if (s == NULL)
            return;
        *s = (struct dns_socket){.watch = WATCH_NONE, .channel = c};
        if (loop_watch(c->dns->loop, &s->watch, fd, events, socket_ready) < 0) {
            free(s);
            return;
        }
        list_append(&c->sockets, &s->link);
    }
}

/*
 * c-ares before 1.22 waits 5 s for a server and tries each 4 times, and gives no address while one
 * of both families is still asked for. A server that drops one kind of question must not use up
 * connect_timeout: two rounds of 1 s and 2 s a server. Later ones are left alone: they take the
 * times of resolv.conf.
 */
static int set_times(struct ares_options *options)
{
    int version;

    ares_version(&version);
    if (version >= 0x011600)
        return 0;
    options->timeout = 1000;
    options->tries = 2;
    return ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
}

static struct channel *channel_new(struct dns *dns)
{
    struct channel *c = calloc(1, sizeof(*c));
    struct ares_options options = {.sock_state_cb = socket_changed, .sock_state_cb_data = c};
    /* Its own cache would keep "no such name" too long: a longest TTL of 0 turns it off. */
    int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_QUERY_CACHE | set_times(&options);

    if (c == NULL)
        return NULL;
    c->dns = dns;
    list_init(&c->sockets);
    if (ares_init_options(&c->ares, &options, mask) != ARES_SUCCESS) {
        free(c);
        return NULL;
    }
    list_append(&dns->channels, &c->link);
    return c;
}

struct dns *dns_new(struct loop *loop)
{
    struct dns *dns;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    dns = calloc(1, sizeof(*dns));
    if (dns != NULL) {
        dns->loop = loop;
        list_init(&dns->channels);
        dns->stamp = read_stamp();
        dns->current = channel_new(dns);
    }
    if (dns == NULL || dns->current == NULL) {
        free(dns);
        ares_library_cleanup();
        return NULL;
    }
    return dns;
}

void dns_free(struct dns *dns)
{
    if (dns == NULL)
        return;
    dns->closing = true;
    list_for_each (link, next, &dns->channels) {
        struct channel *c = container_of(link, struct channel, link);

        if (c->ending)
            list_remove(&c->end.link);
        channel_free(c);
    }
    free(dns);
    ares_library_cleanup();
}

unsigned dns_generation(struct dns *dns)
{
    struct stamp stamp = read_stamp();
    struct channel *fresh, *old = dns->current;

    if (same_stamp(&stamp, &dns->stamp))
        return dns->generation;
    fresh = channel_new(dns);
    if (fresh == NULL)
        return dns->generation; /* tried again at the next question */
    dns->stamp = stamp;
    dns->current = fresh;
    dns->generation++;
    channel_ran(old);
    return dns->generation;
}

static void take_addresses(struct dns_answer *answer, const struct ares_addrinfo *result)
{
    int ttl = INT32_MAX;

    for (const struct ares_addrinfo_cname *c = result->cnames; c != NULL; c = c->next) {
        if (c->ttl < ttl)
            ttl = c->ttl;
    }
    for (const struct ares_addrinfo_node *n = result->nodes; n != NULL; n = n->ai_next) {
        struct sockaddr_storage ss = {0};
        struct addr *a = &answer->addrs[answer->count];

        if (n->ai_ttl < ttl)
            ttl = n->ai_ttl;
        if (answer->count == RESOLVE_MAX || n->ai_addrlen > sizeof(ss))
            continue;
        memcpy(&ss, n->ai_addr, n->ai_addrlen);
        addr_from_sockaddr(a, &ss, n->ai_addrlen);
        if (a->family != AF_INET && a->family != AF_INET6)
            continue;
        a->port = 0;
        answer->count++;
    }
    answer->ttl_ms = ttl > 0 ? (int64_t)ttl * 1000 : 0; /* RFC 2181 section 8: negative is 0 */
}

static void read_result(struct dns_answer *answer, int status, const struct ares_addrinfo *result)
{
    *answer = (struct dns_answer){.outcome = DNS_FAILED};
    switch (status) {
    case ARES_SUCCESS:
        take_addresses(answer, result);
        answer->outcome = answer->count > 0 ? DNS_FOUND : DNS_NONE;
        answer->why = answer->count > 0 ? NULL : "the name has no address";
        break;
    case ARES_ENOTFOUND:
        answer->outcome = DNS_NONE;
        answer->why = "no such name";
        break;
    case ARES_ENODATA:
        answer->outcome = DNS_NONE;
        answer->why = "the name has no address";
        break;
    case ARES_EBADNAME:
        answer->outcome = DNS_NONE;
        answer->why = "not a host name";
        break;
    case ARES_ETIMEOUT:
        answer->why = "no name server answers";
        break;
    case ARES_ECONNREFUSED:
        answer->why = "the name servers refuse or cannot be reached";
        break;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ENOTIMP:
    case ARES_EFORMERR:
    case ARES_EBADRESP:
        answer->why = "the name servers fail";
        break;
    case ARES_ENOMEM:
        answer->why = "no memory";
        break;
    default:
        answer->why = ares_strerror(status);
    }
}

static void query_done(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    struct query *q = arg;
    struct dns_answer answer;

    (void)timeouts;
    q->channel->queries--;
    if (!q->channel->dns->closing) {
        read_result(&answer, status, result);
        q->fn(q->arg, &answer);
    }
    if (result != NULL)
        ares_freeaddrinfo(result);
    free(q);
}

void dns_ask(struct dns *dns, const char *name, dns_fn *fn, void *arg)
{
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                                     .ai_socktype = SOCK_STREAM};
    struct channel *c = dns->current;
    struct query *q = malloc(sizeof(*q));
    struct dns_answer answer;

    if (q == NULL) {
        read_result(&answer, ARES_ENOMEM, NULL);
        fn(arg, &answer);
        return;
    }
    *q = (struct query){.channel = c, .fn = fn, .arg = arg};
    c->queries++;
    ares_getaddrinfo(c->ares, name, NULL, &hints, query_done, q);
    channel_ran(c);
}
