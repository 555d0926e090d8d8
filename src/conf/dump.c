/* SPDX-License-Identifier: BSD-2-Clause */
/* The snapshot in the config language, and the options in the manual's. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "conf/listen_text.h"
#include "conf/options.h"

/* "name = value;" unless it is unset. */
static void dump_option(const struct option *o, enum option_where where, const void *base,
                        const char *indent, FILE *out)
{
    struct option_shown shown;

    option_show(o, where, base, &shown);
    if (shown.kind == OPTION_UNSET)
        return;
    fprintf(out, "%s%s = ", indent, o->name);
    option_print_shown(&shown, out);
    fputs(";\n", out);
}

static bool is_socket_file(const struct conf_listen *l)
{
    return l->kind == ADDR_PATH && l->address.un.path[0] == '/';
}

/* Options that mean something only for some are dumped only there: elsewhere they are warned of. */
struct dumping {
    enum option_where where;
    const void *base;
    bool socket_file; /* it is one, or the rule has one */
    bool datagram;    /* the rule has an address for UDP */
    bool stream;      /* it is one for connections, or the rule has one */
    bool group;       /* the target is one */
    bool to_many;     /* the rule has a target that is a group or a broadcast address */
};

static bool has_effect(const struct dumping *d, const struct option *o)
{
    if (strncmp(o->name, "socket_", strlen("socket_")) == 0)
        return d->socket_file;
    if (strncmp(o->name, "control_", strlen("control_")) == 0)
        return conf_has_control(d->base);
    if (option_is_of_streams(o))
        return d->stream;
    if (strncmp(o->name, "udp_", strlen("udp_")) == 0)
        return d->datagram;
    if (strcmp(o->name, "ttl") == 0)
        return d->group;
    if (strcmp(o->name, "source_port") == 0)
        return d->to_many;
    if (strcmp(o->name, "broadcast") == 0)
        return *(const bool *)((const char *)d->base + o->offset[d->where]);
    return true;
}

static void dump_options(const struct dumping *d, const char *indent, FILE *out)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (option_allowed(&table[i], d->where) && has_effect(d, &table[i]))
            dump_option(&table[i], d->where, d->base, indent, out);
    }
}

static void dump_listens(const struct conf_rule *rule, FILE *out)
{
    size_t range;

    fputs("        listen = (\n", out);
    for (size_t i = 0; i < rule->listen_count; i += range) {
        const struct conf_listen *l = &rule->listens[i];
        struct dumping d = {.where = IN_LISTEN,
                            .base = l,
                            .socket_file = is_socket_file(l),
                            .stream = l->protocol != PROTOCOL_DATAGRAM};
        char text[LISTEN_TEXT_MAX];

        range = listen_range(rule, i);
        fputs("            {\n                address = ", out);
        option_print_text(listen_range_text(l, range, text, sizeof(text)), out);
        fputs(";\n", out);
        dump_options(&d, "                ", out);
        fputs(i + range < rule->listen_count ? "            },\n" : "            }\n", out);
    }
    fputs("        );\n", out);
}

static bool is_to_many(const struct conf_rule *rule)
{
    for (size_t i = 0; i < rule->target_count; i++) {
        if (rule->targets[i].broadcast || addr_is_group(&rule->targets[i].address))
            return true;
    }
    return false;
}

static void dump_target(const struct conf_rule *rule, const struct conf_target *t, FILE *out)
{
    struct dumping d = {.where = IN_TARGET,
                        .base = t,
                        .group = addr_is_group(&t->address),
                        .to_many = is_to_many(rule)};
    char text[LISTEN_TEXT_MAX];

    fputs("            {\n                address = ", out);
    option_print_text(target_text(rule, t, text, sizeof(text)), out);
    fputs(";\n", out);
    dump_options(&d, "                ", out);
    fputs("            }", out);
}

static void dump_upstream(const struct conf_rule *rule, FILE *out)
{
    fputs("        upstream = ", out);
    if (rule->target_count == 0) {
        option_print_text(rule->upstream_text, out);
        fputs(";\n", out);
        return;
    }
    fputs("(\n", out);
    for (size_t i = 0; i < rule->target_count; i++) {
        dump_target(rule, &rule->targets[i], out);
        fputs(i + 1 < rule->target_count ? ",\n" : "\n", out);
    }
    fputs("        );\n", out);
}

static void dump_rule(const struct conf_rule *rule, FILE *out)
{
    struct dumping d = {.where = IN_RULE, .base = &rule->options};

    for (size_t i = 0; i < rule->listen_count; i++) {
        d.socket_file = d.socket_file || is_socket_file(&rule->listens[i]);
        d.datagram = d.datagram || rule->listens[i].protocol != PROTOCOL_STREAM;
        d.stream = d.stream || rule->listens[i].protocol != PROTOCOL_DATAGRAM;
    }
    fprintf(out, "    %s = {\n", rule->name);
    dump_listens(rule, out);
    dump_upstream(rule, out);
    dump_options(&d, "        ", out);
    fputs("    };\n", out);
}

/* All that stands before the first rule. */
static void dump_head(const struct conf *conf, FILE *out)
{
    struct dumping d = {.where = IN_DAEMON, .base = &conf->daemon};

    fputs("daemon = {\n", out);
    dump_options(&d, "    ", out);
    fputs("};\nrules = {\n", out);
}

void conf_dump_rules(const struct conf *conf, const struct conf_rule *const *rules, size_t count,
                     FILE *out)
{
    dump_head(conf, out);
    for (size_t i = 0; i < count; i++)
        dump_rule(rules[i], out);
    fputs("};\n", out);
}

void conf_dump(const struct conf *conf, FILE *out)
{
    dump_head(conf, out);
    for (size_t i = 0; i < conf->rule_count; i++)
        dump_rule(&conf->rules[i], out);
    fputs("};\n", out);
}

/* "daemon", "rule", or "rule, address": where the manual says it can stand. */
static const char *scope_words(const struct option *o)
{
    if (option_allowed(o, IN_DAEMON))
        return "daemon";
    if (option_allowed(o, IN_LISTEN) && option_allowed(o, IN_TARGET))
        return "rule, address, upstream";
    if (option_allowed(o, IN_TARGET))
        return "rule, upstream";
    return option_allowed(o, IN_LISTEN) ? "rule, address" : "rule";
}

static void print_default(const struct option *o, FILE *out)
{
    struct conf_daemon daemon;
    struct conf_options options;

    option_set_defaults(IN_DAEMON, &daemon);
    option_set_defaults(IN_RULE, &options);
    bool set = option_allowed(o, IN_DAEMON) ? option_print(o, IN_DAEMON, &daemon, out)
                                            : option_print(o, IN_RULE, &options, out);
    if (!set)
        fputs("unset", out);
}

void conf_print_options(FILE *out)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        char allowed[256];

        option_print_allowed(&table[i], allowed, sizeof(allowed));
        fprintf(out, ".TP\n.BR %s \" (%s)\"\n%c%s.\nAllowed: %s. Default: ", table[i].name,
                scope_words(&table[i]), toupper((unsigned char)table[i].help[0]), table[i].help + 1,
                allowed);
        print_default(&table[i], out);
        fputs(".\n", out);
    }
}
