/* trace.c - see trace.h. */
#include "trace.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIBRARY_STEPS 150u /* of a call into a library; the rest of it is run through */
#define LOOK_BACK     400u /* a breakpoint at most so many instructions before the one wanted */
#define STOPS_MAX     1200u
#define OPTIONS       (PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE)

/* ---- stops ---- */

static uint64_t word_of(const struct run *run, uint64_t at)
{
    uint64_t word = 0;
    struct iovec here = {&word, sizeof word}, there = {(void *)(uintptr_t)at, sizeof word};
    return process_vm_readv(run->pid, &here, 1, &there, 1, 0) == (ssize_t)sizeof word ? word : 0;
}

static struct user_regs_struct regs_of(pid_t tid)
{
    struct user_regs_struct regs = {0};
    ptrace(PTRACE_GETREGS, tid, NULL, &regs);
    return regs;
}

static int sleeps(pid_t pid, pid_t tid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *paren = strrchr(text, ')');
    return paren && paren[1] && (paren[2] == 'S' || paren[2] == 'D');
}

static void wait_a_moment(void)
{
    sigset_t set;
    struct timespec ms = {.tv_nsec = 1000000};
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigtimedwait(&set, NULL, &ms);
}

static int all_asleep(const struct run *run)
{
    for (uint32_t i = 0; i < run->threads; i++)
        if (run->tid[i] && !sleeps(run->pid, run->tid[i]))
            return 0;
    return 1;
}

/* What to do with a stop of a thread that is not the one meant. */
static void send_on(struct run *run, pid_t tid, int status)
{
    int sig = WSTOPSIG(status);
    if (status >> 16 == PTRACE_EVENT_CLONE) {
        unsigned long started = 0;
        ptrace(PTRACE_GETEVENTMSG, tid, NULL, &started);
        if (run->threads < TRACE_THREADS_MAX)
            run->tid[run->threads++] = (pid_t)started;
        sig = 0;
    } else if (sig == SIGSTOP || sig == SIGTRAP || sig == (SIGTRAP | 0x80)) {
        sig = 0;
    }
    ptrace(PTRACE_CONT, tid, NULL, (void *)(long)sig);
}

/* A look at every thread. Returns 1 with *status: the thread meant has stopped; 0 none has; -1
 * gone. */
static int look(struct run *run, int *status)
{
    for (uint32_t i = 0; i < run->threads; i++) {
        if (!run->tid[i])
            continue;
        pid_t got = waitpid(run->tid[i], status, WNOHANG | __WALL);
        if (got == 0)
            continue;
        if (got > 0 && WIFSTOPPED(*status)) {
            if (i == run->thread)
                return 1;
            send_on(run, run->tid[i], *status);
            i = UINT32_MAX; /* there may be a new one: from the first again */
            continue;
        }
        if (run->tid[i] == run->pid) {
            run->gone = 1;
            run->status = got > 0 ? *status : 0;
            return -1;
        }
        run->tid[i] = 0;
        if (i == run->thread)
            return -1;
    }
    return 0;
}

/* Waits for the next stop of the thread meant. Returns its status; 0 it is left asleep; -1 it is
 * gone. */
static int next_stop(struct run *run)
{
    int status;
    for (unsigned turn = 0;;) {
        int found = look(run, &status);
        if (found)
            return found > 0 ? status : -1;
        wait_a_moment();
        found = look(run, &status);
        if (found)
            return found > 0 ? status : -1;
        if (!all_asleep(run))
            turn = 0;
        else if (!run->asleep(run->arg, turn++))
            return 0;
    }
}

/* Lets the thread meant go on in this way until it stops for a reason of ours. */
static int go(struct run *run, enum __ptrace_request how)
{
    pid_t tid = run->tid[run->thread];
    for (long sig = 0;;) {
        if (ptrace(how, tid, NULL, (void *)sig) < 0 && errno == ESRCH) {
            int status = next_stop(run);
            return status < 0 ? status : -1;
        }
        int status = next_stop(run);
        if (status <= 0)
            return status;
        sig = WSTOPSIG(status);
        if (status >> 16 == PTRACE_EVENT_CLONE) {
            unsigned long started = 0;
            ptrace(PTRACE_GETEVENTMSG, tid, NULL, &started);
            if (run->threads < TRACE_THREADS_MAX)
                run->tid[run->threads++] = (pid_t)started;
            return status;
        }
        if (sig == SIGTRAP || sig == (SIGTRAP | 0x80))
            return status;
    }
}

