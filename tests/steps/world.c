/* world.c - see world.h. */
#include "world.h"

#include "core/client.h"
#include "core/lifecycle.h"
#include "core/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int bad(struct world *w, const char *format, ...)
{
    va_list args;
    if (*w->error)
        return -1;
    va_start(args, format);
    vsnprintf(w->error, sizeof w->error, format, args);
    va_end(args);
    return -1;
}

uint32_t dice(struct world *w, uint32_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (uint32_t)((w->seed >> 33) % below);
}

int chance(struct world *w, uint32_t percent)
{
    return dice(w, 100) < percent;
}

/* ---- the broker ---- */

pid_t broker_start(struct world *w, const char *bus)
{
    char path[600], byte;
    int ready[2];
    snprintf(path, sizeof path, "%s/broker", w->bin);
    if (pipe2(ready, O_CLOEXEC) < 0)
        return bad(w, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(ready[1], 3);
        execl(path, path, "-q", "-b", bus, "--ready-fd", "3", (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    struct pollfd wait = {.fd = ready[0], .events = POLLIN};
    ssize_t n = -1;
    for (int i = 0; n < 0 && i < BOUND_S * 10; i++)
        if (poll(&wait, 1, 100) > 0)
            n = read(ready[0], &byte, 1);
    close(ready[0]);
    if (n == 1)
        return pid;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return bad(w, "a broker does not start");
}

int world_broker_start(struct world *w)
{
    w->broker = broker_start(w, w->bus_name);
    return w->broker < 0 ? -1 : 0;
}

void world_broker_kill(struct world *w)
{
    if (w->broker > 0) {
        kill(w->broker, SIGKILL);
        waitpid(w->broker, NULL, 0);
    }
    w->broker = 0;
}

/* ---- the dead of before ---- */

/* A process joins a group, takes some records, acknowledges some, and dies of the next. */
int die_in_group(struct world *w, const char *group)
{
    uint32_t window = 2 + dice(w, 10), acked = dice(w, 4);
    pid_t pid = fork();
    if (pid == 0) {
        struct mr_bus *bus;
        struct mr_topic *topic;
        struct mr_consumer *consumer;
        struct mr_record r;
        struct mr_consumer_options options = {.group = group, .window = window};
        if (mr_bus_connect(w->bus_name, NULL, &bus) || mr_topic_open(bus, "t", &topic) ||
            mr_consumer_open(topic, &options, &consumer))
            _exit(1);
        for (uint32_t i = 0; i < acked && mr_consumer_claim(consumer, 0, 0) > 0 &&
                             mr_consumer_next(consumer, &r) > 0;
             i++)
            mr_consumer_ack(consumer);
        if (mr_consumer_claim(consumer, 0, 0) > 0)
            mr_consumer_next(consumer, &r);
        raise(SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 0 : bad(w, "a process cannot join group %s", group);
}

/* A process takes all producer slots of o that are left, and dies; or it gives some back, and
 * lives: then those who come share a few slots, and each soon gets that of one who has just died.
 */
static int use_slots(struct world *w)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return bad(w, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        struct mr_bus *bus;
        struct mr_topic *topic;
        struct mr_producer *producers[1024];
        uint32_t cnt = 0;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (mr_bus_connect(w->bus_name, NULL, &bus) || mr_topic_open(bus, "o", &topic))
            _exit(1);
        while (cnt < 1024 && mr_producer_open(topic, NULL, &producers[cnt]) == 0)
            cnt++;
        if (w->slots == SLOTS_DEAD)
            raise(SIGKILL);
        for (int i = 0; i < SLOTS_FREE && cnt > 0; i++)
            mr_producer_close(producers[--cnt]);
        if (write(ready[1], &cnt, sizeof cnt) == sizeof cnt)
            pause();
        _exit(1);
    }
    close(ready[1]);
    ssize_t n = read(ready[0], &w->holds, sizeof w->holds);
    close(ready[0]);
    if (w->slots == SLOTS_DEAD)
        waitpid(pid, NULL, 0);
    else
        w->holder = pid;
    if ((n == sizeof w->holds) != (w->slots == SLOTS_HELD))
        return bad(w, "a process cannot use the slots of o");
    return 0;
}

/* ---- its beginning and its end ---- */

static void *pages(size_t n)
{
    void *at =
        mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        abort();
    return at;
}

static int open_topic(struct world *w, struct book *book, const char *name)
{
    struct mr_settings settings = {.size_bytes =
                                       (uint64_t)w->parts * (chance(w, 50) ? 4096 : 16384),
                                   .partitions = w->parts,
                                   .full = MR_FULL_BLOCK,
                                   .tries = 1000,
                                   .records_max = chance(w, 25) ? 40 : 0};
    int error = mr_topic_create(w->bus, name, &settings, 0);
    if (!error)
        error = mr_topic_open(w->bus, name, &book->topic);
    for (uint32_t p = 0; p < w->parts; p++)
        book->id[p] = pages(IDS_MAX * sizeof *book->id[p]);
    book->seen = pages(IDS_MAX);
    return error ? bad(w, "topic %s: %s", name, strerror(-error)) : 0;
}

static int open_member(struct world *w, int i, const char *group, struct book *book)
{
    struct member *m = &w->members[i];
    struct mr_consumer_options options = {
        .group = group, .name = group, .flags = i == ORDERED ? MR_ORDERED : 0};
    m->group = group;
    m->book = book;
    m->keeps = i == KEEP || i == KEEP_O;
    for (uint32_t p = 0; p < w->parts; p++)
        m->state[p] = pages(IDS_MAX);
    int error = mr_consumer_open(book->topic, &options, &m->consumer);
    if (!error && i == INTO)
        error = mr_producer_open(w->o.topic, NULL, &m->into);
    return error ? bad(w, "group %s: %s", group, strerror(-error)) : 0;
}

void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

const char *world_folder(void)
{
    const char *given = getenv("TMPDIR");
    return given ? given : "/tmp";
}

int world_open(struct world *w, const char *bin, const char *bus_name, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    dice(w, 2);
    w->parts = 1 + dice(w, PARTS_MAX);
    w->with_broker = chance(w, 50);
    snprintf(w->bin, sizeof w->bin, "%s", bin);
    snprintf(w->bus_name, sizeof w->bus_name, "%s", bus_name);
    snprintf(w->dir, sizeof w->dir, "%.200s/millrace-%s", world_folder(), bus_name);
    if (mkdir(w->dir, 0700) < 0)
        return bad(w, "%s: %s", w->dir, strerror(errno));
    if (world_broker_start(w) < 0)
        return -1;
    struct mr_connect_options options = {.name = "survivor"};
    int error = mr_bus_connect(bus_name, &options, &w->bus);
    if (error)
        return bad(w, "connect: %s", strerror(-error));
    if (open_topic(w, &w->t, "t") < 0 || open_topic(w, &w->o, "o") < 0)
        return -1;
    if (open_member(w, KEEP, "keep", &w->t) < 0 || open_member(w, SHARED, "shared", &w->t) < 0 ||
        open_member(w, ORDERED, "ordered", &w->t) < 0 ||
        open_member(w, MOVED, "moved", &w->t) < 0 || open_member(w, INTO, "into", &w->t) < 0 ||
        open_member(w, KEEP_O, "keep", &w->o) < 0)
        return -1;
    error = mr_producer_open(w->t.topic, NULL, &w->feeder);
    if (error)
        return bad(w, "producer: %s", strerror(-error));
    w->slots = (enum slots)dice(w, SLOTS_KINDS);
    if (w->slots != SLOTS_FRESH && use_slots(w) < 0)
        return -1;
    if (!w->with_broker)
        world_broker_kill(w);
    return 0;
}

void remove_bus(const char *bus)
{
    char prefix[MR_PATH_MAX], **names;
    mr_segment_name(prefix, geteuid(), bus, "");
    if (mr_segment_list(prefix + 1, &names) >= 0) {
        for (char **name = names; *name; name++)
            mr_topic_unlink(bus, *name);
        free(names);
    }
    mr_bus_remove(bus);
}

void world_close(struct world *w)
{
    world_broker_kill(w);
    if (w->holder > 0) {
        kill(w->holder, SIGKILL);
        waitpid(w->holder, NULL, 0);
    }
    mr_producer_close(w->feeder);
    for (int i = 0; i < MEMBERS; i++) {
        mr_consumer_close(w->members[i].consumer);
        mr_producer_close(w->members[i].into);
        for (uint32_t p = 0; p < PARTS_MAX; p++)
            if (w->members[i].state[p])
                munmap(w->members[i].state[p], IDS_MAX);
    }
    struct book *books[] = {&w->t, &w->o};
    for (int i = 0; i < 2; i++) {
        mr_topic_close(books[i]->topic);
        for (uint32_t p = 0; p < PARTS_MAX; p++)
            if (books[i]->id[p])
                munmap(books[i]->id[p], IDS_MAX * sizeof *books[i]->id[p]);
        if (books[i]->seen)
            munmap(books[i]->seen, IDS_MAX);
    }
    mr_bus_disconnect(w->bus);
    remove_bus(w->bus_name);
    remove_folder(w->dir);
}

/* ---- survivors only ---- */

static uint64_t now_ms(void)
{
    return mr_now_ns() / 1000000;
}

/* Who holds the producers up, for the message. */
static void name_groups(struct world *w, char *out, size_t cap)
{
    struct mr_group_info group = {0};
    size_t len = 0;
    int found;
    *out = '\0';
    for (uint32_t g = 0; (found = mr_group_info(w->t.topic, g, &group)) >= 0; g++)
        if (found && len + 120 < cap)
            len +=
                (size_t)snprintf(out + len, cap - len, " %s%s (members %u, orphans %u, lag %llu)",
                                 group.is_private ? "private " : "", group.name, group.members,
                                 group.orphans, (unsigned long long)group.lag);
}

static int hangs(struct world *w, const char *what)
{
    char groups[700];
    name_groups(w, groups, sizeof groups);
    return bad(w, "%s; groups of t:%s", what, groups);
}

/* Whether a group still has to get something, if its survivor is there. What a program has printed
 * and not acknowledged comes again, unless its death hides whether it was acknowledged; then the
 * group's lag says so. */
static uint64_t left_over(struct world *w, struct member *m)
{
    uint64_t left = 0, open = 0;
    int64_t lag = m->consumer ? mr_consumer_lag(m->consumer) : 0;
    for (uint32_t p = 0; m->consumer && p < w->parts; p++) {
        struct mr_partition_info part = {0};
        mr_partition_info(m->book->topic, p, &part);
        for (uint64_t offset = m->floor[p]; offset < part.next_offset; offset++) {
            left += !m->state[p][offset] && !m->into;
            open += !(m->state[p][offset] & ACKED);
        }
        if (!left && !lag) {
            memset(m->state[p] + m->floor[p], TAKEN | ACKED, part.next_offset - m->floor[p]);
            m->floor[p] = part.next_offset;
            open = 0;
        }
    }
    return left + (open && lag ? 1 : 0);
}

static uint64_t all_left_over(struct world *w)
{
    uint64_t left = 0;
    for (int i = 0; i < MEMBERS; i++)
        left += left_over(w, &w->members[i]);
    return left;
}

int fill(struct world *w)
{
    struct mr_topic_info info = {0};
    mr_topic_info(w->t.topic, &info);
    uint64_t goal = info.bytes_in + 2 * info.bytes_room, until = now_ms() + BOUND_S * 1000;
    struct mr_message msg = {0};
    char text[64];
    while (info.bytes_in < goal) {
        int taken = take_all(w, 0), fed = taken < 0 ? -1 : feed(w, 32);
        if (fed < 0)
            return -1;
        mr_topic_info(w->t.topic, &info);
        if (fed + taken > 0) {
            until = now_ms() + BOUND_S * 1000;
            continue;
        }
        /* Nothing to take and no room: someone dead holds us up, and a waiting process finds that
         * out.
         */
        if (now_ms() > until)
            return hangs(w, "a producer waits for ever, though the groups keep up");
        msg.value = text;
        msg.value_len = (uint32_t)id_text(w->ids + 1, text);
        ssize_t sent = mr_producer_append(w->feeder, &msg, 1, 1000000);
        if (sent < 0 && sent != -ETIMEDOUT)
            return bad(w, "a survivor cannot append: %s", strerror((int)-sent));
        w->ids += sent == 1;
    }
    while (all_left_over(w)) {
        if (take_all(w, 0) < 0)
            return -1;
        if (all_left_over(w) && take_all(w, 1000000) < 0) /* a waiting process finds the dead */
            return -1;
        if (now_ms() > until)
            return hangs(w, "not everything comes to the survivors");
    }
    return 0;
}

static int settled(struct world *w, struct mr_topic *topic, uint32_t groups, uint32_t producers,
                   char *why, size_t cap)
{
    struct mr_topic_info info = {0};
    int error = mr_topic_info(topic, &info);
    if (error || info.damaged)
        return bad(w, "%s: damaged: %s", mr_topic_name(topic), strerror(-error));
    snprintf(why, cap, "%s: %u groups, %u members, %u producers instead of %u, %u, %u",
             mr_topic_name(topic), info.groups, info.members, info.producers, groups, groups,
             producers);
    return info.groups == groups && info.members == groups && info.producers == producers;
}

int check_books(struct world *w)
{
    char why[300];
    uint64_t until = now_ms() + BOUND_S * 1000;
    for (uint32_t p = 0; p < w->parts; p++) {
        struct mr_partition_info part = {0};
        mr_partition_info(w->t.topic, p, &part);
        if (w->t.read[p] != part.next_offset)
            return bad(w, "partition %u has %llu records, the group that keeps up has seen %llu", p,
                       (unsigned long long)part.next_offset, (unsigned long long)w->t.read[p]);
    }
    for (uint32_t p = 0; p < w->parts; p++)
        for (; w->into_checked[p] < w->t.read[p]; w->into_checked[p]++) {
            uint32_t id = w->t.id[p][w->into_checked[p]];
            if (w->o.seen[id] != 1)
                return bad(w, "record %u (partition %u, offset %llu of t) is in o %u times", id, p,
                           (unsigned long long)w->into_checked[p], (unsigned)w->o.seen[id]);
        }
    for (int i = 0; i < 2; i++) {
        struct mr_topic *topic = i ? w->o.topic : w->t.topic;
        int answer;
        while ((answer = settled(w, topic, i ? 1 : MEMBERS - 1, i ? 1 + w->holds : 1, why,
                                 sizeof why)) == 0) {
            if (now_ms() > until)
                return hangs(w, why);
            if (take_all(w, 1000000) < 0)
                return -1;
        }
        if (answer < 0)
            return -1;
    }
    struct mr_group_info group = {0};
    int found;
    for (uint32_t g = 0; (found = mr_group_info(w->t.topic, g, &group)) >= 0; g++)
        if (found && (group.lag || group.orphans || group.in_hand || !group.members))
            return hangs(w, "a group is not at rest");
    return 0;
}
