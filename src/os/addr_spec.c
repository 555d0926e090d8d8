/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "os/addr.h"

#define PATH_MAX_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path))

#define NAME_ALLOWED "allowed: names such as www.example.com"

/* What can be missing, and what is allowed there. */
enum missing { MISSING_ALL, MISSING_HOST, MISSING_PORT, MISSING_COUNT };

#define MISSING(allowed)                                                                           \
    {                                                                                              \
        [MISSING_ALL] = "the address is empty, allowed: " allowed,                                 \
        [MISSING_HOST] = "the host is missing, allowed: " allowed,                                 \
        [MISSING_PORT] = "the port is missing, allowed: " allowed                                  \
    }

static const char *const missing[][MISSING_COUNT] = {
    [ADDR_FOR_ANYTHING] = MISSING("an IPv4 address, [IPv6 address], host name or *, then :PORT"),
    [ADDR_TO_LISTEN] = MISSING("an IPv4 address, [IPv6 address] or *, then :PORT"),
    [ADDR_OF_UPSTREAM] = MISSING("an IPv4 address, [IPv6 address] or host name, then :PORT"),
    [ADDR_OF_HTTP] = MISSING("an IPv4 address or [IPv6 address], then :PORT")};

static const char *const unknown_scheme[] = {
    [ADDR_FOR_ANYTHING] = "unknown scheme, allowed: tcp:, udp:, unix:, systemd:",
    [ADDR_TO_LISTEN] = "unknown scheme, allowed: tcp:, udp:, unix:, systemd:",
    [ADDR_OF_UPSTREAM] = "unknown scheme, allowed: tcp:, udp:, unix:",
    [ADDR_OF_HTTP] = "it has a scheme, allowed: an IPv4 address or [IPv6 address], then :PORT"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

/* The port that *p begins with; *p moves behind it. */
static const char *parse_port(const char **p, uint16_t *port)
{
    unsigned number = 0;
    const char *start = *p;

    for (; is_digit(**p); (*p)++) {
        if (number <= 65535)
            number = number * 10 + (unsigned)(**p - '0');
    }
    if (*p == start)
        return "the port is no number, allowed: 1 to 65535";
    if (number == 0 || number > 65535)
        return "the port is out of range, allowed: 1 to 65535";
    *port = (uint16_t)number;
    return NULL;
}

/* "PORT" or "FIRST-LAST", to the end of the text. */
static const char *parse_ports(const char *text, struct addr_spec *out)
{
    const char *error = parse_port(&text, &out->port_first);

    if (error != NULL)
        return error;
    out->port_last = out->port_first;
    if (*text == '-') {
        text++;
        error = parse_port(&text, &out->port_last);
        if (error != NULL)
            return error;
        if (out->port_last < out->port_first)
            return "the port range is reversed, allowed: FIRST-LAST with FIRST not above LAST";
    }
    if (*text != '\0')
        return "the port is no number, allowed: 1 to 65535, or a range such as 7000-7009";
    out->literal.port = out->port_first;
    return NULL;
}

/* RFC 1123 section 2.1, and underscores, which are common in names of services and containers. A
 * name whose last label is a number would be taken for an address by some, and is none. */
static const char *check_host_name(const char *name)
{
    size_t label = 0, len = strlen(name);
    bool all_digits = true;

    if (len > 0 && name[len - 1] == '.')
        len--; /* the root, spelled out */
    if (len > 253)
        return "the host name is too long, allowed: 253 characters";
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '.') {
            if (label == 0)
                return "the host name has an empty label, " NAME_ALLOWED;
            if (name[i - 1] == '-')
                return "a label of the host name ends with a hyphen, " NAME_ALLOWED;
            label = 0;
            all_digits = true;
            continue;
        }
        if (!is_name_char(name[i]))
            return "the host name has a character that is not allowed; allowed: letters, digits, "
                   "hyphens, underscores and dots";
        if (label == 0 && name[i] == '-')
            return "a label of the host name begins with a hyphen, " NAME_ALLOWED;
        if (!is_digit(name[i]))
            all_digits = false;
        if (++label > 63)
            return "a label of the host name is too long, allowed: 63 characters";
    }
    if (label == 0)
        return "the host name has an empty label, " NAME_ALLOWED;
    if (name[len - 1] == '-')
        return "a label of the host name ends with a hyphen, " NAME_ALLOWED;
    if (all_digits)
        return "this is no IPv4 address, allowed: four numbers from 0 to 255 such as 192.0.2.7";
    return NULL;
}