/* One instruction of the program itself, which cannot sleep, or any other. */
static int step(struct run *run, uint64_t rip)
{
    pid_t tid = run->tid[run->thread];
    if (run->threads > 1 || rip < run->text || rip >= run->text_end)
        return go(run, PTRACE_SINGLESTEP);
    int status;
    if (ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) < 0)
        return go(run, PTRACE_SINGLESTEP);
    if (waitpid(tid, &status, __WALL) != tid)
        return -1;
    if (!WIFSTOPPED(status)) {
        run->gone = 1;
        run->status = status;
        return -1;
    }
    if (WSTOPSIG(status) == SIGTRAP)
        return status;
    ptrace(PTRACE_SINGLESTEP, tid, NULL, (void *)(long)WSTOPSIG(status)); /* into its handler */
    return next_stop(run);
}

static void set_breakpoint(pid_t tid, uint64_t at)
{
    const size_t registers = offsetof(struct user, u_debugreg);
    ptrace(PTRACE_POKEUSER, tid, (void *)(registers + 7 * 8), (void *)0);
    if (at && (ptrace(PTRACE_POKEUSER, tid, (void *)registers, (void *)(uintptr_t)at) < 0 ||
               ptrace(PTRACE_POKEUSER, tid, (void *)(registers + 7 * 8), (void *)1) < 0)) {
        fprintf(stderr, "steps: no breakpoint registers: %s\n", strerror(errno));
        abort();
    }
}

/* ---- from the start to the first touch ---- */

static void find_text(struct run *run)
{
    char path[64], exe[4096], line[4600];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)run->pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    snprintf(path, sizeof path, "/proc/%d/maps", (int)run->pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        unsigned long from, to;
        char rights[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 && rights[2] == 'x' &&
            strstr(line, exe)) {
            run->text = from;
            run->text_end = to;
        }
    }
    if (f)
        fclose(f);
}

static void become(const struct run *run)
{
    sigset_t none;
    if (run->in != 0)
        dup2(run->in, 0);
    dup2(run->out, 1);
    dup2(run->err, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    personality(ADDR_NO_RANDOMIZE); /* the trace's addresses are true of every run */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    execv(run->argv[0], run->argv);
    _exit(127);
}

/* Is this the entry of an open of the topic's segment? */
static int opens_topic(const struct run *run, const struct user_regs_struct *regs)
{
    char path[300] = "";
    if (regs->orig_rax != SYS_openat)
        return 0;
    struct iovec here = {path, sizeof path - 1},
                 there = {(void *)(uintptr_t)regs->rsi, sizeof path - 1};
    while (there.iov_len && process_vm_readv(run->pid, &here, 1, &there, 1, 0) < 0) {
        there.iov_len /= 2; /* the end of what is mapped */
        here.iov_len = there.iov_len;
    }
    size_t len = strnlen(path, sizeof path - 1), end = strlen(run->touch);
    return len >= end && strcmp(path + len - end, run->touch) == 0;
}

/* The program's first instruction: libraries are loaded. Returns 0, or -1. */
static int run_to_entry(struct run *run)
{
    char path[64];
    uint64_t pair[2] = {0};
    snprintf(path, sizeof path, "/proc/%d/auxv", (int)run->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && read(fd, pair, sizeof pair) == sizeof pair && pair[0] != AT_ENTRY)
        ;
    if (fd >= 0)
        close(fd);
    set_breakpoint(run->pid, pair[1]);
    int status = go(run, PTRACE_CONT);
    if (status > 0)
        set_breakpoint(run->pid, 0);
    return status > 0 ? 0 : -1;
}

/* Starts the program and lets it go on until it has mapped the topic. Returns 0; -1 it has ended.
 */
static int start(struct run *run)
{
    int status, fd = -1;
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid == 0)
        become(run);
    run->pid = run->tid[0] = pid;
    run->threads = 1;
    run->gone = 0;
    uint32_t thread = run->thread;
    run->thread = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        run->gone = 1;
        run->status = status;
        return -1;
    }
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)OPTIONS);
    find_text(run);
    if (!*run->touch)
        return run_to_entry(run);
    for (;;) {
        status = go(run, PTRACE_SYSCALL);
        if (status <= 0)
            return -1;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
            continue;
        struct user_regs_struct regs = regs_of(pid);
        int opens = opens_topic(run, &regs);
        int maps =
            fd >= 0 && regs.orig_rax == SYS_mmap && (int)regs.r8 == fd && (regs.r10 & MAP_SHARED);
        status = go(run, PTRACE_SYSCALL); /* to its exit */
        if (status <= 0)
            return -1;
        if (maps)
            break;
        if (opens)
            fd = (int)regs_of(pid).rax;
    }
    run->thread = thread;
    if (thread == 0)
        return 0;
    run->thread = 0;
    while (run->threads <= thread)
        if (go(run, PTRACE_CONT) <= 0)
            return -1;
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    run->thread = thread;
    return next_stop(run) > 0 ? 0 : -1; /* its first stop */
}

