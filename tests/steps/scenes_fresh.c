/* scenes_fresh.c - scenes with a topic of their own, which the commands of the broker are about. */
#include "scenes.h"

#include "core/lifecycle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 4096 /* of such a topic: some 100 records */

static int make(struct act *act, const char *name, struct mr_topic **out)
{
    struct mr_settings settings = {
        .size_bytes = ROOM, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 1000, .mode = 0600};
    int error = mr_topic_create_segment(act->w->bus, name, &settings);
    if (!error)
        error = mr_topic_open(act->w->bus, name, out);
    return error ? bad(act->w, "new topic %s: %s", name, strerror(-error)) : 0;
}

static int send(struct act *act, uint32_t number, int64_t timeout_ns)
{
    char text[16];
    struct mr_message msg = {.value = text,
                             .value_len = (uint32_t)snprintf(text, sizeof text, "%u", number)};
    return (int)mr_producer_append(act->fresh_feeder, &msg, 1, timeout_ns);
}

int fresh_open(struct act *act, uint32_t cnt)
{
    struct mr_consumer_options options = {.group = "keep"};
    if (make(act, "f", &act->fresh.topic) < 0)
        return -1;
    int error = mr_consumer_open(act->fresh.topic, &options, &act->fresh_keep);
    if (!error)
        error = mr_producer_open(act->fresh.topic, NULL, &act->fresh_feeder);
    if (error)
        return bad(act->w, "a new topic: %s", strerror(-error));
    for (act->fresh_cnt = 0; act->fresh_cnt < cnt; act->fresh_cnt++)
        if (send(act, act->fresh_cnt, 0) != 1)
            return bad(act->w, "a new topic has no room");
    return 0;
}

int fresh_take(struct act *act, struct mr_consumer *consumer)
{
    struct mr_record r;
    int n = 0;
    while (consumer && mr_consumer_claim(consumer, 0, 0) > 0) {
        for (; mr_consumer_next(consumer, &r) > 0; n++) {
            char text[16] = "";
            memcpy(text, r.value, r.value_len < 15 ? r.value_len : 15);
            unsigned long number = strtoul(text, NULL, 10);
            if (number < 63)
                act->came[number]++;
        }
        mr_consumer_ack(consumer);
    }
    return n;
}

/* A group with a name holds producers back also without a member; here one joins it, once it is
 * there. */
static void join_new(struct act *act)
{
    struct mr_consumer_options options = {.group = "new"};
    struct mr_group_info group = {0};
    int found;
    for (uint32_t g = 0;
         !act->fresh_other && (found = mr_group_info(act->fresh.topic, g, &group)) >= 0; g++)
        if (found && strcmp(group.name, "new") == 0 &&
            mr_consumer_open(act->fresh.topic, &options, &act->fresh_other))
            bad(act->w, "group new cannot be joined");
}

int fresh_fill(struct act *act)
{
    struct world *w = act->w;
    struct mr_topic_info info = {0};
    unsigned tries = 0;
    for (uint32_t i = 0; i < 300;) {
        int sent = send(act, 63, tries ? 1000000 : 0);
        i += sent == 1;
        tries = sent == 1 ? 0 : tries + 1;
        if (sent < 0 && sent != -EAGAIN && sent != -ETIMEDOUT)
            return bad(w, "a survivor cannot append to the new topic: %s", strerror(-sent));
        int taken =
            sent < 0 ? fresh_take(act, act->fresh_keep) + fresh_take(act, act->fresh_other) : 1;
        if (!taken && tries > 1) /* who waits may just have completed it */
            join_new(act);
        if (!taken && tries > BOUND_S * 1000)
            return bad(w, "a new topic's producer waits for ever, though the groups keep up");
    }
    join_new(act);
    fresh_take(act, act->fresh_keep);
    fresh_take(act, act->fresh_other);
    mr_topic_info(act->fresh.topic, &info);
    if (info.groups != 1u + (act->fresh_other != NULL) || info.members != info.groups ||
        info.records_waiting)
        return bad(w, "a new topic: %u groups, %u members, %llu records wait", info.groups,
                   info.members, (unsigned long long)info.records_waiting);
    return 0;
}

