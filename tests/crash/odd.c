/* odd.c - operations in worlds of their own, for one kind of fault each: what others see of a
 * process that is dead or stands still, or do meanwhile. */
#include "child.h"
#include "oracle.h"
#include "scenes.h"

#include "core/append.h"
#include "core/group.h"
#include "core/producer.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the others found wrong, for `check`; NULL: nothing. */
static const char *wrong;

static int nothing_wrong(struct world *w)
{
    return wrong ? world_fail(w, "%s", wrong) : 0;
}

/* The others go on while a process stands still: they give up on its locks at their first look. */
static void give_up_on_locks(int on)
{
    child_gives_up = survivors_stop = on;
}

/* The place of group "new", live or not. */
static int new_is_live(const struct world *w, uint32_t *g)
{
    char name[MR_GROUP_NAME_MAX + 1];
    const struct mr_topic *t = w->shelf[T].topic;
    for (*g = 0; *g < t->group_cnt; ++*g) {
        mr_words_load(t->groups[*g].name, sizeof name / 8, name);
        if (load(&t->groups[*g].serial) && strcmp(name, "new") == 0)
            return !(load(&t->groups[*g].flags) & (MR_GROUP_MAKING | MR_GROUP_OVER));
    }
    return 0;
}

/* After the lock has been taken once: who waited for it is gone. */
static int new_came_to_be(const struct world *w)
{
    uint32_t g;
    struct mr_topic *t = w->shelf[T].topic;
    world_must(mr_topic_lock(t) == 0, "lock the topic");
    mr_unlock(&t->shm->lock);
    return new_is_live(w, &g);
}

/* Group "new" may have been made by the operation, or is by those who come later: what was sent
 * before is not asked for. */
static void new_may_be(struct world *w)
{
    struct place *new = world_lone(w, T, "new", 1);
    for (unsigned id = 0; id < w->sent; id++)
        new->fate[id] = new->after[id] = ANY;
    new->since = w->sent;
}
static void sent_meanwhile(struct world *w)
{
    for (int i = 0; i < PLACES; i++)
        w->shelf[T].place[i].since = w->sent;
}

/* Group g is made: from record `must` on it is owed everything. */
static void g_comes(struct world *w, unsigned must)
{
    struct place *g = world_join(w, T, "g", 0);
    for (unsigned id = 0; id < w->sent; id++)
        g->fate[id] = g->after[id] = id < must ? ANY : MUST;
}

static void join_at_end(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.group = "new", .start = MR_START_END};
    begin();
    int error = mr_consumer_open(topic, &options, &consumer);
    end(error);
}

/* ---- no group has ever been: one half made lets go of nothing that waits for the first ---- */

static void prepare_no_group(struct world *w)
{
    wrong = NULL;
    w->record_bytes = 200;
    world_send(w, T, 6);
}
static void send_meanwhile(struct world *w)
{
    give_up_on_locks(1);
    world_try_send(w, T, 40);
    sent_meanwhile(w);
    give_up_on_locks(0);
}
static void first_group(struct world *w)
{
    world_try_send(w, T, 40);
    sent_meanwhile(w);
    g_comes(w, new_came_to_be(w) ? w->sent : 0);
}

/* ---- a group that is gone has acknowledged all: that is not forgotten for one half made ---- */

#define BOUND 4u
static void bound(struct mr_settings *s)
{
    s->records_max = BOUND;
}

/* Acknowledges all there is and leaves. */
static void take_privately(struct world *w)
{
    struct mr_consumer *own;
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    struct mr_record record;
    world_must(mr_consumer_open(w->shelf[T].topic, &options, &own) == 0, "join");
    world_send(w, T, BOUND);
    world_must(mr_consumer_claim(own, 0, 0) == BOUND, "claim");
    while (mr_consumer_next(own, &record) == 1)
        ;
    world_must(mr_consumer_ack(own) == 0, "acknowledge");
    mr_consumer_close(own);
}
static void prepare_acknowledged(struct world *w)
{
    wrong = NULL;
    take_privately(w);
    world_send(w, T, 2);
}
static void join_new(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.group = "new"};
    begin();
    int error = mr_consumer_open(topic, &options, &consumer);
    end(error);
}
static void fill_what_is_free(struct world *w)
{
    world_try_send(w, T, 10);
    sent_meanwhile(w);
    int made = new_came_to_be(w);
    if (!made && w->sent != 2 * BOUND)
        wrong = "I10: the topic has forgotten what a group that is gone had acknowledged";
    g_comes(w, made ? w->sent : BOUND);
}

