/* newcomers.c - see oracle.h: others come, and each record goes where it has to. */
#include "oracle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- the model ---- */

static int holds(const struct world *w, enum fate fate, unsigned times)
{
    switch (fate) {
    case MUST:
        return times == 1 || (w->drops && times == 0);
    case MAY_COME:
        return w->completed && !w->drops ? times == 1 : times <= 1;
    case MAY_GO:
        return w->completed ? times == 0 : times <= 1;
    case EITHER:
    case ANY:
        return times <= 1;
    default:
        return times == 0;
    }
}

static int place_holds(struct world *w, const struct shelf *shelf, const struct place *place)
{
    unsigned wrong = IDS, wrong_after = IDS;
    for (unsigned id = 0; id < w->sent; id++) {
        if (wrong == IDS && !holds(w, place->fate[id], place->times[id]))
            wrong = id;
        if (wrong_after == IDS && !holds(w, place->after[id], place->times[id]))
            wrong_after = id;
    }
    if ((wrong == IDS && !(place->has_after == 1 && w->completed)) ||
        (place->has_after && wrong_after == IDS))
        return 0;
    static const char *const must[] = {
        "is not in this topic", "must come once", "was acknowledged", "was being acknowledged",
        "was being appended",   "was on its way", "may come"};
    unsigned id = place->has_after && ((w->completed && place->has_after == 1) ||
                                       (wrong_after != IDS && wrong_after > wrong))
                      ? wrong_after
                      : wrong;
    const unsigned char *fate = id == wrong ? place->fate : place->after;
    return world_fail(w, "I6: record %u of %s %s, and came %u times to group %s%s", id,
                      mr_topic_name(shelf->topic), must[fate[id]], place->times[id], place->group,
                      w->completed ? " (the operation was completed)" : "");
}

static int moved_once(struct world *w)
{
    for (unsigned id = 0; id < w->sent && w->moves; id++) {
        if (w->shelf[w->move_a].place[0].fate[id] != EITHER)
            continue;
        unsigned here = w->shelf[w->move_a].place[0].times[id],
                 there = w->shelf[w->move_b].place[0].times[id];
        if (here + there != 1)
            return world_fail(w,
                              "I6: record %u was being moved from %s to %s: it is there %u times, "
                              "and came here %u times",
                              id, shelf_names[w->move_a], shelf_names[w->move_b], there, here);
        if (w->completed && here && !w->moved_by_another)
            return world_fail(w, "I6: record %u was moved from %s to %s, and came again", id,
                              shelf_names[w->move_a], shelf_names[w->move_b]);
    }
    return 0;
}

/* Of what the operation appended: a prefix of each partition's, the same for all groups; and, if it
 * said how many, so many. */
static int added_prefix(struct world *w)
{
    const struct place *place = w->shelf[T].place;
    unsigned cnt = 0;
    for (unsigned id = w->add_from; id < w->add_from + w->add; id++) {
        cnt += place->times[id];
        if (w->settings.partitions == 1 && !w->drops && id > w->add_from &&
            place->times[id] > place->times[id - 1])
            return world_fail(w, "record %u is there without record %u of its batch", id, id - 1);
        for (int i = 1; i < PLACES && !w->drops; i++)
            if (place[i].group[0] && place[i].fate[id] == MAY_COME &&
                place[i].times[id] != place[0].times[id])
                return world_fail(w, "record %u came to group %s, and not to group %s", id,
                                  place[0].times[id] ? place[0].group : place[i].group,
                                  place[0].times[id] ? place[i].group : place[0].group);
    }
    if (w->add && w->has_result && !w->drops && place->group[0] &&
        cnt != (w->result < 0 ? 0 : (unsigned)w->result))
        return world_fail(w, "the operation said %ld, and %u of its records are there", w->result,
                          cnt);
    return 0;
}

