/* words.c - see oracle.h: what the segment's words say, read by this file's own eyes and not by the
 * library's helpers. */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NUM(x) ((unsigned long long)(x))
#ifndef MR_GROUP_OVER
#define MR_GROUP_OVER 0u
#endif

static uint64_t at(const _Atomic uint64_t *word)
{
    return atomic_load(word);
}

static struct mr_group_part_shm *part_of(const struct mr_topic *topic, uint32_t g, uint32_t p)
{
    return (struct mr_group_part_shm *)(void *)(topic->base + topic->parts_off) +
           g * topic->partition_cnt + p;
}

/* Is that client alive? By the lock on its byte of the bus's file, which the kernel holds for
 * it. */
static int alive(const struct world *w, uint64_t id)
{
    uint64_t slot = (id & 0xffff) - 1;
    if (slot >= MR_CLIENTS_MAX || at(&w->bus->shm->clients[slot].id) != id)
        return 0;
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/millrace.%ld.%s", (long)geteuid(), w->bus->name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1 + (off_t)slot, .l_len = 1};
    int held = fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return held;
}

static void name_of(const struct mr_group_shm *group, char *name)
{
    for (size_t i = 0; i < sizeof group->name / 8; i++) {
        uint64_t word = at(&group->name[i]);
        memcpy(name + 8 * i, &word, 8);
    }
    name[MR_GROUP_NAME_MAX] = '\0';
}

static int live(const struct mr_group_shm *group)
{
    return at(&group->serial) && !(at(&group->flags) & (MR_GROUP_MAKING | MR_GROUP_OVER));
}

static uint32_t members_of(const struct world *w, const struct mr_topic *topic, uint32_t g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < topic->member_cnt; i++)
        n += at(&topic->members[i].group) == g + 1 && at(&topic->members[i].owner) &&
             alive(w, at(&topic->members[i].owner));
    return n;
}

static struct place *place_named(struct shelf *shelf, const char *name)
{
    for (int i = 0; i < PLACES; i++)
        if (shelf->place[i].group[0] && strcmp(shelf->place[i].group, name) == 0)
            return &shelf->place[i];
    return NULL;
}

int words_holder(struct world *w, struct shelf *shelf, uint32_t p)
{
    const struct mr_topic *topic = shelf->topic;
    char name[MR_GROUP_NAME_MAX + 1] = "";
    uint64_t low = UINT64_MAX;
    uint32_t holder = 0;
    for (uint32_t g = 0; g < topic->group_cnt; g++)
        if (at(&topic->groups[g].serial) && at(&part_of(topic, g, p)->committed) < low) {
            low = at(&part_of(topic, g, p)->committed);
            holder = g;
        }
    if (low == UINT64_MAX)
        return world_fail(w, "I10: a producer of %s waits for ever, and there is no group",
                          topic->name);
    const struct mr_group_shm *group = &topic->groups[holder];
    name_of(group, name);
    struct place *place = place_named(shelf, name);
    if (live(group) && !(at(&group->flags) & MR_PRIVATE) && place && !place->consumer)
        return (int)(place - shelf->place);
    return world_fail(w,
                      "I10: a producer of %s waits for ever; group %s holds it, flags %llx, %u "
                      "live members, committed %llu, next %llu",
                      topic->name, name, NUM(at(&group->flags)), members_of(w, topic, holder),
                      NUM(low), NUM(at(&part_of(topic, holder, p)->next)));
}

/* Another live group of that name than g. */
static int twice(const struct mr_topic *topic, uint32_t g, const char *name)
{
    char its[MR_GROUP_NAME_MAX + 1];
    for (uint32_t i = 0; i < topic->group_cnt; i++) {
        name_of(&topic->groups[i], its);
        if (i != g && live(&topic->groups[i]) && strcmp(its, name) == 0)
            return 1;
    }
    return 0;
}

static int idle_groups(struct world *w, struct shelf *shelf)
{
    const struct mr_topic *topic = shelf->topic;
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        const struct mr_group_shm *group = &topic->groups[g];
        char name[MR_GROUP_NAME_MAX + 1];
        uint64_t flags = at(&group->flags);
        if (!at(&group->serial))
            continue;
        name_of(group, name);
        if (flags & MR_GROUP_MAKING)
            return world_fail(w, "I10: group %s of %s is in the making, and its maker is gone",
                              name, topic->name);
        if (MR_GROUP_OVER && (flags & MR_GROUP_OVER))
            continue;
        if (twice(topic, g, name))
            return world_fail(w, "there are two groups %s of %s", name, topic->name);
        if ((flags & MR_PRIVATE) && !members_of(w, topic, g))
            return world_fail(w, "I10: private group %s of %s has no live member", name,
                              topic->name);
        if (!(flags & MR_PRIVATE) && !place_named(shelf, name))
            return world_fail(w, "there is a group %s of %s that none has made", name, topic->name);
    }
    return 0;
}

