/* books.c - see world.h: what has come to whom, and what must not come again. */
#include "world.h"

#include "core/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t id_text(uint32_t id, char out[64])
{
    size_t len = (size_t)snprintf(out, 64, "%u", id);
    for (uint32_t i = id * 2654435761u >> 27; i > 0; i--)
        out[len++] = 'x';
    out[len] = '\0';
    return len;
}

uint32_t id_of(const char *text, size_t len)
{
    char expected[64], digits[16] = "";
    memcpy(digits, text, len < 15 ? len : 15);
    unsigned long id = strtoul(digits, NULL, 10);
    if (id == 0 || id >= IDS_MAX || id_text((uint32_t)id, expected) != len ||
        memcmp(expected, text, len) != 0)
        return 0;
    return (uint32_t)id;
}

/* Who sees a record first enters it; later ones must see the same. */
static int enter(struct world *w, struct book *book, uint32_t p, uint64_t offset, uint32_t id)
{
    if (offset >= IDS_MAX || p >= w->parts)
        return bad(w, "a record of partition %u at offset %llu", p, (unsigned long long)offset);
    uint32_t *there = &book->id[p][offset];
    if (*there && *there != id)
        return bad(w, "%s: offset %llu of partition %u is %u to one and %u to another",
                   mr_topic_name(book->topic), (unsigned long long)offset, p, *there, id);
    if (*there)
        return 0;
    *there = id;
    if (book->seen[id]++)
        return bad(w, "%s: record %u is there twice, now at offset %llu of partition %u",
                   mr_topic_name(book->topic), id, (unsigned long long)offset, p);
    return 0;
}

int came(struct world *w, struct member *m, uint32_t p, uint64_t offset, const char *value,
         size_t len)
{
    uint32_t id = id_of(value, len);
    if (!id)
        return bad(w, "group %s: offset %llu: \"%.*s\" is no record of ours", m->group,
                   (unsigned long long)offset, (int)(len < 80 ? len : 80), value);
    if (enter(w, m->book, p, offset, id) < 0)
        return -1;
    if (m->state[p][offset] & ACKED)
        return bad(
            w,
            "group %s: record %u (partition %u, offset %llu) came again after it was acknowledged",
            m->group, id, p, (unsigned long long)offset);
    m->state[p][offset] |= TAKEN;
    if (m->keeps && offset != m->book->read[p]++)
        return bad(w, "group %s: offset %llu of partition %u instead of %llu", m->group,
                   (unsigned long long)offset, p, (unsigned long long)m->book->read[p] - 1);
    return 0;
}

void look_at(struct world *w, const struct member *m, struct snapshot *out)
{
    struct mr_topic *topic = m->book->topic;
    struct mr_group_info group = {0};
    struct mr_member_info member = {0};
    uint32_t g = 0;
    int found;
    memset(out, 0, sizeof *out);
    while ((found = mr_group_info(topic, g, &group)) >= 0 &&
           !(found && strcmp(group.name, m->group) == 0))
        g++;
    /* In the middle of a change the words contradict each other; then only later looks know. */
    if (found < 0 || atomic_load(&topic->groups[g].lock.redo.armed) ||
        atomic_load(&topic->shm->lock.redo.armed))
        return;
    for (uint32_t p = 0; p < w->parts; p++) {
        struct mr_group_partition_info part = {0};
        if (mr_group_partition_info(topic, g, p, &part) != 1)
            return;
        out->next[p] = part.next_offset;
    }
    for (uint32_t i = 0; mr_member_info(topic, i, &member) >= 0; i++) {
        if (mr_member_info(topic, i, &member) != 1 || member.group_idx != g ||
            member.first_offset >= member.end_offset)
            continue;
        out->claims[out->claim_cnt++] = (struct claim){.part = member.partition,
                                                       .first = member.first_offset,
                                                       .end = member.end_offset,
                                                       .pid = member.pid};
    }
    out->known = 1;
}

static int claimed(const struct snapshot *s, uint32_t p, uint64_t offset)
{
    for (size_t i = 0; i < s->claim_cnt; i++)
        if (s->claims[i].part == p && offset >= s->claims[i].first && offset < s->claims[i].end)
            return 1;
    return 0;
}

int believe(struct world *w, struct member *m, const struct snapshot *s)
{
    for (uint32_t p = 0; s->known && p < w->parts; p++)
        for (uint64_t offset = m->floor[p]; offset < s->next[p]; offset++) {
            uint8_t *state = &m->state[p][offset];
            if (claimed(s, p, offset)) {
                if (*state & ACKED)
                    return bad(w,
                               "group %s: offset %llu of partition %u is claimed again after it "
                               "was acknowledged",
                               m->group, (unsigned long long)offset, p);
                continue;
            }
            if (!m->into && !(*state & TAKEN))
                return bad(
                    w, "group %s: offset %llu of partition %u is acknowledged, but never came out",
                    m->group, (unsigned long long)offset, p);
            *state |= ACKED;
        }
    return 0;
}

