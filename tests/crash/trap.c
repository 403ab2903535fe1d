/* trap.c - see trap.h. */
#include "trap.h"
#include "child.h"

#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define AREAS_MAX 128u
#define OPEN_MAX  4u /* pages that one instruction stores to */
#define PAGE      4096u
#define TRAP_FLAG 0x100

/* What trap.c calls itself: the filter knows where this is. Arguments as for a function: number,
 * then up to six. */
long trap_call(long number, long a, long b, long c, long d, long e, long f);
extern const char trap_called[];
__asm__(".text\n.globl trap_call\ntrap_call:\n"
        "mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\nmov %r8, %r10\nmov %r9, "
        "%r8\nmov 8(%rsp), %r9\nsyscall\n"
        ".globl trap_called\ntrap_called:\nret\n");

static struct {
    struct trap_plan *plan;  /* NULL: unwatched */
    struct trap_plan *given; /* to trap_begin */
    struct {
        uintptr_t at, end;
        uint64_t key; /* names the file and the place in it: a ring is mapped twice */
    } area[AREAS_MAX];
    size_t area_cnt;
    struct {
        uintptr_t at;
        uint64_t before[PAGE / 8];
    } open[OPEN_MAX];
    size_t open_cnt;
    uint64_t sum, calls;
} trap;

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 32;
}

static void protect(uintptr_t at, size_t bytes, int protection)
{
    trap_call(SYS_mprotect, (long)at, (long)bytes, protection, 0, 0, 0);
}

static void protect_all(int protection)
{
    for (size_t i = 0; i < trap.area_cnt; i++)
        protect(trap.area[i].at, trap.area[i].end - trap.area[i].at, protection);
}

/* Unwatched from here on. The kernel marks the dead one's locks through its mappings: they have to
 * be writable. */
static void let_go(void)
{
    protect_all(PROT_READ | PROT_WRITE);
    trap.plan = NULL;
}

/* What was planned. */
static void here(void)
{
    struct trap_plan *plan = trap.plan;
    let_go();
    if (plan->how == TRAP_GIVE_UP) {
        child_gives_up = 1;
        program_stop = SIGTERM;
    }
    trap_call(SYS_kill, trap_call(SYS_getpid, 0, 0, 0, 0, 0, 0),
              plan->how == TRAP_KILL ? SIGKILL : SIGSTOP, 0, 0, 0, 0);
}

static void happened(uint64_t rip)
{
    struct trap_plan *plan = trap.plan;
    size_t n = plan->event_cnt++;
    if (n < TRAP_EVENTS_MAX)
        plan->event[n] = (struct trap_event){rip, trap.sum + mix(trap.calls)};
    if (n == plan->at && plan->how != TRAP_NOTHING && plan->how != TRAP_STOP_LATE)
        here();
}

/* ---- stores ---- */

static size_t area_of(uintptr_t at)
{
    size_t i = 0;
    while (i < trap.area_cnt && (at < trap.area[i].at || at >= trap.area[i].end))
        i++;
    return i;
}

static void let_store(uintptr_t page)
{
    if (area_of(page) == trap.area_cnt || trap.open_cnt == OPEN_MAX)
        return;
    protect(page, PAGE, PROT_READ | PROT_WRITE);
    trap.open[trap.open_cnt].at = page;
    memcpy(trap.open[trap.open_cnt++].before, (const void *)page, PAGE);
}

static void on_store(int number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1);
    if (!trap.plan || area_of(page) == trap.area_cnt || trap.open_cnt >= OPEN_MAX) {
        signal(number, SIG_DFL); /* a real fault: again, and for good */
        return;
    }
    if (trap.plan->how == TRAP_STOP_LATE && trap.plan->event_cnt > trap.plan->at) {
        here();
        return; /* it stores, unwatched */
    }
    let_store(page);
    if (((uintptr_t)info->si_addr & (PAGE - 1)) > PAGE - 64)
        let_store(page + PAGE);
    at->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_stored(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    ucontext_t *at = context;
    at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    uint64_t sum = trap.sum;
    for (size_t i = 0; i < trap.open_cnt; i++) {
        uintptr_t page = trap.open[i].at;
        size_t area = area_of(page);
        uint64_t key = trap.area[area].key + (page - trap.area[area].at);
        const uint64_t *now = (const uint64_t *)page, *before = trap.open[i].before;
        for (size_t w = 0; w < PAGE / 8; w++)
            if (now[w] != before[w])
                sum += mix(mix(key + 8 * w) ^ now[w]) - mix(mix(key + 8 * w) ^ before[w]);
        protect(page, PAGE, PROT_READ);
    }
    trap.open_cnt = 0;
    int changed = sum != trap.sum;
    trap.sum = sum;
    if (changed)
        happened((uint64_t)at->uc_mcontext.gregs[REG_RIP]);
}

/* ---- system calls ---- */

