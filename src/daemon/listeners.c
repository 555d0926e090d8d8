/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/listeners.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "flow/listener.h"
#include "os/sock.h"

int passed_take(struct passed *p)
{
    p->count = systemd_take_sockets(&p->sockets);
    if (p->count >= 0)
        return 0;
    int error = p->count;

    *p = (struct passed){0};
    return error;
}

void passed_free(struct passed *p, struct log *log)
{
    for (int i = 0; i < p->count; i++) {
        if (p->sockets[i].fd < 0)
            continue;
        log_message(log, LEVEL_WARNING,
                    "no rule listens on the passed socket \"systemd:%s\"; it is closed",
                    p->sockets[i].name);
        close(p->sockets[i].fd);
    }
    systemd_sockets_free(p->sockets, p->count);
    *p = (struct passed){0};
}

static void log_failure(const struct rule *rule, const struct conf_listen *conf, int error,
                        const char *why)
{
    log_message(rule->worker->log, LEVEL_ERROR, "%s:%u: rule %s: cannot listen on %s: %s%s%s",
                conf->at.file, conf->at.line, rule->conf->name, conf->text, strerror(-error),
                why ? ": " : "", why ? why : "");
}

/* The sockets passed under one name may be several: each gets a listener. */
static int adopt(struct rule *rule, const struct conf_listen *conf, struct passed *passed)
{
    int found = 0;

    for (int i = 0; i < passed->count; i++) {
        struct systemd_socket *s = &passed->sockets[i];
        struct listener *l;
        struct addr bound;
        int error;

        if (s->fd < 0 || strcmp(s->name, conf->systemd) != 0)
            continue;
        error = sock_check_listening(s->fd, &bound);
        l = error ? NULL : listener_new(rule, conf);
        if (!l) {
            log_failure(rule, conf, error ? error : -ENOMEM,
                        error ? "the passed socket is no listening stream socket" : NULL);
            return -1;
        }
        listener_adopt(l, s->fd, &bound);
        s->fd = -1;
        found++;
    }
    if (found > 0)
        return found;
    log_failure(rule, conf, -ENOENT,
                "the service manager passed no socket of this name (FileDescriptorName=)");
    return -1;
}

static int open_one(struct rule *rule, const struct conf_listen *conf)
{
    struct listener *l = listener_new(rule, conf);
    const char *why = NULL;
    int error = l ? listener_open(l, &why) : -ENOMEM;

    if (error == 0)
        return 1;
    log_failure(rule, conf, error, why);
    return -1;
}

int listeners_open(struct rule *rule, struct passed *passed)
{
    bool failed = false;
    int count = 0;

    for (size_t i = 0; i < rule->conf->listen_count; i++) {
        const struct conf_listen *conf = &rule->conf->listens[i];
        int n = conf->kind == ADDR_SYSTEMD ? adopt(rule, conf, passed) : open_one(rule, conf);

        if (n < 0)
            failed = true;
        else
            count += n;
    }
    return failed ? -1 : count;
}

int listeners_start(struct rule *rule)
{
    int error = 0;

    list_for_each (link, next, &rule->listeners) {
        if (error == 0)
            error = listener_start(container_of(link, struct listener, link));
    }
    return error;
}
