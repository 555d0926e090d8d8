/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records to bytes and back. Each record is described once, by a function that writes it or reads
 * it, so that the two can't disagree. A new field is one line there behind the question for the
 * version that it came with, and a new SNAPSHOT_VERSION.
 */
#include "config.h"

#include "daemon/snapshot.h"

#include <errno.h>
#include <string.h>

#include "base/crc32.h"
#include "base/pack.h"
#include "daemon/snapshot_check.h"

/* The header, see snapshot.h. */
static const uint8_t magic[8] = {'P', 'E', 'N', 'S', 'T', 'O', 'C', 'K'};
#define AT_LENGTH   12
#define AT_CHECKSUM 20
#define HEADER_SIZE 24

/* What each record takes at the least, in bytes: with empty texts and no parts, in the oldest
 * version. */
#define CONF_LEAST     8
#define ENDED_LEAST    12
#define BUCKET_LEAST   16
#define RULE_LEAST     29
#define LISTENER_LEAST 37
#define ADDR_LEAST     1
#define SESSION_LEAST  110 /* of the stages the shorter one */
#define DGRAM_LEAST    8

/* How struct addr says its family, whatever the system's numbers are. */
enum addr_code { ADDR_CODE_NONE, ADDR_CODE_UNIX, ADDR_CODE_V4, ADDR_CODE_V6 };

/* Where to: `out` when writing, else from `in`, with memory of the arena. */
struct coder {
    uint32_t version;
    struct packer *out;
    struct unpacker in;
    struct arena *arena;
};

/* --- values -------------------------------------------------------------------------------------
 */

static void malformed(struct coder *c)
{
    if (c->in.error == 0)
        c->in.error = -EBADMSG;
}

static void code_u8(struct coder *c, uint8_t *value)
{
    if (c->out)
        pack_u8(c->out, *value);
    else
        *value = unpack_u8(&c->in);
}

static void code_u16(struct coder *c, uint16_t *value)
{
    if (c->out)
        pack_u16(c->out, *value);
    else
        *value = unpack_u16(&c->in);
}

static void code_u32(struct coder *c, uint32_t *value)
{
    if (c->out)
        pack_u32(c->out, *value);
    else
        *value = unpack_u32(&c->in);
}

static void code_u64(struct coder *c, uint64_t *value)
{
    if (c->out)
        pack_u64(c->out, *value);
    else
        *value = unpack_u64(&c->in);
}

static void code_i32(struct coder *c, int32_t *value)
{
    if (c->out)
        pack_i32(c->out, *value);
    else
        *value = unpack_i32(&c->in);
}

static void code_bool(struct coder *c, bool *value)
{
    uint8_t byte = *value;

    code_u8(c, &byte);
    if (byte > 1)
        malformed(c);
    if (!c->out)
        *value = byte == 1;
}

static void code_raw(struct coder *c, void *bytes, size_t size)
{
    if (c->out)
        pack_raw(c->out, bytes, size);
    else
        unpack_raw(&c->in, bytes, size);
}

static void code_block(struct coder *c, const uint8_t **bytes, uint32_t *size)
{
    if (c->out)
        pack_block(c->out, *bytes, *size);
    else
        *bytes = unpack_block(&c->in, size, c->arena);
}

static void code_text(struct coder *c, const char **text)
{
    if (c->out)
        pack_text(c->out, *text);
    else
        *text = unpack_text(&c->in, c->arena);
}

/* The count of an array whose records take `least` bytes each. Returns the array: when reading, a
 * new one of `count` zeroed things of `size`, or NULL for none. */
static void *code_array(struct coder *c, void *array, uint32_t *count, size_t least, size_t size)
{
    if (c->out) {
        pack_u32(c->out, *count);
        return array;
    }
    *count = unpack_count(&c->in, least);
    if (*count == 0)
        return NULL;
    array = arena_array(c->arena, *count, size);
    if (array == NULL) {
        c->in.error = -ENOMEM;
        *count = 0;
    }
    return array;
}

/* --- records ------------------------------------------------------------------------------------
 */

static void code_unix(struct coder *c, struct addr *a)
{
    const char *path = a->un.path != NULL ? a->un.path : "";

    code_text(c, &path); /* empty: an unnamed peer */
    if (!c->out)
        a->un.path = path[0] != '\0' ? path : NULL;
    code_u32(c, &a->un.peer_pid);
    code_u32(c, &a->un.peer_uid);
}

static const sa_family_t families[] = {
    [ADDR_CODE_NONE] = AF_UNSPEC,
    [ADDR_CODE_UNIX] = AF_UNIX,
    [ADDR_CODE_V4] = AF_INET,
    [ADDR_CODE_V6] = AF_INET6,
};
#define ADDR_CODES (sizeof(families) / sizeof(families[0]))

static void code_family(struct coder *c, sa_family_t *family)
{
    uint8_t code = 0;

    while (c->out && code < ADDR_CODES && families[code] != *family)
        code++;
    code_u8(c, &code);
    if (code >= ADDR_CODES)
        malformed(c);
    else if (!c->out)
        *family = families[code];
}

