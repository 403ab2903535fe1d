/* step.c - see step.h. */
#include "step.h"

#include "image.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEPS_MAX 2000000u
#define LOOK_BACK 200u /* a breakpoint at most so many instructions before the one wanted */
#define STOP_COST 3u   /* what a breakpoint's stop costs, in single steps */

__attribute__((noinline)) void step_begin(void)
{
    __asm__ volatile("nop");
}
__attribute__((noinline)) void step_end(void)
{
    __asm__ volatile("nop");
}

void step_trace_free(struct step_trace *trace)
{
    free(trace->rip);
    free(trace->nth);
    free(trace->same);
    *trace = (struct step_trace){0};
}

static uint64_t rip_of(pid_t pid)
{
    struct user_regs_struct regs;
    return ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0 ? 0 : regs.rip;
}

static int state_of(pid_t pid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    char *paren = strrchr(text, ')');
    return paren && paren[1] ? paren[2] : 0;
}

enum { STOPPED, GONE, ASLEEP };

/* Waits until the child stops again, by *signal. A child that sleeps in the kernel is handed to
 * job->asleep. */
static int wait_stop(const struct step_job *job, pid_t pid, int *signal)
{
    int status;
    for (unsigned spins = 0;; spins++) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got < 0)
            return GONE;
        if (got == pid)
            *signal = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
        if (got == pid)
            return *signal ? STOPPED : GONE;
        if (spins > 2000 && spins % 500 == 0 && state_of(pid) == 'S' &&
            (!job->asleep || job->asleep(job->arg)))
            return ASLEEP;
        sched_yield();
    }
}

static int go(const struct step_job *job, pid_t pid, enum __ptrace_request how)
{
    int now, signal = 0;
    do /* that a child of its own has ended does not change its way */
        now = ptrace(how, pid, NULL, NULL) < 0 ? GONE : wait_stop(job, pid, &signal);
    while (now == STOPPED && signal == SIGCHLD);
    return now;
}

static long plant(pid_t pid, uint64_t at)
{
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)at, NULL);
    if (errno || ptrace(PTRACE_POKETEXT, pid, (void *)at, (void *)((word & ~0xffL) | 0xcc)) < 0)
        return -1;
    return word & 0xff;
}

static void unplant(pid_t pid, uint64_t at, long byte)
{
    long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)at, NULL);
    ptrace(PTRACE_POKETEXT, pid, (void *)at, (void *)((word & ~0xffL) | byte));
}

/* syscall, sysenter, int 0x80 */
static int is_call(pid_t pid, uint64_t rip)
{
    errno = 0;
    long bytes = ptrace(PTRACE_PEEKTEXT, pid, (void *)rip, NULL) & 0xffff;
    return errno || bytes == 0x050f || bytes == 0x340f || bytes == 0x80cd;
}

/* Runs to the nth time that address `at` is next. */
static int run_to(const struct step_job *job, pid_t pid, uint64_t at, uint32_t nth)
{
    for (uint32_t i = 0; i < nth; i++) {
        /* off the address first; being there already counts as the first time */
        if (i > 0 || rip_of(pid) == at) {
            if (i == 0)
                continue;
            int now = go(job, pid, PTRACE_SINGLESTEP);
            if (now != STOPPED)
                return now;
            if (rip_of(pid) == at)
                continue;
        }
        long byte = plant(pid, at);
        if (byte < 0)
            return GONE;
        int now = go(job, pid, PTRACE_CONT);
        if (now != STOPPED)
            return now;
        struct user_regs_struct regs;
        ptrace(PTRACE_GETREGS, pid, NULL, &regs);
        unplant(pid, at, byte);
        if (regs.rip != at + 1)
            return GONE; /* another signal: a crash of the child */
        regs.rip = at;
        ptrace(PTRACE_SETREGS, pid, NULL, &regs);
    }
    return STOPPED;
}

static pid_t start(const struct step_job *job)
{
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        job->child(job->arg);
        _exit(0);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return -1;
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)PTRACE_O_EXITKILL);
    struct step_job quiet = *job;
    if (run_to(&quiet, pid, (uint64_t)(uintptr_t)step_begin, 1) != STOPPED) {
        step_kill(pid);
        return -1;
    }
    return pid;
}

void step_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    int status;
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
        ;
}

int step_trace(const struct step_job *job, struct step_trace *trace)
{
    pid_t pid = start(job);
    if (pid < 0)
        return -1;
    int result = -1, call = 0;
    struct image *image = image_new(pid);
    while (trace->n < STEPS_MAX) {
        uint64_t rip = rip_of(pid);
        if (trace->n == trace->cap) {
            trace->cap = trace->cap ? 2 * trace->cap : 4096;
            trace->rip = realloc(trace->rip, trace->cap * sizeof *trace->rip);
            trace->nth = realloc(trace->nth, trace->cap * sizeof *trace->nth);
            trace->same = realloc(trace->same, trace->cap * sizeof *trace->same);
            if (!trace->rip || !trace->nth || !trace->same)
                abort();
        }
        trace->rip[trace->n] = rip;
        trace->same[trace->n++] = !image_changed(image, call);
        if (rip == (uint64_t)(uintptr_t)step_end) {
            result = 0;
            break;
        }
        call = is_call(pid, rip);
        if (go(job, pid, PTRACE_SINGLESTEP) != STOPPED)
            break;
    }
    image_free(image);
    step_kill(pid);
    /* How often each address has come so far: a small hash of counters. */
    size_t slots = 1;
    while (slots < 2 * trace->n + 16)
        slots *= 2;
    struct {
        uint64_t rip;
        uint32_t cnt;
    } *seen = calloc(slots, sizeof *seen);
    for (size_t i = 0; i < trace->n; i++) {
        size_t at = (size_t)(trace->rip[i] * 0x9e3779b97f4a7c15u >> 20) & (slots - 1);
        while (seen[at].rip && seen[at].rip != trace->rip[i])
            at = (at + 1) & (slots - 1);
        seen[at].rip = trace->rip[i];
        trace->nth[i] = ++seen[at].cnt;
    }
    free(seen);
    return result;
}

pid_t step_to(const struct step_job *job, const struct step_trace *trace, size_t k)
{
    pid_t pid = start(job);
    if (pid < 0)
        return -1;
    size_t best = 0, best_cost = k;
    for (size_t back = 0; back < LOOK_BACK && back <= k; back++) {
        size_t j = k - back, cost = (size_t)trace->nth[j] * 2 * STOP_COST + back;
        /* above lie the stack and the vdso */
        if (trace->rip[j] < 0x7ff000000000u && cost < best_cost) {
            best = j;
            best_cost = cost;
        }
    }
    if (best > 0 && run_to(job, pid, trace->rip[best], trace->nth[best]) != STOPPED)
        return pid; /* asleep or gone: then this is where it is killed */
    for (size_t i = best; i < k; i++)
        if (go(job, pid, PTRACE_SINGLESTEP) != STOPPED)
            break;
    return pid;
}
