/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "upstream/resolve.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/table.h"
#include "upstream/dns.h"

enum {
    TTL_MAX_MS = 86400000,   /* no answer is believed for longer than a day */
    RETRY_MS = 1000,         /* how long "no such name" and "no answer" are kept */
    STALE_WAIT_MS = 1800,    /* how long a refresh may take (RFC 8767 section 5) */
    STALE_MAX_MS = 86400000, /* how old an answer that is used meanwhile may be (likewise) */
    FAILING_MS = 30000,      /* servers that failed this recently aren't waited for again */
    UNUSED_MS = 3600000,     /* a name nobody asked for is forgotten after this long, */
    NAMES_MAX = 4096,        /* or when there are more of them */
};

struct resolver {
    struct loop *loop;
    struct log *log;
    struct dns *dns;
    struct table *names; /* by name: struct name */
    struct list by_use;  /* the same, the least recently asked for first */
};

/* A question to dns.c. When the servers change, another is asked and this one goes on unheard. */
struct lookup {
    struct name *name;
    struct list link; /* in name->lookups */
    unsigned generation;
};

struct name {
    struct resolver *resolver;
    struct list by_use;
    struct list waiting;    /* struct resolve_request */
    struct list lookups;    /* under way */
    struct lookup *current; /* the one of them whose answer counts, or NULL */
    struct timer stale;     /* set while requests wait and an old answer could serve them */
    int64_t asked;          /* all times: loop_now() */
    int64_t until;          /* up to here the answer needs no new question */
    int64_t good_until;     /* the same of the last answer with addresses */
    int64_t failed;         /* when the servers failed last; meaningful with `failing` */
    bool failing;           /* the last question got no answer */
    const char *why;        /* why there are no addresses */
    size_t count;
    struct addr addrs[RESOLVE_MAX];
    char text[];
};

static void answer_one(struct resolve_request *request, const struct addr *addrs, size_t count,
                       const char *why)
{
    request->fn(request, addrs, count, count > 0 ? NULL : why);
}

/*
 * Answer all who wait. Callbacks may start and cancel requests, for this name too, and may make the
 * cache forget it: they get a copy, and the list is taken off the name first.
 */
static void answer_all(struct name *n)
{
    struct addr addrs[RESOLVE_MAX];
    size_t count = n->count;
    const char *why = n->why;
    struct list waiting, *link;

    loop_timer_stop(n->resolver->loop, &n->stale);
    if (count > 0)
        memcpy(addrs, n->addrs, count * sizeof(*addrs));
    list_init(&waiting);
    while ((link = list_take_first(&n->waiting)) != NULL)
        list_append(&waiting, link);
    while ((link = list_take_first(&waiting)) != NULL)
        answer_one(container_of(link, struct resolve_request, link), addrs, count, why);
}

/* May the last good answer, though its time is over, still be used? */
static bool stale_allowed(const struct name *n, int64_t now)
{
    return n->count > 0 && now < n->good_until + STALE_MAX_MS;
}

static void set_addresses(struct name *n, const struct addr *addrs, size_t count)
{
    if (count > 0)
        memcpy(n->addrs, addrs, count * sizeof(*addrs));
    n->count = count;
}

static void log_failing(const struct name *n, const char *why)
{
    struct log_field fields[] = {LOG_TEXT("name", n->text), LOG_TEXT("why", why)};

    log_fields(n->resolver->log, LEVEL_WARNING,
               n->count > 0 ? "cannot resolve; the last known addresses stay in use"
                            : "cannot resolve",
               fields, sizeof(fields) / sizeof(fields[0]));
}

/* A refresh takes long: as good as failed, for those who wait. */
static void stale_due(struct timer *t)
{
    struct name *n = container_of(t, struct name, stale);

    if (!n->failing)
        log_failing(n, "the name servers are slow");
    n->failing = true;
    n->failed = loop_now(n->resolver->loop);
    answer_all(n);
}

static void take_answer(struct name *n, const struct dns_answer *answer)
{
    int64_t now = loop_now(n->resolver->loop);
    int64_t ttl = answer->ttl_ms < TTL_MAX_MS ? answer->ttl_ms : TTL_MAX_MS;

    if (answer->outcome == DNS_FAILED) {
        if (!stale_allowed(n, now))
            set_addresses(n, NULL, 0);
        if (!n->failing)
            log_failing(n, answer->why);
        n->failing = true;
        n->failed = now;
        n->until = now + RETRY_MS;
        n->why = answer->why;
        return;
    }
    if (n->failing) {
        struct log_field field = LOG_TEXT("name", n->text);

        log_fields(n->resolver->log, LEVEL_INFO, "the name servers answer again", &field, 1);
    }
    n->failing = false;
    n->why = answer->why;
    n->until = now + (answer->outcome == DNS_FOUND ? ttl : RETRY_MS);
    n->good_until = n->until;
    set_addresses(n, answer->addrs, answer->count);
}

/* RFC 6761 section 6.3: such a name is the loopback address, also where /etc/hosts lacks it and no
 * name server would know it. */
static bool is_localhost(const char *text)
{
    static const char name[] = "localhost";
    size_t length = strlen(text), tail = sizeof(name) - 1;

    return length >= tail && strcasecmp(text + length - tail, name) == 0 &&
           (length == tail || text[length - tail - 1] == '.');
}

