/* world.c - see world.h. */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_NS 2000000000 /* longer than any repair; reaching it is a hang */
#define PROBE 0xfffffu

static const char *const group_names[GROUPS] = {"g", "h"};

void world_must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "crash: cannot %s: %s\n", what, strerror(errno));
        _exit(99);
    }
}

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load(word);
}

void world_fill(struct world *w, struct mr_message *msg, unsigned char *buf, unsigned id)
{
    memset(buf, (int)(id & 0xff), w->record_bytes);
    memcpy(buf, &id, sizeof id);
    *msg = (struct mr_message){.value = buf, .value_len = w->record_bytes, .partition = MR_ANY};
}

void world_send(struct world *w, unsigned cnt)
{
    unsigned char buf[2048];
    for (unsigned i = 0; i < cnt; i++) {
        struct mr_message msg;
        world_fill(w, &msg, buf, w->sent);
        world_must(mr_append(w->producer, &msg, 1, PATIENCE_NS) == 1, "append");
        w->sent++;
    }
}

void world_join(struct world *w, int g, uint32_t flags)
{
    struct mr_consumer_options options = {.group = group_names[g], .flags = flags, .tries = 1000};
    world_must(mr_consumer_open(w->topic, &options, &w->consumer[g]) == 0, "join");
}

static unsigned id_of(const struct mr_record *record)
{
    unsigned id = UINT32_MAX;
    if (record->value_len >= sizeof id)
        memcpy(&id, record->value, sizeof id);
    return id;
}

unsigned world_take(struct world *w, int g, unsigned cnt)
{
    unsigned taken = 0;
    struct mr_record record;
    while (taken < cnt && mr_claim(w->consumer[g], cnt - taken, 0) > 0) {
        while (mr_next(w->consumer[g], &record) == 1) {
            w->state[g][id_of(&record)] = ACKED;
            taken++;
        }
        world_must(mr_ack(w->consumer[g]) == 0, "acknowledge");
    }
    world_must(taken == cnt, "take");
    return taken;
}

void world_open(struct world *w, struct mr_bus *bus, const struct scenario *scenario)
{
    *w = (struct world){.bus = bus, .record_bytes = 40};
    w->settings = (struct mr_settings){.size_bytes = 4096, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    if (scenario->settings)
        scenario->settings(&w->settings);
    mr_topic_unlink(mr_bus_name(bus), "t");
    mr_topic_unlink(mr_bus_name(bus), "t.dead");
    mr_topic_unlink(mr_bus_name(bus), "made");
    mr_topic_unlink(mr_bus_name(bus), "other");
    world_must(mr_topic_make(bus, "t", &w->settings) == 0, "make the topic");
    world_must(mr_topic_open(bus, "t", &w->topic) == 0, "open the topic");
    world_must(mr_producer_open(w->topic, NULL, &w->producer) == 0, "open a producer");
    scenario->prepare(w);
}

void world_close(struct world *w)
{
    for (int g = 0; g < GROUPS; g++)
        mr_consumer_close(w->consumer[g]);
    mr_producer_close(w->producer);
    mr_topic_close(w->topic);
}

/* ---- checks ---- */

#define CHECK(what, ...)                                                                                                                      \
    do {                                                                                                                                     \
        if (!(what)) {                                                                                                                       \
            snprintf(w->error, sizeof w->error, __VA_ARGS__);                                                                                 \
            return -1;                                                                                                                       \
        }                                                                                                                                    \
    } while (0)

#define NUM(x) ((unsigned long long)(x))

/* I1-I5 and I7, by the words themselves, with nobody in the middle of anything. */
static int check_words(struct world *w)
{
    struct mr_topic *topic = w->topic;
    uint64_t appended = 0, counted = 0;
    CHECK(load(&topic->shm->lock.redo.armed) == 0, "I7: the topic's redo log is armed");
    for (uint32_t p = 0; p < topic->partition_cnt; p++)
        appended += mr_log_tip(topic, p).next_offset;
    for (uint32_t i = 0; i < topic->producer_cnt; i++)
        counted += load(&topic->producers[i].records);
    CHECK(appended == counted, "I9: producers count %llu records, the logs %llu", NUM(counted), NUM(appended));
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        struct mr_log_shm *log = &topic->logs[p];
        struct mr_tip tip = mr_log_tip(topic, p);
        uint64_t tail = load(&log->tail), offset = MR_NONE;
        CHECK(load(&log->lock.redo.armed) == 0, "I7: log %u's redo log is armed", p);
        CHECK(tail <= tip.head && tip.head - tail <= topic->ring_bytes, "I2: tail %llu, head %llu", NUM(tail), NUM(tip.head));
        for (uint64_t pos = tail, bytes; pos < tip.head; pos += bytes) {
            struct mr_record_shm r;
            bytes = mr_log_header(topic, mr_topic_ring(topic, p), pos, tip.head, &r);
            CHECK(bytes, "I3: no whole record at %llu", NUM(pos));
            CHECK(offset == MR_NONE || r.offset == offset + 1, "I3: offset %llu after %llu", NUM(r.offset), NUM(offset));
            offset = r.offset;
        }
        CHECK(offset == MR_NONE || offset + 1 == tip.next_offset, "I3: next offset %llu after %llu", NUM(tip.next_offset), NUM(offset));
        for (uint32_t g = 0; g < topic->group_cnt; g++) {
            if (!load(&topic->groups[g].serial))
                continue;
            const struct mr_group_part_shm *part = mr_group_part(topic, g, p);
            uint64_t committed = load(&part->committed), next = load(&part->next), orphans = 0;
            CHECK(load(&topic->groups[g].lock.redo.armed) == 0, "I7: group %u's redo log is armed", g);
            CHECK(!(load(&topic->groups[g].flags) & MR_GROUP_MAKING), "group %u is still in the making", g);
            CHECK((w->drops || tail <= committed) && committed <= next && next <= tip.head,
                  "I1: tail %llu, committed %llu, next %llu, head %llu", NUM(tail), NUM(committed), NUM(next), NUM(tip.head));
            for (uint32_t i = 0; i < topic->member_cnt; i++) {
                const struct mr_member_shm *a = &topic->members[i];
                if (load(&a->group) != g + 1 || load(&a->cursor) >= load(&a->end))
                    continue;
                orphans += load(&a->owner) == 0;
                if (load(&a->partition) != p)
                    continue;
                CHECK(load(&a->end) <= next, "I4: a claim ends at %llu, past next %llu", NUM(load(&a->end)), NUM(next));
                CHECK(load(&a->cursor) >= committed, "I1: a claim at %llu is below committed %llu", NUM(load(&a->cursor)), NUM(committed));
                for (uint32_t j = 0; j < i; j++) {
                    const struct mr_member_shm *b = &topic->members[j];
                    if (load(&b->group) == g + 1 && load(&b->partition) == p && load(&b->cursor) < load(&b->end))
                        CHECK(load(&a->end) <= load(&b->cursor) || load(&b->end) <= load(&a->cursor), "I5: two claims overlap");
                }
            }
            CHECK(orphans == load(&topic->groups[g].orphans), "group %u counts %llu orphans, there are %llu", g,
                  NUM(load(&topic->groups[g].orphans)), NUM(orphans));
        }
    }
    return 0;
}