static int idle_members(struct world *w, struct shelf *shelf)
{
    const struct mr_topic *topic = shelf->topic;
    for (uint32_t i = 0; i < topic->member_cnt; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        uint64_t g = at(&member->group), owner = at(&member->owner);
        char name[MR_GROUP_NAME_MAX + 1];
        if (!g)
            continue;
        if (g > topic->group_cnt || !at(&topic->groups[g - 1].serial))
            return world_fail(w, "member slot %u of %s is lost: it names a group that is not there",
                              i, topic->name);
        name_of(&topic->groups[g - 1], name);
        if (owner && !alive(w, owner))
            return world_fail(
                w, "I10: member slot %u of %s, group %s, belongs to a client that is gone", i,
                topic->name, name);
        struct place *place = place_named(shelf, name);
        if (!owner && place && place->consumer && at(&member->cursor) < at(&member->end))
            return world_fail(
                w,
                "I8: group %s of %s leaves [%llu, %llu) of a member that is gone without an heir",
                name, topic->name, NUM(at(&member->cursor)), NUM(at(&member->end)));
    }
    return 0;
}

int words_idle(struct world *w)
{
    for (int s = 0; s < SHELVES; s++) {
        struct shelf *shelf = &w->shelf[s];
        const struct mr_topic *topic = shelf->topic;
        /* none waits in a sealed topic, so none looks for the dead */
        if (!topic || at(&topic->shm->deleted) || at(&topic->shm->sealed))
            continue;
        if (idle_groups(w, shelf) < 0 || idle_members(w, shelf) < 0)
            return -1;
        for (uint32_t i = 0; i < topic->producer_cnt; i++) {
            const struct mr_producer_shm *producer = &topic->producers[i];
            uint64_t state = at(&producer->state);
            if (state == 'a' && !alive(w, at(&producer->owner)))
                return world_fail(w,
                                  "producer slot %u of %s counts as attached, its client is gone",
                                  i, topic->name);
            if (state && state != 'a' && state != 'd' && state != 'x')
                return world_fail(w, "producer slot %u of %s is in state %llu", i, topic->name,
                                  NUM(state));
        }
    }
    return 0;
}

/* ---- with no call under way ---- */

/* What the next user of each lock does: take it, which repairs. */
static int take_locks(struct world *w, struct mr_topic *topic)
{
    if (mr_topic_lock(topic))
        return world_fail(w, "the lock of %s cannot be taken", topic->name);
    mr_unlock(&topic->shm->lock);
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        if (mr_lock(topic, &topic->groups[g].lock) < 0)
            return world_fail(w, "the lock of group %u of %s cannot be taken", g, topic->name);
        mr_unlock(&topic->groups[g].lock);
    }
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        if (mr_log_lock(topic, p))
            return world_fail(w, "the lock of log %u of %s cannot be taken", p, topic->name);
        mr_unlock(&topic->logs[p].lock);
    }
    return 0;
}

static uint64_t next_offset_of(const struct mr_log_shm *log)
{
    uint64_t head = at(&log->head);
    return at(&log->tips[0].head) == head ? at(&log->tips[0].next_offset)
                                          : at(&log->tips[1].next_offset);
}

/* I2, I3 */
static int check_log(struct world *w, struct mr_topic *topic, uint32_t p)
{
    struct mr_log_shm *log = &topic->logs[p];
    uint64_t tail = at(&log->tail), head = at(&log->head), offset = MR_NONE;
    if (at(&log->lock.redo.armed))
        return world_fail(w, "I7: the redo log of log %u of %s is armed", p, topic->name);
    if (at(&log->tips[0].head) != head && at(&log->tips[1].head) != head)
        return world_fail(w, "I3: no tip belongs to the head of log %u of %s", p, topic->name);
    if (tail > head || head - tail > topic->ring_bytes)
        return world_fail(w, "I2: tail %llu, head %llu of %s", NUM(tail), NUM(head), topic->name);
    const unsigned char *ring = mr_topic_ring(topic, p);
    for (uint64_t pos = tail, bytes; pos < head; pos += bytes) {
        struct mr_record_shm r;
        memcpy(&r, ring + pos % topic->ring_bytes, sizeof r);
        bytes = (sizeof r + r.value_len + (r.key_len == MR_KEY_NONE ? 0 : r.key_len) +
                 r.headers_len + 7) &
                ~(uint64_t)7;
        if (bytes > head - pos || r.check != mr_record_check(pos, &r))
            return world_fail(w, "I3: no whole record at %llu of %s", NUM(pos), topic->name);
        if (offset != MR_NONE && r.offset != offset + 1)
            return world_fail(w, "I3: offset %llu after %llu in %s", NUM(r.offset), NUM(offset),
                              topic->name);
        offset = r.offset;
    }
    if (offset != MR_NONE && offset + 1 != next_offset_of(log))
        return world_fail(w, "I3: next offset %llu after %llu in %s", NUM(next_offset_of(log)),
                          NUM(offset), topic->name);
    return 0;
}

