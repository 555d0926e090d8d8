/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/filter.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "flow/relay.h"
#include "flow/session.h"

#define CLIENT_ALLOWED                                                                             \
    "allowed: an IP address, or a network like \"192.0.2.0/24\" or \"2001:db8::/32\""
#define STATE_ALLOWED "allowed: \"dialling\", \"open\", \"half-closed\", \"flushing\""

/* Of ::ffff:0:0/96, in which IPv4 addresses are mapped (RFC 4291 section 2.5.5.2). */
#define MAPPED_PREFIX 96

#define V4_BITS 32
#define V6_BITS 128

/* --- states ---------------------------------------------------------------------------------- */

const char *session_state_word(enum session_state state)
{
    static const char *const words[SESSION_STATES] = {
        [STATE_DIALLING] = "dialling",
        [STATE_OPEN] = "open",
        [STATE_HALF_CLOSED] = "half-closed",
        [STATE_FLUSHING] = "flushing",
    };

    return words[state];
}

enum session_state session_state(const struct session *s)
{
    if (s->stage == STAGE_DIAL)
        return STATE_DIALLING;
    if (s->udp)
        return STATE_OPEN;
    if (relay_is_flushing(s))
        return STATE_FLUSHING;
    return half_is_closing(&s->half) ? STATE_HALF_CLOSED : STATE_OPEN;
}

/* --- networks -------------------------------------------------------------------------------- */

/* The bytes of an IP address, and how many bits they are; NULL for any other. */
static const uint8_t *bytes_of(const struct addr *a, unsigned *bits)
{
    *bits = a->family == AF_INET ? V4_BITS : V6_BITS;
    if (a->family == AF_INET)
        return (const uint8_t *)&a->v4;
    return a->family == AF_INET6 ? a->v6.s6_addr : NULL;
}

/* The bits of byte `i` that a prefix of so many has. */
static uint8_t prefix_mask(unsigned prefix, unsigned i)
{
    if (prefix >= 8 * (i + 1))
        return 0xff;
    return prefix <= 8 * i ? 0 : (uint8_t)(0xff00 >> (prefix - 8 * i));
}

/* Clear all bits of an IP address but those of the prefix. Was any of them set? */
static bool cut(struct addr *a, unsigned prefix)
{
    uint8_t *bytes = a->family == AF_INET ? (uint8_t *)&a->v4 : a->v6.s6_addr;
    unsigned count = a->family == AF_INET ? V4_BITS / 8 : V6_BITS / 8;
    bool any = false;

    for (unsigned i = 0; i < count; i++) {
        uint8_t left = bytes[i] & prefix_mask(prefix, i);

        any |= left != bytes[i];
        bytes[i] = left;
    }
    return any;
}

/* An IPv4 address that is mapped into IPv6 becomes what it is. */
static void unmap(struct addr *a)
{
    struct in_addr v4;

    if (a->family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6))
        return;
    memcpy(&v4, &a->v6.s6_addr[MAPPED_PREFIX / 8], sizeof(v4));
    *a = (struct addr){.family = AF_INET, .port = a->port, .v4 = v4};
}

static bool is_inside(const struct filter *f, const struct addr *client)
{
    struct addr plain = *client;
    const uint8_t *has, *wanted;
    unsigned bits;

    unmap(&plain);
    has = bytes_of(&plain, &bits);
    wanted = bytes_of(&f->client, &bits);
    if (!has || plain.family != f->client.family)
        return false;
    for (unsigned i = 0; i < bits / 8; i++) {
        if ((has[i] ^ wanted[i]) & prefix_mask(f->prefix, i))
            return false;
    }
    return true;
}

/* --- texts ----------------------------------------------------------------------------------- */

bool filter_number(const char *text, uint64_t *number)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return false;
    }
    *number = value;
    return true;
}

/* An address without a port. False for one with a zone: the filter could not tell zones apart. */
static bool read_address(const char *text, size_t length, struct addr *out)
{
    char host[INET6_ADDRSTRLEN];

    if (length >= sizeof(host))
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    memset(out, 0, sizeof(*out));
    out->family = strchr(host, ':') ? AF_INET6 : AF_INET;
    return inet_pton(out->family, host, out->family == AF_INET ? (void *)&out->v4 : &out->v6) == 1;
}

static bool set_client(struct filter *f, const char *text, char *error, size_t size)
{
    size_t length = strcspn(text, "/");
    char network[INET6_ADDRSTRLEN] = "";
    uint64_t prefix;
    unsigned bits;
    struct addr a;

    if (!read_address(text, length, &a)) {
        snprintf(error, size, "client: \"%s\" is no IP address, " CLIENT_ALLOWED, text);
        return false;
    }
    bits = a.family == AF_INET ? V4_BITS : V6_BITS;
    prefix = bits;
    if (text[length] == '/' && (!filter_number(text + length + 1, &prefix) || prefix > bits)) {
        snprintf(error, size, "client: \"%s\" has no such prefix, allowed: /0 to /%u", text, bits);
        return false;
    }
    if (cut(&a, (unsigned)prefix)) {
        inet_ntop(a.family, a.family == AF_INET ? (void *)&a.v4 : &a.v6, network, sizeof(network));
        snprintf(error, size, "client: \"%s\" has bits behind its prefix, allowed: \"%s/%u\"", text,
                 network, (unsigned)prefix);
        return false;
    }
    if (bits == V6_BITS && prefix >= MAPPED_PREFIX && IN6_IS_ADDR_V4MAPPED(&a.v6)) {
        unmap(&a);
        prefix -= MAPPED_PREFIX;
    }
    f->has_client = true;
    f->client = a;
    f->prefix = (unsigned)prefix;
    return true;
}

static bool set_state(struct filter *f, const char *text, char *error, size_t size)
{
    for (enum session_state state = 0; state < SESSION_STATES; state++) {
        if (strcmp(text, session_state_word(state)) == 0) {
            f->has_state = true;
            f->state = state;
            return true;
        }
    }
    snprintf(error, size, "state: \"%s\" is none, " STATE_ALLOWED, text);
    return false;
}

static bool set_older(struct filter *f, const char *text, char *error, size_t size)
{
    const char *wrong = units_parse_duration(text, &f->older);

    if (wrong)
        snprintf(error, size, "older: \"%s\": %s", text, wrong);
    return wrong == NULL;
}

bool filter_set(struct filter *f, const char *key, const char *text, char *error, size_t size)
{
    if (strcmp(key, "client") == 0)
        return set_client(f, text, error, size);
    if (strcmp(key, "state") == 0)
        return set_state(f, text, error, size);
    if (strcmp(key, "older") == 0)
        return set_older(f, text, error, size);
    if (strcmp(key, "rule") == 0 && *text != '\0') {
        f->rule = text;
        return true;
    }
    snprintf(error, size, "%s: it is empty, allowed: the name of a rule", key);
    return false;
}

bool filter_takes(const struct filter *f, const struct session *s, int64_t now)
{
    if (f->older > 0 && now - s->started < f->older)
        return false;
    if (f->has_client && !is_inside(f, &s->client))
        return false;
    if (f->has_state && session_state(s) != f->state)
        return false;
    return !f->rule || strcmp(f->rule, s->rule->conf->name) == 0;
}