int fresh_close(struct act *act, int deleted)
{
    mr_consumer_close(act->fresh_other);
    mr_consumer_close(act->fresh_keep);
    mr_producer_close(act->fresh_feeder);
    int error = deleted ? 0 : mr_topic_delete(act->fresh.topic, MR_DELETE_ANYWAY);
    mr_topic_close(act->fresh.topic);
    act->fresh_other = act->fresh_keep = NULL;
    act->fresh_feeder = NULL;
    return error ? bad(act->w, "a new topic: delete: %s", strerror(-error)) : 0;
}

static void command(struct act *act, const char *name)
{
    act_arg(act, "%s/broker", act->w->bin);
    act_arg(act, "-q");
    act_arg(act, "-b");
    act_arg(act, "%s", act->w->bus_name);
    act_arg(act, "%s", name);
}

/* ---- seal, purge, delete ---- */

int prepare_seal(struct act *act)
{
    command(act, "seal");
    act_arg(act, "f");
    return fresh_open(act, dice(act->w, 60));
}

int dead_seal(struct act *act)
{
    struct world *w = act->w;
    struct mr_topic_info info = {0};
    if (act_must_end_well(act) < 0 || mr_topic_info(act->fresh.topic, &info))
        return bad(w, "the topic cannot be looked at");
    if (!info.sealed && act->end == ALONE)
        return bad(w, "the topic is not sealed");
    if (!info.sealed)
        return fresh_fill(act) < 0 || fresh_close(act, 0) < 0 ? -1 : 0;
    int sent = send(act, 63, 0), taken = fresh_take(act, act->fresh_keep);
    ssize_t end = mr_consumer_claim(act->fresh_keep, 0, 0);
    if (sent != -EPIPE || taken != (int)act->fresh_cnt || end != -ENODATA)
        return bad(w, "sealed: append says %d, %d of %u records come, then %zd", sent, taken,
                   act->fresh_cnt, end);
    return fresh_close(act, 0);
}

int prepare_purge(struct act *act)
{
    command(act, "purge");
    act_arg(act, "f");
    return fresh_open(act, dice(act->w, 60));
}

int dead_purge(struct act *act)
{
    struct world *w = act->w;
    if (act_must_end_well(act) < 0)
        return -1;
    int taken = fresh_take(act, act->fresh_keep);
    if ((taken && taken != (int)act->fresh_cnt) || (taken && act->end == ALONE))
        return bad(w, "purge: %d of %u records come", taken, act->fresh_cnt);
    return fresh_fill(act) < 0 || fresh_close(act, 0) < 0 ? -1 : 0;
}

int prepare_delete(struct act *act)
{
    command(act, "delete");
    act_arg(act, "--force");
    act_arg(act, "f");
    return fresh_open(act, dice(act->w, 60));
}

int dead_delete(struct act *act)
{
    struct world *w = act->w;
    struct mr_topic *again = NULL;
    if (act_must_end_well(act) < 0)
        return -1;
    int sent = send(act, 63, 0), status = 0;
    if (sent != -EIDRM) /* it is as it was */
        return act->end == ALONE                                ? bad(w, "the topic is still there")
               : fresh_fill(act) < 0 || fresh_close(act, 0) < 0 ? -1
                                                                : 0;
    if (act->end == KILLED) {
        status = act_again(act);
        if (status < 0)
            return -1;
    }
    if (status != 0 && status != 4)
        return bad(w, "delete, run again: exit status %d", status);
    if (fresh_close(act, 1) < 0 || make(act, "f", &again) < 0)
        return -1;
    mr_topic_delete(again, MR_DELETE_ANYWAY);
    mr_topic_close(again);
    return 0;
}

/* ---- dead letters ---- */

static int letters_topic(struct act *act)
{
    return make(act, "f.dead", &act->letters);
}

static int letters_close(struct act *act)
{
    int error = mr_topic_delete(act->letters, MR_DELETE_ANYWAY);
    mr_topic_close(act->letters);
    return error ? bad(act->w, "f.dead: delete: %s", strerror(-error)) : 0;
}

