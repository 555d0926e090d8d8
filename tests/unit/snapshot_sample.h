/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot with something in every field, of which the kept samples are made, and a bare one. */
#ifndef PENSTOCK_TESTS_SNAPSHOT_SAMPLE_H
#define PENSTOCK_TESTS_SNAPSHOT_SAMPLE_H

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "daemon/snapshot.h"
#include "snapshot_promises.h"

#define SAMPLE_CONF_OLD                                                                            \
    "rules =\n{\n"                                                                                 \
    "  ssh = { listen = \"127.0.0.1:2222\"; upstream = \"127.0.0.1:22\"; };\n"                     \
    "  gone = { listen = \"unix:/run/gone.sock\"; upstream = \"unix:@behind\"; };\n"               \
    "};\n"
#define SAMPLE_CONF_NEW                                                                            \
    "rules =\n{\n"                                                                                 \
    "  ssh = { listen = \"127.0.0.1:2222\"; upstream = \"127.0.0.2:22\"; };\n"                     \
    "  web = { listen = [ \"[::1]:8080\", \"unix:/run/web.sock\" ]; upstream = \"localhost:80\"; " \
    "};\n"                                                                                         \
    "};\n"
#define SAMPLE_CONF_UDP                                                                            \
    "rules =\n{\n"                                                                                 \
    "  dns = { listen = \"udp:127.0.0.1:5353\"; upstream = \"localhost:53\"; };\n"                 \
    "};\n"

struct sample {
    struct snapshot snapshot;
    struct snap_conf confs[3];
    struct snap_rule rules[4];
    struct snap_ended ended[2], refused[2];
    struct snap_bucket buckets[3];
    struct snap_listener listeners[4];
    struct snap_session sessions[10];
    struct snap_dgram dgrams[3];
    struct addr addrs[3];
    uint8_t kept[300];
};

static inline struct addr sample_v4(const char *text, uint16_t port)
{
    struct addr a = {.family = AF_INET, .port = port};

    inet_pton(AF_INET, text, &a.v4);
    return a;
}

static inline struct addr sample_v6(const char *text, uint16_t port, uint32_t scope)
{
    struct addr a = {.family = AF_INET6, .port = port, .scope = scope};

    inet_pton(AF_INET6, text, &a.v6);
    return a;
}

static inline struct addr sample_unix(const char *path, uint32_t pid, uint32_t uid)
{
    return (struct addr){.family = AF_UNIX, .un = {.path = path, .peer_pid = pid, .peer_uid = uid}};
}

static inline void sample_rules(struct sample *s)
{
    s->confs[0] = (struct snap_conf){"/etc/penstock/penstock.conf", SAMPLE_CONF_OLD,
                                     sizeof(SAMPLE_CONF_OLD) - 1};
    s->confs[1] = (struct snap_conf){"/etc/penstock/penstock.conf", SAMPLE_CONF_NEW,
                                     sizeof(SAMPLE_CONF_NEW) - 1};
    s->ended[0] = (struct snap_ended){"done", 40};
    s->ended[1] = (struct snap_ended){"client-reset", UINT64_C(1) << 40};
    s->rules[0] = (struct snap_rule){.name = "ssh",
                                     .conf = 1,
                                     .running = true,
                                     .bytes_in = 5210,
                                     .bytes_out = UINT64_MAX,
                                     .ended = s->ended,
                                     .ended_count = 2};
    s->rules[1] = (struct snap_rule){.name = "web", .conf = 1, .running = true, .bytes_in = 1};
    s->rules[2] = (struct snap_rule){.name = "gone", .bytes_out = 2};
    s->listeners[0] = (struct snap_listener){.fd = {4001, 5}, .rule = 0, .text = "127.0.0.1:2222"};
    s->listeners[1] = (struct snap_listener){.fd = {4002, 6}, .rule = 1, .text = "[::1]:8080"};
    s->listeners[2] = (struct snap_listener){.fd = {4003, 7},
                                             .rule = 1,
                                             .text = "unix:/run/web.sock",
                                             .owns_file = true,
                                             .file_dev = 26,
                                             .file_ino = UINT64_C(0x123456789a)};
}

/* Sessions whose upstream is not reached yet: its name is being resolved; the second of its
 * addresses is tried. */
static inline void sample_dials(struct sample *s)
{
    s->addrs[0] = sample_v6("::1", 80, 0);
    s->addrs[1] = sample_v4("127.0.0.1", 80);
    s->addrs[2] = sample_v6("fe80::1", 80, 3);
    s->sessions[0] = (struct snap_session){.id = 41,
                                           .rule = 1,
                                           .listener = 1,
                                           .conf = 1,
                                           .listen = "[::1]:8080",
                                           .stage = SNAP_DIAL,
                                           .fd = {{5001, 10}, {0, -1}},
                                           .client = sample_v6("fe80::2", 51122, 3),
                                           .age_ms = 12,
                                           .quiet_ms = 12,
                                           .drain_ms = UINT64_MAX,
                                           .half_end = "",
                                           .dial = {.attempt_ms = 4988, .last_end = ""}};
    s->sessions[1] = (struct snap_session){.id = 42,
                                           .rule = 1,
                                           .listener = 2,
                                           .conf = 1,
                                           .listen = "unix:/run/web.sock",
                                           .stage = SNAP_DIAL,
                                           .fd = {{5002, 11}, {5003, 12}},
                                           .client = sample_unix(NULL, 1234, 1000),
                                           .upstream = s->addrs[1],
                                           .age_ms = 1700,
                                           .quiet_ms = 1700,
                                           .drain_ms = 30000,
                                           .half_end = "",
                                           .error = 111,
                                           .dial = {.addrs = s->addrs,
                                                    .addr_count = 3,
                                                    .next = 2,
                                                    .attempt_ms = 1100,
                                                    .last_end = "connect-refused",
                                                    .error = 111}};
}

