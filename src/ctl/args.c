/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/args.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/units.h"
#include "conf/conf.h"
#include "ctl/must.h"
#include "ctl/text.h"

#define DEFAULT_WATCH 2000     /* ms */
#define LEAST_WATCH   100      /* ms */
#define DEFAULT_LOOK  1000     /* ms */
#define MOST_TIME     86400000 /* ms */

/* getopt_long(3) gives the index of the bit, behind all characters. */
#define BIT_BASE 256
#define OPTION(name, has, bit)                                                                     \
    {                                                                                              \
        name, has, NULL, BIT_BASE + __builtin_ctz(bit)                                             \
    }

enum { OPT_SOCKET = 's', OPT_NO_COLOR = 'n', OPT_HELP = 'h', OPT_VERSION = 'V' };

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"no-color", no_argument, NULL, OPT_NO_COLOR},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    OPTION("json", no_argument, TAKES_JSON),
    OPTION("watch", optional_argument, TAKES_WATCH),
    OPTION("rule", required_argument, TAKES_RULE),
    OPTION("client", required_argument, TAKES_CLIENT),
    OPTION("state", required_argument, TAKES_STATE),
    OPTION("older", required_argument, TAKES_OLDER),
    OPTION("sort", required_argument, TAKES_SORT),
    OPTION("limit", required_argument, TAKES_LIMIT),
    OPTION("all", no_argument, TAKES_ALL),
    OPTION("timeout", required_argument, TAKES_TIMEOUT),
    OPTION("config", required_argument, TAKES_CONFIG),
    OPTION("max", required_argument, TAKES_MAX),
    OPTION("option", required_argument, TAKES_OPTION),
    OPTION("interval", required_argument, TAKES_INTERVAL),
    {NULL, 0, NULL, 0},
};

static const char *option_name(int value)
{
    const struct option *o = long_options;

    while (o->val != value)
        o++;
    return o->name;
}

/* A duration within bounds; or false, and it was said. */
static bool set_duration(int64_t *ms, const char *name, const char *text, int64_t least,
                         int64_t most)
{
    char from[32], to[32];
    const char *error = units_parse_duration(text, ms);

    if (!error && *ms >= least && *ms <= most)
        return true;
    if (error) {
        text_line(stderr, "penstock: --%s \"%s\": %s", name, text, error);
        return false;
    }
    units_print_duration(from, sizeof(from), least);
    units_print_duration(to, sizeof(to), most);
    text_line(stderr, "penstock: --%s \"%s\": allowed: %s to %s", name, text, from, to);
    return false;
}

static bool set_limit(uint64_t *limit, const char *text)
{
    char *end;

    errno = 0;
    *limit = strtoull(text, &end, 10);
    if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *limit > 0)
        return true;
    text_line(stderr, "penstock: --limit \"%s\": allowed: a whole number from 1 on", text);
    return false;
}

static bool set(struct args *a, unsigned bit, const char *text)
{
    int64_t ignored;

    switch (bit) {
    case TAKES_WATCH:
        return !text || set_duration(&a->watch_ms, "watch", text, LEAST_WATCH, MOST_TIME);
    case TAKES_OLDER:
        a->older = text;
        return set_duration(&ignored, "older", text, 0, INT64_MAX);
    case TAKES_TIMEOUT:
        return set_duration(&a->timeout_ms, "timeout", text, 0, MOST_TIME);
    case TAKES_INTERVAL:
        return set_duration(&a->interval_ms, "interval", text, LEAST_WATCH, MOST_TIME);
    case TAKES_LIMIT:
        return set_limit(&a->limit, text);
    case TAKES_RULE:
        a->rule = text;
        break;
    case TAKES_CLIENT:
        a->client = text;
        break;
    case TAKES_STATE:
        a->state = text;
        break;
    case TAKES_SORT:
        a->sort = text;
        break;
    case TAKES_CONFIG:
        a->config = text;
        break;
    case TAKES_MAX:
        a->max = text;
        break;
    case TAKES_OPTION:
        a->options = must_resize(a->options, a->option_count + 1, sizeof(*a->options));
        a->options[a->option_count++] = text;
        break;
    }
    return true;
}