static void take_loopback(struct name *n)
{
    struct dns_answer answer = {.outcome = DNS_FOUND, .count = 2};

    answer.addrs[0] = (struct addr){.family = AF_INET6, .v6 = in6addr_loopback};
    answer.addrs[1] = (struct addr){.family = AF_INET, .v4.s_addr = htonl(INADDR_LOOPBACK)};
    take_answer(n, &answer);
}

static void lookup_done(void *arg, const struct dns_answer *answer)
{
    struct lookup *lookup = arg;
    struct name *n = lookup->name;
    bool counts = n->current == lookup;

    list_remove(&lookup->link);
    free(lookup);
    if (!counts)
        return; /* asked anew since then, of other servers */
    n->current = NULL;
    if (answer->outcome != DNS_FOUND && is_localhost(n->text))
        take_loopback(n);
    else
        take_answer(n, answer);
    answer_all(n);
}

static void free_name(struct name *n)
{
    struct list *link;

    loop_timer_stop(n->resolver->loop, &n->stale);
    while ((link = list_take_first(&n->waiting)) != NULL)
        continue; /* out of every list: cancelling such a request does nothing */
    while ((link = list_take_first(&n->lookups)) != NULL)
        free(container_of(link, struct lookup, link));
    table_remove(n->resolver->names, n->text);
    list_remove(&n->by_use);
    free(n);
}

/* Forget names that are no longer asked for. One with a question under way is never old. */
static void forget_unused(struct resolver *r)
{
    int64_t now = loop_now(r->loop);

    list_for_each (link, next, &r->by_use) {
        struct name *n = container_of(link, struct name, by_use);

        if (now - n->asked < UNUSED_MS && table_count(r->names) < NAMES_MAX)
            return;
        if (list_empty(&n->lookups) && list_empty(&n->waiting))
            free_name(n);
    }
}

static struct name *new_name(struct resolver *r, const char *text)
{
    size_t length = strlen(text);
    struct name *n = calloc(1, sizeof(*n) + length + 1);

    if (n == NULL)
        return NULL;
    n->resolver = r;
    memcpy(n->text, text, length);
    list_init(&n->by_use);
    list_init(&n->waiting);
    list_init(&n->lookups);
    n->until = loop_now(r->loop);
    if (table_insert(r->names, n->text, n) < 0) {
        free(n);
        return NULL;
    }
    return n;
}

/* The name, now the most recently used, or NULL without memory. */
static struct name *use_name(struct resolver *r, const char *text)
{
    struct name *n = table_find(r->names, text);

    if (n == NULL) {
        forget_unused(r);
        n = new_name(r, text);
        if (n == NULL)
            return NULL;
    }
    n->asked = loop_now(r->loop);
    list_remove(&n->by_use);
    list_append(&r->by_use, &n->by_use);
    return n;
}

/* Ask the servers, unless it has been done. The answer may come, and free nothing, within. */
static void ask(struct name *n)
{
    struct resolver *r = n->resolver;
    unsigned generation = dns_generation(r->dns);
    struct lookup *lookup;

    if (n->current != NULL && n->current->generation == generation)
        return;
    lookup = malloc(sizeof(*lookup));
    if (lookup == NULL) {
        struct dns_answer answer = {.outcome = DNS_FAILED, .why = "no memory"};

        take_answer(n, &answer);
        answer_all(n);
        return;
    }
    *lookup = (struct lookup){.name = n, .generation = generation};
    list_append(&n->lookups, &lookup->link);
    n->current = lookup;
    dns_ask(r->dns, n->text, lookup_done, lookup);
}

struct resolver *resolver_new(struct loop *loop, struct log *log)
{
    struct resolver *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->loop = loop;
    r->log = log;
    list_init(&r->by_use);
    r->names = table_new();
    r->dns = dns_new(loop);
    if (r->names == NULL || r->dns == NULL) {
        resolver_free(r);
        return NULL;
    }
    return r;
}

void resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    dns_free(r->dns);
    list_for_each (link, next, &r->by_use)
        free_name(container_of(link, struct name, by_use));
    table_free(r->names);
    free(r);
}

/* Answer from what is known, when that is right: fresh, or old while the servers fail. */
static bool answer_known(struct name *n, struct resolve_request *request)
{
    int64_t now = loop_now(n->resolver->loop);
    bool fresh = now < n->until;
    bool late = n->failing && now - n->failed < FAILING_MS;
    struct addr addrs[RESOLVE_MAX];
    size_t count = n->count;
    const char *why = n->why;

    if (!fresh && !(late && stale_allowed(n, now)))
        return false;
    if (count > 0)
        memcpy(addrs, n->addrs, count * sizeof(*addrs));
    if (!fresh)
        ask(n);
    answer_one(request, addrs, count, why);
    return true;
}

void resolve_start(struct resolver *r, struct resolve_request *request, const char *name,
                   resolve_fn *fn)
{
    struct name *n = use_name(r, name);

    list_init(&request->link);
    request->fn = fn;
    if (n == NULL) {
        answer_one(request, NULL, 0, "no memory");
        return;
    }
    if (answer_known(n, request))
        return;
    list_append(&n->waiting, &request->link);
    if (stale_allowed(n, loop_now(r->loop)) && n->stale.place == 0)
        loop_timer(r->loop, &n->stale, STALE_WAIT_MS, stale_due);
    ask(n);
}

void resolve_cancel(struct resolve_request *request)
{
    if (request->link.next != NULL)
        list_remove(&request->link);
}
