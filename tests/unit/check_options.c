/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "suite.h"

/* Set one option from a value of the config, and give what was said about it. */
static const char *set(const char *name, struct conf_options *options, struct conf_node value,
                       struct arena *arena)
{
    const struct option *o = option_find(name);

    ck_assert_ptr_nonnull(o);
    return option_set(o, IN_RULE, options, &value, arena);
}

#define NUMBER(n)                                                                                  \
    {                                                                                              \
        .type = NODE_NUMBER, .number = (n)                                                         \
    }
#define TEXT_NODE(t)                                                                               \
    {                                                                                              \
        .type = NODE_TEXT, .text = (t)                                                             \
    }
#define FLAG_NODE(f)                                                                               \
    {                                                                                              \
        .type = NODE_FLAG, .number = (f)                                                           \
    }

START_TEST(values_are_stored_in_their_members)
{
    struct arena *arena = arena_new();
    struct conf_options o;

    option_set_defaults(IN_RULE, &o);
    ck_assert_ptr_null(set("max_connections", &o, (struct conf_node)NUMBER(7), arena));
    ck_assert_ptr_null(set("idle_timeout", &o, (struct conf_node)TEXT_NODE("5min"), arena));
    ck_assert_ptr_null(set("connect_timeout", &o, (struct conf_node)NUMBER(3), arena));
    ck_assert_ptr_null(set("keepalive", &o, (struct conf_node)FLAG_NODE(0), arena));
    ck_assert_ptr_null(set("on_limit", &o, (struct conf_node)TEXT_NODE("wait"), arena));
    ck_assert_ptr_null(set("socket_mode", &o, (struct conf_node)TEXT_NODE("0640"), arena));
    ck_assert_ptr_null(set("socket_owner", &o, (struct conf_node)TEXT_NODE("www-data"), arena));
    ck_assert_uint_eq(o.max_connections, 7);
    ck_assert_int_eq(o.idle_timeout, 300000);
    ck_assert_int_eq(o.connect_timeout, 3000);
    ck_assert(!o.keepalive);
    ck_assert_int_eq(o.on_limit, ON_LIMIT_WAIT);
    ck_assert_uint_eq(o.socket_mode, 0640);
    ck_assert_str_eq(o.socket_owner, "www-data");
    arena_free(arena);
}
END_TEST

/* What was said about the value of on_change, and what it was set to. */
static const char *set_on_change(const char *text, int64_t *value)
{
    struct arena *arena = arena_new();
    struct conf_options o;

    option_set_defaults(IN_RULE, &o);
    ck_assert_int_eq(o.on_change, ON_CHANGE_KEEP);
    const char *error = set("on_change", &o, (struct conf_node)TEXT_NODE(text), arena);
    *value = o.on_change;
    arena_free(arena);
    return error;
}

START_TEST(on_change_is_a_word_or_a_time_to_drain)
{
    static const struct {
        const char *text;
        int64_t value;
        const char *printed;
    } values[] = {
        {"keep", ON_CHANGE_KEEP, "\"keep\""},  {"drain", ON_CHANGE_DRAIN, "\"drain\""},
        {"kill", ON_CHANGE_KILL, "\"kill\""},  {"drain:1ms", 1, "\"drain:1ms\""},
        {"drain:30s", 30000, "\"drain:30s\""}, {"drain:30", 30000, "\"drain:30s\""},
        {"drain:90s", 90000, "\"drain:90s\""}, {"drain:24h", 86400000, "\"drain:1d\""},
    };
    const struct option *o = option_find("on_change");

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct conf_options options;
        char *printed = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&printed, &len);

        ck_assert_ptr_nonnull(out);
        ck_assert_ptr_null(set_on_change(values[i].text, &options.on_change));
        ck_assert_int_eq(options.on_change, values[i].value);
        ck_assert(option_print(o, IN_RULE, &options, out));
        ck_assert_int_eq(fclose(out), 0);
        ck_assert_str_eq(printed, values[i].printed);
        free(printed);
    }
}
END_TEST

