/* SPDX-License-Identifier: BSD-2-Clause */
/* The sockets on which the API is asked: opened as the config says, changed, and given up. */
#ifndef PENSTOCK_OPS_OPS_OPEN_H
#define PENSTOCK_OPS_OPS_OPEN_H

#include <stdbool.h>

#include "base/list.h"
#include "conf/conf.h"
#include "flow/worker.h"
#include "ops/api.h"
#include "ops/http.h"
#include "os/sock_file.h"

/* What each takes: the listening socket, and the library's epoll. */
#define OPS_SOCKET_FDS 2

/* Nobody has asked for the control socket: a machine where its directory was not made has none. */
bool ops_leaves_out_control(const struct conf *conf);

struct ops_socket {
    struct list link; /* among those that are given up */
    struct worker *worker;
    struct http *http;
    char *place; /* as the config has it */
    bool is_local, is_closed;
    struct sock_file rights;  /* of a local one, as the config has them ... */
    struct sock_file_id file; /* ... and the file that it made */
};

/*
 * The UNIX socket; the HTTP address. `former` is one that listens there already, which is taken, or
 * -1; its file has the rights that it had, until ops_socket_change(). When the file that it made is
 * not there any more, nobody can reach it: then it is closed, and another is opened. Return 0 or a
 * negative errno, with *why set to static text when the errno alone would not tell (or NULL).
 * `door` is borrowed.
 */
int ops_open_control(struct ops_socket **out, struct worker *worker, struct api_door *door,
                     const struct conf_daemon *conf, struct ops_sockets *former, const char **why);
int ops_open_http(struct ops_socket **out, struct worker *worker, struct api_door *door,
                  const struct conf_daemon *conf, int former, const char **why);

/* Is it what the config calls `place`, and to be reached there? */
bool ops_socket_is_at(const struct ops_socket *s, const char *place);

/* Go on with the file's owner and mode that the config says. Errors as above, and then they are as
 * they were. */
int ops_socket_change(struct ops_socket *s, const struct conf_daemon *conf, const char **why);

/* No new clients, and its file goes; who is here is served on. */
void ops_socket_close(struct ops_socket *s);

/* Another process goes on with it, and with its file. */
void ops_socket_leave(struct ops_socket *s);

/* Close and free it, with whoever is served. NULL is allowed. */
void ops_socket_free(struct ops_socket *s);

#endif
