/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "os/addr.h"
#include "suite.h"

static const struct {
    const char *text;
    enum addr_scheme scheme;
    enum addr_kind kind;
    unsigned first, last;
    const char *printed; /* of a literal: the address; else the name */
} specs[] = {
    {"192.0.2.7:22", ADDR_SCHEME_NONE, ADDR_LITERAL, 22, 22, "192.0.2.7:22"},
    {"0.0.0.0:65535", ADDR_SCHEME_NONE, ADDR_LITERAL, 65535, 65535, "0.0.0.0:65535"},
    {"tcp:10.0.0.5:22", ADDR_SCHEME_TCP, ADDR_LITERAL, 22, 22, "10.0.0.5:22"},
    {"udp:[::]:53", ADDR_SCHEME_UDP, ADDR_LITERAL, 53, 53, "[::]:53"},
    {"[2001:DB8:0:0::1]:22", ADDR_SCHEME_NONE, ADDR_LITERAL, 22, 22, "[2001:db8::1]:22"},
    {"[fe80::1%2]:22", ADDR_SCHEME_NONE, ADDR_LITERAL, 22, 22, "[fe80::1%2]:22"},
    {"[::ffff:192.0.2.7]:80", ADDR_SCHEME_NONE, ADDR_LITERAL, 80, 80, "192.0.2.7:80"},
    {"127.0.0.1:7000-7009", ADDR_SCHEME_NONE, ADDR_LITERAL, 7000, 7009, "127.0.0.1:7000"},
    {"127.0.0.1:7000-7000", ADDR_SCHEME_NONE, ADDR_LITERAL, 7000, 7000, "127.0.0.1:7000"},
    {"*:80", ADDR_SCHEME_NONE, ADDR_ANY, 80, 80, ""},
    {"backend.example:8080", ADDR_SCHEME_NONE, ADDR_NAME, 8080, 8080, "backend.example"},
    {"my_app-1.example.:1-3", ADDR_SCHEME_NONE, ADDR_NAME, 1, 3, "my_app-1.example."},
    {"1and1.example:80", ADDR_SCHEME_NONE, ADDR_NAME, 80, 80, "1and1.example"},
    {"unix:/run/x.sock", ADDR_SCHEME_NONE, ADDR_PATH, 0, 0, "/run/x.sock"},
    {"unix:@name", ADDR_SCHEME_NONE, ADDR_PATH, 0, 0, "@name"},
    {"systemd:web", ADDR_SCHEME_NONE, ADDR_SYSTEMD, 0, 0, "web"},
};

START_TEST(every_form_is_read)
{
    struct addr_spec spec;
    char printed[ADDR_TEXT_MAX] = "";

    ck_assert_ptr_null(addr_spec_parse(specs[_i].text, &spec));
    ck_assert_int_eq(spec.scheme, specs[_i].scheme);
    ck_assert_int_eq(spec.kind, specs[_i].kind);
    ck_assert_uint_eq(spec.port_first, specs[_i].first);
    ck_assert_uint_eq(spec.port_last, specs[_i].last);
    if (spec.kind == ADDR_LITERAL) {
        ck_assert_str_eq(addr_print(&spec.literal, printed, sizeof(printed)), specs[_i].printed);
        ck_assert_str_eq(spec.name, "");
    } else {
        ck_assert_str_eq(spec.name, specs[_i].printed);
    }
}
END_TEST

#define A63   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A107  A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HOST  "allowed: an IPv4 address, [IPv6 address], host name or *, then :PORT"
#define LABEL "the host name has an empty label, allowed: names such as www.example.com"
#define CHARACTER                                                                                  \
    "the host name has a character that is not allowed; allowed: letters, digits, hyphens, "       \
    "underscores and dots"
#define NO_IPV4 "this is no IPv4 address, allowed: four numbers from 0 to 255 such as 192.0.2.7"
#define NO_IPV6 "this is no IPv6 address, allowed: such as [2001:db8::1]:80"
#define BRACKET "an IPv6 address must stand in brackets, such as [2001:db8::1]:80"
#define ZONE                                                                                       \
    "the zone after % must be the interface's number (\"ip link\" shows it), such as "             \
    "[fe80::1%2]:22"
#define SCHEME  "unknown scheme, allowed: tcp:, udp:, unix:, systemd:"
#define RANGE   "the port is out of range, allowed: 1 to 65535"
#define NO_PORT "the port is no number, allowed: 1 to 65535"