static void code_addr(struct coder *c, struct addr *a)
{
    code_family(c, &a->family);
    switch (a->family) {
    case AF_UNIX:
        code_unix(c, a);
        break;
    case AF_INET:
        code_raw(c, &a->v4, sizeof(a->v4));
        code_u16(c, &a->port);
        break;
    case AF_INET6:
        code_raw(c, &a->v6, sizeof(a->v6));
        code_u16(c, &a->port);
        code_u32(c, &a->scope);
        break;
    default:
        break;
    }
}

static void code_fd(struct coder *c, struct snap_fd *fd)
{
    code_u64(c, &fd->cookie);
    code_i32(c, &fd->number);
}

static void code_conf(struct coder *c, struct snap_conf *conf)
{
    code_text(c, &conf->path);
    code_text(c, &conf->text);
    if (!c->out)
        conf->length = strlen(conf->text);
}

static void code_ended(struct coder *c, struct snap_ended *ended)
{
    code_text(c, &ended->word);
    code_u64(c, &ended->count);
}

static void code_ends(struct coder *c, struct snap_ended **ends, uint32_t *count)
{
    *ends = code_array(c, *ends, count, ENDED_LEAST, sizeof(**ends));
    for (uint32_t i = 0; i < *count; i++)
        code_ended(c, &(*ends)[i]);
}

static void code_histogram(struct coder *c, struct snap_histogram *h)
{
    h->buckets = code_array(c, h->buckets, &h->bucket_count, BUCKET_LEAST, sizeof(*h->buckets));
    for (uint32_t i = 0; i < h->bucket_count; i++) {
        code_u64(c, &h->buckets[i].most_ms);
        code_u64(c, &h->buckets[i].count);
    }
    code_u64(c, &h->sum_ms);
}

static void code_rule(struct coder *c, struct snap_rule *rule)
{
    code_text(c, &rule->name);
    code_u32(c, &rule->conf);
    code_bool(c, &rule->running);
    code_u64(c, &rule->bytes_in);
    code_u64(c, &rule->bytes_out);
    if (c->version >= 2) {
        code_u64(c, &rule->datagrams_in);
        code_u64(c, &rule->datagrams_out);
        code_u64(c, &rule->dropped);
    }
    code_ends(c, &rule->ended, &rule->ended_count);
    if (c->version >= 3) {
        code_ends(c, &rule->refused, &rule->refused_count);
        code_u8(c, &rule->state);
        code_u64(c, &rule->drain_ms);
        code_histogram(c, &rule->connect);
        code_histogram(c, &rule->lasted);
    }
}

static void code_listener(struct coder *c, struct snap_listener *listener)
{
    code_fd(c, &listener->fd);
    code_u32(c, &listener->rule);
    code_text(c, &listener->text);
    code_bool(c, &listener->owns_file);
    code_u64(c, &listener->file_dev);
    code_u64(c, &listener->file_ino);
}

static void code_dial(struct coder *c, struct snap_dial *dial)
{
    dial->addrs = code_array(c, dial->addrs, &dial->addr_count, ADDR_LEAST, sizeof(*dial->addrs));
    for (uint32_t i = 0; i < dial->addr_count; i++)
        code_addr(c, &dial->addrs[i]);
    code_u32(c, &dial->next);
    code_u64(c, &dial->attempt_ms);
    code_text(c, &dial->last_end);
    code_i32(c, &dial->error);
}

static void code_flow(struct coder *c, struct snap_flow *flow)
{
    code_u64(c, &flow->bytes);
    code_bool(c, &flow->splicing);
    code_block(c, &flow->kept, &flow->kept_size);
}

static void code_relay(struct coder *c, struct snap_session *s)
{
    code_u8(c, &s->half.dir[CLIENT]);
    code_u8(c, &s->half.dir[UPSTREAM]);
    code_u8(c, &s->half.phase);
    code_text(c, &s->half_end);
    code_flow(c, &s->flow[CLIENT]);
    code_flow(c, &s->flow[UPSTREAM]);
}

static void code_dgram(struct coder *c, struct snap_dgram *d)
{
    code_block(c, &d->bytes, &d->size);
    code_u32(c, &d->segment);
}

static void code_udp(struct coder *c, struct snap_session *s)
{
    struct snap_udp *udp = &s->udp;

    code_addr(c, &udp->local);
    code_u32(c, &udp->interface);
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        code_u64(c, &s->flow[side].bytes);
        code_u64(c, &udp->datagrams[side]);
        code_u64(c, &udp->dropped[side]);
    }
    code_bool(c, &udp->answered);
    code_bool(c, &udp->refused);
    udp->kept = code_array(c, udp->kept, &udp->kept_count, DGRAM_LEAST, sizeof(*udp->kept));
    for (uint32_t i = 0; i < udp->kept_count; i++)
        code_dgram(c, &udp->kept[i]);
}

