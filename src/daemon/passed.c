/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/passed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/table.h"
#include "os/dgram.h"
#include "os/parcel.h"
#include "os/sock.h"
#include "os/sock_file.h"

/* More than any parcel holds. */
#define PARCEL_MOST 131072

struct passed_listening {
    int index;
    char text[ADDR_TEXT_MAX];
};

bool passed_is_stored(const struct systemd_socket *s)
{
    return s->name[0] == '.';
}

static bool begins(const struct systemd_socket *s, const char *prefix)
{
    return strncmp(s->name, prefix, strlen(prefix)) == 0;
}

static bool is_session(const struct systemd_socket *s)
{
    return strcmp(s->name, PASSED_SESSION) == 0 || begins(s, PASSED_SLOT);
}

int passed_beginning(const struct passed *p, const char *prefix, int from)
{
    for (int i = from; i < p->count; i++) {
        if (p->sockets[i].fd >= 0 && begins(&p->sockets[i], prefix))
            return i;
    }
    return -1;
}

int passed_named(const struct passed *p, const char *name, int from)
{
    for (int i = from; i < p->count; i++) {
        if (p->sockets[i].fd >= 0 && strcmp(p->sockets[i].name, name) == 0)
            return i;
    }
    return -1;
}

/* One more of each under `name`; without memory they are closed. `name` may be one of those there.
 */
static void add_all(struct passed *p, const char *name, const int *fds, int count)
{
    struct systemd_socket *grown =
        realloc(p->sockets, ((size_t)p->count + (size_t)count) * sizeof(*grown));

    if (grown)
        p->sockets = grown;
    for (int i = 0; i < count; i++) {
        char *copy = grown ? strdup(name) : NULL;

        if (copy)
            grown[p->count++] = (struct systemd_socket){.name = copy, .fd = fds[i]};
        else
            close(fds[i]);
    }
}

/* What is in a parcel takes its place, under its name. */
static int unpack(struct passed *p, int index)
{
    int *fds = malloc(PARCEL_MOST * sizeof(*fds)), count = -ENOMEM;

    if (fds)
        count = parcel_unpack(p->sockets[index].fd, fds, PARCEL_MOST);
    if (count > 0)
        add_all(p, p->sockets[index].name, fds, count);
    free(fds);
    close(p->sockets[index].fd);
    p->sockets[index].fd = -1;
    return count < 0 ? count : 0;
}

/* A parcel that can't be opened is lost, but no reason not to start. */
static void unpack_all(struct passed *p)
{
    int count = p->count;

    for (int i = 0; i < count; i++) {
        const struct systemd_socket *s = &p->sockets[i];

        if ((begins(s, PASSED_LISTENING) || is_session(s)) && unpack(p, i))
            p->damaged = true;
    }
}

static int index_listening(struct passed *p)
{
    table_free(p->by_text);
    free(p->listening);
    p->listening_count = 0;
    p->by_text = table_new();
    p->listening = calloc((size_t)p->count + 1, sizeof(*p->listening));
    if (!p->by_text || !p->listening)
        return -ENOMEM;
    for (int i = passed_beginning(p, PASSED_LISTENING, 0); i >= 0;
         i = passed_beginning(p, PASSED_LISTENING, i + 1)) {
        struct passed_listening *l = &p->listening[p->listening_count];
        struct addr bound;

        if (sock_check_listening(p->sockets[i].fd, &bound) && dgram_check(p->sockets[i].fd, &bound))
            continue; /* shut down by a process that did not know that there would be a next one */
        p->listening_count++;
        l->index = i;
        if (sock_text(p->sockets[i].fd, l->text, sizeof(l->text)) &&
            table_insert(p->by_text, l->text, l) == -ENOMEM)
            return -ENOMEM;
    }
    return 0;
}

static void free_all(struct passed *p)
{
    systemd_sockets_free(p->sockets, p->count);
    table_free(p->by_text);
    free(p->listening);
    *p = (struct passed){0};
}