/* The zone of RFC 4007 section 11, as a number: a name would have to be asked of the system. */
static const char *parse_zone(const char *text, uint32_t *scope)
{
    uint64_t number = 0;

    for (; is_digit(*text) && number <= UINT32_MAX; text++)
        number = number * 10 + (uint64_t)(*text - '0');
    if (*text != '\0' || number == 0 || number > UINT32_MAX)
        return "the zone after % must be the interface's number (\"ip link\" shows it), such as "
               "[fe80::1%2]:22";
    *scope = (uint32_t)number;
    return NULL;
}

/* What stands between the brackets. An IPv4 address in IPv6's clothes (RFC 4291 section 2.5.5.2) is
 * kept as what it is, so that equal addresses compare equal. */
static const char *parse_ipv6(char *host, struct addr *out)
{
    char *zone = strchr(host, '%');
    const char *error;

    if (zone != NULL) {
        *zone++ = '\0';
        error = parse_zone(zone, &out->scope);
        if (error != NULL)
            return error;
    }
    if (inet_pton(AF_INET6, host, &out->v6) != 1)
        return "this is no IPv6 address, allowed: such as [2001:db8::1]:80";
    out->family = AF_INET6;
    if (IN6_IS_ADDR_V4MAPPED(&out->v6)) {
        struct in_addr v4;

        memcpy(&v4, &out->v6.s6_addr[12], sizeof(v4));
        memset(&out->v6, 0, sizeof(out->v6));
        out->family = AF_INET;
        out->scope = 0;
        out->v4 = v4;
    }
    return NULL;
}

/* More than one colon outside brackets: most likely an IPv6 address, else a scheme. */
static const char *explain_colons(enum addr_use use, const char *text)
{
    if (text[strspn(text, "0123456789abcdefABCDEF:.%")] == '\0' || strstr(text, "::") != NULL)
        return "an IPv6 address must stand in brackets, such as [2001:db8::1]:80";
    return unknown_scheme[use];
}

/* Where no name is allowed, what is wrong with one is no matter. */
static const char *parse_name(enum addr_use use, const char *host, struct addr_spec *out)
{
    bool no_names = use == ADDR_TO_LISTEN || use == ADDR_OF_HTTP;
    const char *error;

    if (host[0] == '\0' || strcmp(host, ".") == 0)
        return missing[use][MISSING_HOST];
    error = check_host_name(host);
    if (error == NULL || (no_names && host[strspn(host, "0123456789.")] != '\0')) {
        out->kind = ADDR_NAME;
        memcpy(out->name, host, strlen(host) + 1);
        return NULL;
    }
    return error;
}

static const char *parse_host(enum addr_use use, const char *text, size_t len,
                              struct addr_spec *out)
{
    char host[sizeof(out->name)];

    if (len >= sizeof(host))
        return "the host name is too long, allowed: 253 characters";
    memcpy(host, text, len);
    host[len] = '\0';
    if (strcmp(host, "*") == 0) {
        out->kind = ADDR_ANY;
        return NULL;
    }
    out->kind = ADDR_LITERAL;
    if (inet_pton(AF_INET, host, &out->literal.v4) == 1) {
        out->literal.family = AF_INET;
        return NULL;
    }
    return parse_name(use, host, out);
}