static const struct {
    const char *text, *error;
} wrong[] = {
    {"", "the address is empty, " HOST},
    {"tcp:", "the address is empty, " HOST},
    {"10.0.0.1", "the port is missing, " HOST},
    {"example", "the port is missing, " HOST},
    {"*", "the port is missing, " HOST},
    {":80", "the host is missing, " HOST},
    {"h:", NO_PORT},
    {"h:x", NO_PORT},
    {"h:-1", NO_PORT},
    {"h:0", RANGE},
    {"h:65536", RANGE},
    {"h:99999999999999999999", RANGE},
    {"h:0-5", RANGE},
    {"h:5-65536", RANGE},
    {"h:5-", NO_PORT},
    {"h:80x", "the port is no number, allowed: 1 to 65535, or a range such as 7000-7009"},
    {"h:1-2-3", "the port is no number, allowed: 1 to 65535, or a range such as 7000-7009"},
    {"h:9-8", "the port range is reversed, allowed: FIRST-LAST with FIRST not above LAST"},
    {"300.1.1.1:80", NO_IPV4},
    {"1.2.3:80", NO_IPV4},
    {"127.0.0.01:80", NO_IPV4},
    {"5:80", NO_IPV4},
    {"a..b:80", LABEL},
    {".a:80", LABEL},
    {"a b:80", CHARACTER},
    {"a*:80", CHARACTER},
    {"caf\xc3\xa9:80", CHARACTER},
    {"-a:80",
     "a label of the host name begins with a hyphen, allowed: names such as www.example.com"},
    {"a-:80",
     "a label of the host name ends with a hyphen, allowed: names such as www.example.com"},
    {"a-.b:80",
     "a label of the host name ends with a hyphen, allowed: names such as www.example.com"},
    {A63 "a:80", "a label of the host name is too long, allowed: 63 characters"},
    {A63 "." A63 "." A63 "." A63 ":80", "the host name is too long, allowed: 253 characters"},
    {A63 "." A63 "." A63 "." A63 "." A63 ":80",
     "the host name is too long, allowed: 253 characters"},
    {"::1:80", BRACKET},
    {"2001:db8::1", BRACKET},
    {"fe80::1%eth0:80", BRACKET},
    {"1:2:3:4:5:6:7:8", BRACKET},
    {"[::1]", "the port is missing, allowed: such as [2001:db8::1]:80"},
    {"[::1]80", "the port is missing, allowed: such as [2001:db8::1]:80"},
    {"[::1:80", "the closing bracket is missing, allowed: such as [2001:db8::1]:80"},
    {"[]:80", NO_IPV6},
    {"[1.2.3.4]:80", NO_IPV6},
    {"[::g]:80", NO_IPV6},
    {"[fe80::1%eth0]:80", ZONE},
    {"[fe80::1%0]:80", ZONE},
    {"[fe80::1%]:80", ZONE},
    {"[fe80::1%4294967296]:80", ZONE},
    {"http://x:80", SCHEME},
    {"sctp:h:80", SCHEME},
    {"/run/x.sock", "a UNIX socket is written unix:/path or unix:@name"},
    {"udp:unix:/x", "unix: and systemd: stand alone, without tcp: or udp: before them"},
    {"tcp:systemd:x", "unix: and systemd: stand alone, without tcp: or udp: before them"},
    {"udp://127.0.0.1:53", "it is no URL: udp:HOST:PORT or tcp:HOST:PORT, without //"},
    {"unix:", "the UNIX path is empty, allowed: unix:/path or unix:@name"},
    {"unix:x.sock",
     "the UNIX path must be absolute: unix:/path, or unix:@name for an abstract one"},
    {"unix:@", "the abstract name is empty, allowed: unix:@name"},
    {"unix:/run/", "the UNIX path names a directory, allowed: unix:/path of the socket itself"},
    {"unix:/" A107, "the UNIX path is too long, allowed: 107 bytes"},
    {"unix:@" A107 "a", "the abstract name is too long, allowed: 107 bytes after the @"},
    {"systemd:", "the name is empty, allowed: systemd:NAME (FileDescriptorName=)"},
    {"systemd:a:b",
     "the systemd name has a character that is not allowed; allowed: printable ASCII "
     "but ':'"},
    {"systemd:" A63 A63 A63 A63 "aaaa", "the systemd name is too long, allowed: 255 characters"},
};

START_TEST(what_is_no_address_is_refused)
{
    struct addr_spec spec;

    ck_assert_pstr_eq(addr_spec_parse(wrong[_i].text, &spec), wrong[_i].error);
}
END_TEST

