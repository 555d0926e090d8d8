/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the daemon is asked how it is, and steered. */
#include "config.h"

#include <string.h>

#include "conf/checking.h"
#include "conf/listen_text.h"

static struct conf_place place_of(const struct checking *c, const char *option)
{
    return conf_daemon_place(c->conf, option);
}

static bool is_set(const struct checking *c, const char *option)
{
    return place_of(c, option).line != 0;
}

static void taken(struct checking *c, const char *option, const struct conf_listen *by)
{
    conf_errors_add(c->errors, place_of(c, option),
                    "daemon: %s is where rule \"%s\" listens at %s:%u, allowed: an address that no "
                    "rule has",
                    option, by->rule->name, by->at.file, by->at.line);
}

static void check_path(struct checking *c)
{
    const char *path = c->conf->daemon.control;
    const struct conf_listen *other;
    const char *key;

    if (path[0] != '/') {
        conf_errors_add(
            c->errors, place_of(c, "control"),
            "daemon: control = \"%.60s\" is no place for a socket, allowed: \"off\", or "
            "a path from the root such as \"/run/penstock/control.sock\"",
            path);
        return;
    }
    if (strcmp(path, CONF_CONTROL_DEFAULT) == 0)
        return; /* it may fail there */
    key = arena_printf(c->arena, "unix:%s", path);
    if (key == NULL) {
        c->no_memory = true;
        return;
    }
    other = table_find(c->listens, key);
    if (other != NULL)
        taken(c, "control", other);
}

/* What nobody has a use for. */
static void clear_rights(struct checking *c)
{
    static const char *const names[] = {"control_mode", "control_owner", "control_group"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_set(c, names[i]))
            conf_errors_warn(c->errors, place_of(c, names[i]),
                             "daemon: %s has no effect, control is \"off\"", names[i]);
        option_reset(option_find(names[i]), IN_DAEMON, &c->conf->daemon);
    }
}

static const char *wrong_address(const char *text, struct addr_spec *spec)
{
    const char *error = addr_spec_parse_for(ADDR_OF_HTTP, text, spec);

    if (error != NULL)
        return error;
    if (spec->scheme == ADDR_SCHEME_UDP || spec->kind != ADDR_LITERAL ||
        spec->port_first != spec->port_last || addr_is_group(&spec->literal) ||
        addr_is_broadcast(&spec->literal))
        return "it must be one address of this machine with one port, allowed: an IP address such "
               "as \"127.0.0.1:9090\" or \"[::1]:9090\"";
    return NULL;
}

static void check_http(struct checking *c)
{
    struct conf_listen l = {.kind = ADDR_LITERAL, .protocol = PROTOCOL_STREAM};
    const struct conf_listen *other;
    struct addr_spec spec;
    char text[LISTEN_TEXT_MAX];
    const char *error = wrong_address(c->conf->daemon.http, &spec);

    if (error != NULL) {
        conf_errors_add(c->errors, place_of(c, "http"), "daemon: http = \"%.60s\": %s",
                        c->conf->daemon.http, error);
        return;
    }
    l.address = spec.literal;
    l.text = listen_address(&l, text, sizeof(text));
    other = checking_taken_by(c, &l);
    if (other != NULL)
        taken(c, "http", other);
}

void checking_control(struct checking *c)
{
    if (conf_has_control(&c->conf->daemon))
        check_path(c);
    else
        clear_rights(c);
    if (c->conf->daemon.http != NULL)
        check_http(c);
}