/* What the next user of each lock does: take it, which repairs. */
static int take_locks(struct world *w)
{
    struct mr_topic *topic = w->topic;
    CHECK(mr_topic_lock(topic) == 0, "the topic's lock cannot be taken");
    mr_unlock(&topic->shm->lock);
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        CHECK(mr_lock(topic, &topic->groups[g].lock) >= 0, "group %u's lock cannot be taken", g);
        mr_unlock(&topic->groups[g].lock);
    }
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        CHECK(mr_log_lock(topic, p) == 0, "log %u's lock cannot be taken", p);
        mr_unlock(&topic->logs[p].lock);
    }
    return 0;
}

/* Of the source's records, as many as the topic knows of are there: each of partition 0. */
static int check_source(struct world *w)
{
    struct mr_progress progress = {0};
    uint64_t accepted = mr_log_tip(w->topic, 0).next_offset - w->sent;
    int known = mr_log_progress(w->topic, 0, w->source, &progress);
    CHECK(known == (accepted > 0), "the source's progress is %s, %llu records were accepted", known ? "known" : "unknown", NUM(accepted));
    CHECK(progress.position == accepted, "the source came to %llu, %llu records were accepted", NUM(progress.position), NUM(accepted));
    CHECK(!accepted || progress.check == WORLD_CHECK_OF(accepted), "the source's check word is of another record");
    return 0;
}

static int check_all_words(struct world *w)
{
    return take_locks(w) < 0 || check_words(w) < 0 || (w->source && check_source(w) < 0) ? -1 : 0;
}

struct seen {
    unsigned char times[IDS];
    unsigned order[4 * IDS], cnt; /* as delivered */
    int probes;
};

static int drain(struct world *w, struct mr_consumer *consumer, const char *group, struct seen *seen)
{
    struct mr_record record;
    ssize_t n;
    while ((n = mr_claim(consumer, 0, 0)) > 0) {
        int more;
        while ((more = mr_next(consumer, &record)) == 1) {
            unsigned id = id_of(&record);
            if (id == PROBE) {
                seen->probes++;
                continue;
            }
            CHECK(id < w->sent + w->add, "group %s got a record that nobody sent (%u)", group, id);
            CHECK(seen->times[id] == 0, "group %s got record %u twice", group, id);
            seen->times[id]++;
            seen->order[seen->cnt++] = id;
        }
        CHECK(more == 0, "group %s: next: %s", group, strerror(-more));
        CHECK(mr_ack(consumer) == 0, "group %s cannot acknowledge", group);
    }
    CHECK(n == -ETIMEDOUT || n == -ENODATA, "group %s: claim: %s", group, strerror((int)-n));
    return 0;
}