int passed_take(struct passed *p)
{
    int error;

    *p = (struct passed){0};
    p->count = systemd_take_sockets(&p->sockets);
    if (p->count > 0)
        unpack_all(p);
    error = p->count < 0 ? p->count : index_listening(p);
    if (error)
        free_all(p);
    return error;
}

/* --- those that are for the operators' side ----------------------------------------------------
 */

/* As sock_text() writes it; false: the config has none. */
static bool control_text(const struct conf *conf, char *out, size_t size)
{
    if (!conf_has_control(&conf->daemon))
        return false;
    return (size_t)snprintf(out, size, "unix:%s", conf->daemon.control) < size;
}

static bool http_text(const struct conf *conf, char *out, size_t size)
{
    struct addr_spec spec;

    if (!conf->daemon.http || addr_spec_parse(conf->daemon.http, &spec))
        return false;
    addr_print(&spec.literal, out, size);
    return true;
}

static struct systemd_socket *find_listening(const struct passed *p, const char *text)
{
    const struct passed_listening *l = p->by_text ? table_find(p->by_text, text) : NULL;

    return l ? &p->sockets[l->index] : NULL;
}

static int take_fd(struct systemd_socket *s)
{
    int fd = s ? s->fd : -1;

    if (s)
        s->fd = -1;
    return fd;
}

int passed_take_control(struct passed *p, const struct conf *conf, struct sock_file_id *file)
{
    struct systemd_socket *s = NULL;
    char text[ADDR_TEXT_MAX];

    p->is_sought = true;
    if (control_text(conf, text, sizeof(text)))
        s = find_listening(p, text);
    if (!s || !sock_file_id_parse(s->name, file))
        *file = (struct sock_file_id){0};
    return take_fd(s);
}

int passed_take_http(struct passed *p, const struct conf *conf)
{
    char text[ADDR_TEXT_MAX];

    return http_text(conf, text, sizeof(text)) ? take_fd(find_listening(p, text)) : -1;
}

/* --- those that nobody wants --------------------------------------------------------------------
 */

/* What our own left-over socket would keep from a rule that wants it in another way. */
static bool is_wanted(struct passed *p, const struct table *texts, struct passed_listening *l)
{
    static const char any[] = "0.0.0.0:";
    const char *scheme = strncmp(l->text, "udp:", strlen("udp:")) == 0 ? "udp:" : "";
    const char *address = l->text + strlen(scheme);
    char both[ADDR_TEXT_MAX];

    if (table_find(texts, l->text))
        return true;
    if (strncmp(address, any, strlen(any)) != 0)
        return false;
    /* "*" on a machine without IPv6 */
    snprintf(both, sizeof(both), "%s*:%s", scheme, address + strlen(any));
    if (!table_find(texts, both))
        return false;
    table_remove(p->by_text, l->text);
    memcpy(l->text, both, sizeof(both));
    return table_insert(p->by_text, l->text, l) == 0;
}

/* Nobody goes on with it: its file leads nowhere from here on. */
static void end_operators(int fd)
{
    static const char scheme[] = "unix:";
    char text[ADDR_TEXT_MAX];
    struct addr a = {.family = AF_UNIX};

    if (!sock_text(fd, text, sizeof(text)))
        text[0] = '\0';
    sock_stop_listening(fd);
    close(fd);
    if (strncmp(text, scheme, strlen(scheme)) != 0)
        return;
    a.un.path = text + strlen(scheme);
    if (sock_file_is_stale(&a))
        unlink(a.un.path);
}

/* Is this the control socket of before, at whose path its own file is still? */
static bool is_control(const struct systemd_socket *s)
{
    static const char scheme[] = "unix:";
    char text[ADDR_TEXT_MAX];
    struct sock_file_id file;

    return begins(s, PASSED_LISTENING) && sock_file_id_parse(s->name, &file) &&
           sock_text(s->fd, text, sizeof(text)) && strncmp(text, scheme, strlen(scheme)) == 0 &&
           sock_file_is_at(text + strlen(scheme), &file);
}