/* Two values that differ for each option, one of each type. */
START_TEST(an_option_equals_only_the_same_value)
{
    static const struct {
        const char *name;
        struct conf_node one, other;
    } values[] = {
        {"max_connections", NUMBER(7), NUMBER(8)},
        {"idle_timeout", TEXT_NODE("5min"), TEXT_NODE("off")},
        {"keepalive_idle", NUMBER(7), NUMBER(8)},
        {"keepalive", FLAG_NODE(0), FLAG_NODE(1)},
        {"on_limit", TEXT_NODE("wait"), TEXT_NODE("drop")},
        {"on_change", TEXT_NODE("kill"), TEXT_NODE("drain:1ms")},
        {"persist", TEXT_NODE("crash"), TEXT_NODE("restart")},
        {"interface", TEXT_NODE("eth1"), TEXT_NODE("eth2")},
        {"source", TEXT_NODE("10.0.0.1"), TEXT_NODE("::1")},
        {"socket_mode", TEXT_NODE("0640"), TEXT_NODE("0600")},
        {"socket_owner", TEXT_NODE("www"), TEXT_NODE("www-data")},
    };
    struct arena *arena = arena_new();
    struct conf_options a, b;

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        const struct option *o = option_find(values[i].name);

        option_set_defaults(IN_RULE, &a);
        option_set_defaults(IN_RULE, &b);
        ck_assert(option_equal(o, IN_RULE, &a, &b));
        ck_assert_ptr_null(set(values[i].name, &a, values[i].one, arena));
        ck_assert_ptr_null(set(values[i].name, &b, values[i].other, arena));
        ck_assert_msg(!option_equal(o, IN_RULE, &a, &b), "%s", values[i].name);
        ck_assert_ptr_null(set(values[i].name, &b, values[i].one, arena));
        ck_assert_msg(option_equal(o, IN_RULE, &a, &b), "%s", values[i].name);
    }
    option_set_defaults(IN_RULE, &b);
    ck_assert(!option_equal(option_find("socket_owner"), IN_RULE, &a, &b));
    ck_assert(!option_equal(option_find("socket_owner"), IN_RULE, &b, &a));
    arena_free(arena);
}
END_TEST

#define DURATION "must be a duration such as \"10s\", or a whole number of seconds, allowed: "

#define CHANGE_WORDS "\"keep\", \"drain\", \"kill\", \"drain:1ms\" to \"drain:1d\""
#define CHANGES      ", allowed: " CHANGE_WORDS

#define NAMES                                                                                      \
    "must be a text in quotes, or an array of some, allowed: 1 to 15 characters, or an array of "  \
    "up to 16 such"
#define INTERFACES ", allowed: 1 to 15 characters, or an array of up to 16 such"
#define SOURCES    ", allowed: an IP address, or an array of up to 16"

/* Lists, by their first elements. */
#define ELEMENT(t, following)                                                                      \
    {                                                                                              \
        .type = NODE_TEXT, .text = (t), .next = (following)                                        \
    }
#define LIST(element)                                                                              \
    {                                                                                              \
        .type = NODE_LIST, .first = (element)                                                      \
    }

static struct conf_node eth1_again = ELEMENT("eth1", NULL);
static struct conf_node eth2 = ELEMENT("eth2", &eth1_again);
static struct conf_node eth1 = ELEMENT("eth1", &eth2);
static struct conf_node one = NUMBER(1);
static struct conf_node eth1_and_1 = ELEMENT("eth1", &one);
static struct conf_node one_again = ELEMENT("0:0::1", NULL);
static struct conf_node two_of_one = ELEMENT("::1", &one_again);
static struct conf_node seventeen[] = {
    ELEMENT("a", &seventeen[1]),  ELEMENT("b", &seventeen[2]),  ELEMENT("c", &seventeen[3]),
    ELEMENT("d", &seventeen[4]),  ELEMENT("e", &seventeen[5]),  ELEMENT("f", &seventeen[6]),
    ELEMENT("g", &seventeen[7]),  ELEMENT("h", &seventeen[8]),  ELEMENT("i", &seventeen[9]),
    ELEMENT("j", &seventeen[10]), ELEMENT("k", &seventeen[11]), ELEMENT("l", &seventeen[12]),
    ELEMENT("m", &seventeen[13]), ELEMENT("n", &seventeen[14]), ELEMENT("o", &seventeen[15]),
    ELEMENT("p", &seventeen[16]), ELEMENT("q", NULL),
};