static inline struct snap_session sample_relay(uint64_t id, struct half half, const char *end)
{
    return (struct snap_session){.id = id,
                                 .listen = "127.0.0.1:2222",
                                 .stage = SNAP_RELAY,
                                 .fd = {{5000 + 2 * id, (int32_t)id}, {5001 + 2 * id, 9}},
                                 .client = sample_v4("192.0.2.7", (uint16_t)(50000 + id)),
                                 .upstream = sample_v4("127.0.0.1", 22),
                                 .age_ms = 86400000,
                                 .quiet_ms = 250,
                                 .drain_ms = UINT64_MAX,
                                 .connect_ms = 3,
                                 .half = half,
                                 .half_end = end,
                                 .flow = {{.bytes = 5210}, {.bytes = 88211}},
                                 .dial = {.last_end = ""}};
}

static inline void sample_relays(struct sample *s)
{
    for (size_t i = 0; i < sizeof(s->kept); i++)
        s->kept[i] = (uint8_t)(i * 7);
    s->sessions[2] = sample_relay(50, (struct half){{DIR_OPEN, DIR_OPEN}, PHASE_RELAYING}, "");
    s->sessions[2].flow[CLIENT] = (struct snap_flow){77, true, s->kept, sizeof(s->kept)};
    s->sessions[2].flow[UPSTREAM] = (struct snap_flow){UINT64_MAX, false, s->kept + 9, 1};
    s->sessions[3] = sample_relay(51, (struct half){{DIR_SHUT, DIR_OPEN}, PHASE_RELAYING}, "");
    s->sessions[3].keepalive = true;
    s->sessions[3].listener = SNAP_NONE;
    s->sessions[4] = sample_relay(52, (struct half){{DIR_OPEN, DIR_ENDED}, PHASE_RELAYING}, "");
    s->sessions[4].flow[UPSTREAM] = (struct snap_flow){9, true, s->kept + 10, 100};
    s->sessions[5] = sample_relay(53, (struct half){{DIR_OPEN, DIR_OPEN}, PHASE_FLUSHING_CLIENT},
                                  "upstream-reset");
    s->sessions[5].flow[UPSTREAM] = (struct snap_flow){5, false, s->kept + 50, 20};
    s->sessions[5].error = 104;
    s->sessions[5].reset[UPSTREAM] = true;
    s->sessions[6] = sample_relay(54, (struct half){{DIR_SHUT, DIR_ENDED}, PHASE_FLUSHING_UPSTREAM},
                                  "client-reset");
    s->sessions[6].rule = 2;
    s->sessions[6].listener = SNAP_NONE;
    s->sessions[6].listen = "unix:/run/gone.sock";
    s->sessions[6].reset[CLIENT] = true;
    s->sessions[6].client = sample_unix("/tmp/client", 0, 0);
    s->sessions[6].upstream = sample_unix("@behind", 99, 98);
}

static inline struct snap_session sample_datagrams(uint64_t id, uint8_t stage)
{
    return (struct snap_session){.id = id,
                                 .rule = 3,
                                 .listener = 3,
                                 .conf = 2,
                                 .listen = "udp:127.0.0.1:5353",
                                 .stage = stage,
                                 .is_datagrams = true,
                                 .fd = {{0, -1}, {5001 + 2 * id, 9}},
                                 .client = sample_v4("192.0.2.7", (uint16_t)(50000 + id)),
                                 .upstream = sample_v4("127.0.0.1", 53),
                                 .age_ms = 1000,
                                 .quiet_ms = 900,
                                 .drain_ms = UINT64_MAX,
                                 .half_end = "",
                                 .dial = {.last_end = ""}};
}

/* One whose upstream's name is being resolved, with datagrams kept meanwhile: one, a run, an empty
 * one; one that has been answered; one whose upstream is not there. */
