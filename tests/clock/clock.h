/* clock.h - a clock that a test turns, in place of the machine's: for unit tests, which link
 * clock.c, and for the programs as they are shipped, which are run with clock.so preloaded ("clock
 * turned producer ...", see main.c).
 *
 * It takes the place of clock_gettime, nanosleep, usleep, poll, ppoll, epoll_wait, waits on a
 * futex, pthread_mutex_clocklock and pthread_cond_timedwait. The clock stands still while processes
 * work: what a pause or a timeout measures is exact. What makes it go on: CLOCK_TURNED  the test
 * alone, by clock_pass; who waits, waits until then, or until what is waited for comes CLOCK_SLEEPS
 * a sleep, which is over at once; a wait that another process can end takes the machine's time
 *   CLOCK_ALONE   every wait: if what is waited for is not there yet, it is over at once. For a
 * process that no other has to do with The machine seems to have one CPU, so that nothing spins
 * until a clock that stands still goes on. */
#ifndef TESTS_CLOCK_CLOCK_H
#define TESTS_CLOCK_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define CLOCK_FILE "MILLRACE_TEST_CLOCK" /* in the environment: the file that holds the clock, */
#define CLOCK_MODE                                                                                 \
    "MILLRACE_TEST_CLOCK_MODE" /* and how it goes for this process, as in enum clock_mode */
#define CLOCK_SEATS 1024

enum clock_mode {
    CLOCK_REAL, /* the machine's clock */
    CLOCK_TURNED,
    CLOCK_SLEEPS,
    CLOCK_ALONE,
};

/* What all processes on one clock share. Times are those of CLOCK_MONOTONIC. */
struct clock_shm {
    _Atomic int64_t now_ns;
    int64_t began_ns;         /* now_ns at first */
    int64_t wall_ns;          /* what CLOCK_REALTIME was ahead of it then, */
    _Atomic int64_t ahead_ns; /* and what it was set since */
    _Atomic uint32_t turns;   /* a futex: grows with each change of now_ns */
    struct clock_seat {       /* of a thread that has waited */
        _Atomic int32_t pid;  /* 0: free */
        _Atomic int32_t tid;
        _Atomic int64_t until_ns; /* it waits until then; 0: it does not wait */
        _Atomic uint64_t waits;   /* how often it has begun to */
    } seats[CLOCK_SEATS];
};

/* clock_begin puts this process, and what it forks, on a clock of its own; CLOCK_REAL: takes it off
 * again. */
void clock_begin(enum clock_mode mode);
/* clock_go changes how this process, and what it forks from now on, goes on the clock that it has.
 */
void clock_go(enum clock_mode mode);
/* clock_set sets the clock on the wall, CLOCK_REALTIME, so far ahead of what it was at first. */
void clock_set(int64_t ahead_ns);
/* clock_attach does so with the clock in a file, which is made if it is not there. Returns 0 or a
 * negative errno. */
int clock_attach(const char *path, enum clock_mode mode);

int64_t clock_now_ns(void);  /* how long the clock has gone on since it began */
int64_t clock_real_ns(void); /* the machine's clock, whatever this one shows */

/* clock_pass lets time pass for the processes given, from one of their deadlines to the next: the
 * clock goes on when all of them wait, to when the first wait is over. It returns when the time has
 * passed and all wait again, or are gone. Returns 0, or -ETIMEDOUT: one of them has not come to
 * wait within a minute of the machine's time. */
int clock_pass(int64_t ns, const pid_t *pids, int n);

/* clock_waits says how often the threads of a process have begun to wait. */
uint64_t clock_waits(pid_t pid);

#endif
