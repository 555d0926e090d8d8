/* SPDX-License-Identifier: BSD-2-Clause */
/* Options that take several names: read, joined with commas, and printed. */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "conf/options.h"
#include "os/addr.h"

/* What the kernel takes for the name of an interface (dev_valid_name()), and no comma, which is
 * what stands between them. */
static const char *check_interface(const char *name)
{
    if (strchr(name, ',') != NULL)
        return "has a comma, several are written as [ \"eth1\", \"eth2\" ]";
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++) {
        if (*p <= ' ' || *p == 0x7f)
            return "has a character that no interface's name has";
    }
    if (strpbrk(name, "/:") != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "is no interface's name";
    return NULL;
}

/* One that sends: no group, no wildcard, no broadcast address. */
static const char *check_address(const char *text, struct addr *a)
{
    *a = (struct addr){.family = AF_UNSPEC};
    if (inet_pton(AF_INET, text, &a->v4) == 1)
        a->family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a->v6) == 1)
        a->family = AF_INET6;
    else
        return "is no IP address";
    if (addr_is_group(a))
        return "is a group, which sends nothing";
    if (addr_is_wildcard(a) || addr_is_broadcast(a))
        return "is no address of one host";
    return NULL;
}

/* Is `name` one of those that are joined already? */
static bool is_in(const char *joined, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = joined; p != NULL; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0'))
            return true;
    }
    return false;
}

/* The text of one, as it is kept; NULL with *error. */
static const char *read_name(const struct option *o, const struct conf_node *v, struct arena *arena,
                             const char **error)
{
    char text[INET6_ADDRSTRLEN];
    struct addr a;
    const char *name;

    if (v->type != NODE_TEXT) {
        *error = "is no text";
        return NULL;
    }
    if (v->text[0] == '\0')
        *error = "is empty";
    else if (strlen(v->text) > (size_t)o->max)
        *error = "is too long";
    else
        *error = o->type == OPTION_NAMES ? check_interface(v->text) : check_address(v->text, &a);
    if (*error != NULL || o->type == OPTION_NAMES)
        return v->text;
    name = arena_strdup(arena, inet_ntop(a.family, &a.v6, text, sizeof(text)));
    if (name == NULL)
        *error = "does not fit into memory";
    return name;
}

const struct conf_node *option_join(const struct option *o, const struct conf_node *v,
                                    struct arena *arena, const char **joined, const char **error)
{
    const struct conf_node *first = v->type == NODE_LIST ? v->first : v;
    size_t count = 0;

    *joined = NULL;
    *error = first == NULL ? "is empty" : NULL;
    for (const struct conf_node *m = first; m != NULL; m = v->type == NODE_LIST ? m->next : NULL) {
        const char *name = read_name(o, m, arena, error);

        if (*error == NULL && is_in(*joined, name))
            *error = "stands there twice";
        if (*error == NULL && ++count > OPTION_NAMES_MAX)
            *error = "is one too many";
        if (*error != NULL)
            return m;
        *joined = *joined == NULL ? name : arena_printf(arena, "%s,%s", *joined, name);
        if (*joined == NULL) {
            *error = "does not fit into memory";
            return m;
        }
    }
    return v;
}

void option_print_names(const char *joined, FILE *out)
{
    const char *comma = strchr(joined, ',');

    if (comma == NULL) {
        option_print_text(joined, out);
        return;
    }
    fputs("[ ", out);
    for (; comma != NULL; comma = strchr(joined, ',')) {
        char name[INET6_ADDRSTRLEN];

        snprintf(name, sizeof(name), "%.*s", (int)(comma - joined), joined);
        option_print_text(name, out);
        fputs(", ", out);
        joined = comma + 1;
    }
    option_print_text(joined, out);
    fputs(" ]", out);
}
