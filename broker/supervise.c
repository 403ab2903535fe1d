/* supervise.c - see supervise.h. */
#include "supervise.h"
#include "backlog.h"
#include "cli/program.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct kept_topic {
    char *name;
    struct mr_topic *topic; /* NULL: it cannot be opened, which was reported once; */
    int error;              /* and why */
    int listed;             /* its segment is still there */
};

struct watch {
    uint64_t id;   /* of the client in this slot, as last seen; 0: none */
    int pidfd;     /* -1: none; only the tick watches it */
    int lingering; /* its process has ended, but its lock is still held */
};

/* delay of the first look at a lingering lock; it doubles until the tick is as frequent */
#define LINGER_NS 1000000u

struct supervision {
    struct mr_bus *bus;
    int epoll;
    uint64_t tag;
    int *held_up;
    /* descriptors from here on are for requests; without a pidfd the tick notices a death */
    int pidfd_end;
    uint32_t changes_seen;
    struct kept_topic *topics; /* sorted by name */
    size_t topic_cnt;
    uint32_t slot_cnt;
    struct watch *watches;
    uint64_t linger_ns, linger_pause_ns; /* when to look at lingering locks; UINT64_MAX never */
};

/* ---- topics ---- */

static void topic_open(struct supervision *keep, struct kept_topic *kept, int said)
{
    int error = kept->error = mr_topic_open(keep->bus, kept->name, &kept->topic);
    kept->listed = error != -ENOENT && error != -EIDRM;
    if (!error)
        mr_topic_reap_dead(kept->topic); /* those that died without a broker */
    else if (kept->listed && !said)
        program_fail(error, "%s: not supervised", kept->name);
}

static int lost(const struct kept_topic *kept)
{
    if (!mr_topic_lost(kept->topic))
        return 0;
    program_notice(
        "%s: its segment was removed from /dev/shm; its clients are told that it was deleted",
        kept->name);
    return 1;
}

static int topic_gone(const struct kept_topic *kept)
{
    return lost(kept) || mr_topic_intact(kept->topic) < 0 ||
           atomic_load_explicit(&kept->topic->shm->deleted, memory_order_acquire);
}

