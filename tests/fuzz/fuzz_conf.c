/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configs: each is refused with a reason, or accepted, and then its dump is accepted and the same,
 * also to conf_diff().
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "conf/diff.h"
#include "fuzz.h"

static char *dump(const struct conf *conf)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    PROMISE(out != NULL);
    conf_dump(conf, out);
    PROMISE(fclose(out) == 0);
    return text;
}

/* Every one can be sent to, from one socket of UDP. */
static void check_targets(const struct conf_rule *rule)
{
    for (size_t i = 0; i < rule->target_count; i++) {
        const struct conf_target *t = &rule->targets[i];

        PROMISE(t->address.family == rule->upstream.family && t->ttl > 0);
        PROMISE(t->source_port == rule->targets[0].source_port);
        PROMISE((t->interface != NULL) == (t->interfaces.count > 0));
        PROMISE(t->address.port != 0 || rule->listens[0].upstream_port != 0);
    }
    for (size_t i = 0; i < rule->listen_count && rule->target_count > 0; i++)
        PROMISE(rule->listens[i].protocol != PROTOCOL_STREAM);
}

static void check_rules(const struct conf *conf)
{
    PROMISE(conf->rule_count > 0);
    for (size_t i = 0; i < conf->rule_count; i++) {
        const struct conf_rule *rule = &conf->rules[i];

        PROMISE(rule->conf == conf && rule->listen_count > 0 && rule->upstream_text != NULL);
        PROMISE(rule->options.max_connections > 0);
        check_targets(rule);
        for (size_t j = 0; j < rule->listen_count; j++)
            PROMISE(rule->listens[j].text != NULL && rule->listens[j].max_connections > 0);
    }
    PROMISE(conf_descriptors_promised(conf) > 0);
}

/* The rules as conf_diff() takes them; the caller frees them. */
static const struct conf_rule **rules_of(const struct conf *conf)
{
    const struct conf_rule **rules = calloc(conf->rule_count, sizeof(*rules));

    PROMISE(rules != NULL);
    for (size_t i = 0; i < conf->rule_count; i++)
        rules[i] = &conf->rules[i];
    return rules;
}

static void check_diff(const struct conf *conf, const struct conf *again)
{
    const struct conf_rule **old = rules_of(conf), **new = rules_of(again);
    struct conf_diff diff;

    PROMISE(conf_diff(&diff, old, conf->rule_count, new, again->rule_count) == 0);
    PROMISE(diff.rule_count == conf->rule_count);
    for (size_t i = 0; i < diff.rule_count; i++)
        PROMISE(diff_rule_is_unchanged(&diff.rules[i]));
    conf_diff_free(&diff);
    free(old);
    free(new);
}

/* `warnings`: those of the config itself; its dump has no others. */
static void check_dump(const struct conf *conf, size_t warnings)
{
    char *one = dump(conf);
    struct conf_errors errors;
    struct conf *again = conf_load_text("dump.conf", one, strlen(one), &errors);

    if (again == NULL) {
        conf_errors_print(&errors, stderr);
        fputs(one, stderr);
    }
    PROMISE(again != NULL && errors.count <= warnings);
    char *two = dump(again);
    PROMISE(strcmp(one, two) == 0);
    check_diff(conf, again);
    conf_errors_free(&errors);
    conf_unref(again);
    free(one);
    free(two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_text("fuzz.conf", (const char *)data, size, &errors);

    PROMISE((conf == NULL) == (errors.fatal > 0));
    for (size_t i = 0; i < errors.count; i++)
        PROMISE(errors.list[i].text[0] != '\0' && errors.list[i].at.line <= size + 1);
    if (conf != NULL) {
        check_rules(conf);
        check_dump(conf, errors.count);
        conf_unref(conf);
    }
    conf_errors_free(&errors);
    return 0;
}