/* ---- noting a run ---- */

static uint32_t *numbers(size_t n)
{
    uint32_t *new = calloc(n, sizeof *new);
    if (!new)
        abort();
    return new;
}

static const struct trace *sorted_trace;
static int by_address(const void *a, const void *b)
{
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    uint64_t x = sorted_trace->rip[i], y = sorted_trace->rip[j];
    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

void trace_sort(struct trace *trace)
{
    trace->nth = numbers(trace->n + 1);
    trace->order = numbers(trace->n + 1);
    trace->first = numbers(trace->n + 1);
    for (size_t i = 0; i < trace->n; i++)
        trace->order[i] = (uint32_t)i;
    sorted_trace = trace;
    qsort(trace->order, trace->n, sizeof *trace->order, by_address);
    trace->distinct = 0;
    for (size_t i = 0; i < trace->n; i++) {
        uint32_t k = trace->order[i];
        if (i == 0 || trace->rip[k] != trace->rip[trace->order[i - 1]])
            trace->first[trace->distinct++] = (uint32_t)i;
        trace->nth[k] = (uint32_t)i - trace->first[trace->distinct - 1] + 1;
    }
    trace->first[trace->distinct] = (uint32_t)trace->n;
}

/* Runs on to where a call into a library returns. */
static int finish_call(struct run *run, uint64_t back, uint64_t rsp)
{
    pid_t tid = run->tid[run->thread];
    int status;
    set_breakpoint(tid, back);
    do {
        status = go(run, PTRACE_CONT);
    } while (status > 0 && (regs_of(tid).rip != back || regs_of(tid).rsp <= rsp));
    if (status >= 0)
        set_breakpoint(tid, 0);
    return status;
}

int trace_record(struct run *run, struct trace *trace)
{
    uint64_t back = 0, entry_rsp = 0;
    unsigned inside = 0;
    int own = 1;
    if (start(run) < 0) {
        trace_kill(run);
        return -1;
    }
    while (trace->n < trace->cap) {
        struct user_regs_struct regs = regs_of(run->tid[run->thread]);
        trace->rip[trace->n++] = regs.rip;
        int was_own = own, status;
        own = regs.rip >= run->text && regs.rip < run->text_end;
        if (was_own && !own) {
            entry_rsp = regs.rsp;
            back = word_of(run, regs.rsp);
            back = back >= run->text && back < run->text_end ? back : 0;
            inside = 0;
        }
        if (!own && back && ++inside > LIBRARY_STEPS)
            status = finish_call(run, back, entry_rsp);
        else
            status = step(run, regs.rip);
        if (status <= 0)
            break;
    }
    trace_kill(run);
    return trace->n ? 0 : -1;
}

/* ---- going there ---- */

int trace_choose(const struct trace *trace, size_t k, struct point *point)
{
    size_t best = SIZE_MAX, best_cost = STOPS_MAX;
    for (size_t back = 0; back < LOOK_BACK && back <= k; back++) {
        size_t cost = trace->nth[k - back] + back;
        if (cost < best_cost) {
            best = back;
            best_cost = cost;
        }
    }
    if (best == SIZE_MAX)
        return -1;
    *point = (struct point){.k = k,
                            .rip = trace->rip[k],
                            .anchor = trace->rip[k - best],
                            .nth = trace->nth[k - best],
                            .back = (uint32_t)best};
    return 0;
}

static void note_place(struct run *run, pid_t tid)
{
    struct user_regs_struct regs = regs_of(tid);
    run->rip = regs.rip;
    memset(run->stack, 0, sizeof run->stack);
    struct iovec here = {run->stack, sizeof run->stack};
    struct iovec there = {(void *)(uintptr_t)regs.rsp, sizeof run->stack};
    while (there.iov_len >= 64 && process_vm_readv(run->pid, &here, 1, &there, 1, 0) < 0) {
        there.iov_len /= 2;
        here.iov_len = there.iov_len;
    }
}

static enum reach reach(struct run *run, const struct point *point)
{
    if (start(run) < 0)
        return run->gone ? ENDED : ASLEEP;
    pid_t tid = run->tid[run->thread];
    uint32_t hits = regs_of(tid).rip == point->anchor;
    set_breakpoint(tid, point->anchor);
    while (hits < point->nth) {
        int status = go(run, PTRACE_CONT);
        if (status < 0)
            return ENDED;
        if (status == 0)
            return ASLEEP;
        hits += status >> 16 == 0 && regs_of(tid).rip == point->anchor;
    }
    set_breakpoint(tid, 0);
    for (uint32_t i = 0; i < point->back; i++) {
        int status = step(run, regs_of(tid).rip);
        if (status < 0)
            return ENDED;
        if (status == 0)
            return ASLEEP;
    }
    return regs_of(tid).rip == point->rip ? REACHED : ELSEWHERE;
}

enum reach trace_reach(struct run *run, const struct point *point)
{
    run->rip = 0;
    enum reach reached = reach(run, point);
    if (!run->gone && run->tid[run->thread] && reached != ASLEEP)
        note_place(run, run->tid[run->thread]);
    return reached;
}

/* Threads that we have not heard of yet have to be waited for, too. */
static void find_threads(struct run *run)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)run->pid);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        uint32_t i = 0;
        while (i < run->threads && run->tid[i] != tid)
            i++;
        if (tid && i == run->threads && run->threads < TRACE_THREADS_MAX)
            run->tid[run->threads++] = tid;
    }
    if (dir)
        closedir(dir);
}