static inline void sample_udp(struct sample *s)
{
    s->confs[2] = (struct snap_conf){"/etc/penstock/penstock.conf", SAMPLE_CONF_UDP,
                                     sizeof(SAMPLE_CONF_UDP) - 1};
    s->rules[3] = (struct snap_rule){.name = "dns",
                                     .conf = 2,
                                     .running = true,
                                     .bytes_in = 640,
                                     .datagrams_in = 10,
                                     .datagrams_out = UINT64_MAX,
                                     .dropped = 1};
    s->listeners[3] =
        (struct snap_listener){.fd = {4004, 8}, .rule = 3, .text = "udp:127.0.0.1:5353"};
    s->dgrams[0] = (struct snap_dgram){s->kept, 64, 0};
    s->dgrams[1] = (struct snap_dgram){s->kept + 64, 130, 50};
    s->sessions[7] = sample_datagrams(55, SNAP_DIAL);
    s->sessions[7].fd[UPSTREAM] = (struct snap_fd){0, -1};
    s->sessions[7].upstream = (struct addr){0};
    s->sessions[7].dial.attempt_ms = 4000;
    s->sessions[7].udp = (struct snap_udp){.dropped = {2, 0}, .kept = s->dgrams, .kept_count = 3};
    s->sessions[8] = sample_datagrams(56, SNAP_RELAY);
    s->sessions[8].flow[CLIENT].bytes = 1200;
    s->sessions[8].flow[UPSTREAM].bytes = UINT64_MAX;
    s->sessions[8].udp = (struct snap_udp){.local = sample_v4("127.0.0.1", 0),
                                           .interface = 1,
                                           .datagrams = {12, UINT64_C(1) << 40},
                                           .dropped = {0, 7},
                                           .answered = true};
    s->sessions[9] = sample_datagrams(57, SNAP_RELAY);
    s->sessions[9].client = sample_v6("fe80::7", 50057, 3);
    s->sessions[9].error = 111;
    s->sessions[9].udp = (struct snap_udp){
        .local = sample_v6("fe80::1", 0, 3), .interface = 3, .datagrams = {1, 0}, .refused = true};
}

/* What operators see and steer. */
static inline void sample_steered(struct sample *s)
{
    s->refused[0] = (struct snap_ended){"limit", 3};
    s->refused[1] = (struct snap_ended){"paused", UINT64_C(1) << 33};
    s->buckets[0] = (struct snap_bucket){1, 39};
    s->buckets[1] = (struct snap_bucket){300, 1};
    s->buckets[2] = (struct snap_bucket){UINT64_MAX, 2};
    s->rules[0].refused = s->refused;
    s->rules[0].refused_count = 2;
    s->rules[0].connect = (struct snap_histogram){s->buckets, 2, 250};
    s->rules[0].lasted = (struct snap_histogram){s->buckets + 1, 2, UINT64_C(1) << 40};
    s->rules[1].state = SNAP_PAUSED;
    s->rules[3].state = SNAP_DRAINING;
    s->rules[3].drain_ms = 4321;
}

/* A process with sessions of every kind, as version 2 had them. */
static inline void sample_sessions_2(struct sample *s)
{
    *s = (struct sample){0};
    sample_rules(s);
    sample_dials(s);
    sample_relays(s);
    sample_udp(s);
    s->snapshot = (struct snapshot){.program = "1.0",
                                    .taken_ms = 987654321,
                                    .next_id = 58,
                                    .served = 47,
                                    .refused = 3,
                                    .confs = s->confs,
                                    .rules = s->rules,
                                    .listeners = s->listeners,
                                    .sessions = s->sessions,
                                    .conf_count = 3,
                                    .rule_count = 4,
                                    .listener_count = 4,
                                    .session_count = 10,
                                    .current = 1};
}

static inline void sample_sessions(struct sample *s)
{
    sample_sessions_2(s);
    sample_steered(s);
}

/* What there was of it when there were no datagrams: version 1. */
static inline void sample_sessions_1(struct sample *s)
{
    sample_sessions_2(s);
    s->snapshot.next_id = 55;
    s->snapshot.conf_count = 2;
    s->snapshot.rule_count = 3;
    s->snapshot.listener_count = 3;
    s->snapshot.session_count = 7;
}

/* Nothing but a config, the least that can be. */
static inline void sample_empty(struct sample *s)
{
    *s = (struct sample){0};
    s->confs[0] = (struct snap_conf){"", "", 0};
    s->snapshot = (struct snapshot){.program = "", .confs = s->confs, .conf_count = 1};
}

static inline uint8_t *written(const struct snapshot *s, size_t *size)
{
    uint8_t *bytes = NULL;

    ck_assert_int_eq(snapshot_write(s, &bytes, size), 0);
    ck_assert_ptr_nonnull(bytes);
    return bytes;
}

/* What is wrong with these bytes, or NULL; and then every promise holds, and written again they are
 * the same if they are of this version. */
static inline const char *wrong_with(const uint8_t *bytes, size_t size)
{
    struct arena *memory = arena_new();
    struct snapshot s;
    const char *wrong = snapshot_read(&s, bytes, size, memory);

    if (wrong == NULL) {
        size_t again_size;
        uint8_t *again = written(&s, &again_size);

        ck_assert_pstr_eq(promises_of_snapshot(&s), NULL);
        if (bytes[8] == SNAPSHOT_VERSION) {
            ck_assert_uint_eq(again_size, size);
            ck_assert_mem_eq(again, bytes, size);
        }
        free(again);
    }
    arena_free(memory);
    return wrong;
}

#endif