static const struct {
    const char *name;
    struct conf_node value;
    const char *error;
} wrong[] = {
    {"max_connections", NUMBER(0), "max_connections = 0 is out of range, allowed: 1 to 1000000"},
    {"max_connections", NUMBER(-1), "max_connections = -1 is out of range, allowed: 1 to 1000000"},
    {"max_connections", NUMBER(1000001),
     "max_connections = 1000001 is out of range, allowed: 1 to 1000000"},
    {"max_connections", NUMBER(INT64_MAX),
     "max_connections = 9223372036854775807 is out of range, allowed: 1 to 1000000"},
    {"max_connections", TEXT_NODE("5"),
     "max_connections = \"5\": must be a whole number, allowed: 1 to 1000000"},
    {"max_connections",
     {.type = NODE_FLOAT},
     "max_connections = a fraction: must be a whole number, allowed: 1 to 1000000"},
    {"max_connections",
     {.type = NODE_LIST},
     "max_connections = a list: must be a whole number, allowed: 1 to 1000000"},
    {"max_connections",
     {.type = NODE_GROUP},
     "max_connections = a group: must be a whole number, allowed: 1 to 1000000"},
    {"max_connections", FLAG_NODE(1),
     "max_connections = true: must be a whole number, allowed: 1 to 1000000"},
    {"connect_timeout", NUMBER(0),
     "connect_timeout = 0 is out of range, allowed: \"1ms\" to \"1h\""},
    {"connect_timeout", TEXT_NODE("off"),
     "connect_timeout = \"off\" is out of range, allowed: \"1ms\" to \"1h\""},
    {"connect_timeout", NUMBER(INT64_MAX),
     "connect_timeout = 9223372036854775807 is out of range, allowed: \"1ms\" to \"1h\""},
    {"connect_timeout", FLAG_NODE(0), "connect_timeout = false: " DURATION "\"1ms\" to \"1h\""},
    {"idle_timeout", NUMBER(-5),
     "idle_timeout = -5 is out of range, allowed: \"1ms\" to \"365d\", or \"off\""},
    {"idle_timeout", TEXT_NODE(""),
     "idle_timeout = \"\": it is empty, allowed: a whole number and ms, s, min, h or d (\"250ms\", "
     "\"10min\"), here \"1ms\" to \"365d\", or \"off\""},
    {"idle_timeout", TEXT_NODE("99999999999999999999h"),
     "idle_timeout = \"99999999999999999999h\": the number is too large, allowed: at most "
     "9223372036854775807ms, here \"1ms\" to \"365d\", or \"off\""},
    {"idle_timeout", TEXT_NODE("5 parsecs"),
     "idle_timeout = \"5 parsecs\": unknown unit, allowed: a whole number and ms, s, min, h or d "
     "(\"250ms\", \"10min\"), here \"1ms\" to \"365d\", or \"off\""},
    {"idle_timeout",
     {.type = NODE_FLOAT},
     "idle_timeout = a fraction: " DURATION "\"1ms\" to \"365d\", or \"off\""},
    {"keepalive_idle", TEXT_NODE("1500ms"),
     "keepalive_idle = \"1500ms\" is no whole number of seconds, allowed: \"1s\" to \"32767s\", in "
     "whole seconds"},
    {"keepalive_interval", TEXT_NODE("32766999ms"),
     "keepalive_interval = \"32766999ms\" is no whole number of seconds, allowed: \"1s\" to "
     "\"32767s\", in whole seconds"},
    {"keepalive_interval", TEXT_NODE("off"),
     "keepalive_interval = \"off\" is out of range, allowed: \"1s\" to \"32767s\", in whole "
     "seconds"},
    {"keepalive_idle", FLAG_NODE(0),
     "keepalive_idle = false: " DURATION "\"1s\" to \"32767s\", in whole seconds"},
    {"keepalive", NUMBER(1), "keepalive = 1: must be true or false"},
    {"keepalive", TEXT_NODE("yes"), "keepalive = \"yes\": must be true or false"},
    {"on_limit", TEXT_NODE("dorp"),
     "on_limit = \"dorp\" is unknown, allowed: \"drop\", \"reset\", \"wait\", \"evict\""},
    {"on_limit", TEXT_NODE(""),
     "on_limit = \"\" is unknown, allowed: \"drop\", \"reset\", \"wait\", \"evict\""},
    {"on_limit", NUMBER(1),
     "on_limit = 1: must be a word in quotes, allowed: \"drop\", \"reset\", \"wait\", \"evict\""},
    {"on_change", TEXT_NODE("drian:30s"), "on_change = \"drian:30s\" is unknown" CHANGES},
    {"on_change", TEXT_NODE(""), "on_change = \"\" is unknown" CHANGES},
    {"on_change", TEXT_NODE("keep:5s"), "on_change = \"keep:5s\" is unknown" CHANGES},
    {"on_change", TEXT_NODE("drain:0s"), "on_change = \"drain:0s\" is out of range" CHANGES},
    {"on_change", TEXT_NODE("drain:off"), "on_change = \"drain:off\" is out of range" CHANGES},
    {"on_change", TEXT_NODE("drain:86400001ms"),
     "on_change = \"drain:86400001ms\" is out of range" CHANGES},
    {"on_change", TEXT_NODE("drain:"),
     "on_change = \"drain:\": it is empty, allowed: a whole number and ms, s, min, h or d "
     "(\"250ms\", \"10min\"), here " CHANGE_WORDS},
    {"on_change", TEXT_NODE("drain:-1s"),
     "on_change = \"drain:-1s\": no duration, allowed: a whole number and ms, s, min, h or d "
     "(\"250ms\", \"10min\"), here " CHANGE_WORDS},
    {"on_change", NUMBER(30), "on_change = 30: must be a word in quotes" CHANGES},
    {"persist", TEXT_NODE("reboot"),
     "persist = \"reboot\" is unknown, allowed: \"restart\", \"crash\""},
    {"socket_mode", NUMBER(660),
     "socket_mode = 660: must be an octal number in quotes such as \"0660\", allowed: \"0000\" to "
     "\"0777\""},
    {"socket_mode", TEXT_NODE("0888"),
     "socket_mode = \"0888\" is no octal number, allowed: \"0000\" to \"0777\""},
    {"socket_mode", TEXT_NODE(""), "socket_mode = \"\" is empty, allowed: \"0000\" to \"0777\""},
    {"socket_mode", TEXT_NODE("1777"),
     "socket_mode = \"1777\" is out of range, allowed: \"0000\" to \"0777\""},
    {"socket_mode", TEXT_NODE("77777777777777777777777777777777"),
     "socket_mode = \"77777777777777777777777777777777\" is out of range, allowed: \"0000\" to "
     "\"0777\""},
    {"socket_owner", TEXT_NODE(""), "socket_owner = \"\" is empty, allowed: 1 to 32 characters"},
    {"socket_owner", TEXT_NODE("a23456789012345678901234567890123"),
     "socket_owner = \"a23456789012345678901234567890123\" is too long, allowed: 1 to 32 "
     "characters"},
    {"socket_owner", NUMBER(0),
     "socket_owner = 0: must be a text in quotes, allowed: 1 to 32 characters"},
    {"interface", NUMBER(1), "interface = 1: " NAMES},
    {"interface", TEXT_NODE(""), "interface = \"\" is empty" INTERFACES},
    {"interface", {.type = NODE_LIST}, "interface = a list is empty" INTERFACES},
    {"interface", {.type = NODE_GROUP}, "interface = a group: " NAMES},
    {"interface", TEXT_NODE("a234567890123456"),
     "interface = \"a234567890123456\" is too long" INTERFACES},
    {"interface", TEXT_NODE("eth1,eth2"),
     "interface = \"eth1,eth2\" has a comma, several are written as [ \"eth1\", \"eth2\" "
     "]" INTERFACES},
    {"interface", TEXT_NODE("eth 1"),
     "interface = \"eth 1\" has a character that no interface's name has" INTERFACES},
    {"interface", TEXT_NODE("a/b"), "interface = \"a/b\" is no interface's name" INTERFACES},
    {"interface", TEXT_NODE("a:b"), "interface = \"a:b\" is no interface's name" INTERFACES},
    {"interface", TEXT_NODE(".."), "interface = \"..\" is no interface's name" INTERFACES},
    {"interface", LIST(&eth1), "interface = \"eth1\" stands there twice" INTERFACES},
    {"interface", LIST(&seventeen[0]), "interface = \"q\" is one too many" INTERFACES},
    {"interface", LIST(&eth1_and_1), "interface = 1: " NAMES},
    {"source", TEXT_NODE("h"), "source = \"h\" is no IP address" SOURCES},
    {"source", TEXT_NODE("10.0.0.1:5"), "source = \"10.0.0.1:5\" is no IP address" SOURCES},
    {"source", TEXT_NODE("239.1.2.3"),
     "source = \"239.1.2.3\" is a group, which sends nothing" SOURCES},
    {"source", TEXT_NODE("ff02::1"),
     "source = \"ff02::1\" is a group, which sends nothing" SOURCES},
    {"source", TEXT_NODE("0.0.0.0"), "source = \"0.0.0.0\" is no address of one host" SOURCES},
    {"source", TEXT_NODE("255.255.255.255"),
     "source = \"255.255.255.255\" is no address of one host" SOURCES},
    {"source", LIST(&two_of_one), "source = \"0:0::1\" stands there twice" SOURCES},
};

