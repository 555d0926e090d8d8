/* SPDX-License-Identifier: BSD-2-Clause */
/* What can't have been live in a process is refused, whatever its checksum says. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "daemon/snapshot_check.h"
#include "snapshot_promises.h"
#include "snapshot_sample.h"
#include "suite.h"

static struct sample sample; /* each test has its own: it runs in a process of its own */

static void setup(void)
{
    sample_sessions(&sample);
}

/* With this change to a sample of all, it is refused so. */
#define REFUSED(text, change)                                                                      \
    do {                                                                                           \
        size_t size_;                                                                              \
        uint8_t *bytes_;                                                                           \
                                                                                                   \
        sample_sessions(&sample);                                                                  \
        change;                                                                                    \
        ck_assert_pstr_eq(snapshot_check(&sample.snapshot), text);                                 \
        bytes_ = written(&sample.snapshot, &size_);                                                \
        ck_assert_pstr_eq(wrong_with(bytes_, size_), text);                                        \
        free(bytes_);                                                                              \
    } while (0)

#define NO_RULE     "a session's rule is not there"
#define NO_LISTENER "a session's listener is not there"
#define NO_CONF     "a session's config is not there"
#define TWINS       "one socket is named twice"

START_TEST(indexes_are_in_range)
{
    REFUSED("the config at work is not there", sample.snapshot.current = 3);
    REFUSED("the config at work is not there", sample.snapshot.conf_count = 0);
    REFUSED("a rule's config is not there", sample.rules[2].conf = 3);
    REFUSED("a listener's rule is not there", sample.listeners[2].rule = 4);
    REFUSED(NO_RULE, sample.sessions[6].rule = 4);
    REFUSED(NO_LISTENER, sample.sessions[6].listener = 4);
    REFUSED(NO_CONF, sample.sessions[6].conf = 3);
    REFUSED(NO_CONF, sample.sessions[6].conf = SNAP_NONE);
    REFUSED("a session's next address is not there", sample.sessions[1].dial.next = 4);
    REFUSED(NULL, sample.sessions[1].dial.next = 3);
}
END_TEST

START_TEST(names_ids_and_sockets_are_unique)
{
    REFUSED("two rules have one name", sample.rules[2].name = "ssh");
    REFUSED("a rule has no name", sample.rules[2].name = "");
    REFUSED("a rule's state is unknown", sample.rules[2].state = SNAP_DRAINING + 1);
    REFUSED("a rule is drained too late", sample.rules[3].drain_ms = SNAP_MS_MAX + 1);
    REFUSED("two sessions have one id", sample.sessions[0].id = 54);
    REFUSED("a session's id is yet to be given", sample.sessions[0].id = 58);
    REFUSED(TWINS, sample.listeners[0].fd.cookie = 4003);
    REFUSED(TWINS, sample.sessions[0].fd[CLIENT].cookie = 4003);
    REFUSED(TWINS, sample.sessions[0].fd[CLIENT].cookie = sample.sessions[6].fd[UPSTREAM].cookie);
    REFUSED(TWINS, sample.sessions[6].fd[CLIENT].cookie = sample.sessions[6].fd[UPSTREAM].cookie);
}
END_TEST

START_TEST(sockets_are_there)
{
    const struct snap_fd none = {0, -1};

    REFUSED("a listener has no socket", sample.listeners[1].fd = none);
    REFUSED("a session's client has no socket", sample.sessions[0].fd[CLIENT] = none);
    REFUSED("a session's client has no socket", sample.sessions[2].fd[CLIENT].number = -1);
    REFUSED("a session's upstream has no socket", sample.sessions[2].fd[UPSTREAM] = none);
    REFUSED(NULL, sample.sessions[1].fd[UPSTREAM] = none);
    REFUSED("a session's upstream has half a socket", sample.sessions[1].fd[UPSTREAM].cookie = 0);
    REFUSED("a session's upstream has half a socket", sample.sessions[1].fd[UPSTREAM].number = -1);
}
END_TEST

