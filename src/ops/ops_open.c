/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/ops_open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/sock.h"
#include "os/user.h"

static const char *explain(int error, bool is_local)
{
    switch (error) {
    case -EADDRINUSE:
        return is_local ? "another process listens on it" : "another socket is bound to it";
    case -EADDRNOTAVAIL:
        return "no interface of this machine has this address";
    case -EEXIST:
        return "the file exists and is no socket";
    case -EBUSY:
        return is_local ? "another process keeps its lock file (.lock)" : NULL;
    case -EACCES:
    case -EPERM:
        return is_local ? "no permission for the file or its directory"
                        : "ports below 1024 need root or CAP_NET_BIND_SERVICE";
    case -EMFILE:
        return "the descriptor budget is used up";
    default:
        return NULL;
    }
}

static int find_rights(const struct conf_daemon *conf, struct sock_file *out, const char **why)
{
    gid_t own_group;

    *out = (struct sock_file){.mode = conf->control_mode, .owner = (uid_t)-1, .group = (gid_t)-1};
    if (conf->control_owner && user_find(conf->control_owner, &out->owner, &own_group)) {
        *why = "there is no such user as control_owner";
        return -ENOENT;
    }
    if (conf->control_group && group_find(conf->control_group, &out->group)) {
        *why = "there is no such group as control_group";
        return -ENOENT;
    }
    return 0;
}

/* What the file has of the rights that it should have, and what it has instead. */
static void look_at_rights(struct ops_socket *s, const struct stat *st)
{
    s->rights.mode = st->st_mode & 0777;
    if (s->rights.owner != (uid_t)-1)
        s->rights.owner = st->st_uid;
    if (s->rights.group != (gid_t)-1)
        s->rights.group = st->st_gid;
}

/* Remember which file is ours, so that nobody else's is ever removed; and who may steer. */
static int look_at_file(struct ops_socket *s, struct http_server *server)
{
    struct stat st;

    if (lstat(s->place, &st) < 0)
        return -errno;
    look_at_rights(s, &st);
    s->file = (struct sock_file_id){st.st_dev, st.st_ino};
    server->owner = st.st_uid;
    server->group = st.st_gid;
    server->group_may = st.st_mode & S_IWGRP;
    return 0;
}

/* A former process of a version that does not tell which file it was has to be believed. */
static bool has_its_file(const char *path, const struct sock_file_id *file)
{
    struct stat st;

    if (file->ino)
        return sock_file_is_at(path, file);
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool file_is_there(const struct ops_socket *s)
{
    return sock_file_is_at(s->place, &s->file);
}

/* Serve on `fd`, which stays the caller's on failure. */
static int serve(struct ops_socket *s, int fd, struct api_door *door)
{
    struct http_server server = {.fd = fd, .is_local = s->is_local};
    int error = s->is_local ? look_at_file(s, &server) : 0;

    if (error == 0) {
        s->http = http_new(s->worker->loop, s->worker->fds, &server, api_route, door);
        error = s->http ? 0 : -errno;
    }
    return error;
}

static int open_at(struct ops_socket **out, const struct ops_socket *model,
                   const struct addr *address, int former, struct api_door *door, const char **why)
{
    struct ops_socket *s = malloc(sizeof(*s));
    /* Who reads a stream on which nothing happens may have lost the network. */
    const struct sock_keepalive keepalive = {true, 60, 10, 6};
    int error = -ENOMEM, fd = former;

    if (!s) {
        if (former >= 0)
            close(former);
        return error;
    }
    *s = *model;
    s->place = strdup(model->place);
    list_init(&s->link);
    if (s->place)
        error = fds_book(s->worker->fds, OPS_SOCKET_FDS) ? 0 : -EMFILE;
    if (error) {
        free(s->place);
        free(s);
        if (former >= 0)
            close(former);
        *why = explain(error, model->is_local);
        return error;
    }
    if (fd < 0)
        fd = sock_listen(address, 0, 0, &s->rights);
    if (fd >= 0)
        sock_set_keepalive(fd, address, &keepalive);
    error = fd < 0 ? fd : serve(s, fd, door);
    if (error) {
        ops_socket_free(s);
        if (fd >= 0)
            close(fd); /* only now: until here nobody else has the file's number */
        *why = explain(error, model->is_local);
        return error;
    }
    *out = s;
    return 0;
}

int ops_open_control(struct ops_socket **out, struct worker *worker, struct api_door *door,
                     const struct conf_daemon *conf, struct ops_sockets *former, const char **why)
{
    struct ops_socket model = {
        .worker = worker, .place = (char *)(uintptr_t)conf->control, .is_local = true};
    struct addr address = {.family = AF_UNIX, .un = {.path = conf->control}};
    int error = find_rights(conf, &model.rights, why), fd = former->control;

    former->control = -1;
    if (fd >= 0 && !has_its_file(conf->control, &former->file)) {
        close(fd); /* nobody can reach it */
        fd = -1;
    }
    if (error && fd < 0)
        return error;
    *why = NULL; /* of one that goes on ops_socket_change() tells */
    if (fd >= 0 && former->had_owner)
        model.rights.owner = 0; /* whose it is now is looked at */
    if (fd >= 0 && former->had_group)
        model.rights.group = 0;
    return open_at(out, &model, &address, fd, door, why);
}

int ops_open_http(struct ops_socket **out, struct worker *worker, struct api_door *door,
                  const struct conf_daemon *conf, int former, const char **why)
{
    struct ops_socket model = {.worker = worker, .place = (char *)(uintptr_t)conf->http};
    struct addr_spec spec;

    if (addr_spec_parse(conf->http, &spec))
        return -EINVAL; /* it has been checked */
    return open_at(out, &model, &spec.literal, former, door, why);
}

bool ops_socket_is_at(const struct ops_socket *s, const char *place)
{
    return strcmp(s->place, place) == 0 && (!s->is_local || file_is_there(s));
}

int ops_socket_change(struct ops_socket *s, const struct conf_daemon *conf, const char **why)
{
    struct http_server server = {0};
    struct sock_file rights, wanted;
    int error = find_rights(conf, &rights, why);

    if (error)
        return error;
    if (rights.mode == s->rights.mode && rights.owner == s->rights.owner &&
        rights.group == s->rights.group)
        return 0;
    wanted = rights;
    if (s->rights.owner != (uid_t)-1 && rights.owner == (uid_t)-1)
        wanted.owner = geteuid();
    if (s->rights.group != (gid_t)-1 && rights.group == (gid_t)-1)
        wanted.group = getegid();
    error = sock_file_change(s->place, &s->file, &wanted);
    if (error == 0)
        error = look_at_file(s, &server);
    if (error) {
        *why = explain(error, true);
        return error;
    }
    s->rights = rights;
    http_set_rights(s->http, server.owner, server.group, server.group_may);
    return 0;
}

void ops_socket_close(struct ops_socket *s)
{
    if (s->is_closed)
        return;
    s->is_closed = true;
    if (s->is_local && file_is_there(s))
        unlink(s->place);
    if (s->http)
        http_stop_listening(s->http);
}

void ops_socket_leave(struct ops_socket *s)
{
    s->is_closed = true;
    http_leave_socket(s->http);
}

void ops_socket_free(struct ops_socket *s)
{
    if (!s)
        return;
    ops_socket_close(s);
    http_free(s->http);
    fds_release(s->worker->fds, OPS_SOCKET_FDS);
    free(s->place);
    free(s);
}