static const int calls[] = {SYS_openat,   SYS_linkat,  SYS_renameat2, SYS_rename, SYS_unlink,
                            SYS_unlinkat, SYS_close,   SYS_fcntl,     SYS_futex,  SYS_sendto,
                            SYS_sendmsg,  SYS_connect, SYS_bind,      SYS_mmap,   SYS_munmap};

/* Can others notice it? What is made under no name cannot be found, and its owner's death ends
 * it. */
static int noticed(long number, const greg_t *r)
{
    switch (number) {
    case SYS_openat:
        return (r[REG_RDX] & O_CREAT) != 0;
    case SYS_fcntl:
        return r[REG_RSI] == F_OFD_SETLK || r[REG_RSI] == F_OFD_SETLKW || r[REG_RSI] == F_SETLK;
    case SYS_mmap:
    case SYS_munmap:
        return 0;
    default:
        return 1;
    }
}

static void add_area(uintptr_t at, size_t bytes, int fd, uint64_t offset)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_nlink == 0 || trap.area_cnt == AREAS_MAX)
        return; /* a file without a name: only ours */
    trap.area[trap.area_cnt].at = at;
    trap.area[trap.area_cnt].end = at + ((bytes + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    trap.area[trap.area_cnt++].key = mix(st.st_ino) + offset;
    protect(at, bytes, PROT_READ);
}

static void remove_areas(uintptr_t at, size_t bytes)
{
    for (size_t i = 0; i < trap.area_cnt;)
        if (trap.area[i].at < at + bytes && at < trap.area[i].end)
            trap.area[i] = trap.area[--trap.area_cnt];
        else
            i++;
}

static void on_call(int number, siginfo_t *info, void *context)
{
    (void)number;
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    int counts = trap.plan && noticed(info->si_syscall, r);
    if (counts)
        happened((uint64_t)r[REG_RIP]);
    long a = r[REG_RDI], b = r[REG_RSI], c = r[REG_RDX];
    if (info->si_syscall == SYS_futex && (b & 127) == FUTEX_WAIT && child_gives_up) {
        r[REG_RAX] = -EINTR; /* as a signal handler that sets the flag would have it */
        return;
    }
    long result = trap_call(info->si_syscall, a, b, c, r[REG_R10], r[REG_R8], r[REG_R9]);
    r[REG_RAX] = result;
    if (!trap.plan)
        return;
    if (info->si_syscall == SYS_munmap && result == 0)
        remove_areas((uintptr_t)a, (size_t)b);
    if (info->si_syscall == SYS_mmap && (result >= 0 || result < -4095) &&
        (r[REG_R10] & MAP_SHARED) && (c & PROT_WRITE) && r[REG_R8] >= 0)
        add_area((uintptr_t)result, (size_t)b, (int)r[REG_R8], (uint64_t)r[REG_R9]);
    if (counts) {
        trap.calls++;
        happened((uint64_t)r[REG_RIP]);
    }
}

static int filter_calls(void)
{
    enum { CALLS = sizeof calls / sizeof *calls };
    struct sock_filter code[CALLS + 16];
    unsigned short n = 0;
    uintptr_t own = (uintptr_t)trap_called;
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, instruction_pointer));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)own, 0, 3);
    code[n++] = (struct sock_filter)BPF_STMT(
        BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
    code[n++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(own >> 32), 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < CALLS; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
                                                 (unsigned char)(CALLS - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {.len = n, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                   prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0
               ? -1
               : 0;
}

/* ---- begin and end ---- */

/* The segments that are mapped by now. */
static void find_areas(void)
{
    char line[512], rights[5], path[256];
    unsigned long from, to, offset, inode;
    FILE *f = fopen("/proc/self/maps", "re");
    child_must(f != NULL, "read its mappings");
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx %4s %lx %*s %lu %255s", &from, &to, rights, &offset, &inode,
                   path) != 6)
            continue;
        if (rights[1] != 'w' || rights[3] != 's' || strncmp(path, "/dev/shm/millrace.", 18) != 0)
            continue;
        child_must(trap.area_cnt < AREAS_MAX, "watch so many mappings");
        trap.area[trap.area_cnt].at = from;
        trap.area[trap.area_cnt].end = to;
        trap.area[trap.area_cnt++].key = mix(inode) + offset;
    }
    fclose(f);
}

void trap_begin(struct trap_plan *plan)
{
    static const struct {
        int number;
        void (*handler)(int, siginfo_t *, void *);
    } signals[] = {{SIGSEGV, on_store}, {SIGTRAP, on_stored}, {SIGSYS, on_call}};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action = {.sa_sigaction = signals[i].handler,
                                   .sa_flags = SA_SIGINFO | SA_NODEFER};
        sigaction(signals[i].number, &action, NULL);
    }
    find_areas();
    child_must(filter_calls() == 0, "filter its system calls");
    trap.plan = trap.given = plan;
    protect_all(PROT_READ);
    happened((uint64_t)(uintptr_t)trap_begin);
}

void trap_end(long result)
{
    trap.given->result = result;
    trap.given->ended = 1;
    if (trap.plan)
        happened((uint64_t)(uintptr_t)trap_end);
    if (trap.plan)
        let_go();
}