#define TO_LISTEN "allowed: an IPv4 address, [IPv6 address] or *, then :PORT"
#define UPSTREAM  "allowed: an IPv4 address, [IPv6 address] or host name, then :PORT"
#define OF_HTTP   "allowed: an IPv4 address or [IPv6 address], then :PORT"

/* What is said to be allowed is what is, for that use. */
START_TEST(of_each_use_only_what_it_allows_is_told)
{
    static const struct {
        enum addr_use use;
        const char *text, *error;
    } cases[] = {
        {ADDR_TO_LISTEN, "2222", "the port is missing, " TO_LISTEN},
        {ADDR_TO_LISTEN, "", "the address is empty, " TO_LISTEN},
        {ADDR_TO_LISTEN, ":80", "the host is missing, " TO_LISTEN},
        {ADDR_TO_LISTEN, "a b:80", NULL}, /* a host name, which is refused as one */
        {ADDR_TO_LISTEN, "300.1.1.1:80", NO_IPV4},
        {ADDR_TO_LISTEN, "x:y:80", SCHEME},
        {ADDR_OF_UPSTREAM, "udp:2222", "the port is missing, " UPSTREAM},
        {ADDR_OF_UPSTREAM, "a b:80", CHARACTER},
        {ADDR_OF_UPSTREAM, ".:80", "the host is missing, " UPSTREAM},
        {ADDR_OF_UPSTREAM, "x:y:80", "unknown scheme, allowed: tcp:, udp:, unix:"},
        {ADDR_OF_HTTP, "9090", "the port is missing, " OF_HTTP},
        {ADDR_OF_HTTP, "http://127.0.0.1:80", "it has a scheme, " OF_HTTP},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct addr_spec spec;

        ck_assert_pstr_eq(addr_spec_parse_for(cases[i].use, cases[i].text, &spec), cases[i].error);
        if (cases[i].error == NULL)
            ck_assert_int_eq(spec.kind, ADDR_NAME);
    }
}
END_TEST

START_TEST(the_longest_unix_names_fit)
{
    struct addr_spec spec;
    struct sockaddr_storage kernel;
    struct addr a = {.family = AF_UNIX};
    char path[5 + 108 + 1] = "unix:/" A107;

    path[5 + 107] = '\0';
    ck_assert_ptr_null(addr_spec_parse(path, &spec));
    a.un.path = spec.name;
    ck_assert_uint_eq(addr_to_sockaddr(&a, &kernel), sizeof(struct sockaddr_un));

    ck_assert_ptr_null(addr_spec_parse("unix:@" A107, &spec));
    ck_assert_uint_eq(addr_to_sockaddr(&a, &kernel), sizeof(struct sockaddr_un));
    ck_assert_int_eq(((struct sockaddr_un *)&kernel)->sun_path[0], '\0');

    a.un.path = "/" A107;
    ck_assert_uint_eq(addr_to_sockaddr(&a, &kernel), 0);
    a.un.path = "@" A107 "a";
    ck_assert_uint_eq(addr_to_sockaddr(&a, &kernel), 0);
    a.un.path = NULL;
    ck_assert_uint_eq(addr_to_sockaddr(&a, &kernel), 0);
}
END_TEST

START_TEST(an_abstract_name_has_no_nul_at_its_end)
{
    struct addr a = {.family = AF_UNIX, .un = {.path = "@ab"}};
    struct sockaddr_storage kernel;
    const struct sockaddr_un *un = (const struct sockaddr_un *)&kernel;

    ck_assert_uint_eq(addr_to_sockaddr(&a, &kernel), offsetof(struct sockaddr_un, sun_path) + 3);
    ck_assert_mem_eq(un->sun_path, "\0ab", 3);
}
END_TEST

static struct addr literal(const char *text)
{
    struct addr_spec spec;

    ck_assert_ptr_null(addr_spec_parse(text, &spec));
    return spec.literal;
}

START_TEST(the_kernel_s_form_keeps_the_address)
{
    static const char *const texts[] = {"192.0.2.7:22", "[2001:db8::1]:65535", "[fe80::1%7]:1"};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct addr a = literal(texts[i]), back;
        struct sockaddr_storage kernel;
        socklen_t len = addr_to_sockaddr(&a, &kernel);

        ck_assert_uint_gt(len, 0);
        addr_from_sockaddr(&back, &kernel, len);
        ck_assert(addr_equal(&a, &back));
        addr_from_sockaddr(&back, &kernel, len - 1);
        ck_assert_int_eq(back.family, AF_UNSPEC);
    }
}
END_TEST