static void prepare_two_gone(struct world *w)
{
    wrong = NULL;
    take_privately(w);
}
static void leave_behind(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.flags = MR_PRIVATE, .start = MR_START_BEGINNING};
    child_must(mr_consumer_open(topic, &options, &consumer) == 0, "join");
    begin();
    mr_consumer_close(consumer);
    consumer = NULL;
    end(0);
}

/* ---- a group half made holds no partition back where it has no position yet ---- */

static void three_partitions(struct mr_settings *s)
{
    s->partitions = 3;
    s->size_bytes = 3 * 4096;
}
/* One more for partition p, which group g may take at once. Returns what mr_producer_append did. */
static ssize_t send_to(struct world *w, uint32_t p)
{
    unsigned char buf[2048];
    struct shelf *t = &w->shelf[T];
    struct mr_message message;
    world_fill(w, &message, buf, w->sent);
    message.partition = MR_PARTITION(p);
    ssize_t n = mr_producer_append(t->producer, &message, 1, 0);
    if (n == 1) {
        world_note(t, w->sent++, MUST);
        t->sent++;
    }
    return n;
}
static void prepare_partitions(struct world *w)
{
    wrong = NULL;
    world_join(w, T, "g", 0);
    for (uint32_t p = 0; p < 3; p++)
        world_must(send_to(w, p) == 1, "append");
}
/* Has "new" a position in partition p, other than where it began? */
static int is_placed(const struct world *w, uint32_t p)
{
    uint32_t g;
    uint64_t at = 0, head = load(&w->shelf[T].topic->logs[p].head);
    new_is_live(w, &g);
    if (g < w->shelf[T].topic->group_cnt)
        at = load(&mr_group_part(w->shelf[T].topic, g, p)->committed);
    return at > 0 && at <= head;
}
static void fill_partitions(struct world *w)
{
    give_up_on_locks(1);
    for (uint32_t p = 0; p < 3; p++) {
        ssize_t n = 1;
        for (unsigned i = 0; i < 80 && n == 1; i++) {
            n = send_to(w, p);
            survivors_take(w, 0);
        }
        if (n == -EAGAIN && !is_placed(w, p))
            wrong = "I10: a group in the making holds a partition up where it has no position";
    }
    sent_meanwhile(w);
    give_up_on_locks(0);
}

/* ---- a crowd: of members of private groups, or of producers, on a bus of their own ---- */

static struct {
    struct mr_bus *bus;
    struct mr_topic *topic;
    struct mr_consumer *consumers[MR_GROUPS];
    struct mr_producer *producers[MR_PRODUCERS];
} crowd;

static void crowd_comes(struct world *w, unsigned consumers, unsigned producers)
{
    struct mr_consumer_options options = {.flags = MR_PRIVATE, .start = MR_START_END};
    world_must(mr_bus_connect(w->bus_name, NULL, &crowd.bus) == 0, "connect");
    world_must(mr_topic_open(crowd.bus, "t", &crowd.topic) == 0, "open the topic");
    for (unsigned i = 0; i < consumers; i++)
        world_must(mr_consumer_open(crowd.topic, &options, &crowd.consumers[i]) == 0, "join");
    for (unsigned i = 0; i < producers; i++)
        world_must(mr_producer_open(crowd.topic, NULL, &crowd.producers[i]) == 0,
                   "open a producer");
}
static void crowd_goes(struct world *w)
{
    (void)w;
    for (unsigned i = 0; i < MR_GROUPS; i++) {
        mr_consumer_close(crowd.consumers[i]);
        crowd.consumers[i] = NULL;
    }
    for (unsigned i = 0; i < MR_PRODUCERS; i++) {
        mr_producer_close(crowd.producers[i]);
        crowd.producers[i] = NULL;
    }
    mr_topic_close(crowd.topic);
    mr_bus_disconnect(crowd.bus);
    crowd.topic = NULL;
    crowd.bus = NULL;
}

/* ---- a private group whose member is gone takes no slot ---- */

