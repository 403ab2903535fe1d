/* scenes_consume.c - the consumer, in groups of every kind. */
#include "scenes.h"

#include "core/topic.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE "%p %o %s\\n" /* what it prints of each record */

static void consumer(struct act *act)
{
    act_arg(act, "%s/consumer", act->w->bin);
    act_arg(act, "-q");
    act_arg(act, "-b");
    act_arg(act, "%s", act->w->bus_name);
}

static void printing(struct act *act)
{
    act_arg(act, "-f");
    act_arg(act, "%s", LINE);
}

/* Splits a line "partition offset value". */
static int split(struct act *act, const char *line, size_t len, uint32_t *p, uint64_t *offset,
                 const char **value)
{
    char *end;
    *p = (uint32_t)strtoul(line, &end, 10);
    *offset = *end == ' ' ? strtoull(end + 1, &end, 10) : 0;
    if (*end != ' ' || *p >= act->w->parts)
        return bad(act->w, "a line \"%.*s\"", (int)(len < 80 ? len : 80), line);
    *value = end + 1;
    return 0;
}

int no_line(struct act *act, const char *line, size_t len)
{
    return bad(act->w, "an unexpected line \"%.*s\"", (int)(len < 80 ? len : 80), line);
}

void note_ends(struct act *act, struct mr_topic *topic)
{
    for (uint32_t p = 0; p < act->w->parts; p++) {
        struct mr_partition_info info = {0};
        mr_partition_info(topic, p, &info);
        act->first[p] = info.first_offset;
        act->next[p] = info.next_offset;
    }
}

/* ---- a private group ---- */

int prepare_all(struct act *act)
{
    consumer(act);
    act_arg(act, "--all");
    act_arg(act, "-e");
    printing(act);
    act_arg(act, "t");
    note_ends(act, act->w->t.topic);
    return 0;
}

int prepare_all_for_a_time(struct act *act)
{
    consumer(act);
    act_arg(act, "--all");
    act_arg(act, "--max-seconds");
    act_arg(act, "5ms");
    printing(act);
    act_arg(act, "t");
    memset(act->next, 0, sizeof act->next);
    return 0;
}

int line_of_private(struct act *act, const char *line, size_t len)
{
    uint32_t p;
    uint64_t offset;
    const char *value = line;
    if (split(act, line, len, &p, &offset, &value) < 0)
        return -1;
    uint32_t id = id_of(value, len - (size_t)(value - line));
    if (!id || offset >= IDS_MAX || (act->w->t.id[p][offset] && act->w->t.id[p][offset] != id))
        return bad(act->w, "--all: another record at offset %llu: \"%s\"",
                   (unsigned long long)offset, value);
    if (act->last[p] && offset != act->last[p])
        return bad(act->w, "--all: offset %llu of partition %u instead of %llu",
                   (unsigned long long)offset, p, (unsigned long long)act->last[p]);
    act->last[p] = offset + 1;
    return 0;
}

int dead_private(struct act *act)
{
    if (act_must_end_well(act) < 0)
        return -1;
    if (act->end == ALONE)
        for (uint32_t p = 0; p < act->w->parts; p++)
            if (act->next[p] > act->first[p] && act->last[p] < act->next[p])
                return bad(act->w, "--all -e ended before offset %llu of partition %u, at %llu",
                           (unsigned long long)act->next[p], p, (unsigned long long)act->last[p]);
    return 0;
}

/* ---- a group with a survivor ---- */

static void in_group(struct act *act, int member)
{
    act->member = &act->w->members[member];
    act->window = 1;
    look_at(act->w, act->member, &act->at_kill);
    act->inherits =
        !act->at_kill.known || act->at_kill.claim_cnt > 0; /* claims as others took them */
    consumer(act);
    act_arg(act, "-g");
    act_arg(act, "%s", act->member->group);
}

static void with_window(struct act *act, const char *option)
{
    act->window = 1 + dice(act->w, 30);
    act_arg(act, "%s", option);
    act_arg(act, "%u", act->window);
}

int prepare_shared(struct act *act)
{
    in_group(act, SHARED);
    with_window(act, "-w");
    act_arg(act, "-e");
    printing(act);
    act_arg(act, "t");
    return 0;
}

int prepare_ordered(struct act *act)
{
    in_group(act, ORDERED);
    with_window(act, "-w");
    act_arg(act, "--ordered");
    act_arg(act, "-c");
    act_arg(act, "%u", 1 + dice(act->w, 40));
    act_arg(act, "-e");
    printing(act);
    act_arg(act, "t");
    return 0;
}

static void with_command(struct act *act, uint32_t workers)
{
    in_group(act, SHARED);
    act_arg(act, "-c");
    act_arg(act, "%u", workers > 1 ? 8 + dice(act->w, 8) : 1 + dice(act->w, 4));
    act_arg(act, "-e");
    if (workers == 1 && chance(act->w, 30))
        with_window(act, "--batch");
    act_arg(act, "-j");
    act_arg(act, "%u", workers);
    printing(act);
    act_arg(act, "t");
    act_arg(act, "--");
    act_arg(act, "cat");
}

