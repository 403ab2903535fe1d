/* trap.h - stops a process at each of its stores to shared memory, and around each system call that
 * others can notice.
 *
 * It happens from inside, so that it costs microseconds: all segments are write-protected; a store
 * faults, is let through as a single step (the trap flag), and is compared with what was there.
 * System calls come by a seccomp filter. What is left by a kill changes at these events only:
 * registers and private memory are gone, also the list of robust locks, which the C library changes
 * before the lock's word such that the kernel finds the lock in either way (main.c -a does not
 * believe that: it goes by instructions, see step.h).
 *
 * Each event carries a number for the state that it leaves: a sum over the words changed since
 * trap_begin, and how many calls that others can notice were made. Two events of one process with
 * equal numbers leave the same. x86-64 Linux. */
#ifndef TESTS_CRASH_TRAP_H
#define TESTS_CRASH_TRAP_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define TRAP_EVENTS_MAX 200000u

enum trap_how {
    TRAP_NOTHING, /* count */
    TRAP_KILL,    /* SIGKILL */
    /* the stop flag (child.h) is set, the process stops (SIGSTOP) and goes on unwatched */
    TRAP_GIVE_UP,
    TRAP_STOP, /* it stops and goes on unwatched */
    /* the same before its next store: what it has read may be old by then */
    TRAP_STOP_LATE,
};

struct trap_event {
    uint64_t rip;
    uint64_t state;
};

/* Shared by the process and who started it. */
struct trap_plan {
    size_t at; /* the event where to do it, from 0: before anything has happened */
    enum trap_how how;
    size_t event_cnt;             /* so far; the last one is trap_end */
    int ended;                    /* the operation has returned, */
    long result;                  /* this */
    uint64_t client;              /* of the process, once it is attached */
    int waits_at_begin;           /* it stops (SIGSTOP) before the operation, attached and all */
    unsigned moved[4], moved_cnt; /* numbers of the records that it moves */
    struct trap_event event[TRAP_EVENTS_MAX];
};

/* The stop flag of the child's bus. While it is set, a lock that is held is waited for no longer
 * than a look: what takes a program half a second until it finds the flag takes no time here. */
extern volatile sig_atomic_t child_gives_up;

void trap_begin(struct trap_plan *plan);
void trap_end(long result);

#endif
