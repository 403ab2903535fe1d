/* storm_lives.c - see storm_lives.h. */
#include "storm_lives.h"

#include <sys/prctl.h>

struct chronicle *chronicle;
char storm_bus_name[MR_BUS_NAME_MAX + 1];

/* In a child: notes what is wrong and ends. */
#define insist(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            snprintf(chronicle->complaint, sizeof chronicle->complaint, __VA_ARGS__);              \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* ---- records ---- */

struct payload {
    uint32_t id, text_len; /* id: life * RECORDS_EACH + n */
    unsigned char text[TEXT_MAX];
};

static uint32_t build(struct payload *payload, uint32_t id)
{
    *payload = (struct payload){.id = id, .text_len = id * 2654435761u % TEXT_MAX};
    for (uint32_t i = 0; i < payload->text_len; i++)
        payload->text[i] = (unsigned char)(id >> i % 8);
    return (uint32_t)offsetof(struct payload, text) + payload->text_len;
}

static uint32_t id_of(const struct mr_record *r)
{
    struct payload payload;
    uint32_t id;
    insist(r->value_len >= 8, "a record of %u bytes", r->value_len);
    memcpy(&id, r->value, sizeof id);
    insist(id < LIVES_MAX * RECORDS_EACH && build(&payload, id) == r->value_len &&
               memcmp(&payload, r->value, r->value_len) == 0,
           "record %u at offset %llu is not whole", id, (unsigned long long)r->offset);
    return id;
}

/* ---- what children do ---- */

static struct mr_topic *attach(const char *name)
{
    struct mr_bus *mine;
    struct mr_topic *found;
    int error =
        mr_bus_connect(storm_bus_name, &(struct mr_connect_options){.name = "storm"}, &mine);
    insist(error == 0, "connect: %s", strerror(-error));
    error = mr_topic_open(mine, name, &found);
    insist(error == 0, "open: %s", strerror(-error));
    return found;
}

/* How many to send now, and what to do first; a sender leaves time for its records to fail. */
static uint32_t batch_size(struct life *life, uint32_t n)
{
    uint32_t cnt = 1 + (uint32_t)rand_r(&life->seed) % BATCH_MAX;
    if (life->kind == SENDER)
        usleep((useconds_t)(rand_r(&life->seed) % 4000)); /* sleep:ok at any pace */
    return cnt < RECORDS_EACH - n ? cnt : RECORDS_EACH - n;
}

static int produce(struct life *life)
{
    struct payload payloads[BATCH_MAX];
    struct mr_producer *producer;
    struct mr_topic *topic = attach(life->kind == SENDER ? "d" : "t");
    int error = mr_producer_open(topic, NULL, &producer);
    insist(error == 0, "producer: %s", strerror(-error));
    for (uint32_t n = 0; n < RECORDS_EACH && !chronicle->over;) {
        struct mr_message msgs[BATCH_MAX];
        uint32_t cnt = batch_size(life, n), first = life->number * RECORDS_EACH + n;
        int32_t partition = rand_r(&life->seed) % (PARTITIONS + 1) - 1; /* MR_ANY among them */
        for (uint32_t i = 0; i < cnt; i++)
            msgs[i] = (struct mr_message){.value = &payloads[i],
                                          .value_len = build(&payloads[i], first + i),
                                          .partition = to(partition)};
        ssize_t sent = mr_producer_append(producer, msgs, cnt, -1);
        insist(sent == (ssize_t)cnt, "append: %zd of %u", sent, cnt);
        for (uint32_t i = 0; i < cnt; i++)
            chronicle->accepted[first + i] = life->kind == SENDER ? 2 : 1;
        n += cnt;
    }
    mr_producer_close(producer);
    return 0;
}

static void note_delivery(const struct life *life, uint32_t id)
{
    uint32_t before =
        atomic_exchange(&chronicle->state[life->group][id], DELIVERED | OWNER(life->number + 1));
    uint32_t owner = OWNER(before);
    insist(!(before & NOTED), "group %d: record %u came again after it was acknowledged",
           life->group, id);
    insist(!owner || chronicle->killed[owner - 1],
           "group %d: record %u was taken from one that lives", life->group, id);
    atomic_fetch_add(&chronicle->deliveries, 1);
    if (owner)
        atomic_fetch_add(&chronicle->again, 1);
}