START_TEST(times_can_be_reckoned_with)
{
    REFUSED("it was taken at no time", sample.snapshot.taken_ms = SNAP_MS_MAX + 1);
    REFUSED("a session is older than time", sample.sessions[0].age_ms = SNAP_MS_MAX + 1);
    REFUSED("a session is older than time", sample.sessions[0].quiet_ms = UINT64_MAX);
    REFUSED("a session is drained too late", sample.sessions[0].drain_ms = UINT64_MAX - 1);
    REFUSED("a session's attempt has no end", sample.sessions[0].dial.attempt_ms = UINT64_MAX);
    REFUSED(NULL, sample.sessions[0].age_ms = SNAP_MS_MAX);
}
END_TEST

START_TEST(addresses_are_bounded)
{
    struct addr *many = calloc(SNAP_ADDRS_MAX + 1, sizeof(*many));
    char path[109];

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[107] = '\0';
    REFUSED(NULL, sample.sessions[6].client.un.path = path);
    path[107] = 'x';
    path[108] = '\0';
    REFUSED("a UNIX path is too long", sample.sessions[6].client.un.path = path);
    REFUSED("a UNIX path is too long", sample.sessions[6].upstream.un.path = path);
    REFUSED("a UNIX path is too long", sample.addrs[0] = sample_unix(path, 0, 0));
    sample.addrs[0].family = AF_NETLINK;
    ck_assert_pstr_eq(snapshot_check(&sample.snapshot), "an address is of an unknown family");

    REFUSED("a session's upstream has too many addresses", {
        sample.sessions[0].dial.addrs = many;
        sample.sessions[0].dial.addr_count = SNAP_ADDRS_MAX + 1;
    });
    REFUSED(NULL, {
        sample.sessions[0].dial.addrs = many;
        sample.sessions[0].dial.addr_count = SNAP_ADDRS_MAX;
    });
    free(many);
}
END_TEST

/* Mark all states that can be reached from this one. */
static void reach(bool seen[DIR_STATES][DIR_STATES][PHASE_STATES], struct half h)
{
    bool *here = &seen[h.dir[CLIENT]][h.dir[UPSTREAM]][h.phase];

    if (*here)
        return;
    *here = true;
    for (int event = 0; event < HALF_EVENTS; event++) {
        struct half next = h;

        if (half_step(&next, (enum half_event)event) != ACT_INVALID)
            reach(seen, next);
    }
}

/* Every state, those out of range too: accepted is what half.c can be in while a session lives. */
START_TEST(half_states_are_those_that_can_be)
{
    bool seen[DIR_STATES][DIR_STATES][PHASE_STATES] = {0};
    size_t accepted = 0;

    reach(seen, (struct half){0});
    for (uint8_t client = 0; client <= DIR_STATES; client++) {
        for (uint8_t upstream = 0; upstream <= DIR_STATES; upstream++) {
            for (uint8_t phase = 0; phase <= PHASE_STATES; phase++) {
                bool valid = client < DIR_STATES && upstream < DIR_STATES && phase < PHASE_CLOSED &&
                             seen[client][upstream][phase];

                sample.sessions[3].half = (struct half){{client, upstream}, phase};
                ck_assert_int_eq(snapshot_check(&sample.snapshot) == NULL, valid);
                accepted += valid;
            }
        }
    }
    ck_assert_uint_eq(accepted, 26); /* all of 3 * 3 * 3 but shut/shut while relaying */
    REFUSED("a session's stage is unknown", sample.sessions[0].stage = SNAP_RELAY + 1);
    REFUSED("a session has ended already", sample.sessions[2].half.phase = PHASE_CLOSED);
    REFUSED("a session has ended already", sample.sessions[2].half.phase = PHASE_RESET);
    REFUSED("a session's half-close state is unknown", sample.sessions[2].half.phase = 0xff);
    REFUSED("a session's half-close state is unknown", sample.sessions[2].half.dir[1] = 0xff);
}
END_TEST