START_TEST(wrong_values_are_refused_and_change_nothing)
{
    struct arena *arena = arena_new();
    struct conf_options o, before;

    memset(&o, 0, sizeof(o));
    option_set_defaults(IN_RULE, &o);
    before = o;
    ck_assert_pstr_eq(set(wrong[_i].name, &o, wrong[_i].value, arena), wrong[_i].error);
    ck_assert_mem_eq(&o, &before, sizeof(o));
    arena_free(arena);
}
END_TEST

/* As it is kept, and as it is printed. */
static void expect_joined(const char *name, struct conf_node value, const char *joined,
                          const char *text)
{
    struct arena *arena = arena_new();
    struct conf_options o;
    char *printed = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&printed, &len);

    ck_assert_ptr_nonnull(out);
    option_set_defaults(IN_RULE, &o);
    ck_assert(!option_print(option_find(name), IN_RULE, &o, out));
    ck_assert_ptr_null(set(name, &o, value, arena));
    ck_assert(option_print(option_find(name), IN_RULE, &o, out));
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(strcmp(name, "source") == 0 ? o.source : o.interface, joined);
    ck_assert_str_eq(printed, text);
    free(printed);
    arena_free(arena);
}

START_TEST(names_are_joined_and_printed_as_an_array)
{
    struct conf_node quote = ELEMENT("a\"b", NULL), eth = ELEMENT("eth", &quote);
    struct conf_node v4 = ELEMENT("10.0.0.1", NULL), v6 = ELEMENT("2001:DB8:0:0::1", &v4);

    expect_joined("interface", (struct conf_node)TEXT_NODE("eth1"), "eth1", "\"eth1\"");
    expect_joined("interface", (struct conf_node)LIST(&quote), "a\"b", "\"a\\\"b\"");
    expect_joined("interface", (struct conf_node)LIST(&eth), "eth,a\"b", "[ \"eth\", \"a\\\"b\" ]");
    expect_joined("source", (struct conf_node)LIST(&v6), "2001:db8::1,10.0.0.1",
                  "[ \"2001:db8::1\", \"10.0.0.1\" ]");
}
END_TEST

