/* step.h - runs a piece of a child process instruction by instruction, and kills it after any of
 * them.
 *
 * The child calls step_begin() and step_end() around the operation under test. step_trace
 * single-steps it once from one to the other and notes every instruction's address, and whether it
 * changed anything that outlives the process (image.h). step_to starts a new child and brings it to
 * the state after k instructions: by a breakpoint near it, hit as often as the trace says, then
 * single steps. x86-64 Linux (ptrace). */
#ifndef TESTS_CRASH_STEP_H
#define TESTS_CRASH_STEP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

void step_begin(void);
void step_end(void);

struct step_trace {
    uint64_t *rip; /* rip[i]: address of instruction i, the next one after i instructions */
    uint32_t *nth; /* how often rip[i] has come up to and including i */
    /* same[i]: killed after i instructions, it leaves byte for byte what it leaves after i - 1 */
    unsigned char *same;
    size_t n, cap;
};

/* asleep is called whenever the child is seen asleep in the kernel, maybe more than once: it has to
 * wake it, or return nonzero to have it left there. */
struct step_job {
    void (*child)(void *arg);
    void *arg;
    int (*asleep)(void *arg);
};

void step_trace_free(struct step_trace *trace);
/* Returns 0, or -1 when the child died or did not come to step_end within 2 million
 * instructions. */
int step_trace(const struct step_job *job, struct step_trace *trace);
/* Returns the child's pid, stopped after k instructions of the trace (or where it ended or fell
 * asleep, if its way differed); -1 failed. */
pid_t step_to(const struct step_job *job, const struct step_trace *trace, size_t k);
/* SIGKILL, and waits until it is gone. */
void step_kill(pid_t pid);

#endif
