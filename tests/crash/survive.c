/* survive.c - see oracle.h: survivors only. */
#include "oracle.h"
#include "trap.h"

#include "core/cond.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

volatile sig_atomic_t survivors_stop;

/* ---- waits: the survivors are one process, so that what the others do while one waits is done in
 * its wait ---- */

static struct {
    struct world *w; /* NULL: waits are real */
    int wait;        /* consumers wait, too */
    int turns;       /* of the producer that waits */
    int depth;       /* a consumer waits inside a producer's wait */
    int naps;        /* of the consumer that waits */
} turn;

int __real_mr_cond_wait(struct mr_cond *cond, uint32_t ticket, int64_t timeout_ns);
int __wrap_mr_cond_wait(struct mr_cond *cond, uint32_t ticket, int64_t timeout_ns);
int __real_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until);
int __wrap_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until);

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int64_t survivors_ahead_ns;

/* Time is what has passed, and what the waits that were over at once would have taken. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int error = __real_clock_gettime(clock, now);
    if (clock != CLOCK_REALTIME && survivors_ahead_ns) {
        now->tv_sec += survivors_ahead_ns / 1000000000;
        now->tv_nsec += survivors_ahead_ns % 1000000000;
        now->tv_sec += now->tv_nsec / 1000000000;
        now->tv_nsec %= 1000000000;
    }
    return error;
}

int __wrap_mr_cond_wait(struct mr_cond *cond, uint32_t ticket, int64_t timeout_ns)
{
    if (!turn.w)
        return __real_mr_cond_wait(cond, ticket, timeout_ns);
    survivors_ahead_ns += timeout_ns;
    if (turn.depth) { /* a consumer: it sleeps twice for its bound, then it is told to end */
        survivors_stop = ++turn.naps > 2;
        return -ETIMEDOUT;
    }
    if (++turn.turns > TURNS_MAX) {
        survivors_stop = 1;
        return -EINTR;
    }
    /* time passes before the groups go on: who waits has to look around by itself */
    if (turn.turns == 1)
        return -ETIMEDOUT;
    survivors_take(turn.w, turn.wait);
    return atomic_load(&cond->word) != ticket ? 0 : -ETIMEDOUT;
}

unsigned survivors_lock_waits;
static int beside; /* a process that is stopped */

/* A call that gives up on a held lock does so at its first look. */
int __wrap_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until)
{
    if (!child_gives_up && !beside)
        return __real_pthread_mutex_clocklock(mutex, clock, until);
    int error = pthread_mutex_trylock(mutex);
    if (error == EBUSY && beside) {
        survivors_lock_waits++;
        survivors_stop = 1;
    }
    return error == EBUSY ? ETIMEDOUT : error;
}

/* ---- what the groups do ---- */

static int take(struct world *w, struct place *place, struct mr_consumer *consumer, int wait)
{
    struct mr_record record;
    ssize_t n;
    turn.naps = 0;
    while ((n = mr_consumer_claim(consumer, 0, wait ? -1 : 0)) > 0) {
        int more;
        while ((more = mr_consumer_next(consumer, &record)) == 1) {
            unsigned id = world_id(&record);
            if (id >= w->sent)
                return world_fail(w, "group %s got a record that none has sent (%u)", place->group,
                                  id);
            if (place->times[id]++ && !w->drops)
                return world_fail(w, "I6: group %s got record %u twice", place->group, id);
        }
        if (more < 0)
            return world_fail(w, "group %s: next: %s", place->group, strerror(-more));
        int error = mr_consumer_ack(consumer);
        if (error)
            return world_fail(w, "group %s cannot acknowledge: %s", place->group, strerror(-error));
    }
    if (wait)
        survivors_stop = 0;
    if (n == -ETIMEDOUT || n == -EINTR || ((n == -ENODATA || n == -EIDRM) && w->may_end))
        return 0;
    return world_fail(w, "group %s: claim: %s", place->group, strerror((int)-n));
}

int take_all(struct world *w, struct place *place, struct mr_consumer *consumer, int wait)
{
    struct world *before = turn.w;
    int depth = turn.depth;
    turn.w = w;
    turn.depth = 1;
    int failed = take(w, place, consumer, wait);
    turn.depth = depth;
    turn.w = before;
    return failed;
}

int survivors_take(struct world *w, int wait)
{
    int failed = 0;
    for (int s = 0; s < SHELVES; s++)
        for (int i = 0; i < PLACES; i++) {
            struct place *place = &w->shelf[s].place[i];
            if (place->consumer)
                failed |= take_all(w, place, place->consumer, wait);
        }
    return failed;
}

void survivors_wait_beside(struct world *w, struct place *place)
{
    survivors_lock_waits = 0;
    beside = 1;
    take_all(w, place, place->consumer, 1);
    beside = 0;
}

/* ---- what the producers do ---- */

/* Appends one record to partition p. Returns 1; 0 the topic has ended; -EAGAIN it is held up for
 * good; -1 with w->error. */
static int append_one(struct world *w, struct shelf *shelf, uint32_t p)
{
    unsigned char buf[2048];
    struct mr_message msg;
    world_fill(w, &msg, buf, w->sent);
    msg.partition = MR_PARTITION(p);
    world_note(shelf, w->sent++, MUST);
    turn.turns = 0;
    w->error[0] = '\0';
    ssize_t n = mr_producer_append(shelf->producer, &msg, 1, -1);
    survivors_stop = 0;
    if (w->error[0])
        return -1;
    if (n == 1) {
        shelf->sent++;
        return 1;
    }
    world_note(shelf, w->sent - 1, ABSENT);
    if (n == -EINTR)
        return -EAGAIN;
    if ((n == -EPIPE || n == -EIDRM) && w->may_end)
        return 0;
    return world_fail(w, "a survivor cannot append: %s", strerror((int)-n));
}

/* Fills a ring twice over. */
static int fill(struct world *w, struct shelf *shelf, uint32_t p)
{
    uint64_t record = mr_record_bytes(w->record_bytes, 0, 0), bytes = 0;
    while (bytes < 2 * shelf->topic->ring_bytes) {
        int got = append_one(w, shelf, p);
        if (got == 0)
            return 0;
        if (got == -EAGAIN) {
            int holder = words_holder(w, shelf, p);
            if (holder < 0)
                return -1;
            world_is_there(w, &shelf->place[holder]); /* as it holds a producer up */
            shelf->legal_hold = 1;
            return 0;
        }
        if (got < 0)
            return -1;
        bytes += record;
        if (w->settings.records_max && bytes >= 8 * record) /* a lap of a bounded buffer is short */
            return 0;
    }
    return 0;
}

int survive(struct world *w, const struct style *style)
{
    int failed = 0;
    uint32_t record_bytes = w->record_bytes;
    turn.w = w;
    turn.wait = style->wait;
    for (int s = 0; s < SHELVES && !failed; s++) {
        struct shelf *shelf = &w->shelf[s];
        if (!shelf->producer)
            continue;
        if (w->record_bytes < shelf->topic->ring_bytes / 20) /* about 16 records a lap */
            w->record_bytes = shelf->topic->ring_bytes / 20 > 1000
                                  ? 1000
                                  : (uint32_t)shelf->topic->ring_bytes / 20;
        for (uint32_t p = 0; p < shelf->topic->partition_cnt && !failed; p++)
            failed = fill(w, shelf, p);
        w->record_bytes = record_bytes;
    }
    if (!failed)
        failed = survivors_take(w, style->wait);
    turn.w = NULL;
    return failed ? -1 : 0;
}
