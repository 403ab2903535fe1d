/* support.h - what the tests of the core share: a bus of their own, topics, children, waiting for a
 * condition, the invariants.
 *
 * A bus is named $MILLRACE_BUS-<process>-<n>, test-<runner>-... if that is not set. A failed test
 * skips its teardown, so test_main removes whatever is left of its own buses. */
#ifndef TESTS_SHARED_SUPPORT_H
#define TESTS_SHARED_SUPPORT_H

#include "core/consumer.h"
#include "core/group_life.h"
#include "core/lifecycle.h"
#include "core/log_append.h"
#include "core/member.h"
#include "core/park.h"
#include "core/reap.h"
#include "core/segment.h"
#include "core/source.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND  1000000000
#define HUNG_NS (60 * (int64_t)SECOND) /* a bound that only ends what hangs */

extern struct mr_bus *bus; /* what bus_setup serves */

/* A checked fixture: a fresh bus for each test, and nothing of it left afterwards. */
void bus_setup(void);
void bus_teardown(void);
/* bus_new_name gives a name for one more bus, in one static buffer. */
const char *bus_new_name(void);

/* test_main runs a suite and removes what its tests have left. Returns main's exit status. */
int test_main(Suite *suite);
/* test_case makes a test case with the bus fixture and adds it. */
TCase *test_case(Suite *suite, const char *name);

/* topic_make makes and opens a topic; what is 0 in settings: 4 KiB, 1 partition, block, 3 tries,
 * mode 0600. */
struct mr_topic *topic_make(const char *name, struct mr_settings settings);

struct mr_producer *producer_on(struct mr_topic *topic);
struct mr_consumer *consumer_with(struct mr_topic *topic, struct mr_consumer_options options);

/* to is what a message's partition says: MR_PARTITION of it, or MR_ANY if it is below 0. */
uint32_t to(int32_t partition);
/* message_of is a message with that text and nothing else. */
struct mr_message message_of(const char *value);
/* put appends one record without key and waits for nothing. Returns mr_producer_append's answer. */
ssize_t put(struct mr_producer *producer, int32_t partition, const char *value);
void put_numbers(struct mr_producer *producer, int32_t partition, unsigned first,
                 unsigned n); /* values "<number>", all accepted */
/* next_is: mr_consumer_next gives a record with this value. */
void next_is(struct mr_consumer *consumer, const char *value);
/* take_all claims and acknowledges until nothing is there. Returns the number of records. */
size_t take_all(struct mr_consumer *consumer);

/* child runs run(arg) in a forked process and exits with its result. The child must connect by
 * itself. */
pid_t child(int (*run)(void *arg), void *arg);
/* topic_of_child is what a child does first: it connects, as "child", and opens a topic. It exits
 * with 99 if it cannot. */
struct mr_topic *topic_of_child(const char *name);
void topic_leave(struct mr_topic *topic); /* closes a topic and the connection it was opened on */
/* waits for a child: its exit status, or minus the signal that killed it */
int ended(pid_t pid);
/* kills a child with SIGKILL and waits until it is gone */
void killed(pid_t pid);
int said(int fd); /* waits for one byte on a pipe. Returns it, or -1 */

#define LOOKS 300000   /* at a condition that comes true: a minute of them */
void look_pause(void); /* 0.2 ms between two looks; the machine's, also on a clock of the test's */

/* wait_until: the condition becomes true, sooner or later. */
#define wait_until(condition)                                                                      \
    do {                                                                                           \
        for (int looks = 0; !(condition) && looks < LOOKS; looks++)                                \
            look_pause();                                                                          \
        ck_assert_msg(condition, "still not: %s", #condition);                                     \
    } while (0)

/* told: a sleeper there was woken after mr_cond_prepare had given the ticket. Waits are
 * bounded, so a wakeup that is missing does not show in what a sleeper finds. */
int told(struct mr_cond *cond, uint32_t ticket);

/* check_invariants asserts I1 to I5 of a topic at rest, by reading the segment, and that no redo
 * log is armed (I7). */
void check_invariants(struct mr_topic *topic);

uint64_t word(const _Atomic uint64_t *at); /* a shared word, as it is now */

#endif