static void prepare_last_slot(struct world *w)
{
    wrong = NULL;
    some_records(w);
    crowd_comes(w, MR_GROUPS - 3, 0); /* g, h, and the one that is left */
}
static void leave_last_slot(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    child_must(mr_consumer_open(topic, &options, &consumer) == 0, "join");
    begin();
    mr_consumer_close(consumer);
    consumer = NULL;
    end(0);
}
static void join_last_slot(struct world *w)
{
    struct mr_consumer *own;
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    if (mr_consumer_open(w->shelf[T].topic, &options, &own) == 0)
        mr_consumer_close(own);
    else
        wrong = "I10: a private group without a member takes the last slot";
    crowd_goes(w);
}

/* ---- a repair stands still, and the producer's slot that it is about is used again ---- */

static unsigned first_moved;

/* It has published three records, and they are not counted yet. */
static void die_uncounted(struct world *w)
{
    static unsigned char values[3][1024];
    static struct mr_message messages[3];
    attach_producer(w);
    for (unsigned i = 0; i < 3; i++)
        world_fill(w, &messages[i], values[i], w->sent + i);
    child_must(mr_producer_append(producer, messages, 3, 0) == 3, "append");
    child_must(mr_log_lock(topic, 0) == 0, "lock the log");
    atomic_store(&topic->producers[mr_producer_slot(producer)].records, 0);
}
static void prepare_uncounted(struct world *w)
{
    wrong = NULL;
    w->counts_lost = 1;
    world_join(w, T, "g", 0);
    world_shelf(w, SRC, "s");
    first_moved = w->sent;
    world_send(w, SRC, 8);
    crowd_comes(w, 0, MR_PRODUCERS - 2); /* the survivors' producer, and the one that dies */
    world_death(w, die_uncounted, 1);
    for (unsigned i = 0; i < 3; i++)
        world_note(&w->shelf[T], w->sent++, MUST);
}
static void repair_log(struct world *w)
{
    attach(w);
    begin();
    int error = mr_log_lock(topic, 0);
    if (!error)
        mr_unlock(&topic->logs[0].lock);
    end(error);
}
static void move_into_t(struct world *w)
{
    child_plan = NULL;
    move_three(w, SRC, T, "s");
}
/* Another takes the dead one's slot and begins to move records, for which it needs the log that is
 * being repaired. It dies. */