int model_holds(struct world *w)
{
    for (int s = 0; s < SHELVES && !w->may_end; s++)
        for (int i = 0; i < PLACES; i++)
            if (w->shelf[s].place[i].group[0] &&
                place_holds(w, &w->shelf[s], &w->shelf[s].place[i]) < 0)
                return -1;
    if (w->may_end)
        return 0;
    return moved_once(w) < 0 ? -1 : added_prefix(w);
}

/* ---- those who come ---- */

static int join(struct world *w, struct mr_topic *topic, const char *group, uint32_t flags,
                struct mr_consumer **out)
{
    struct mr_consumer_options options = {.group = group,
                                          .flags = flags,
                                          .tries = 1000,
                                          .start =
                                              flags & MR_PRIVATE ? MR_START_END : MR_START_STORED};
    int error = mr_consumer_open(topic, &options, out);
    if (error)
        return world_fail(w, "a newcomer cannot join %s of %s: %s",
                          flags & MR_PRIVATE ? "privately" : group, topic->name, strerror(-error));
    (*out)->spin_ns = 0;
    return 0;
}

/* One record to each partition from a newcomer; everybody must get it. */
static int send_one(struct world *w, struct shelf *shelf, struct mr_topic *topic)
{
    struct mr_producer *sender;
    unsigned char buf[2048];
    int error = mr_producer_open(topic, NULL, &sender);
    if (error)
        return world_fail(w, "a newcomer cannot send to %s: %s", topic->name, strerror(-error));
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        struct mr_message msg;
        world_fill(w, &msg, buf, w->sent);
        msg.partition = MR_PARTITION(p);
        world_note(shelf, w->sent++, MUST);
        ssize_t n = mr_producer_append(sender, &msg, 1, 0);
        if (n != 1) {
            mr_producer_close(sender);
            return world_fail(w, "a newcomer cannot append to %s, and all has been taken: %s",
                              topic->name, strerror((int)-n));
        }
    }
    mr_producer_close(sender);
    return 0;
}

static int visit(struct world *w, struct mr_bus *bus, enum shelf_name s, const struct style *style)
{
    struct shelf *shelf = &w->shelf[s];
    struct mr_consumer *newcomer[PLACES] = {0}, *own = NULL;
    struct place seen = {.group = "of a newcomer"};
    struct mr_topic *topic;
    int error = mr_topic_open(bus, shelf_names[s], &topic), failed = 0;
    if (error)
        return w->may_end ? 0
                          : world_fail(w, "a newcomer cannot open %s: %s", shelf_names[s],
                                       strerror(-error));
    if (atomic_load(&topic->shm->sealed))
        goto close;
    for (int i = 0; i < PLACES && !failed; i++) {
        struct place *place = &shelf->place[i];
        if (!place->group[0] || place->is_private)
            continue;
        failed = join(w, topic, place->group, 0, &newcomer[i]);
        if (!failed)
            failed = take_all(w, place, newcomer[i], 0);
        place->maybe = 0; /* it is there now */
    }
    if (!failed)
        failed = survivors_take(w, 0);
    if (!failed)
        failed = join(w, topic, NULL, MR_PRIVATE, &own);
    unsigned first = w->sent;
    if (!failed)
        failed = send_one(w, shelf, topic);
    for (int i = 0; i < PLACES && !failed; i++)
        if (newcomer[i])
            failed = take_all(w, &shelf->place[i], newcomer[i], style->wait);
    if (!failed)
        failed = survivors_take(w, 0);
    if (!failed)
        failed = take_all(w, &seen, own, 0);
    for (unsigned id = first; id < w->sent && !failed; id++)
        if (seen.times[id] != 1)
            failed = world_fail(
                w, "I8: the record after the kill came %u times to a private newcomer of %s",
                seen.times[id], topic->name);
close:
    mr_consumer_close(own);
    for (int i = 0; i < PLACES; i++)
        mr_consumer_close(newcomer[i]);
    mr_topic_close(topic);
    return failed;
}

