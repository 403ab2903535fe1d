/* trace.h - runs a program under ptrace: notes the instructions that it makes from its first touch
 * of a topic on, and brings a later run of the program to any one of them.
 *
 * A single step costs some 30 us, so a run is stepped through once, and later ones are brought near
 * the place by a breakpoint register (which no child or thread inherits and which changes no byte
 * of the program), as often as the trace says, and by single steps from there. x86-64 Linux. */
#ifndef TESTS_STEPS_TRACE_H
#define TESTS_STEPS_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TRACE_THREADS_MAX 16u
#define TRACE_STACK       512u /* words of the stack that are looked at, to say where it was */

struct trace {
    uint64_t *rip;   /* rip[k]: address of instruction k, the next one after k */
    uint32_t *nth;   /* how often rip[k] has come up to and including k */
    uint32_t *order; /* all k, those of one address together */
    uint32_t *first; /* where each address begins in order; first[distinct] is n */
    size_t n, cap, distinct;
};

struct run {
    char *const *argv;
    int in, out, err; /* its descriptors 0, 1, 2 */
    const char
        *touch;      /* what the path of the topic's segment ends with; "": count from the start */
    uint32_t thread; /* which one is meant: 0 the first, 1 the first one it starts, ... */
    /* Called each ms while the program sleeps in the kernel; turn counts from 0 whenever it has
     * run. Returns 1 to go on waiting, 0 to leave it there. */
    int (*asleep)(void *arg, unsigned turn);
    void *arg;

    /* What has become of it. */
    pid_t pid;
    pid_t tid[TRACE_THREADS_MAX];
    uint32_t threads;
    int gone, status;            /* status: of waitpid, once it is gone */
    uint64_t text, text_end;     /* where the program's own code is */
    uint64_t rip;                /* where it was when it was last stopped, */
    uint64_t stack[TRACE_STACK]; /* and what was on its stack */
};

enum reach { REACHED, ELSEWHERE, ASLEEP, ENDED };

struct point { /* instruction k of a trace: the nth time at anchor, and back steps from there */
    size_t k;
    uint64_t rip, anchor;
    uint32_t nth, back;
};

/* trace_record runs the program to its end, or until it is left asleep, or for trace->cap
 * instructions, and puts them into trace->rip, which has room for so many. What a call into a
 * library does beyond its first instructions is left out. The program is then killed. Returns 0, or
 * -1: it did not touch the topic. */
int trace_record(struct run *run, struct trace *trace);
/* trace_sort makes the rest of the trace. */
void trace_sort(struct trace *trace);

/* trace_choose finds out how to come to instruction k. Returns 0; -1 that takes too many stops. */
int trace_choose(const struct trace *trace, size_t k, struct point *point);

/* trace_reach starts the program and brings it to the point, where it then stands still, or sleeps.
 */
enum reach trace_reach(struct run *run, const struct point *point);

/* trace_let_go: the program, which must have one thread, goes on untraced, with a signal if sig is
 * not 0 (asleep: trace_reach has said ASLEEP; then there has to be one). trace_kill kills it and
 * waits for its end, also if it has ended or was let go. Both after trace_reach. */
void trace_let_go(struct run *run, int sig, int asleep);
void trace_kill(struct run *run);
/* trace_ended waits until a program that was let go has ended, at most ms. Returns 1 if it has. */
int trace_ended(struct run *run, int ms);

/* trace_where writes where the run was stopped: "free_slot+0x12 < mr_group_join < ..." */
void trace_where(const struct run *run, char *out, size_t cap);
/* trace_symbol writes what an address of the program at path is called. */
void trace_symbol(const struct run *run, uint64_t address, char *out, size_t cap);

#endif