static bool read_option(struct args *a, int c, const char *text)
{
    switch (c) {
    case OPT_SOCKET:
        a->socket = text;
        return true;
    case OPT_NO_COLOR:
        return a->no_color = true;
    case OPT_HELP:
        return a->help = true;
    case OPT_VERSION:
        return a->version = true;
    case 'o':
        a->given |= TAKES_OPTION;
        return set(a, TAKES_OPTION, text);
    case '?':
        return false;
    default:
        a->given |= 1u << (c - BIT_BASE);
        return set(a, 1u << (c - BIT_BASE), text);
    }
}

static const struct command *find(const struct command *commands, const char *name)
{
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

/* Of a synopsis, up to what may be left out. */
static int needed_length(const char *synopsis)
{
    size_t length = strcspn(synopsis, "[\n");

    while (length > 0 && synopsis[length - 1] == ' ')
        length--;
    return (int)length;
}

/* What stands where no option is: the command, and what it is about. */
static bool read_words(struct args *a, const struct command *commands, int count, char **words)
{
    bool asks = a->help || a->version; /* then nothing is done */
    unsigned operands = count > 0 ? (unsigned)count - 1 : 0;

    if (count > 0 && !(a->command = find(commands, words[0])))
        text_line(stderr, "penstock: there is no command \"%s\"", words[0]);
    else if (count == 0 && !asks)
        text_line(stderr, "penstock: which command?");
    else if (count > 0 && operands > a->command->operands)
        text_line(stderr, "penstock: %s: unexpected argument \"%s\"", words[0],
                  words[1 + a->command->operands]);
    else if (count > 0 && operands < a->command->operands && a->command->needed && !asks)
        text_line(stderr, "penstock: %s needs %.*s", words[0], needed_length(a->command->synopsis),
                  a->command->synopsis);
    else {
        a->operands = count > 0 ? words + 1 : words; /* NULL ends them, too */
        a->operand = a->operands[0];
        return true;
    }
    return false;
}

static bool fits(const struct args *a)
{
    unsigned wrong = a->command ? a->given & ~a->command->takes : 0;
    struct sockaddr_un un;

    if (wrong) {
        text_line(stderr, "penstock: %s has no option --%s", a->command->name,
                  option_name(BIT_BASE + __builtin_ctz(wrong)));
        return false;
    }
    if (strlen(a->socket) >= sizeof(un.sun_path)) {
        text_line(stderr, "penstock: the path of the socket is too long, allowed: %zu bytes",
                  sizeof(un.sun_path) - 1);
        return false;
    }
    return true;
}

bool args_parse(struct args *a, const struct command *commands, int argc, char **argv)
{
    const char *socket = getenv("PENSTOCK_SOCKET");
    char *program = argv[0], name[] = "penstock"; /* for the messages of getopt_long(3) */
    bool right = true;
    int c;

    *a = (struct args){
        .socket = socket && socket[0] ? socket : CONF_CONTROL_DEFAULT,
        .watch_ms = DEFAULT_WATCH,
        .interval_ms = DEFAULT_LOOK,
        .limit = UINT64_MAX,
    };
    argv[0] = name;
    while (right && (c = getopt_long(argc, argv, "hVo:", long_options, NULL)) != -1)
        right = read_option(a, c, optarg);
    argv[0] = program;
    right = right && read_words(a, commands, argc - optind, argv + optind) && fits(a);
    if (!(a->given & TAKES_TIMEOUT) && a->command)
        a->timeout_ms = a->command->timeout_ms;
    if (!(a->given & TAKES_WATCH))
        a->watch_ms = 0;
    if (!right)
        fputs("Try 'penstock --help'.\n", stderr);
    return right;
}
