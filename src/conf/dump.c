/* SPDX-License-Identifier: BSD-2-Clause */
/* The snapshot in the config language, and the options in the manual's. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "conf/options.h"

/* "name = value;" unless it is unset. */
static void dump_option(const struct option *o, enum option_where where, const void *base,
                        const char *indent, FILE *out)
{
    const char *const *text = (const void *)((const char *)base + o->offset[where]);

    if ((o->type == OPTION_TEXT || o->type == OPTION_NAMES) && *text == NULL)
        return;
    fprintf(out, "%s%s = ", indent, o->name);
    option_print(o, where, base, out);
    fputs(";\n", out);
}

/* Does it say how a socket file is made? Such options are warned of where there is none. */
static bool is_of_socket_file(const struct option *o)
{
    return strncmp(o->name, "socket_", strlen("socket_")) == 0;
}

static bool is_socket_file(const struct conf_listen *l)
{
    return l->kind == ADDR_PATH && l->address.un.path[0] == '/';
}

static void dump_options(enum option_where where, const void *base, bool socket_file,
                         const char *indent, FILE *out)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (!option_allowed(&table[i], where) || (!socket_file && is_of_socket_file(&table[i])))
            continue;
        if (where == IN_LISTEN && strcmp(table[i].name, "max_connections") == 0 &&
            ((const struct conf_listen *)base)->max_connections == UINT32_MAX)
            continue; /* not set on the address */
        dump_option(&table[i], where, base, indent, out);
    }
}

/* The address of one listen, or of the range that it begins. */
static void dump_address(const struct conf_listen *l, size_t count, FILE *out)
{
    char text[ADDR_TEXT_MAX + sizeof("-65535")];

    if (count == 1) {
        option_print_text(l->text, out);
        return;
    }
    snprintf(text, sizeof(text), "%s-%u", l->text, (unsigned)l[count - 1].address.port);
    option_print_text(text, out);
}

static void dump_listens(const struct conf_rule *rule, FILE *out)
{
    const struct conf_listen *last = &rule->listens[rule->listen_count - 1];
    size_t range = 1;

    /* With a range upstream every address that was written is a range of as many ports. */
    if (last->upstream_port != rule->listens[0].upstream_port)
        range = (size_t)last->upstream_port - rule->listens[0].upstream_port + 1;
    fputs("        listen = (\n", out);
    for (size_t i = 0; i < rule->listen_count; i += range) {
        const struct conf_listen *l = &rule->listens[i];

        fputs("            {\n                address = ", out);
        dump_address(l, range, out);
        fputs(";\n", out);
        dump_options(IN_LISTEN, l, is_socket_file(l), "                ", out);
        fputs(i + range < rule->listen_count ? "            },\n" : "            }\n", out);
    }
    fputs("        );\n", out);
}

static void dump_rule(const struct conf_rule *rule, FILE *out)
{
    bool socket_file = false;

    for (size_t i = 0; i < rule->listen_count; i++)
        socket_file = socket_file || is_socket_file(&rule->listens[i]);
    fprintf(out, "    %s = {\n", rule->name);
    dump_listens(rule, out);
    fputs("        upstream = ", out);
    option_print_text(rule->upstream_text, out);
    fputs(";\n", out);
    dump_options(IN_RULE, &rule->options, socket_file, "        ", out);
    fputs("    };\n", out);
}

/* All that stands before the first rule. */
static void dump_head(const struct conf *conf, FILE *out)
{
    fputs("daemon = {\n", out);
    dump_options(IN_DAEMON, &conf->daemon, true, "    ", out);
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
