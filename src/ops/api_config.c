/* SPDX-License-Identifier: BSD-2-Clause */
/* The config at work, and what a reload would change. */
#include "config.h"

#include <stdlib.h>

#include "flow/rule.h"
#include "ops/api.h"
#include "ops/json_config.h"
#include "ops/json_list.h"

/* The rules, of which each may come from a snapshot of its own; these are referenced. */
struct config_list {
    struct json_list list;
    const struct conf_rule **rules;
    size_t listen; /* the address to come, of the rule that is being told */
};

static void free_list(struct json_list *list)
{
    struct config_list *l = container_of(list, struct config_list, list);

    for (size_t i = 0; i < list->count; i++)
        conf_unref(l->rules[i]->conf);
    free(l->rules);
    free(l);
}

static bool look(struct json_list *list, size_t first, size_t count)
{
    (void)list;
    (void)first;
    (void)count;
    return true;
}

static bool item(struct json_list *list, size_t i, json_t **out)
{
    struct config_list *l = container_of(list, struct config_list, list);

    l->listen = 0;
    *out = json_conf_rule_head(l->rules[i]);
    return *out != NULL;
}

static bool part(struct json_list *list, size_t i, json_t **out)
{
    struct config_list *l = container_of(list, struct config_list, list);
    size_t range;

    if (l->listen == l->rules[i]->listen_count)
        return true;
    *out = json_conf_listen(l->rules[i], l->listen, &range);
    l->listen += range;
    return *out != NULL;
}

static bool rest(struct json_list *list, size_t i, json_t **out)
{
    const struct config_list *l = container_of(list, struct config_list, list);

    *out = json_conf_rule_rest(l->rules[i]);
    return *out != NULL;
}

static json_t *head_of(const struct ops_host *host)
{
    return json_pack("{s:o,s:I,s:o}", "path", json_plain(host->config_path), "generation",
                     (json_int_t)host->reloaded(host->arg)->generation, "daemon",
                     json_options(IN_DAEMON, &host->daemon(host->arg)->options));
}

struct answer *api_config(struct api_call *c)
{
    const struct ops_host *host = &c->api->host;
    struct config_list *l = calloc(1, sizeof(*l));
    struct rule *const *rules;
    size_t count;

    if (!l)
        return NULL;
    rules = host->rules(host->arg, &count);
    l->list.name = "rules";
    l->list.look = look;
    l->list.item = item;
    l->list.inner = "listen";
    l->list.part = part;
    l->list.rest = rest;
    l->list.free = free_list;
    l->list.head = head_of(host);
    l->rules = calloc(count + 1, sizeof(struct conf_rule *)); /* never of 0 bytes */
    if (!l->list.head || !l->rules) {
        json_decref(l->list.head);
        free_list(&l->list);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        conf_ref(rules[i]->conf->conf);
        l->rules[l->list.count++] = rules[i]->conf;
    }
    return answer_json_list(&l->list);
}

struct answer *api_config_diff(struct api_call *c)
{
    return preview_ask(&c->api->preview, c->request);
}