START_TEST(bytes_are_kept_where_they_can_go)
{
    const char *no_taker = "a session keeps what nobody will take";
    uint8_t *much = calloc(1, BUF_MAX + 1);

    REFUSED(no_taker, sample.sessions[2].half.dir[CLIENT] = DIR_SHUT);
    REFUSED(no_taker, sample.sessions[2].half.dir[UPSTREAM] = DIR_SHUT);
    REFUSED(no_taker, sample.sessions[2].half.phase = PHASE_FLUSHING_CLIENT);
    REFUSED(no_taker, sample.sessions[2].half.phase = PHASE_FLUSHING_UPSTREAM);
    REFUSED("a session keeps too much", {
        sample.sessions[2].flow[CLIENT].kept = much;
        sample.sessions[2].flow[CLIENT].kept_size = BUF_MAX + 1;
    });
    REFUSED(NULL, {
        sample.sessions[2].flow[CLIENT].kept = much;
        sample.sessions[2].flow[CLIENT].kept_size = BUF_MAX;
    });
    free(much);
}
END_TEST

START_TEST(datagrams_have_a_client_that_can_be_answered)
{
    const char *none = "a client of datagrams has no address";
    const char *no_datagram = "a session keeps what is no datagram";

    REFUSED("a session of datagrams has its client's socket",
            sample.sessions[8].fd[CLIENT] = ((struct snap_fd){9001, 20}));
    REFUSED("a session of datagrams has its client's socket",
            sample.sessions[8].fd[CLIENT].number = 20);
    REFUSED("a session's upstream has no socket",
            sample.sessions[8].fd[UPSTREAM] = ((struct snap_fd){0, -1}));
    REFUSED("a session's client has no socket", sample.sessions[8].is_datagrams = false);
    REFUSED(TWINS, sample.sessions[8].fd[UPSTREAM].cookie = 4004);
    REFUSED(none, sample.sessions[8].client = sample_unix("/tmp/x", 0, 0));
    REFUSED(none, sample.sessions[8].client = ((struct addr){0}));
    REFUSED("a client of datagrams has sent to no address",
            sample.sessions[8].udp.local = sample_unix("/tmp/x", 0, 0));
    REFUSED(NULL, sample.sessions[8].udp.local = ((struct addr){0}));
    REFUSED("a session keeps datagrams that can go", {
        sample.sessions[8].udp.kept = sample.dgrams;
        sample.sessions[8].udp.kept_count = 1;
    });
    REFUSED(no_datagram, sample.dgrams[0].segment = 65);
    REFUSED(NULL, sample.dgrams[0].segment = 64);
    REFUSED(no_datagram, sample.dgrams[2].segment = 1);
}
END_TEST

START_TEST(datagrams_are_not_too_large)
{
    uint8_t *much = calloc(1, SNAP_DGRAM_MOST + 1);

    REFUSED("a session keeps what is no datagram",
            sample.dgrams[2] = ((struct snap_dgram){much, SNAP_DGRAM_MOST + 1, 0}));
    REFUSED(NULL, sample.dgrams[2] = ((struct snap_dgram){much, SNAP_DGRAM_MOST, 0}));
    free(much);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot_check");
    TCase *tcase = tcase_create("snapshot_check");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, indexes_are_in_range);
    tcase_add_test(tcase, names_ids_and_sockets_are_unique);
    tcase_add_test(tcase, sockets_are_there);
    tcase_add_test(tcase, times_can_be_reckoned_with);
    tcase_add_test(tcase, addresses_are_bounded);
    tcase_add_test(tcase, half_states_are_those_that_can_be);
    tcase_add_test(tcase, bytes_are_kept_where_they_can_go);
    tcase_add_test(tcase, datagrams_have_a_client_that_can_be_answered);
    tcase_add_test(tcase, datagrams_are_not_too_large);
    return suite_run(suite);
}
