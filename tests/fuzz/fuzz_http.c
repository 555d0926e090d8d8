/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests: bytes as they come from a client, to the real routes of a daemon with rules and
 * sessions. The first byte of an input says to whom the rest goes:
 *
 *   l, r  the control socket; the address for reading, which must change nothing. In what is sent
 *         a byte 0xff stands for a pause, 0xfe for the client's end of sending.
 *   f     the filters of sessions: a key, '=', its value
 *   h     the header Host
 *
 * The clock is ours, one millisecond a turn of the loop, so that nothing is waited for.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/ruleset.h"
#include "flow/session.h"
#include "fuzz.h"
#include "ops/api.h"
#include "ops/filter.h"
#include "ops/host_name.h"
#include "os/sock.h"

#define PAUSE    0xff
#define SENT_ALL 0xfe

#define QUIET_TURNS  8    /* nothing comes any more */
#define MOST_TURNS   4000 /* it never ends */
#define SESSIONS     3
#define ANSWERS_MOST (256u * 1024)

int64_t __wrap_clock_monotonic_ms(void);

static int64_t now = 1000000;

int64_t __wrap_clock_monotonic_ms(void)
{
    return now;
}

/* --- a daemon -------------------------------------------------------------------------------- */

struct client {
    int fd;
    size_t size;
    bool ended;
    char text[ANSWERS_MOST + 1];
};

struct daemon {
    struct loop *loop;
    struct log *log;
    struct fds fds;
    struct worker worker;
    struct ruleset set;
    struct api api;
    struct api_door door;
    struct daemon_now now;
    struct ops_reload reload;
    bool reloading;
    struct http *http;
    struct watch pump; /* each turn */
    int always;        /* can be read at any time */
    struct client *client;
    unsigned turns, quiet;
    int upstream, ends[SESSIONS];
};

static void abstract_name(struct sockaddr_un *un, socklen_t *size, const char *what)
{
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1);
    *size += (socklen_t)snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "penstock-fuzz-%ld-%s",
                                 (long)getpid(), what);
}

static int listen_at(const char *what)
{
    struct sockaddr_un un;
    socklen_t size;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    abstract_name(&un, &size, what);
    PROMISE(fd >= 0 && bind(fd, (struct sockaddr *)&un, size) == 0 && listen(fd, 16) == 0);
    return fd;
}

