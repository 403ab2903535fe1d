/* team.c - see team.h. This process sleeps while the members work, so that it takes none of their
 * time. */
#include "team.h"
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMBERS_MAX 16
#define LONGEST_S   60 /* no measurement takes as long: one that does hangs */

struct team {
    unsigned members;
    _Atomic unsigned arrived, openings;
    _Atomic uint64_t since_ns;
};

/* SIGINT comes to the members, too; they die of it, and this process then ends in the ordinary way,
 * so that nothing is left in /dev/shm. */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void *team_shared(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        bench_fail("mmap");
    return at;
}

static _Noreturn void member(struct team *team, int who, team_work *work, void *what)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    alarm(LONGEST_S);
    work(team, who, what);
    _exit(0); /* nothing that this process has registered for its end is the member's */
}

/* The first that fails takes the others with it: they would wait for it for ever. Returns how many
 * failed. */
static int wait_for(pid_t *pids, int members)
{
    int failed = 0;
    for (int left = members; left > 0;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0 && errno != EINTR)
            bench_fail("waitpid");
        for (int i = 0; i < members; i++)
            if (pid > 0 && pids[i] == pid) {
                pids[i] = 0;
                left--;
            }
        if (interrupted || (pid > 0 && status)) {
            failed++;
            for (int i = 0; i < members; i++)
                if (pids[i])
                    kill(pids[i], SIGKILL);
        }
    }
    return failed;
}

void team_run(int members, team_work *work, void *what)
{
    static struct team *team;
    pid_t pids[MEMBERS_MAX];
    if (!team) {
        /* without SA_RESTART: waitpid is to notice */
        struct sigaction action = {.sa_handler = interrupt};
        team = team_shared(sizeof *team);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
    }
    *team = (struct team){.members = (unsigned)members};
    fflush(stdout); /* or the members would have it, too */
    for (int i = 0; i < members; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            bench_fail("fork");
        if (pids[i] == 0)
            member(team, i, work, what);
    }
    if (wait_for(pids, members)) {
        fprintf(stderr, "bench: %s\n",
                interrupted ? "interrupted" : "a process of the measurement failed");
        exit(1);
    }
}

void team_gate(struct team *team)
{
    unsigned openings = atomic_load(&team->openings);
    if (atomic_fetch_add(&team->arrived, 1) + 1 == team->members) {
        atomic_store(&team->arrived, 0);
        atomic_store(&team->since_ns, bench_now_ns());
        atomic_store(&team->openings, openings + 1);
    } else {
        while (atomic_load(&team->openings) == openings)
            /* awake, so that no member begins with a wakeup; members may share a CPU */
            sched_yield();
    }
}

double team_gate_s(struct team *team)
{
    return (double)(bench_now_ns() - atomic_load(&team->since_ns)) / 1e9;
}