static void use_slot_again(struct world *w)
{
    for (unsigned i = 0; i < 3; i++)
        world_moves(w, SRC, T, first_moved + i);
    w->moved_by_another = 1;
    pid_t pid = fork();
    if (pid == 0) {
        move_into_t(w);
        _exit(0);
    }
    for (char state = 0; state != 'S' && state != 'Z'; state = world_state(pid))
        ;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- who waits for records waits for no lock, though another client has just died ---- */

static pid_t bystander;
static int said[2];

static void bystand(struct world *w)
{
    struct mr_consumer *own, *of_g;
    struct mr_consumer_options privately = {.flags = MR_PRIVATE};
    struct mr_consumer_options in_g = {.group = "g", .tries = 1000};
    attach_consumer(w, "h", 1000);
    child_must(mr_consumer_open(topic, &privately, &own) == 0, "join privately");
    child_must(mr_consumer_open(topic, &in_g, &of_g) == 0, "join g");
    child_must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
    child_must(mr_consumer_claim(consumer, 3, 0) > 0 && mr_consumer_claim(of_g, 1, 0) > 0, "claim");
    next(1);
    child_must(write(said[1], "!", 1) == 1, "say so");
    for (;;)
        pause();
}
static void prepare_bystander(struct world *w)
{
    char byte;
    wrong = NULL;
    some_records(w);
    world_must(pipe(said) == 0, "make a pipe");
    bystander = fork();
    if (bystander == 0) {
        child_plan = NULL;
        close(said[0]);
        bystand(w);
    }
    close(said[1]);
    world_must(read(said[0], &byte, 1) == 1, "have another client");
    close(said[0]);
}
static void bystander_dies(struct world *w)
{
    (void)w;
    if (bystander) {
        kill(bystander, SIGKILL);
        waitpid(bystander, NULL, 0);
    }
    bystander = 0;
}
/* Group h waits for records. Neither operation needs its lock. */
static void wait_meanwhile(struct world *w)
{
    bystander_dies(w);
    survivors_wait_beside(w, &w->shelf[T].place[1]);
    if (survivors_lock_waits)
        wrong = "I8: who waits for records waits for a lock that a stopped process has";
}
static void attach_and_detach(struct world *w)
{
    attach(w);
    begin();
    int error = mr_producer_open(topic, NULL, &producer);
    mr_producer_close(error ? NULL : producer);
    producer = NULL;
    end(error);
}
static void claim_in_g(struct world *w)
{
    attach_consumer(w, "g", 1000);
    begin();
    ssize_t n = mr_consumer_claim(consumer, 2, 0);
    end(n == -ETIMEDOUT ? 0 : n);
}

/* ---- records that cannot be buried leave slots for members ---- */

#define PARKED 254u /* as many slots as there would be beside g's two members */
static void roomy(struct mr_settings *s)
{
    s->size_bytes = 65536;
}
static void prepare_parking(struct world *w)
{
    wrong = NULL;
    world_join(w, T, "g", 0);
    world_send(w, T, PARKED);
    world_shelf(w, DEAD, NULL);
    world_must(mr_topic_seal(w->shelf[DEAD].topic) == 0, "seal");
    mr_producer_close(w->shelf[DEAD].producer);
    w->shelf[DEAD].producer = NULL;
}
static void park(struct world *w)
{
    attach_consumer(w, "g", 1);
    struct mr_record record;
    int error = 0;
    begin();
    for (unsigned i = 0; i < PARKED && error >= 0; i++) {
        ssize_t n = mr_consumer_claim(consumer, 0, 0);
        if (n > 0)
            error = mr_consumer_next(consumer, &record) == 1 ? mr_consumer_fail(consumer, "test")
                                                             : -EBADMSG;
        else
            error = (int)n;
    }
    if (error >= 0) { /* another group's first member needs a slot, while this one is there */
        struct mr_consumer *own;
        struct mr_consumer_options options = {.flags = MR_PRIVATE};
        error = mr_consumer_open(topic, &options, &own);
        if (!error)
            mr_consumer_close(own);
    }
    end(error);
}

const struct operation odd_operations[] = {
    {.name = "join at the end, no group",
     .prepare = prepare_no_group,
     .staged = new_may_be,
     .child = join_at_end,
     .meanwhile = send_meanwhile,
     .back = first_group,
     .check = nothing_wrong,
     .flags = OP_PLAIN | OP_ALONE},
    {.name = "join, all was acknowledged",
     .settings = bound,
     .prepare = prepare_acknowledged,
     .staged = new_may_be,
     .child = join_new,
     .meanwhile = send_meanwhile,
     .back = fill_what_is_free,
     .check = nothing_wrong,
     .flags = OP_PLAIN | OP_ALONE},
    {.name = "leave, another was further",
     .settings = bound,
     .prepare = prepare_two_gone,
     .staged = new_may_be,
     .child = leave_behind,
     .meanwhile = send_meanwhile,
     .back = fill_what_is_free,
     .check = nothing_wrong,
     .flags = OP_PLAIN | OP_ALONE},
    {.name = "join at the end, three partitions",
     .settings = three_partitions,
     .prepare = prepare_partitions,
     .staged = new_may_be,
     .child = join_at_end,
     .meanwhile = fill_partitions,
     .check = nothing_wrong,
     .flags = OP_PLAIN},
    {.name = "leave privately, no slot to spare",
     .prepare = prepare_last_slot,
     .child = leave_last_slot,
     .back = join_last_slot,
     .after = crowd_goes,
     .check = nothing_wrong,
     .flags = OP_PLAIN},
    {.name = "repair, the slot is used again",
     .prepare = prepare_uncounted,
     .child = repair_log,
     .meanwhile = use_slot_again,
     .back = crowd_goes,
     .after = crowd_goes,
     .flags = OP_PLAIN},
    {.name = "attach a producer, others wait",
     .prepare = prepare_bystander,
     .child = attach_and_detach,
     .meanwhile = wait_meanwhile,
     .back = bystander_dies,
     .after = bystander_dies,
     .check = nothing_wrong,
     .flags = OP_PLAIN},
    {.name = "claim, others wait",
     .prepare = prepare_bystander,
     .child = claim_in_g,
     .meanwhile = wait_meanwhile,
     .back = bystander_dies,
     .after = bystander_dies,
     .check = nothing_wrong,
     .flags = OP_PLAIN},
    {.name = "park more than there are slots",
     .settings = roomy,
     .prepare = prepare_parking,
     .child = park,
     .flags = OP_PLAIN | OP_ONCE},
};
const size_t odd_operation_cnt = sizeof odd_operations / sizeof *odd_operations;