/* One claim, acknowledged in one or several steps, and now and then given back in between. */
static void take_claim(struct life *life, struct mr_consumer *consumer, uint64_t *last)
{
    uint32_t ids[1000], n = 0;
    struct mr_record r;
    int got, give_back = rand_r(&life->seed) % 10 == 0;
    while ((got = mr_consumer_next(consumer, &r)) > 0) {
        ids[n++] = id_of(&r);
        if (rand_r(&life->seed) % 200 == 0)
            usleep((useconds_t)(rand_r(&life->seed) % 5000)); /* sleep:ok it holds what it has */
        insist(last[0] != r.partition || last[1] == UINT64_MAX || r.offset == last[1] + 1,
               "offset %llu after %llu in one claim", (unsigned long long)r.offset,
               (unsigned long long)last[1]);
        last[0] = r.partition;
        last[1] = r.offset;
        if (life->kind == CONSUMER)
            note_delivery(life, ids[n - 1]);
        if (rand_r(&life->seed) % 50 == 0) {
            if (give_back)
                break;
            int error = mr_consumer_ack(consumer);
            insist(error == 0, "acknowledge: %s", strerror(-error));
            for (uint32_t i = 0; i < n && life->kind == CONSUMER; i++)
                atomic_fetch_or(&chronicle->state[life->group][ids[i]], NOTED);
            n = 0;
        }
    }
    insist(got >= 0, "next: %s", strerror(-got));
    for (uint32_t i = 0; i < n && life->kind == CONSUMER; i++)
        atomic_fetch_and(&chronicle->state[life->group][ids[i]], ~(give_back ? OWNER(~0u) : 0));
    int error = give_back ? mr_consumer_give_back(consumer) : mr_consumer_ack(consumer);
    insist(error == 0, "%s: %s", give_back ? "give back" : "acknowledge", strerror(-error));
    for (uint32_t i = 0; i < n && life->kind == CONSUMER && !give_back; i++)
        atomic_fetch_or(&chronicle->state[life->group][ids[i]], NOTED);
}

static struct mr_consumer *join(struct mr_topic *topic, struct mr_consumer_options options)
{
    struct mr_consumer *consumer;
    int error = mr_consumer_open(topic, &options, &consumer);
    insist(error == 0, "consumer: %s", strerror(-error));
    return consumer;
}

static int consume(struct life *life)
{
    static const char *const groups[GROUPS] = {"a", "b", "f"};
    struct mr_topic *topic = attach("t");
    struct mr_consumer *consumer =
        join(topic, (struct mr_consumer_options){.group = groups[life->group],
                                                 .flags = life->kind == PRIVATE ? MR_PRIVATE : 0});
    for (;;) {
        uint64_t last[2] = {0, UINT64_MAX}; /* partition and offset within the claim */
        ssize_t n = mr_consumer_claim(consumer, 1 + (size_t)rand_r(&life->seed) % 300, -1);
        if (n == -ENODATA)
            break;
        insist(n > 0, "claim: %s", strerror((int)-n));
        take_claim(life, consumer, last);
    }
    mr_consumer_close(consumer);
    return 0;
}

static int join_and_leave(struct life *life)
{
    static const enum mr_start starts[] = {MR_START_STORED, MR_START_BEGINNING, MR_START_END};
    struct mr_topic *topic = attach("t");
    while (!chronicle->over) {
        uint64_t last[2] = {0, UINT64_MAX};
        struct mr_consumer *consumer =
            join(topic, (struct mr_consumer_options){.flags = MR_PRIVATE,
                                                     .start = starts[rand_r(&life->seed) % 3]});
        /* Its slot is taken and given back, many more times than there are slots. */
        struct mr_producer *producer = NULL;
        int error = mr_producer_open(topic, NULL, &producer);
        insist(error == 0 || (error == -EPIPE && chronicle->over), "producer: %s",
               strerror(-error)); /* -EPIPE: sealed since the storm is over */
        mr_producer_close(producer);
        atomic_fetch_add(&chronicle->joins, 1);
        ssize_t n = mr_consumer_claim(consumer, 1 + (size_t)rand_r(&life->seed) % 30,
                                      rand_r(&life->seed) % 2 ? 0 : 1000000);
        insist(n > 0 || n == -ETIMEDOUT || n == -ENODATA, "claim: %s", strerror((int)-n));
        if (n > 0)
            take_claim(life, consumer, last);
        mr_consumer_close(consumer);
    }
    return 0;
}

/* ---- a group that is moved ---- */