/* I1, I4, I5 of one group in one partition. */
static int check_part(struct world *w, struct mr_topic *topic, uint32_t g, uint32_t p,
                      uint64_t *orphans)
{
    const struct mr_group_part_shm *part = part_of(topic, g, p);
    uint64_t committed = at(&part->committed), next = at(&part->next),
             tail = at(&topic->logs[p].tail), head = at(&topic->logs[p].head);
    if ((!w->drops && tail > committed) || committed > next || next > head)
        return world_fail(w, "I1: group %u of %s: tail %llu, committed %llu, next %llu, head %llu",
                          g, topic->name, NUM(tail), NUM(committed), NUM(next), NUM(head));
    for (uint32_t i = 0; i < topic->member_cnt; i++) {
        const struct mr_member_shm *a = &topic->members[i];
        if (at(&a->group) != g + 1 || at(&a->cursor) >= at(&a->end) || at(&a->partition) != p)
            continue;
        *orphans += at(&a->owner) == 0;
        if (at(&a->end) > next)
            return world_fail(w, "I4: a claim of %s ends at %llu, past next %llu", topic->name,
                              NUM(at(&a->end)), NUM(next));
        if (at(&a->cursor) < committed)
            return world_fail(w, "I1: a claim of %s at %llu is below committed %llu", topic->name,
                              NUM(at(&a->cursor)), NUM(committed));
        for (uint32_t j = 0; j < i; j++) {
            const struct mr_member_shm *b = &topic->members[j];
            if (at(&b->group) == g + 1 && at(&b->partition) == p && at(&b->cursor) < at(&b->end) &&
                at(&a->end) > at(&b->cursor) && at(&b->end) > at(&a->cursor))
                return world_fail(w, "I5: two claims of %s overlap", topic->name);
        }
    }
    return 0;
}

/* I9: what the producers count is what the logs have; and the survivors' own count is what they
 * have sent. */
static int check_counts(struct world *w, struct shelf *shelf)
{
    const struct mr_topic *topic = shelf->topic;
    uint64_t appended = 0, counted = 0, ours = 0;
    for (uint32_t p = 0; p < topic->partition_cnt; p++)
        appended += next_offset_of(&topic->logs[p]);
    for (uint32_t i = 0; i < topic->producer_cnt; i++) {
        const struct mr_producer_shm *producer = &topic->producers[i];
        counted += at(&producer->records);
        if (shelf->producer && at(&producer->state) == 'a' &&
            at(&producer->owner) == mr_bus_self(w->bus))
            ours += at(&producer->records);
    }
    if (shelf->producer && ours != shelf->sent)
        return world_fail(w, "I9: a survivor has sent %llu records to %s, its slot counts %llu",
                          NUM(shelf->sent), topic->name, NUM(ours));
    if (!w->counts_lost && appended != counted)
        return world_fail(w, "I9: producers count %llu records of %s, the logs %llu", NUM(counted),
                          topic->name, NUM(appended));
    return 0;
}

static int check_topic(struct world *w, struct shelf *shelf)
{
    struct mr_topic *topic = shelf->topic;
    if (take_locks(w, topic) < 0)
        return -1;
    if (at(&topic->shm->lock.redo.armed))
        return world_fail(w, "I7: the redo log of %s is armed", topic->name);
    for (uint32_t p = 0; p < topic->partition_cnt; p++)
        if (check_log(w, topic, p) < 0)
            return -1;
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        uint64_t orphans = 0;
        if (at(&topic->groups[g].lock.redo.armed))
            return world_fail(w, "I7: the redo log of group %u of %s is armed", g, topic->name);
        if (!live(&topic->groups[g]))
            continue;
        for (uint32_t p = 0; p < topic->partition_cnt; p++)
            if (check_part(w, topic, g, p, &orphans) < 0)
                return -1;
        if (orphans != at(&topic->groups[g].orphans))
            return world_fail(w, "group %u of %s counts %llu orphans, there are %llu", g,
                              topic->name, NUM(at(&topic->groups[g].orphans)), NUM(orphans));
    }
    return check_counts(w, shelf);
}

/* Of the source's records, as many as the topic knows of are there: each of partition 0. */
static int check_source(struct world *w)
{
    struct mr_progress progress = {0};
    uint64_t accepted = 0;
    for (unsigned id = w->add_from; id < w->add_from + w->add; id++)
        accepted += w->shelf[T].place[0].times[id];
    int known = mr_log_progress(w->shelf[T].topic, 0, w->source, &progress);
    if (known != (accepted > 0) || progress.position != accepted ||
        (accepted && progress.check != WORLD_CHECK_OF(accepted)))
        return world_fail(w, "the source came to %llu, %llu of its records were accepted",
                          NUM(progress.position), NUM(accepted));
    return 0;
}

int words_all(struct world *w)
{
    for (int s = 0; s < SHELVES; s++)
        if (w->shelf[s].topic && !at(&w->shelf[s].topic->shm->deleted) &&
            check_topic(w, &w->shelf[s]) < 0)
            return -1;
    return w->source ? check_source(w) : 0;
}