int trust(struct world *w, struct member *m)
{
    struct snapshot s;
    look_at(w, m, &s);
    if (!s.known)
        return bad(w, "group %s cannot be looked at", m->group);
    for (uint32_t p = 0; p < w->parts; p++)
        for (uint64_t offset = m->floor[p]; offset < s.next[p]; offset++)
            if (!claimed(&s, p, offset))
                m->state[p][offset] |= TAKEN;
    return believe(w, m, &s);
}

/* ---- survivors ---- */

int feed(struct world *w, uint32_t n)
{
    struct mr_message msgs[32];
    char texts[32][64];
    uint32_t done = 0;
    while (done < n) {
        uint32_t cnt = n - done < 32 ? n - done : 32;
        int32_t part = (int32_t)dice(w, w->parts);
        if (w->ids + cnt >= IDS_MAX)
            return bad(w, "too many records for one world");
        for (uint32_t i = 0; i < cnt; i++)
            msgs[i] = (struct mr_message){.value = texts[i],
                                          .value_len = (uint32_t)id_text(w->ids + 1 + i, texts[i]),
                                          .partition = MR_PARTITION(part)};
        ssize_t sent = mr_producer_append(w->feeder, msgs, cnt, 0);
        if (sent == -EAGAIN || sent == -ETIMEDOUT)
            break;
        if (sent < 0)
            return bad(w, "a survivor cannot append: %s", strerror((int)-sent));
        for (ssize_t i = 0; i < sent; i++)
            if (enter(w, &w->t, (uint32_t)part, msgs[i].offset, ++w->ids) < 0)
                return -1;
        done += (uint32_t)sent;
        if (sent < (ssize_t)cnt)
            break;
    }
    return (int)done;
}

/* One record on into the other topic, as one step with its acknowledgement. Returns 1; 0 no room.
 */
static int pass_on(struct world *w, struct member *m, const struct mr_record *r)
{
    struct mr_message msg = {
        .value = r->value, .value_len = r->value_len, .partition = MR_PARTITION(dice(w, w->parts))};
    int error = mr_consumer_ack_with(m->consumer, m->into, &msg, 1, 0);
    if (error == -EAGAIN || error == -ETIMEDOUT) {
        error = mr_consumer_rewind(m->consumer);
        return error ? bad(w, "group %s: rewind: %s", m->group, strerror(-error)) : 0;
    }
    return error ? bad(w, "group %s: into the other topic: %s", m->group, strerror(-error)) : 1;
}

static int take(struct world *w, struct member *m, int64_t timeout_ns)
{
    struct mr_record r;
    int taken = 0, got;
    ssize_t n = mr_consumer_claim(m->consumer, 0, timeout_ns);
    if (n == -ETIMEDOUT)
        return 0;
    if (n < 0)
        return bad(w, "group %s: a survivor cannot claim: %s", m->group, strerror((int)-n));
    uint64_t first = MR_OFFSET_NONE;
    uint32_t part = 0;
    while ((got = mr_consumer_next(m->consumer, &r)) > 0) {
        char value[64];
        uint32_t len = r.value_len < sizeof value ? r.value_len : (uint32_t)sizeof value;
        memcpy(value, r.value, len); /* acknowledged, it may be overwritten */
        int passed = m->into ? pass_on(w, m, &r) : 0;
        if (passed < 0)
            return -1;
        if (m->into && !passed)
            return taken; /* the other topic is full */
        if (came(w, m, r.partition, r.offset, value, len) < 0)
            return -1;
        if (m->into)
            m->state[r.partition][r.offset] |= ACKED;
        if (first == MR_OFFSET_NONE)
            first = r.offset;
        part = r.partition;
        taken++;
    }
    if (got < 0)
        return bad(w, "group %s: next: %s", m->group, strerror(-got));
    int error = m->into || !taken ? 0 : mr_consumer_ack(m->consumer);
    if (error)
        return bad(w, "group %s: a survivor cannot acknowledge: %s", m->group, strerror(-error));
    for (int i = 0; i < taken; i++)
        m->state[part][first + (uint64_t)i] |= ACKED;
    return taken;
}

int take_one(struct world *w, int member)
{
    return take(w, &w->members[member], 0);
}

int take_all(struct world *w, int64_t timeout_ns)
{
    int all = 0;
    for (int i = 0; i < MEMBERS; i++) {
        struct member *m = &w->members[i];
        for (int n = 1; m->consumer && n > 0; all += n)
            if ((n = take(w, m, timeout_ns)) < 0)
                return -1;
    }
    return all;
}