/* The index of the topic of that name, or where it is to be inserted. */
static size_t place_of(const struct supervision *keep, const char *name)
{
    size_t low = 0, high = keep->topic_cnt;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(keep->topics[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int topic_add(struct supervision *keep, size_t place, const char *name)
{
    struct kept_topic *more = realloc(keep->topics, (keep->topic_cnt + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    keep->topics = more;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    struct kept_topic *kept = &keep->topics[place];
    memmove(kept + 1, kept, (keep->topic_cnt++ - place) * sizeof *kept);
    *kept = (struct kept_topic){.name = copy};
    topic_open(keep, kept, 0);
    return 0;
}

void supervise_topic(struct supervision *keep, const char *name)
{
    size_t place = place_of(keep, name);
    struct kept_topic *kept = place < keep->topic_cnt ? &keep->topics[place] : NULL;
    if (!kept || strcmp(kept->name, name) != 0) {
        if (topic_add(keep, place, name) < 0)
            program_fail(-ENOMEM, "%s: not supervised", name);
    } else if (!kept->topic) {
        topic_open(keep, kept, 1);
    } else if (topic_gone(kept)) {
        /* deleted and created again: close the old mapping before opening the name */
        mr_topic_close(kept->topic);
        kept->topic = NULL;
        topic_open(keep, kept, 0);
    } else {
        kept->listed = 1;
    }
}

void supervise_topics(struct supervision *keep)
{
    char **names;
    ssize_t n = mr_bus_topics(keep->bus, &names);
    if (n < 0) {
        program_fail((int)n, "%s: list topics", mr_bus_name(keep->bus));
        return;
    }
    for (size_t i = 0; i < keep->topic_cnt; i++)
        keep->topics[i].listed = 0;
    for (ssize_t i = 0; i < n; i++)
        supervise_topic(keep, names[i]);
    free(names);
    size_t cnt = 0;
    for (size_t i = 0; i < keep->topic_cnt; i++) {
        if (keep->topics[i].listed) {
            keep->topics[cnt++] = keep->topics[i];
        } else {
            if (keep->topics[i].topic)
                lost(&keep->topics[i]);
            mr_topic_close(keep->topics[i].topic);
            free(keep->topics[i].name);
        }
    }
    keep->topic_cnt = cnt;
}

/* ---- clients ---- */

static void bury(struct supervision *keep, uint64_t id)
{
    /* it may have held records of a topic that is not open here yet */
    supervise_topics(keep);
    for (size_t i = 0; i < keep->topic_cnt; i++)
        if (keep->topics[i].topic)
            mr_topic_reap(keep->topics[i].topic, id);
    mr_bus_forget(keep->bus, id);
}

static void unwatch(struct watch *watch)
{
    if (watch->pidfd >= 0)
        close(watch->pidfd); /* also removes it from the epoll set, since there is no copy */
    *watch = (struct watch){.pidfd = -1};
}

static void watch_process(struct supervision *keep, uint32_t slot, uint64_t id, int32_t pid)
{
    struct watch *watch = &keep->watches[slot];
    watch->id = id;
    watch->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = keep->tag + slot};
    if (watch->pidfd >= 0 && (watch->pidfd >= keep->pidfd_end ||
                              epoll_ctl(keep->epoll, EPOLL_CTL_ADD, watch->pidfd, &event) < 0)) {
        close(watch->pidfd);
        watch->pidfd = -1;
    }
}

void supervise_client(struct supervision *keep, uint32_t slot, int ended)
{
    struct watch *watch = &keep->watches[slot];
    int32_t pid;
    uint64_t id = mr_client_id(keep->bus, slot, &pid);
    if (id == mr_bus_self(keep->bus))
        return;
    if (watch->id && watch->id != id) {
        /* It has left; or it died, and with no other slot free a new client took its slot before
         * this look. */
        if (id)
            bury(keep, watch->id);
        unwatch(watch);
        ended = 0; /* that was the previous client */
    }
    if (!id)
        return;
    if (!watch->id)
        watch_process(keep, slot, id, pid);
    /* Only now: if it is alive after pidfd_open, its pid was not reused before, so the pidfd
     * refers to it. */
    if (!mr_client_alive(keep->bus, id)) {
        char name[MR_CLIENT_NAME_MAX + 1];
        mr_client_about(keep->bus, id, &pid, name);
        bury(keep, id);
        unwatch(watch);
        if (pid) /* else it left, or its slot was reused, between two looks */
            program_notice("pid %" PRId32 "%s%s%s died; the records it held go to others", pid,
                           *name ? " (" : "", name, *name ? ")" : "");
    } else if (ended && watch->pidfd >= 0) {
        /* A process that inspects a dying one (as ps does) keeps its memory for a moment, hence
         * the file and the lock. The pidfd would report the same again at once. */
        close(watch->pidfd);
        watch->pidfd = -1;
        watch->lingering = 1;
        keep->linger_pause_ns = LINGER_NS;
        keep->linger_ns = mr_now_ns() + LINGER_NS;
    }
}

uint64_t supervise_due_ns(const struct supervision *keep)
{
    return keep->linger_ns;
}

void supervise_linger(struct supervision *keep)
{
    int any = 0;
    for (uint32_t slot = 0; slot < keep->slot_cnt; slot++) {
        if (keep->watches[slot].lingering)
            supervise_client(keep, slot, 0);
        any |= keep->watches[slot].lingering;
    }
    keep->linger_pause_ns *= 2;
    keep->linger_ns = any && keep->linger_pause_ns < 1000 * LINGER_NS
                          ? mr_now_ns() + keep->linger_pause_ns
                          : UINT64_MAX;
}

void supervise_tick(struct supervision *keep)
{
    int look = mr_bus_wait_change(keep->bus, &keep->changes_seen, 0) == 0;
    /* opening it again reports the error, if it persists */
    for (size_t i = 0; i < keep->topic_cnt; i++)
        look |= !keep->topics[i].topic || mr_topic_intact(keep->topics[i].topic) < 0 ||
                lost(&keep->topics[i]);
    if (look)
        supervise_topics(keep);
    for (uint32_t slot = 0; slot < keep->slot_cnt; slot++)
        supervise_client(keep, slot, 0);
    /* work left over without a lock, or while a stopped process held one */
    for (size_t i = 0; i < keep->topic_cnt; i++)
        if (keep->topics[i].topic)
            mr_topic_repair(keep->topics[i].topic);
    if (*keep->held_up) {
        *keep->held_up = 0;
        for (size_t i = 0; i < keep->topic_cnt && !*keep->held_up; i++)
            if (keep->topics[i].topic)
                mr_topic_reap_dead(keep->topics[i].topic);
    }
}

/* ---- beginning and end ---- */

int supervise_open(struct mr_bus *bus, int epoll, uint64_t tag, int spare_fds, int *held_up,
                   struct supervision **out)
{
    struct supervision *keep = calloc(1, sizeof *keep);
    if (!keep)
        return -ENOMEM;
    keep->bus = bus;
    keep->epoll = epoll;
    keep->tag = tag;
    keep->held_up = held_up;
    struct rlimit limit;
    keep->pidfd_end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX
                          ? (int)limit.rlim_cur - spare_fds
                          : INT_MAX;
    keep->linger_ns = UINT64_MAX;
    keep->slot_cnt = mr_bus_slots(bus);
    keep->watches = calloc(keep->slot_cnt, sizeof *keep->watches);
    if (!keep->watches) {
        free(keep);
        return -ENOMEM;
    }
    for (uint32_t slot = 0; slot < keep->slot_cnt; slot++)
        keep->watches[slot].pidfd = -1;
    mr_bus_wait_change(bus, &keep->changes_seen, 0);
    supervise_topics(keep);
    for (uint32_t slot = 0; slot < keep->slot_cnt; slot++)
        supervise_client(keep, slot, 0);
    *out = keep;
    return 0;
}

int supervise_waited_for(const struct supervision *keep, uint64_t *records)
{
    int waiting = 0;
    *records = 0;
    for (size_t i = 0; i < keep->topic_cnt; i++) {
        struct backlog owed = {0};
        int error = keep->topics[i].topic ? backlog_look(keep->topics[i].topic, &owed)
                                          : keep->topics[i].error;
        if (!error && owed.waited_for)
            *records += owed.records;
        /* No consumer can read a damaged topic; of one that cannot be inspected it is unknown. */
        waiting |= error ? error != -EBADMSG && error != -EIO : owed.waited_for;
    }
    return waiting;
}

int supervise_empty(const struct supervision *keep)
{
    for (uint32_t slot = 0; slot < keep->slot_cnt; slot++)
        if (keep->watches[slot].id)
            return 0;
    return keep->topic_cnt == 0;
}

size_t supervise_finish(struct supervision *keep)
{
    size_t kept = 0;
    supervise_topics(keep);
    for (size_t i = 0; i < keep->topic_cnt; i++) {
        struct kept_topic *it = &keep->topics[i];
        struct backlog owed = {0};
        int error = it->topic ? backlog_look(it->topic, &owed) : it->error;
        if (!error && owed.records == 0) {
            error = mr_topic_delete(it->topic, MR_DELETE_FINISHED);
            if (!error)
                continue;
            if (error == -ENOTEMPTY) /* a producer appended meanwhile */
                error = backlog_look(it->topic, &owed);
        }
        kept++;
        if (error)
            program_fail(error, "%s: kept", it->name);
        else
            program_notice("%s: kept: %s; a new broker continues with it, \"broker -b %s clean "
                           "--all\" removes it",
                           it->name, owed.text, mr_bus_name(keep->bus));
    }
    return kept;
}

void supervise_close(struct supervision *keep)
{
    if (!keep)
        return;
    for (uint32_t slot = 0; slot < keep->slot_cnt; slot++)
        unwatch(&keep->watches[slot]);
    for (size_t i = 0; i < keep->topic_cnt; i++) {
        mr_topic_close(keep->topics[i].topic);
        free(keep->topics[i].name);
    }
    free(keep->topics);
    free(keep->watches);
    free(keep);
}