static void code_session(struct coder *c, struct snap_session *s)
{
    code_u64(c, &s->id);
    code_u32(c, &s->rule);
    code_u32(c, &s->listener);
    code_u32(c, &s->conf);
    code_text(c, &s->listen);
    code_fd(c, &s->fd[CLIENT]);
    code_fd(c, &s->fd[UPSTREAM]);
    code_addr(c, &s->client);
    code_addr(c, &s->upstream);
    code_u64(c, &s->age_ms);
    code_u64(c, &s->quiet_ms);
    code_u64(c, &s->drain_ms);
    code_u32(c, &s->connect_ms);
    code_i32(c, &s->error);
    code_bool(c, &s->reset[CLIENT]);
    code_bool(c, &s->reset[UPSTREAM]);
    code_bool(c, &s->keepalive);
    code_u8(c, &s->stage);
    if (!c->out) {
        s->half_end = "";
        s->dial.last_end = "";
    }
    if (c->version >= 2)
        code_bool(c, &s->is_datagrams);
    if (s->is_datagrams)
        code_udp(c, s);
    else if (s->stage == SNAP_RELAY)
        code_relay(c, s);
    if (s->stage == SNAP_DIAL)
        code_dial(c, &s->dial);
}

static void code_all(struct coder *c, struct snapshot *s)
{
    code_text(c, &s->program);
    code_u64(c, &s->taken_ms);
    code_u64(c, &s->next_id);
    code_u64(c, &s->served);
    code_u64(c, &s->refused);
    code_u32(c, &s->current);
    s->confs = code_array(c, s->confs, &s->conf_count, CONF_LEAST, sizeof(*s->confs));
    for (uint32_t i = 0; i < s->conf_count; i++)
        code_conf(c, &s->confs[i]);
    s->rules = code_array(c, s->rules, &s->rule_count, RULE_LEAST, sizeof(*s->rules));
    for (uint32_t i = 0; i < s->rule_count; i++)
        code_rule(c, &s->rules[i]);
    s->listeners =
        code_array(c, s->listeners, &s->listener_count, LISTENER_LEAST, sizeof(*s->listeners));
    for (uint32_t i = 0; i < s->listener_count; i++)
        code_listener(c, &s->listeners[i]);
    s->sessions =
        code_array(c, s->sessions, &s->session_count, SESSION_LEAST, sizeof(*s->sessions));
    for (uint32_t i = 0; i < s->session_count; i++)
        code_session(c, &s->sessions[i]);
}

/* --- the block ----------------------------------------------------------------------------------
 */

int snapshot_write(const struct snapshot *s, uint8_t **bytes, size_t *size)
{
    struct packer out = {.most = SNAPSHOT_SIZE_MOST}; /* more could not be read */
    struct coder c = {.version = SNAPSHOT_VERSION, .out = &out};
    struct snapshot records = *s; /* a coder that writes changes nothing but what it is handed */

    pack_raw(&out, magic, sizeof(magic));
    pack_u32(&out, SNAPSHOT_VERSION);
    pack_u64(&out, 0);
    pack_u32(&out, 0);
    code_all(&c, &records);
    if (out.error == 0) {
        pack_u64_at(&out, AT_LENGTH, out.size);
        pack_u32_at(&out, AT_CHECKSUM, crc32_of(out.bytes + HEADER_SIZE, out.size - HEADER_SIZE));
        *bytes = out.bytes;
        *size = out.size;
        return 0;
    }
    int error = out.error;
    pack_free(&out);
    return error;
}

/* Leaves `in` behind the header. Returns what is wrong, or NULL. */
static const char *read_header(struct unpacker *in, size_t size, uint32_t *version)
{
    uint8_t start[sizeof(magic)];
    uint32_t checksum;
    uint64_t length;

    unpack_raw(in, start, sizeof(start));
    *version = unpack_u32(in);
    if (in->error != 0 || memcmp(start, magic, sizeof(magic)) != 0)
        return "it is no snapshot of penstock";
    if (*version > SNAPSHOT_VERSION) /* what follows may be anything */
        return "its format is newer than this program reads";
    if (*version < SNAPSHOT_OLDEST)
        return "its format is older than this program reads";
    length = unpack_u64(in);
    checksum = unpack_u32(in);
    if (in->error != 0 || length != size)
        return "its length is not what it says";
    if (crc32_of(in->at, in->left) != checksum)
        return "its checksum is wrong";
    return NULL;
}

const char *snapshot_read(struct snapshot *s, const void *bytes, size_t size, struct arena *arena)
{
    struct coder c = {.in = {.at = bytes, .left = size}, .arena = arena};
    const char *wrong = read_header(&c.in, size, &c.version);

    *s = (struct snapshot){.program = ""};
    if (wrong != NULL)
        return wrong;
    code_all(&c, s);
    if (c.in.error == -ENOMEM)
        return "there is no memory to read it";
    if (c.in.error != 0)
        return "a record is malformed";
    if (c.in.left != 0)
        return "there are bytes after its last record";
    return snapshot_check(s);
}