static int connect_to(const char *what)
{
    struct sockaddr_un un;
    socklen_t size;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    abstract_name(&un, &size, what);
    PROMISE(fd >= 0 && connect(fd, (struct sockaddr *)&un, size) == 0);
    PROMISE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

/* What is logged here is brought about on purpose. */
static struct log *silent_log(void)
{
    int shown = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct log *log;

    PROMISE(shown >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
    log = log_new();
    PROMISE(log && dup2(shown, STDERR_FILENO) >= 0);
    close(shown);
    close(nowhere);
    return log;
}

static struct conf *conf_at_work(void *arg)
{
    return ((struct daemon *)arg)->set.conf;
}

static const struct daemon_now *daemon_at_work(void *arg)
{
    return &((struct daemon *)arg)->now;
}

static struct rule *const *rules_at_work(void *arg, size_t *count)
{
    struct daemon *d = arg;

    *count = d->set.count;
    return d->set.rules;
}

static const struct ops_reload *reloaded(void *arg)
{
    return &((struct daemon *)arg)->reload;
}

/* It is over in the next turn. */
static uint64_t reload(void *arg)
{
    struct daemon *d = arg;

    d->reloading = true;
    return d->reload.number + 1;
}

static void end_reload(struct daemon *d)
{
    d->reloading = false;
    d->reload.number++;
    d->reload.outcome = d->reload.number % 2 ? OPS_RELOAD_OK : OPS_RELOAD_FAILED;
    d->reload.error = d->reload.number % 2 ? NULL : "it could not be";
    events_reloaded(&d->api.events, &d->reload);
    api_reloaded(&d->api);
}

static bool take_answers(struct client *c)
{
    size_t before = c->size;
    ssize_t n = 0;

    while (!c->ended && c->size < ANSWERS_MOST &&
           (n = recv(c->fd, c->text + c->size, ANSWERS_MOST - c->size, 0)) > 0)
        c->size += (size_t)n;
    c->ended |= n == 0 || (n < 0 && errno != EAGAIN);
    c->text[c->size] = '\0';
    return c->size > before;
}

static void on_turn(struct watch *w, unsigned events)
{
    struct daemon *d = container_of(w, struct daemon, pump);

    (void)events;
    now++;
    if (d->reloading)
        end_reload(d);
    d->quiet = d->client && take_answers(d->client) ? 0 : d->quiet + 1;
    if (d->quiet == QUIET_TURNS || ++d->turns == MOST_TURNS)
        loop_stop(d->loop);
}

static void run_until_quiet(struct daemon *d)
{
    d->turns = d->quiet = 0;
    PROMISE(loop_run(d->loop) == 0);
}

static void apply_rules(struct daemon *d)
{
    struct ruleset_changes changes;
    struct passed passed = {0};
    struct conf_errors errors;
    char text[1024];
    struct conf *conf;
    long pid = getpid();
    int size;

    size = snprintf(text, sizeof(text),
                    "rules = { web = { listen = \"unix:@penstock-fuzz-%ld-in\"; "
                    "upstream = \"unix:@penstock-fuzz-%ld-up\"; }; "
                    "other = { listen = \"unix:@penstock-fuzz-%ld-other\"; "
                    "upstream = \"192.0.2.1:80\"; max_connections = 1; }; };",
                    pid, pid, pid);
    conf = conf_load_text("fuzz.conf", text, (size_t)size, &errors);
    PROMISE(conf != NULL);
    PROMISE(ruleset_apply(&d->set, conf, &passed, &changes) == 0 && changes.failed == 0);
    conf_unref(conf);
    conf_errors_free(&errors);
}

static void open_door(struct daemon *d, bool is_local)
{
    struct http_server server = {.is_local = is_local, .owner = (uid_t)-1};

    d->api.host = (struct ops_host){.worker = &d->worker,
                                    .config_path = "fuzz.conf",
                                    .conf = conf_at_work,
                                    .daemon = daemon_at_work,
                                    .rules = rules_at_work,
                                    .reloaded = reloaded,
                                    .reload = reload,
                                    .arg = d};
    daemon_now_begin(&d->now, d->set.conf, 0);
    list_init(&d->api.waiting);
    preview_init(&d->api.preview, &d->api.host);
    preview_end(&d->api.preview); /* it would read files, in a thread */
    events_init(&d->api.events, &d->worker);
    d->door = (struct api_door){&d->api, is_local};
    server.fd = listen_at("api");
    d->http = http_new(d->loop, &d->fds, &server, api_route, &d->door);
    PROMISE(d->http != NULL);
}

static void daemon_begin(struct daemon *d, bool is_local, bool is_epoll)
{
    memset(d, 0, sizeof(*d));
    d->loop = loop_new(is_epoll ? LOOP_EPOLL : LOOP_SELECT);
    if (!d->loop) /* one that is not built in */
        d->loop = loop_new(LOOP_AUTO);
    d->log = silent_log();
    fds_budget(&d->fds, 500);
    PROMISE(d->loop && worker_init(&d->worker, d->loop, d->log, &d->fds, 0) == 0);
    ruleset_init(&d->set, &d->worker);
    d->upstream = listen_at("up");
    apply_rules(d);
    open_door(d, is_local);
    d->always = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    d->pump = WATCH_NONE;
    PROMISE(d->always >= 0 && loop_watch(d->loop, &d->pump, d->always, LOOP_READ, on_turn) == 0);
    for (int i = 0; i < SESSIONS; i++)
        d->ends[i] = connect_to("in");
    PROMISE(shutdown(d->ends[0], SHUT_WR) == 0);
    run_until_quiet(d);
    PROMISE(d->worker.live == SESSIONS);
}

/* All is given back. */
static void daemon_end(struct daemon *d)
{
    api_reload_stop(&d->api);
    events_stop(&d->api.events);
    http_free(d->http);
    ruleset_close(&d->set);
    list_for_each (link, next, &d->worker.sessions)
        session_end_now(container_of(link, struct session, link), END_SHUTDOWN);
    PROMISE(d->worker.live == 0);
    ruleset_free(&d->set);
    daemon_now_end(&d->now);
    loop_unwatch(d->loop, &d->pump);
    worker_fini(&d->worker);
    PROMISE(atomic_load(&d->fds.booked) == 0);
    PROMISE(loop_watched(d->loop) == 0);
    loop_free(d->loop);
    log_free(d->log);
    for (int i = 0; i < SESSIONS; i++)
        close(d->ends[i]);
    close(d->upstream);
    close(d->always);
}

/* --- one who asks ---------------------------------------------------------------------------- */

static void say(struct daemon *d, const uint8_t *data, size_t size)
{
    size_t length;

    for (; size > 0; data += length, size -= length) {
        for (length = 0; length < size && data[length] < SENT_ALL; length++)
            continue;
        /* Who is not listened to any more has nothing to say. */
        if (length > 0 && send(d->client->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length)
            return;
        if (length == size)
            return;
        if (data[length++] == SENT_ALL)
            shutdown(d->client->fd, SHUT_WR);
        else
            run_until_quiet(d);
    }
}

/* The body that is said to be JSON and to have a length. */
static void check_body(const char *head, const char *body, size_t size)
{
    const char *length = strstr(head, "\r\nContent-Length: ");
    const char *type = strstr(head, "\r\nContent-Type: application/json\r\n");
    unsigned long count;
    json_t *o;

    if (!length || !type || length > body || type > body)
        return;
    count = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    if (count > size)
        return; /* HEAD, or it has not been taken to its end */
    o = json_loadb(body, count, 0, NULL);
    PROMISE(o != NULL);
    json_decref(o);
}

/* The first answer is one. Of those behind it is not known where they begin, nor of one to HEAD. */
static void check_answers(const struct client *c, const uint8_t *data, size_t size)
{
    const char *end = strstr(c->text, "\r\n\r\n");
    unsigned status;

    if (c->size == 0)
        return;
    PROMISE(end != NULL && sscanf(c->text, "HTTP/1.%*1[01] %3u ", &status) == 1);
    PROMISE(status >= 100 && status < 506);
    if (!memmem(data, size, "HEAD", 4))
        check_body(c->text, end + 4, c->size - (size_t)(end + 4 - c->text));
}

static void ask(struct daemon *d, struct client *c, const uint8_t *data, size_t size)
{
    d->client = c;
    c->fd = connect_to("api");
    c->size = 0;
    c->ended = false;
    say(d, data, size);
    run_until_quiet(d);
    check_answers(c, data, size);
    close(c->fd);
    d->client = NULL;
    run_until_quiet(d);
}

/* Nothing has changed by one who may only read. */
static void check_untouched(const struct daemon *d)
{
    PROMISE(d->worker.live == SESSIONS && d->reload.number == 0 && !d->reloading);
    for (size_t i = 0; i < d->set.count; i++)
        PROMISE(d->set.rules[i]->state == RULE_RUNNING);
}

static void fuzz_requests(bool is_local, const uint8_t *data, size_t size)
{
    static const char well[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static struct client client;
    static struct daemon d;

    daemon_begin(&d, is_local, size % 2);
    ask(&d, &client, data, size);
    if (!is_local)
        check_untouched(&d);
    ask(&d, &client, (const uint8_t *)well, sizeof(well) - 1);
    PROMISE(strncmp(client.text, "HTTP/1.1 200 OK\r\n", 17) == 0);
    daemon_end(&d);
}

/* --- parts of requests ----------------------------------------------------------------------- */

static void fuzz_filter(const char *text)
{
    char key[16] = "", error[64];
    const char *value = strchr(text, '=');
    struct filter f = {0};
    uint64_t number;

    if (!value || (size_t)(value - text) >= sizeof(key))
        return;
    memcpy(key, text, (size_t)(value++ - text));
    if (strcmp(key, "rule") != 0 && strcmp(key, "client") != 0 && strcmp(key, "state") != 0 &&
        strcmp(key, "older") != 0)
        return;
    memset(error, 'x', sizeof(error));
    if (filter_set(&f, key, value, error, sizeof(error))) {
        PROMISE(!f.has_client || f.prefix <= (f.client.family == AF_INET ? 32 : 128));
        PROMISE(f.older >= 0 && (!f.has_state || f.state < SESSION_STATES));
    } else {
        PROMISE(error[0] != '\0' && memchr(error, '\0', sizeof(error)));
    }
    if (filter_number(value, &number)) {
        PROMISE(strspn(value, "0123456789") == strlen(value));
        PROMISE(strtoull(value, NULL, 10) == number);
    }
}

static void fuzz_host(const char *text)
{
    if (host_name_is_address(text) && strncasecmp(text, "localhost", 9) != 0)
        PROMISE(strspn(text, "0123456789abcdefABCDEF.:[]") == strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    if (data[0] == 'l' || data[0] == 'r') {
        fuzz_requests(data[0] == 'l', data + 1, size - 1);
        return 0;
    }
    text = strndup((const char *)data + 1, size - 1);
    if (text && data[0] == 'f')
        fuzz_filter(text);
    else if (text && data[0] == 'h')
        fuzz_host(text);
    free(text);
    return 0;
}