START_TEST(the_kernel_s_form_is_in_network_order)
{
    struct addr a = literal("192.0.2.7:22");
    struct sockaddr_storage kernel;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)&kernel;

    ck_assert_uint_eq(addr_to_sockaddr(&a, &kernel), sizeof(*in4));
    ck_assert_uint_eq(in4->sin_port, htons(22));
    ck_assert_uint_eq(in4->sin_addr.s_addr, htonl(0xc0000207));
}
END_TEST

START_TEST(an_ipv4_client_of_a_dual_stack_socket_is_one)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(51122)};
    struct sockaddr_storage kernel = {0};
    char text[ADDR_TEXT_MAX];
    struct addr a;

    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr), 1);
    memcpy(&kernel, &in6, sizeof(in6));
    addr_from_sockaddr(&a, &kernel, sizeof(in6));
    ck_assert_str_eq(addr_print(&a, text, sizeof(text)), "192.0.2.7:51122");
}
END_TEST

START_TEST(unknown_families_and_unnamed_peers_are_told_apart)
{
    struct sockaddr_storage kernel = {.ss_family = AF_NETLINK};
    char text[ADDR_TEXT_MAX];
    struct addr a;

    addr_from_sockaddr(&a, &kernel, sizeof(kernel));
    ck_assert_str_eq(addr_print(&a, text, sizeof(text)), "-");
    addr_from_sockaddr(&a, &kernel, 0);
    ck_assert_int_eq(a.family, AF_UNSPEC);

    kernel.ss_family = AF_UNIX;
    addr_from_sockaddr(&a, &kernel, sizeof(sa_family_t));
    ck_assert_int_eq(a.family, AF_UNIX);
    ck_assert_ptr_null(a.un.path);
    a.un.peer_pid = 12;
    a.un.peer_uid = 1000;
    ck_assert_str_eq(addr_print(&a, text, sizeof(text)), "unix:pid=12,uid=1000");
}
END_TEST

START_TEST(equal_is_the_same_in_every_part)
{
    static const char *const texts[] = {"192.0.2.7:22", "192.0.2.7:23", "192.0.2.8:22", "[::1]:22",
                                        "[::1%1]:22",   "[::2]:22",     "[::1]:23"};
    struct addr un = {.family = AF_UNIX, .un = {.path = "/a"}};
    char same[] = "/a";
    struct addr un_same = {.family = AF_UNIX, .un = {.path = same}};
    struct addr un_other = {.family = AF_UNIX, .un = {.path = "@a"}};
    struct addr peer = {.family = AF_UNIX, .un = {.peer_pid = 1}};
    struct addr other_peer = {.family = AF_UNIX, .un = {.peer_pid = 2}};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        for (size_t j = 0; j < COUNT_OF(texts); j++) {
            struct addr a = literal(texts[i]), b = literal(texts[j]);

            ck_assert_int_eq(addr_equal(&a, &b), i == j);
        }
    }
    ck_assert(addr_equal(&un, &un_same));
    ck_assert(!addr_equal(&un, &un_other));
    ck_assert(!addr_equal(&un, &peer));
    ck_assert(addr_equal(&peer, &peer));
    ck_assert(!addr_equal(&peer, &other_peer));
}
END_TEST

START_TEST(printing_cuts_and_never_overruns)
{
    struct addr a = literal("192.0.2.7:22");
    char out[8] = "zzzzzzz";

    addr_print(&a, out, 5);
    ck_assert_mem_eq(out, "192.\0zz", 8);
    addr_print(&a, out, 0);
    ck_assert_mem_eq(out, "192.\0zz", 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("addr");
    TCase *tcase = tcase_create("addr");

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, every_form_is_read, 0, (int)COUNT_OF(specs));
    tcase_add_loop_test(tcase, what_is_no_address_is_refused, 0, (int)COUNT_OF(wrong));
    tcase_add_test(tcase, of_each_use_only_what_it_allows_is_told);
    tcase_add_test(tcase, the_longest_unix_names_fit);
    tcase_add_test(tcase, an_abstract_name_has_no_nul_at_its_end);
    tcase_add_test(tcase, the_kernel_s_form_keeps_the_address);
    tcase_add_test(tcase, the_kernel_s_form_is_in_network_order);
    tcase_add_test(tcase, an_ipv4_client_of_a_dual_stack_socket_is_one);
    tcase_add_test(tcase, unknown_families_and_unnamed_peers_are_told_apart);
    tcase_add_test(tcase, equal_is_the_same_in_every_part);
    tcase_add_test(tcase, printing_cuts_and_never_overruns);
    return suite_run(suite);
}