int prepare_command(struct act *act)
{
    with_command(act, 1);
    return 0;
}

int prepare_workers(struct act *act)
{
    with_command(act, 3);
    return 0;
}

int line_of_member(struct act *act, const char *line, size_t len)
{
    uint32_t p;
    uint64_t offset;
    const char *value = line;
    if (split(act, line, len, &p, &offset, &value) < 0)
        return -1;
    return came(act->w, act->member, p, offset, value, len - (size_t)(value - line));
}

int still_member(struct act *act)
{
    look_at(act->w, act->member, &act->at_kill);
    for (size_t i = 0; act->at_kill.known && !act->inherits && i < act->at_kill.claim_cnt; i++) {
        const struct claim *claim = &act->at_kill.claims[i];
        if (claim->pid == act->run.pid && claim->end - claim->first > act->window)
            return bad(act->w, "group %s: %llu records are held, the window is %u",
                       act->member->group, (unsigned long long)(claim->end - claim->first),
                       act->window);
    }
    return 0;
}

int dead_member(struct act *act)
{
    if (act_must_end_well(act) < 0)
        return -1;
    /* If it was not killed, all that it has printed it has acknowledged, and it holds nothing. */
    if (act->end != KILLED || !act->at_kill.known)
        look_at(act->w, act->member, &act->at_kill);
    return believe(act->w, act->member, &act->at_kill);
}

/* ---- a group that is moved ---- */

static void owe(struct act *act, uint32_t p, uint64_t from, uint64_t to)
{
    for (uint64_t offset = from; offset < to; offset++)
        act->mine[p][offset - act->first[p]] |= 1;
}

/* What the group is owed now, by what its words say at rest. */
static int note_owed(struct act *act)
{
    struct snapshot s;
    look_at(act->w, &act->w->members[MOVED], &s);
    if (!s.known)
        return bad(act->w, "group moved cannot be looked at");
    for (uint32_t p = 0; p < act->w->parts; p++) {
        act->mine[p] = calloc(act->next[p] - act->first[p] + 1, 1);
        owe(act, p, s.next[p], act->next[p]);
    }
    for (size_t i = 0; i < s.claim_cnt; i++)
        owe(act, s.claims[i].part, s.claims[i].first, s.claims[i].end);
    return 0;
}

int prepare_moved(struct act *act)
{
    struct world *w = act->w;
    static const char *const words[] = {"beginning", "end", "+0"};
    struct member *m = &w->members[MOVED];
    mr_consumer_close(m->consumer);
    m->consumer = NULL;
    for (uint32_t i = dice(w, 3); i > 0; i--)
        if (die_in_group(w, "moved") < 0)
            return -1;
    note_ends(act, w->t.topic);
    if (note_owed(act) < 0)
        return -1;
    consumer(act);
    act_arg(act, "-g");
    act_arg(act, "moved");
    with_window(act, "-w");
    uint32_t how = w->recording ? 2 : dice(w, 4), n = 1 + dice(w, 20);
    act_arg(act, "-o");
    if (how < 2)
        act_arg(act, "%s", words[how]);
    else if (how == 2)
        act_arg(act, "-%u", n);
    else
        act_arg(act, "%llu", (unsigned long long)act->first[0] + n);
    for (uint32_t p = 0; p < w->parts; p++) {
        uint64_t kept = act->next[p] - act->first[p], at = act->first[0] + n;
        act->begin[p] = how == 0             ? act->first[p]
                        : how == 1           ? act->next[p]
                        : how == 2           ? act->next[p] - (kept < n ? kept : n)
                        : at < act->first[p] ? act->first[p]
                        : at > act->next[p]  ? act->next[p]
                                             : at;
    }
    act_arg(act, "-e");
    printing(act);
    act_arg(act, "t");
    return 0;
}

int line_of_moved(struct act *act, const char *line, size_t len)
{
    uint32_t p;
    uint64_t offset;
    const char *value = line;
    if (split(act, line, len, &p, &offset, &value) < 0)
        return -1;
    if (offset < act->first[p] || offset >= act->next[p])
        return bad(act->w, "-o: offset %llu of partition %u", (unsigned long long)offset, p);
    act->mine[p][offset - act->first[p]] |= 2;
    return 0;
}