/* Is it another descriptor of one that has been taken? The manager may have it under two names. */
static bool is_at_work(const struct passed *p, const struct systemd_socket *s)
{
    const struct systemd_socket *same = NULL;
    char text[ADDR_TEXT_MAX];

    if (sock_text(s->fd, text, sizeof(text)))
        same = find_listening(p, text);
    return same && same->fd < 0;
}

/* Nobody is let in by it any more, though the manager has it, too. */
static void drop_unwanted(struct passed *p, const struct passed_listening *l)
{
    struct systemd_socket *s = &p->sockets[l->index];
    struct addr bound;

    table_remove(p->by_text, l->text);
    if (is_control(s)) {
        end_operators(s->fd);
        s->fd = -1;
        return;
    }
    if (dgram_check(s->fd, &bound)) {
        sock_stop_listening(s->fd);
    } else {
        sock_retire(s->fd);
        left_ports_add(&p->left, bound.port);
    }
    close(s->fd);
    s->fd = -1;
}

static int add_operators(struct passed *p, struct table *texts, const struct conf *conf)
{
    char text[ADDR_TEXT_MAX];
    int error = 0;

    if (control_text(conf, text, sizeof(text)))
        error = table_insert(texts, text, p);
    if (error == 0 && http_text(conf, text, sizeof(text)))
        error = table_insert(texts, text, p);
    return error;
}

int passed_drop_unwanted(struct passed *p, const struct conf *conf)
{
    struct table *texts = table_new();
    int error = texts ? add_operators(p, texts, conf) : -ENOMEM;

    for (size_t i = 0; i < conf->rule_count && error == 0; i++) {
        for (size_t j = 0; j < conf->rules[i].listen_count && error == 0; j++)
            error = table_insert(texts, conf->rules[i].listens[j].text, p);
    }
    for (size_t i = 0; i < p->listening_count && error == 0; i++) {
        if (!is_wanted(p, texts, &p->listening[i]))
            drop_unwanted(p, &p->listening[i]);
    }
    table_free(texts);
    return error;
}

int passed_add_listening(struct passed *p, const char *name, const int *fds, int count)
{
    if (count > 0)
        add_all(p, name, fds, count);
    return index_listening(p);
}

void passed_free(struct passed *p, struct log *log)
{
    if (p->damaged)
        log_message(log, LEVEL_ERROR, "some descriptors in the service manager's store were lost");
    for (int i = 0; i < p->count; i++) {
        const struct systemd_socket *s = &p->sockets[i];

        if (s->fd < 0)
            continue;
        if (!passed_is_stored(s))
            log_message(log, LEVEL_WARNING,
                        "no rule listens on the passed socket \"systemd:%s\"; it is closed",
                        s->name);
        if (is_session(s) && !p->superseded)
            sock_abort(s->fd); /* nobody can go on with it */
        else if ((begins(s, PASSED_OPERATORS) || (p->is_sought && is_control(s))) &&
                 !is_at_work(p, s))
            end_operators(s->fd);
        else
            close(s->fd);
    }
    free_all(p);
}

int passed_find(const struct passed *p, const struct conf_listen *conf, int from)
{
    const struct passed_listening *l;

    if (conf->kind == ADDR_SYSTEMD)
        return passed_named(p, conf->systemd, from);
    l = p->by_text ? table_find(p->by_text, conf->text) : NULL;
    return l && l->index >= from && p->sockets[l->index].fd >= 0 ? l->index : -1;
}

/* The file at its path was the one that it made. By now it may be another's. */
static void own_file(struct listener *l)
{
    struct stat st;

    if (l->conf->kind == ADDR_PATH && l->conf->address.un.path[0] == '/' &&
        lstat(l->conf->address.un.path, &st) == 0 && S_ISSOCK(st.st_mode))
        listener_find_file(l, (struct sock_file_id){st.st_dev, st.st_ino});
}

int passed_adopt(struct passed *p, int index, struct listener *l, const char **why)
{
    struct systemd_socket *s = &p->sockets[index];
    int error = listener_adopt(l, s->fd, why);

    if (error)
        return error;
    s->fd = -1;
    own_file(l);
    return 0;
}