/* What this life finds first has to be where the one before it stopped, if that is known. */
static void note_moved(const struct mr_record *r)
{
    uint64_t low = chronicle->low[r->partition], high = chronicle->high[r->partition];
    insist(!low || r->offset + 1 >= low,
           "group r: offset %llu came again after it was acknowledged",
           (unsigned long long)r->offset);
    insist(!high || r->offset + 1 <= high, "group r: offset %llu was skipped",
           (unsigned long long)high - 1);
    if (r->offset + 2 > high)
        chronicle->high[r->partition] = r->offset + 2;
}

static int move(struct life *life)
{
    static const enum mr_start starts[] = {MR_START_BEGINNING, MR_START_END, MR_START_LAST};
    struct mr_topic *topic = attach("t");
    struct mr_consumer_options options = {.group = "r"};
    struct mr_consumer *consumer;
    int moves = !chronicle->over && rand_r(&life->seed) % 2, error;
    if (moves) {
        options.start = starts[rand_r(&life->seed) % 3];
        options.start_arg = rand_r(&life->seed) % 20;
        for (int p = 0; p < PARTITIONS; p++)
            chronicle->low[p] = chronicle->high[p] = 0;
    }
    /* Killed ones are members until another process finds out. */
    while ((error = mr_consumer_open(topic, &options, &consumer)) == -EBUSY)
        usleep(1000); /* sleep:ok it asks again */
    insist(error == 0, "group r: %s", strerror(-error));
    atomic_fetch_add(&chronicle->moves, (uint64_t)moves);
    for (uint32_t left = (uint32_t)rand_r(&life->seed) % 3000; left > 0 || chronicle->over;) {
        struct mr_record r;
        uint64_t next[PARTITIONS] = {0};
        ssize_t n = mr_consumer_claim(consumer, 1 + (size_t)rand_r(&life->seed) % 100, 100000000);
        if (n == -ENODATA)
            break;
        insist(n > 0 || n == -ETIMEDOUT, "group r: claim: %s", strerror((int)-n));
        while (n > 0 && mr_consumer_next(consumer, &r) > 0) {
            id_of(&r);
            note_moved(&r);
            next[r.partition] = r.offset + 2;
            left -= left > 0;
        }
        error = mr_consumer_ack(consumer);
        insist(error == 0, "group r: acknowledge: %s", strerror(-error));
        for (int p = 0; p < PARTITIONS; p++)
            if (next[p] > chronicle->low[p])
                chronicle->low[p] = next[p];
    }
    mr_consumer_close(consumer);
    return 0;
}

/* ---- a group that fails ---- */

static int fail_often(struct life *life)
{
    struct mr_topic *topic = attach("d");
    struct mr_consumer *consumer = join(topic, (struct mr_consumer_options){.group = "f"});
    struct mr_record r;
    ssize_t n;
    while ((n = mr_consumer_claim(consumer, 1 + (size_t)rand_r(&life->seed) % 20, -1)) !=
           -ENODATA) {
        insist(n > 0, "group f: claim: %s", strerror((int)-n));
        while (mr_consumer_next(consumer, &r) > 0) {
            uint32_t id = id_of(&r);
            note_delivery(life, id);
            if (!chronicle->over && rand_r(&life->seed) % 4 == 0) {
                atomic_fetch_and(&chronicle->state[life->group][id],
                                 ~OWNER(~0u)); /* the next owner */
                int dead = mr_consumer_fail_now(consumer, "storm");
                insist(dead == 1, "group f: fail: %s", strerror(-dead));
                atomic_fetch_add(&chronicle->letters, 1);
                break; /* the rest of the claim comes again */
            }
            int error = mr_consumer_ack(consumer);
            insist(error == 0, "group f: acknowledge: %s", strerror(-error));
            atomic_fetch_or(&chronicle->state[life->group][id], NOTED);
            atomic_fetch_and(&chronicle->state[life->group][id], ~OWNER(~0u));
        }
    }
    mr_consumer_close(consumer);
    return 0;
}

int storm_live(void *arg)
{
    struct life *life = arg;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever becomes of the test */
    switch (life->kind) {
    case PRODUCER:
    case SENDER:
        return produce(life);
    case JOINER:
        return join_and_leave(life);
    case MOVER:
        return move(life);
    case FAILER:
        return fail_often(life);
    case CONSUMER:
    case PRIVATE:
        break;
    }
    return consume(life);
}