int prepare_letters(struct act *act)
{
    struct mr_consumer_options options = {.group = "d"};
    uint32_t cnt = 2 + dice(act->w, 6);
    if (fresh_open(act, 0) < 0 || letters_topic(act) < 0)
        return -1;
    if (mr_consumer_open(act->fresh.topic, &options, &act->fresh_other))
        return bad(act->w, "group d cannot be joined");
    for (act->fresh_cnt = 0; act->fresh_cnt < cnt; act->fresh_cnt++)
        if (send(act, act->fresh_cnt, 0) != 1)
            return bad(act->w, "a new topic has no room");
    act_arg(act, "%s/consumer", act->w->bin);
    act_arg(act, "-q");
    act_arg(act, "-b");
    act_arg(act, "%s", act->w->bus_name);
    act_arg(act, "-g");
    act_arg(act, "d");
    act_arg(act, "--on-fail");
    act_arg(act, "dead");
    act_arg(act, "-e");
    act_arg(act, "f");
    act_arg(act, "--");
    act_arg(act, "false");
    return 0;
}

int dead_letters(struct act *act)
{
    struct world *w = act->w;
    struct mr_consumer_options options = {.flags = MR_PEEK};
    struct mr_consumer *peek;
    int status = act_status(act);
    if (act->end == KILLED && status != -1)
        act->end = ALONE;
    if (act->end != KILLED && status != 7 && status != 0 && status != 143)
        return bad(w, "exit status %d", status);
    fresh_take(act, act->fresh_keep);
    memset(act->came, 0, sizeof act->came);
    for (unsigned i = 0; i < BOUND_S * 1000 && mr_consumer_lag(act->fresh_other) != 0; i++)
        if (!fresh_take(act, act->fresh_other))
            mr_consumer_claim(act->fresh_other, 0, 1000000);
    if (mr_consumer_open(act->letters, &options, &peek))
        return bad(w, "f.dead cannot be looked at");
    fresh_take(act, peek);
    mr_consumer_close(peek);
    for (uint32_t i = 0; i < act->fresh_cnt; i++)
        if (act->came[i] != 1)
            return bad(w, "record %u came to its group, or as a dead letter, %u times", i,
                       act->came[i]);
    if (fresh_fill(act) < 0 || letters_close(act) < 0)
        return -1;
    return fresh_close(act, 0);
}

int prepare_redrive(struct act *act)
{
    struct world *w = act->w;
    struct mr_producer *producer;
    uint32_t cnt = 2 + dice(w, 8);
    if (fresh_open(act, 0) < 0 || letters_topic(act) < 0)
        return -1;
    if (mr_producer_open(act->letters, NULL, &producer))
        return bad(w, "f.dead has no producer");
    for (act->fresh_cnt = 0; act->fresh_cnt < cnt; act->fresh_cnt++) {
        char text[16];
        struct mr_message msg = {.value = text,
                                 .value_len =
                                     (uint32_t)snprintf(text, sizeof text, "%u", act->fresh_cnt)};
        if (mr_producer_append(producer, &msg, 1, 0) != 1)
            return bad(w, "f.dead has no room");
    }
    mr_producer_close(producer);
    command(act, "redrive");
    act_arg(act, "f");
    return 0;
}

int dead_redrive(struct act *act)
{
    struct world *w = act->w;
    if (act_must_end_well(act) < 0)
        return -1;
    if (fresh_fill(act) < 0)
        return -1;
    int status = act->end == ALONE ? 0 : act_again(act);
    if (status)
        return status < 0 ? -1 : bad(w, "redrive, run again: exit status %d", status);
    fresh_take(act, act->fresh_keep);
    for (uint32_t i = 0; i < act->fresh_cnt; i++)
        if (act->came[i] != 1)
            return bad(w, "dead letter %u came back %u times", i, act->came[i]);
    if (fresh_fill(act) < 0 || letters_close(act) < 0)
        return -1;
    return fresh_close(act, 0);
}