static int count_other(struct world *w, struct seen *there)
{
    struct mr_topic *topic;
    struct mr_consumer *consumer;
    int error = mr_topic_open(w->bus, w->other, &topic);
    if (error == -ENOENT)
        return 0;
    CHECK(error == 0, "topic %s cannot be opened: %s", w->other, strerror(-error));
    mr_topic_reap_dead(topic);
    CHECK(mr_consumer_open(topic, NULL, &consumer) == 0, "topic %s cannot be read", w->other);
    error = drain(w, consumer, "of the other topic", there);
    mr_consumer_close(consumer);
    mr_topic_close(topic);
    return error;
}

static int check_group(struct world *w, int g, int completed)
{
    struct seen seen = {0}, other = {0};
    if (drain(w, w->consumer[g], group_names[g], &seen) < 0)
        return -1;
    if (w->other && count_other(w, &other) < 0)
        return -1;
    for (unsigned id = 0; id < w->sent + w->add; id++) {
        int state = w->state[g][id];
        unsigned times = seen.times[id];
        if (w->other && state == MAY_ACK) {
            CHECK(times + other.times[id] == 1, "I6: record %u was delivered %u times and is %u times in %s", id, times, other.times[id], w->other);
            continue;
        }
        CHECK(other.times[id] == 0, "record %u is in %s", id, w->other);
        if (state == ACKED || (state == MAY_ACK && completed))
            CHECK(times == 0, "I6: record %u was acknowledged by group %s and came again", id, group_names[g]);
        else if (id < w->sent && state == WAITING && !w->drops)
            CHECK(times == 1, "I6: record %u never came to group %s", id, group_names[g]);
        else if (id >= w->sent && completed)
            CHECK(times == 1, "record %u was appended and never came to group %s", id, group_names[g]);
    }
    if (w->settings.partitions == 1) /* appended by the operation: a prefix */
        for (unsigned id = w->sent + 1; id < w->sent + w->add; id++)
            CHECK(seen.times[id] <= seen.times[id - 1], "record %u is there without record %u of its batch", id, id - 1);
    return 0;
}

int world_check(struct world *w, uint64_t told, int completed)
{
    struct mr_topic *topic = w->topic;
    for (int g = 0; g < GROUPS && completed; g++)
        CHECK(!w->ticket[g] || atomic_load(&topic->groups[w->consumer[g]->seat.group].data.word) != w->ticket[g],
              "I8: the sleeper of group %s was not woken", group_names[g]);
    if (told)
        mr_topic_reap(topic, told);
    mr_topic_reap_dead(topic);
    if (load(&topic->shm->deleted) || load(&topic->shm->sealed)) {
        CHECK(w->may_end, "the topic was sealed or deleted");
        if (load(&topic->shm->deleted))
            return 0;
    }
    /* Those who were told poll, and find all of their records with nobody repairing for them; the others look at every word first. */
    if (!told && check_all_words(w) < 0)
        return -1;
    for (int g = 0; g < GROUPS; g++)
        if (w->consumer[g] && !w->may_end && check_group(w, g, completed) < 0)
            return -1;
    if (told && check_all_words(w) < 0)
        return -1;
    /* And life goes on: one more record through every group. */
    if (load(&topic->shm->sealed))
        return check_words(w);
    unsigned char buf[2048];
    struct mr_message probe;
    world_fill(w, &probe, buf, PROBE);
    probe.partition = 0;
    int groups = w->consumer[0] || w->consumer[1];
    ssize_t sent = mr_append(w->producer, &probe, 1, groups ? PATIENCE_NS : 0);
    CHECK(sent == 1 || !groups, "nothing can be appended any more: %s", strerror((int)-sent));
    for (int g = 0; g < GROUPS; g++) {
        struct seen seen = {0};
        if (!w->consumer[g])
            continue;
        if (w->may_end) {
            for (struct mr_record r; mr_claim(w->consumer[g], 0, 0) > 0; mr_ack(w->consumer[g]))
                while (mr_next(w->consumer[g], &r) == 1)
                    seen.probes += id_of(&r) == PROBE;
        } else if (drain(w, w->consumer[g], group_names[g], &seen) < 0) {
            return -1;
        }
        CHECK(seen.probes == 1, "I8: the record after the kill came %d times to group %s", seen.probes, group_names[g]);
    }
    return check_words(w);
}
