/* SPDX-License-Identifier: BSD-2-Clause */
/* Which request is answered by whom. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ops/api.h"
#include "ops/host_name.h"
#include "os/log.h"

#define NAME_MAX_BYTES 256 /* of what stands at {name} */
#define WORDS_MAX      256

struct route {
    enum http_method method;
    const char *pattern; /* {name} stands for one part of the path, whatever it is called */
    bool needs_steer;    /* it changes something */
    api_handler *handler;
    const char *const *keys; /* that its query may have, ended by NULL; or NULL: none */
};

static const char *const session_keys[] = {"rule", "client", "state", "older",
                                           "sort", "after",  "limit", NULL};
static const char *const kill_keys[] = {"rule", "client", "state", "older", "all", NULL};

static const struct route routes[] = {
    {HTTP_GET, "/", false, api_page, NULL},
    {HTTP_GET, "/page/{name}", false, api_page_file, NULL},
    {HTTP_GET, "/healthz", false, api_health, NULL},
    {HTTP_GET, "/v1/status", false, api_status, NULL},
    {HTTP_GET, "/v1/config", false, api_config, NULL},
    {HTTP_GET, "/v1/config/diff", false, api_config_diff, NULL},
    {HTTP_POST, "/v1/reload", true, api_reload, NULL},
    {HTTP_GET, "/v1/rules", false, api_rules, NULL},
    {HTTP_GET, "/v1/rules/{name}", false, api_rule, NULL},
    {HTTP_POST, "/v1/rules/{name}/pause", true, api_pause, NULL},
    {HTTP_POST, "/v1/rules/{name}/resume", true, api_resume, NULL},
    {HTTP_POST, "/v1/rules/{name}/drain", true, api_drain, NULL},
    {HTTP_GET, "/v1/sessions", false, api_sessions, session_keys},
    {HTTP_DELETE, "/v1/sessions", true, api_kill_some, kill_keys},
    {HTTP_GET, "/v1/sessions/{id}", false, api_session, NULL},
    {HTTP_DELETE, "/v1/sessions/{id}", true, api_kill, NULL},
    {HTTP_GET, "/v1/events", false, api_events, NULL},
    {HTTP_GET, "/metrics", false, api_metrics, NULL},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* --- paths ----------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-encoding (RFC 3986 section 2.1). False for an empty name, one that is too long, and one
 * with a NUL: nothing is called so. */
static bool decode(const char *text, size_t length, char *out)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (used == NAME_MAX_BYTES - 1)
            return false;
        if (c == '%') {
            int high = i + 2 < length ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < length ? hex_value(text[i + 2]) : -1;

            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[used++] = c;
    }
    out[used] = '\0';
    return used > 0;
}

/* `name` is set when the pattern has one. */
static bool fits(const char *pattern, const char *path, char *name)
{
    size_t length;

    while (*pattern && *pattern != '{') {
        if (*pattern++ != *path++)
            return false;
    }
    if (*pattern == '\0')
        return *path == '\0';
    length = strcspn(path, "/");
    return strcmp(strchr(pattern, '}') + 1, path + length) == 0 && decode(path, length, name);
}

/* --- refusals -------------------------------------------------------------------------------- */

static bool can_be_asked(const struct api_door *door, const struct route *r)
{
    return door->is_local || !r->needs_steer;
}

static struct answer *not_allowed(const struct api_door *door)
{
    return answer_error(403, "forbidden",
                        door->is_local
                            ? "only root, penstockd's own user, and the owner of the control "
                              "socket or its group may change anything"
                            : "this address is for reading, ask on the control socket");
}

static struct answer *wrong_method(const struct api_door *door, const char *path)
{
    static const char *const words[] = {
        [HTTP_GET] = "GET, HEAD", [HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE"};
    char name[NAME_MAX_BYTES], allowed[WORDS_MAX] = "";
    struct answer *a;
    size_t used = 0;

    for (size_t i = 0; i < ROUTES; i++) {
        if (can_be_asked(door, &routes[i]) && fits(routes[i].pattern, path, name))
            used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s",
                                     used > 0 ? ", " : "", words[routes[i].method]);
    }
    if (used == 0)
        return not_allowed(door);
    a = answer_error(405, "method-not-allowed", "%s can't be asked so, allowed: %s", path, allowed);
    if (a)
        answer_header(a, "Allow", allowed);
    return a;
}

static struct answer *unknown_key(const struct route *r, const char *key)
{
    char known[WORDS_MAX] = "";
    size_t used = 0;

    for (const char *const *k = r->keys; k && *k; k++)
        used +=
            (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used > 0 ? ", " : "", *k);
    return answer_error(400, "bad-request", "the query has an unknown \"%.64s\", allowed: %s", key,
                        used > 0 ? known : "nothing");
}

/* Whichever of them counted, who asks may have meant the other. */
static struct answer *doubled_key(const char *key)
{
    return answer_error(400, "bad-request", "the query has \"%s\" twice, allowed: once", key);
}

/* --- all of it ------------------------------------------------------------------------------- */

/* What the query says, as far as there is room. */
static void put_query(const struct route *r, const struct request *rq, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (const char *const *k = r->keys; k && *k && used < size; k++) {
        const char *value = request_query(rq, *k);

        if (value)
            used += (size_t)snprintf(out + used, size - used, "%s%s=%s", used > 0 ? "&" : "", *k,
                                     value);
    }
}

/* Who changes something leaves a line in the log. */
static void log_steering(const struct api_door *door, const struct request *rq,
                         const struct route *r)
{
    char query[WORDS_MAX];
    pid_t pid = 0;
    uid_t uid = 0;

    request_peer(rq, &pid, &uid);
    put_query(r, rq, query, sizeof(query));
    log_fields(door->api->host.worker->log, LEVEL_INFO, "asked on the control socket",
               (struct log_field[]){LOG_TEXT("method", r->method == HTTP_POST ? "POST" : "DELETE"),
                                    LOG_TEXT("path", request_path(rq)), LOG_NUMBER("uid", uid),
                                    LOG_NUMBER("pid", pid), LOG_TEXT("query", query)},
               query[0] ? 5 : 4);
}

static struct answer *call(const struct api_door *door, const struct route *r, struct request *rq,
                           const char *name)
{
    static const char *const nothing[] = {NULL};
    const char *const *known = r->keys ? r->keys : nothing;
    const char *unknown = request_unknown(rq, known), *doubled = request_doubled(rq, known);
    struct api_call c = {.api = door->api, .request = rq, .name = name};

    if (unknown)
        return unknown_key(r, unknown);
    if (doubled)
        return doubled_key(doubled);
    if (r->needs_steer) {
        if (!door->is_local || !request_may_steer(rq))
            return not_allowed(door);
        log_steering(door, rq, r);
    }
    return r->handler(&c);
}

struct answer *api_route(void *arg, struct request *rq)
{
    const struct api_door *door = arg;
    const char *host = door->is_local ? NULL : request_header(rq, "Host");
    const char *path = request_path(rq);
    char name[NAME_MAX_BYTES];
    bool known = false;

    if (host && !host_name_is_address(host))
        return answer_error(421, "forbidden",
                            "this server has no name, allowed: its IP address, or localhost");
    for (size_t i = 0; i < ROUTES; i++) {
        bool has_name = strchr(routes[i].pattern, '{') != NULL;

        if (!fits(routes[i].pattern, path, name))
            continue;
        if (routes[i].method == request_method(rq))
            return call(door, &routes[i], rq, has_name ? name : NULL);
        known = true;
    }
    return known ? wrong_method(door, path)
                 : answer_error(404, "not-found", "there is no %.256s here", path);
}