static const char *parse_bracketed(const char *text, struct addr_spec *out)
{
    const char *end = strchr(text, ']');
    char host[sizeof(out->name)];
    const char *error;

    if (end == NULL)
        return "the closing bracket is missing, allowed: such as [2001:db8::1]:80";
    size_t len = (size_t)(end - text) - 1;
    if (len >= sizeof(host))
        return "this is no IPv6 address, allowed: such as [2001:db8::1]:80";
    memcpy(host, text + 1, len);
    host[len] = '\0';
    out->kind = ADDR_LITERAL;
    error = parse_ipv6(host, &out->literal);
    if (error != NULL)
        return error;
    if (end[1] != ':')
        return "the port is missing, allowed: such as [2001:db8::1]:80";
    return parse_ports(end + 2, out);
}

static const char *parse_inet(enum addr_use use, const char *text, struct addr_spec *out)
{
    const char *colon = strchr(text, ':');
    const char *error;

    if (*text == '\0')
        return missing[use][MISSING_ALL];
    if (strncmp(text, "unix:", 5) == 0 || strncmp(text, "systemd:", 8) == 0)
        return "unix: and systemd: stand alone, without tcp: or udp: before them";
    if (strncmp(text, "//", 2) == 0)
        return "it is no URL: udp:HOST:PORT or tcp:HOST:PORT, without //";
    if (*text == '/' || *text == '@')
        return "a UNIX socket is written unix:/path or unix:@name";
    if (*text == '[')
        return parse_bracketed(text, out);
    if (colon == NULL)
        return missing[use][MISSING_PORT];
    if (strchr(colon + 1, ':') != NULL)
        return explain_colons(use, text);
    error = parse_host(use, text, (size_t)(colon - text), out);
    return error != NULL ? error : parse_ports(colon + 1, out);
}

static const char *parse_unix(const char *path, struct addr_spec *out)
{
    size_t len = strlen(path);

    out->kind = ADDR_PATH;
    if (len == 0)
        return "the UNIX path is empty, allowed: unix:/path or unix:@name";
    if (path[0] == '@') {
        if (len == 1)
            return "the abstract name is empty, allowed: unix:@name";
        if (len > PATH_MAX_BYTES)
            return "the abstract name is too long, allowed: 107 bytes after the @";
    } else if (path[0] != '/') {
        return "the UNIX path must be absolute: unix:/path, or unix:@name for an abstract one";
    } else if (len >= PATH_MAX_BYTES) {
        return "the UNIX path is too long, allowed: 107 bytes";
    } else if (path[len - 1] == '/') {
        return "the UNIX path names a directory, allowed: unix:/path of the socket itself";
    }
    memcpy(out->name, path, len + 1);
    return NULL;
}

/* What systemd.socket(5) allows as a FileDescriptorName: printable ASCII but ':', 255 bytes. */
static const char *parse_systemd(const char *name, struct addr_spec *out)
{
    size_t len = strlen(name);

    out->kind = ADDR_SYSTEMD;
    if (len == 0)
        return "the name is empty, allowed: systemd:NAME (FileDescriptorName=)";
    if (len >= sizeof(out->name))
        return "the systemd name is too long, allowed: 255 characters";
    for (size_t i = 0; i < len; i++) {
        if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
            return "the systemd name has a character that is not allowed; allowed: printable "
                   "ASCII but ':'";
    }
    memcpy(out->name, name, len + 1);
    return NULL;
}

const char *addr_spec_parse_for(enum addr_use use, const char *text, struct addr_spec *out)
{
    memset(out, 0, sizeof(*out));
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out);
    if (strncmp(text, "systemd:", 8) == 0)
        return parse_systemd(text + 8, out);
    if (strncmp(text, "tcp:", 4) == 0) {
        out->scheme = ADDR_SCHEME_TCP;
        text += 4;
    } else if (strncmp(text, "udp:", 4) == 0) {
        out->scheme = ADDR_SCHEME_UDP;
        text += 4;
    }
    return parse_inet(use, text, out);
}
