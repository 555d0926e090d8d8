/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/must.h"
#include "ctl/text.h"
#include "ctl/unreached.h"

#define CONNECT_MS 5000l
#define BODY_MAX   (256u << 20) /* more than any answer has */

struct client {
    CURL *curl;
    const char *path;
    int64_t limit_ms; /* 0: none */
    bool (*enough)(void);
};

/* What comes of one answer: all of it, or the line that is not complete yet. */
struct incoming {
    struct client *client;
    char *text;
    size_t size;
    bool (*line)(void *arg, const char *text); /* NULL: not a stream */
    void *arg;
    bool enough; /* the stream's reader has had it */
};

struct client *client_new(const char *path)
{
    struct client *c = must(calloc(1, sizeof(*c)));

    curl_global_init(CURL_GLOBAL_NOTHING);
    c->path = path;
    c->curl = must(curl_easy_init());
    return c;
}

void client_free(struct client *c)
{
    curl_easy_cleanup(c->curl);
    free(c);
    curl_global_cleanup();
}

char *client_encode(const char *text)
{
    char *theirs = must(curl_easy_escape(NULL, text, 0)), *ours = must(strdup(theirs));

    curl_free(theirs);
    return ours;
}

void client_limit(struct client *c, int64_t ms)
{
    c->limit_ms = ms;
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)ms);
}

/* CURLOPT_XFERINFOFUNCTION(3): anything but 0 ends the transfer. */
static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
    const struct client *c = arg;

    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    return c->enough();
}

void client_heed(struct client *c, bool (*enough)(void))
{
    c->enough = enough;
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, enough ? 0l : 1l);
}

static long http_status(const struct client *c)
{
    long status = 0;

    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Give the reader every complete line, and keep what is behind the last. */
static bool give_lines(struct incoming *in)
{
    char *begin = in->text, *end;

    while (!in->enough && (end = strchr(begin, '\n'))) {
        *end = '\0';
        in->enough = !in->line(in->arg, begin);
        begin = end + 1;
    }
    in->size -= (size_t)(begin - in->text);
    memmove(in->text, begin, in->size + 1);
    return !in->enough;
}

/* CURLOPT_WRITEFUNCTION(3): anything but all of it ends the transfer. */
static size_t take(char *data, size_t one, size_t count, void *arg)
{
    struct incoming *in = arg;
    size_t size = one * count;

    if (size > BODY_MAX - in->size)
        return 0;
    in->text = must_resize(in->text, in->size + size + 1, 1);
    memcpy(in->text + in->size, data, size);
    in->size += size;
    in->text[in->size] = '\0';
    if (in->line && http_status(in->client) == 200 && !give_lines(in))
        return 0;
    return size;
}

static CURLcode perform(struct client *c, const char *method, const char *path, struct incoming *in)
{
    char *url = must_print("http://penstock%s", path);
    CURLcode code;

    curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->path);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1l);
    curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    /* No handlers are needed for who looks up no name; and SIGPIPE stays as it is, so that it ends
     * us when nobody reads what we print. */
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1l);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, in);
    code = curl_easy_perform(c->curl);
    free(url);
    return code;
}

/* The daemon said no: why. */
static char *refusal(const json_t *body, long status)
{
    const char *message =
        json_string_value(json_object_get(json_object_get(body, "error"), "message"));

    if (message)
        return must(strdup(message));
    return must_print("penstockd answers with HTTP status %ld and no reason", status);
}

static void not_penstockd(const struct client *c, struct reply *reply)
{
    reply->status = STATUS_UNREACHED;
    reply->error = must_print("%s: what answers there is not penstockd", c->path);
}

static void judge(struct client *c, struct incoming *in, struct reply *reply)
{
    long status = http_status(c);

    if (in->text)
        reply->body = json_loadb(in->text, in->size, 0, NULL);
    if (!json_is_object(reply->body)) {
        json_decref(reply->body);
        reply->body = NULL;
    }
    if (status >= 200 && status < 300 && reply->body) {
        reply->status = STATUS_OK;
    } else if (status >= 400 && reply->body) {
        reply->status = status == 400 ? STATUS_USAGE : STATUS_REFUSED;
        reply->error = refusal(reply->body, status);
    } else {
        not_penstockd(c, reply);
    }
}

/* It has let the time pass: within which that was. */
static char *too_slow(const struct client *c)
{
    if (c->limit_ms < 1000)
        return must_print("%s: penstockd does not answer in time", c->path);
    return must_print("%s: penstockd does not answer within %g s", c->path,
                      (double)c->limit_ms / 1000);
}

static void fail(struct client *c, CURLcode code, struct reply *reply)
{
    long cause = 0;

    curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &cause);
    reply->status = STATUS_UNREACHED;
    reply->cause = code == CURLE_COULDNT_CONNECT ? (int)cause : 0;
    if (reply->cause != 0)
        reply->error = unreached_reason(c->path, (int)cause);
    else if (code == CURLE_OPERATION_TIMEDOUT && c->limit_ms > 0)
        reply->error = too_slow(c);
    else
        reply->error = must_print("%s: %s", c->path, curl_easy_strerror(code));
}

static struct reply call(struct client *c, const char *method, const char *path)
{
    struct incoming in = {.client = c};
    struct reply reply = {0};
    CURLcode code = perform(c, method, path, &in);

    if (code == CURLE_OK)
        judge(c, &in, &reply);
    else
        fail(c, code, &reply);
    free(in.text);
    return reply;
}

struct reply client_call(struct client *c, const char *method, const char *path, const char *key)
{
    struct reply reply = call(c, method, path);

    if (reply.status == STATUS_OK && !json_object_get(reply.body, key)) {
        json_decref(reply.body);
        reply.body = NULL;
        not_penstockd(c, &reply);
    }
    return reply;
}

struct reply client_stream(struct client *c, const char *path,
                           bool (*line)(void *arg, const char *text), void *arg)
{
    struct incoming in = {.client = c, .line = line, .arg = arg};
    struct reply reply = {0};
    CURLcode code = perform(c, "GET", path, &in);

    if (in.enough) {
        reply.status = STATUS_OK;
    } else if (http_status(c) == 200) {
        reply.status = STATUS_UNREACHED;
        reply.error = must_print("%s: penstockd has ended the stream", c->path);
    } else if (code == CURLE_OK) {
        judge(c, &in, &reply);
    } else {
        fail(c, code, &reply);
    }
    free(in.text);
    return reply;
}

void reply_free(struct reply *reply)
{
    json_decref(reply->body);
    free(reply->error);
    *reply = (struct reply){0};
}

void reply_replace(struct reply *reply, struct reply *other)
{
    reply_free(reply);
    *reply = *other;
    *other = (struct reply){0};
}

int reply_tell(const struct reply *reply)
{
    if (reply->error)
        text_line(stderr, "penstock: %s", reply->error);
    return reply->status;
}