START_TEST(every_default_is_a_value_that_is_allowed)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        const struct option *o = &table[i];
        bool known = o->choices == NULL;

        for (const struct option_choice *c = o->choices; c != NULL && c->word != NULL; c++)
            known = known || c->value == o->value;
        ck_assert_msg(known, "%s", o->name);
        if (o->type == OPTION_COUNT || o->type == OPTION_DURATION || o->type == OPTION_SECONDS ||
            o->type == OPTION_DELAY || o->type == OPTION_MODE)
            ck_assert_msg(o->value >= o->min && o->value <= o->max, "%s", o->name);
        ck_assert_ptr_eq(option_find(o->name), o);
        ck_assert(option_allowed(o, IN_DAEMON) || option_allowed(o, IN_RULE));
    }
}
END_TEST

/* The whole text of a file, or NULL. */
static char *read_file(const char *path)
{
    FILE *in = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (in == NULL)
        return NULL;
    if (getdelim(&text, &size, '\0', in) < 0) {
        free(text);
        text = NULL;
    }
    fclose(in);
    return text;
}

START_TEST(the_manual_has_every_option_s_row_word_for_word)
{
    const char *top = getenv("top_srcdir");
    char *path = NULL, *rows = NULL, *page;
    size_t len = 0, checked = 0, count;
    FILE *out = open_memstream(&rows, &len);

    ck_assert_ptr_nonnull(out);
    conf_print_options(out);
    fclose(out);
    ck_assert_int_gt(asprintf(&path, "%s/doc/penstock.conf.5.in", top != NULL ? top : "."), 0);
    page = read_file(path);
    ck_assert_msg(page != NULL, "%s can't be read", path);

    for (char *row = rows, *next; row != NULL; row = next) {
        next = strstr(row + 1, ".TP\n");
        char *text = next != NULL ? strndup(row, (size_t)(next - row)) : strdup(row);

        ck_assert_msg(strstr(page, text) != NULL, "%s lacks this row, or has an old one:\n%s", path,
                      text);
        free(text);
        checked++;
    }
    option_table(&count);
    ck_assert_uint_eq(checked, count);
    free(page);
    free(path);
    free(rows);
}
END_TEST

static char *printed(const char *text)
{
    char *out = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&out, &len);

    ck_assert_ptr_nonnull(stream);
    option_print_text(text, stream);
    fclose(stream);
    return out;
}

START_TEST(texts_are_quoted_for_the_config)
{
    static const struct {
        const char *text, *printed;
    } texts[] = {
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"\"\\", "\"\\\"\\\\\""},
        {"\n\x7f", "\"\\x0a\\x7f\""},
        {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *out = printed(texts[i].text);

        ck_assert_str_eq(out, texts[i].printed);
        free(out);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = tcase_create("options");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, values_are_stored_in_their_members);
    tcase_add_test(tcase, on_change_is_a_word_or_a_time_to_drain);
    tcase_add_test(tcase, an_option_equals_only_the_same_value);
    tcase_add_loop_test(tcase, wrong_values_are_refused_and_change_nothing, 0,
                        (int)COUNT_OF(wrong));
    tcase_add_test(tcase, names_are_joined_and_printed_as_an_array);
    tcase_add_test(tcase, every_default_is_a_value_that_is_allowed);
    tcase_add_test(tcase, the_manual_has_every_option_s_row_word_for_word);
    tcase_add_test(tcase, texts_are_quoted_for_the_config);
    return suite_run(suite);
}