/* Takes what the group is owed now. */
static int take_owed(struct act *act)
{
    struct world *w = act->w;
    struct member *m = &w->members[MOVED];
    struct mr_consumer_options options = {.group = "moved", .name = "moved"};
    struct mr_record r;
    int error = mr_consumer_open(w->t.topic, &options, &m->consumer);
    if (error)
        return bad(w, "group moved cannot be joined: %s", strerror(-error));
    for (unsigned i = 0; i < BOUND_S * 1000 && mr_consumer_lag(m->consumer); i++)
        while (mr_consumer_claim(m->consumer, 0, i ? 1000000 : 0) > 0) {
            while (mr_consumer_next(m->consumer, &r) > 0) {
                if (r.offset < act->first[r.partition] || r.offset >= act->next[r.partition])
                    return bad(w, "group moved: offset %llu", (unsigned long long)r.offset);
                uint8_t *mine = &act->mine[r.partition][r.offset - act->first[r.partition]];
                if (*mine & 4)
                    return bad(w, "group moved: offset %llu came twice",
                               (unsigned long long)r.offset);
                *mine |= 4;
            }
            mr_consumer_ack(m->consumer);
        }
    return mr_consumer_lag(m->consumer) ? bad(w, "group moved does not get what it is owed") : 0;
}

/* Either it was not moved, and gets what it was owed; or it was, and it or the dead one got all
 * from there on, and nothing else. */
int dead_moved(struct act *act)
{
    struct world *w = act->w;
    struct member *m = &w->members[MOVED];
    uint64_t owed = 0, came_cnt = 0;
    int as_before = 1, moved = 1;
    if (act_must_end_well(act) < 0 || take_owed(act) < 0)
        return -1;
    for (uint32_t p = 0; p < w->parts; p++) {
        for (uint64_t offset = act->first[p]; offset < act->next[p]; offset++) {
            uint8_t mine = act->mine[p][offset - act->first[p]];
            as_before &= (mine & 1) == (mine >> 2 & 1) && !(mine & 2);
            moved &= (offset >= act->begin[p]) == ((mine & 6) != 0);
            owed += mine & 1;
            came_cnt += mine >> 2 & 1;
        }
        for (uint64_t offset = m->floor[p]; offset < act->next[p]; offset++)
            m->state[p][offset] = ACKED;
        free(act->mine[p]);
        act->mine[p] = NULL;
    }
    if (act->end == ALONE)
        as_before = 0;
    if (!as_before && !moved)
        return bad(w,
                   "group moved, owed %llu records, is neither where it was nor where it was moved "
                   "to: %llu came",
                   (unsigned long long)owed, (unsigned long long)came_cnt);
    return 0;
}

/* ---- into another topic ---- */

int prepare_into(struct act *act)
{
    in_group(act, INTO);
    act_arg(act, "-c");
    act_arg(act, "%u", 1 + dice(act->w, 4));
    act_arg(act, "-e");
    if (chance(act->w, 30))
        with_window(act, "--batch");
    act_arg(act, "--into");
    act_arg(act, "o");
    act_arg(act, "t");
    act_arg(act, "--");
    act_arg(act, "cat");
    return 0;
}

int still_into(struct act *act)
{
    return still_member(act);
}

/* Others come and take every slot of the target that they can get. */
static int take_slots(struct world *w)
{
    struct mr_producer *producers[SLOTS_FREE + 1];
    int cnt = 0, error = 0;
    while (cnt <= SLOTS_FREE && !(error = mr_producer_open(w->o.topic, NULL, &producers[cnt])))
        cnt++;
    while (cnt > 0)
        mr_producer_close(producers[--cnt]);
    return error == -EUSERS ? 0 : bad(w, "more producers than slots: %s", strerror(-error));
}

int dead_into(struct act *act)
{
    if (act_must_end_well(act) < 0)
        return -1;
    if (act->w->slots == SLOTS_HELD && take_slots(act->w) < 0)
        return -1;
    if (act->end != KILLED || !act->at_kill.known)
        look_at(act->w, act->member, &act->at_kill);
    return believe(act->w, act->member, &act->at_kill); /* what came of them, the books of o say */
}

/* ---- a new group of a new topic ---- */

int line_of_fresh(struct act *act, const char *line, size_t len)
{
    (void)act;
    (void)len;
    return strtoul(line, NULL, 10) < 64 ? 0 : no_line(act, line, len);
}

int prepare_fresh(struct act *act)
{
    struct world *w = act->w;
    if (fresh_open(act, dice(w, 60)) < 0)
        return -1;
    consumer(act);
    act_arg(act, "-e");
    if (chance(w, 50)) {
        act_arg(act, "-g");
        act_arg(act, "new");
        if (chance(w, 30))
            act_arg(act, "--ordered");
    } else {
        act_arg(act, "--all");
    }
    if (chance(w, 50)) {
        act_arg(act, "-o");
        act_arg(act, "%s", chance(w, 50) ? "end" : "beginning");
    }
    act_arg(act, "f");
    return 0;
}

int dead_fresh(struct act *act)
{
    return act_must_end_well(act) < 0 || fresh_fill(act) < 0 ? -1 : fresh_close(act, 0);
}