int newcomers(struct world *w, const struct style *style)
{
    static const struct mr_connect_options options = {.name = "newcomer", .stop = &survivors_stop};
    struct mr_bus *bus;
    int failed = 0, error = mr_bus_connect(w->bus_name, &options, &bus);
    if (error)
        return error == -ENOENT && w->may_end
                   ? 0
                   : world_fail(w, "a newcomer cannot connect: %s", strerror(-error));
    for (int s = 0; s < SHELVES && !failed; s++)
        if (w->shelf[s].topic)
            failed = visit(w, bus, (enum shelf_name)s, style);
    mr_bus_disconnect(bus);
    return failed;
}

/* ---- more than there are slots ---- */

int rounds(struct world *w)
{
    struct mr_topic *topic = w->shelf[T].topic;
    if (atomic_load(&topic->shm->deleted) || atomic_load(&topic->shm->sealed))
        return 0;
    for (unsigned i = 0; i < MR_PRODUCERS + 4; i++) {
        struct mr_producer *producer;
        int error = mr_producer_open(topic, NULL, &producer);
        if (error)
            return world_fail(w, "producer slots are lost: the %u-th to come gets none: %s", i + 1,
                              strerror(-error));
        mr_producer_close(producer);
    }
    for (unsigned i = 0; i < MR_MEMBERS + 4 && w->shelf[T].place[0].group[0]; i++) {
        struct mr_consumer *consumer;
        if (join(w, topic, w->shelf[T].place[0].group, 0, &consumer) < 0)
            return -1;
        mr_consumer_close(consumer);
    }
    for (unsigned i = 0; i < MR_GROUPS + 4; i++) {
        struct mr_consumer *consumer;
        if (join(w, topic, NULL, MR_PRIVATE, &consumer) < 0)
            return -1;
        mr_consumer_close(consumer);
    }
    w->counts_lost = 1;
    return 0;
}

/* ---- all of it ---- */

/* Where a group without survivors held them up, they join it, and fill the rings without being held
 * up. */
static int go_on(struct world *w, const struct style *style)
{
    int held = 0;
    for (int s = 0; s < SHELVES; s++) {
        struct shelf *shelf = &w->shelf[s];
        for (int i = 0; i < PLACES && shelf->legal_hold; i++)
            if (shelf->place[i].group[0] && !shelf->place[i].consumer &&
                join(w, shelf->topic, shelf->place[i].group, 0, &shelf->place[i].consumer) < 0)
                return -1;
        held |= shelf->legal_hold;
    }
    return held ? survive(w, style) : 0;
}

int oracle_check(struct world *w, const struct style *style)
{
    for (int i = 0; i < PLACES && w->completed; i++)
        if (w->ticket[i] &&
            atomic_load(
                &w->shelf[T].topic->groups[w->shelf[T].place[i].consumer->seat.group].data.word) ==
                w->ticket[i])
            return world_fail(w, "I8: the sleeper of group %s was not woken",
                              w->shelf[T].place[i].group);
    for (int s = 0; s < SHELVES && style->told; s++)
        for (size_t d = 0; d < sizeof w->dead / sizeof *w->dead; d++)
            if (w->shelf[s].topic && w->dead[d])
                mr_topic_reap(w->shelf[s].topic, w->dead[d]);
    struct mr_topic *topic = w->shelf[T].topic;
    if (!topic) /* the survivors came back and found it gone */
        return w->may_end ? 0 : world_fail(w, "the topic is gone");
    if (!w->may_end && (atomic_load(&topic->shm->deleted) || atomic_load(&topic->shm->sealed)))
        return world_fail(w, "the topic was sealed or deleted");
    /* First, one look without repair: what is there comes to those who poll. */
    if (survive(w, style) < 0)
        return -1;
    if (!w->drops && !w->may_end && words_idle(w) < 0)
        return -1;
    if (newcomers(w, style) < 0)
        return -1;
    if (go_on(w, style) < 0 || model_holds(w) < 0 || words_all(w) < 0 || words_idle(w) < 0)
        return -1;
    return style->many ? rounds(w) < 0 || words_all(w) < 0 || words_idle(w) < 0 ? -1 : 0 : 0;
}
