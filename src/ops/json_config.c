/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/json_config.h"

#include <stdlib.h>
#include <string.h>

#include "conf/listen_text.h"
#include "ops/api.h"

/* NULL when it, or a part of it, has got no memory. */
static json_t *whole(json_t *value, int error)
{
    if (!error)
        return value;
    json_decref(value);
    return NULL;
}

/* --- options --------------------------------------------------------------------------------- */

static json_t *json_name(const char *from, size_t size)
{
    char *name = malloc(size + 1);
    json_t *value = NULL;

    if (name) {
        memcpy(name, from, size);
        name[size] = '\0';
        value = json_plain(name);
    }
    free(name);
    return value;
}

/* Of texts that are joined with commas. */
static json_t *json_names(const char *joined)
{
    json_t *list;
    int error = 0;

    if (!strchr(joined, ','))
        return json_plain(joined);
    list = json_array();
    for (const char *p = joined; p; p = strchr(p, ',')) {
        p += *p == ',';
        error |= json_array_append_new(list, json_name(p, strcspn(p, ",")));
    }
    return whole(list, error);
}

json_t *json_option(const struct option *o, enum option_where where, const void *base)
{
    struct option_shown shown;

    option_show(o, where, base, &shown);
    switch (shown.kind) {
    case OPTION_UNSET:
        break;
    case OPTION_IS_NUMBER:
        return json_integer(shown.number);
    case OPTION_IS_FLAG:
        return json_boolean(shown.number);
    case OPTION_IS_TEXT:
        return json_plain(shown.text);
    case OPTION_IS_NAMES:
        return json_names(shown.text);
    }
    return json_null();
}

json_t *json_options(enum option_where where, const void *base)
{
    size_t count;
    const struct option *table = option_table(&count);
    json_t *o = json_object();
    int error = 0;

    for (size_t i = 0; i < count; i++) {
        if (option_allowed(&table[i], where))
            error |= json_object_set_new(o, table[i].name, json_option(&table[i], where, base));
    }
    return whole(o, error);
}

/* --- rules ----------------------------------------------------------------------------------- */

static json_t *json_address(const char *address, enum option_where where, const void *base)
{
    return json_pack("{s:o,s:o}", "address", json_plain(address), "options",
                     json_options(where, base));
}

json_t *json_conf_listen(const struct conf_rule *rule, size_t i, size_t *range)
{
    const struct conf_listen *l = &rule->listens[i];
    char text[LISTEN_TEXT_MAX];

    *range = listen_range(rule, i);
    return json_address(listen_range_text(l, *range, text, sizeof(text)), IN_LISTEN, l);
}

static json_t *json_targets(const struct conf_rule *rule)
{
    json_t *list = json_array();
    int error = 0;

    for (size_t i = 0; i < rule->target_count; i++) {
        const struct conf_target *t = &rule->targets[i];
        char text[LISTEN_TEXT_MAX];

        error |= json_array_append_new(
            list, json_address(target_text(rule, t, text, sizeof(text)), IN_TARGET, t));
    }
    return whole(list, error);
}

json_t *json_conf_rule_head(const struct conf_rule *rule)
{
    return json_pack("{s:o,s:o,s:I}", "name", json_plain(rule->name), "file",
                     json_plain(rule->at.file), "line", (json_int_t)rule->at.line);
}

json_t *json_conf_rule_rest(const struct conf_rule *rule)
{
    return json_pack("{s:o,s:o,s:o}", "upstream", json_plain(rule->upstream_text), "targets",
                     json_targets(rule), "options", json_options(IN_RULE, &rule->options));
}