void trace_kill(struct run *run)
{
    int status;
    if (!run->pid)
        return;
    if (!run->gone)
        kill(run->pid, SIGKILL);
    while (!run->gone) {
        find_threads(run);
        for (uint32_t i = run->threads; i-- > 0;) {
            if (!run->tid[i] || waitpid(run->tid[i], &status, WNOHANG | __WALL) != run->tid[i] ||
                WIFSTOPPED(status))
                continue;
            if (run->tid[i] == run->pid) {
                run->gone = 1;
                run->status = status;
            }
            run->tid[i] = 0;
        }
        if (!run->gone)
            wait_a_moment();
    }
}

void trace_let_go(struct run *run, int sig, int asleep)
{
    int status;
    if (run->gone)
        return;
    if (sig)
        kill(run->pid, sig);
    if (!asleep) {
        ptrace(PTRACE_DETACH, run->pid, NULL, NULL); /* the signal is pending */
        return;
    }
    pid_t got;
    do { /* it stops to be asked whether it may have the signal */
        got = waitpid(run->pid, &status, __WALL);
        if (got == run->pid && WIFSTOPPED(status) && WSTOPSIG(status) != sig)
            ptrace(PTRACE_CONT, run->pid, NULL, NULL);
    } while (got == run->pid && WIFSTOPPED(status) && WSTOPSIG(status) != sig);
    if (got == run->pid && WIFSTOPPED(status)) {
        set_breakpoint(run->pid, 0);
        ptrace(PTRACE_DETACH, run->pid, NULL, (void *)(long)sig);
    } else {
        run->gone = 1;
        run->status = got == run->pid ? status : 0;
    }
}

int trace_ended(struct run *run, int ms)
{
    for (int i = 0; !run->gone && i < ms; i++) {
        int status;
        if (waitpid(run->pid, &status, WNOHANG) == run->pid) {
            run->gone = 1;
            run->status = status;
        } else {
            wait_a_moment();
        }
    }
    return run->gone;
}
