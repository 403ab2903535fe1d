/* main.c - kills a process after every single instruction of every operation, and has the survivors go on.
 *
 * Usage: crash [-1a] [-j PROCESSES] [SCENARIO...]     -1: stop at the first thing that is wrong; SCENARIO: part of a name
 * Each kill point is a fresh topic and a new process, killed for good. When a kill leaves a lock held, the first repairer is killed after
 * each of its instructions, too.
 *
 * Most instructions leave nothing behind: they load, compute, or store to memory that dies with the process. Killed after such an instruction the
 * process leaves byte for byte what it leaves one instruction earlier, which image.c finds out for every instruction of every operation and
 * repair (it says what is compared and why that is all). The survivors cannot tell the two apart, so of the instructions in a row
 * that leave the same state only the first is killed after, and its state is checked twice: the survivors reap as a broker does (told who
 * died) and as waiting processes do (by probing). The last instruction of an operation is never left out: then the operation has returned, and
 * more is demanded.
 *
 * -a leaves nothing out: it kills after all instructions, and also demands that the survivors find each state as they found the first like it
 * ("unlike": how many they did not). That takes about an hour. */
#include "step.h"
#include "world.h"

#include "common/log.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct mr_bus *bus;
static struct world world;
static const struct scenario *scenario;
static int all; /* -a */
static unsigned long failures_max = 5; /* of one operation */

struct counts {
    _Atomic unsigned long instructions, states, points;                      /* of the operation; points: processes killed */
    _Atomic unsigned long held, armed;                                       /* states with a lock held, with an armed redo log */
    _Atomic unsigned long repair_instructions, repair_states, repair_points; /* of those who repair */
    _Atomic unsigned long wrong, unlike;
};
static struct counts counts; /* of one operation */

static void run_child(void *arg)
{
    (void)arg;
    scenario->child(&world);
}

static int wake_child(void *arg)
{
    (void)arg;
    return scenario->asleep ? scenario->asleep(&world) : 1;
}

static void hung(int signal_number)
{
    (void)signal_number;
    static const char text[] = "crash: HANG: the survivors do not come on\n";
    if (write(2, text, sizeof text - 1) < 0)
        _exit(98);
    _exit(97);
}

/* Did the dead one leave a lock held, or a redo log armed? May somebody come to repair it? (Nobody can open a deleted topic: those who have it
 * open go on, which is checked after each kill.) */
static void look(int *held, int *armed, int *open)
{
    struct mr_topic *t = world.topic;
    struct mr_lock_shm *locks[1 + MR_GROUPS + MR_PARTITIONS_MAX];
    size_t n = 0;
    locks[n++] = &t->shm->lock;
    for (uint32_t g = 0; g < t->group_cnt; g++)
        locks[n++] = &t->groups[g].lock;
    for (uint32_t p = 0; p < t->partition_cnt; p++)
        locks[n++] = &t->logs[p].lock;
    *held = *armed = 0;
    for (size_t i = 0; i < n; i++) {
        *held |= (locks[i]->mutex.__data.__lock & FUTEX_OWNER_DIED) != 0;
        *armed |= atomic_load(&locks[i]->redo.armed) != 0;
    }
    *open = !atomic_load(&t->shm->deleted);
}

static void run_repair(void *arg)
{
    (void)arg;
    struct mr_bus *own;
    struct mr_topic *t;
    world_must(mr_connect(mr_bus_name(bus), NULL, &own) == 0, "connect");
    world_must(mr_topic_open(own, "t", &t) == 0, "open the topic");
    step_begin();
    if (mr_topic_lock(t) == 0)
        mr_unlock(&t->shm->lock);
    for (uint32_t g = 0; g < mr_groups_used(t); g++)
        if (mr_lock(t, &t->groups[g].lock) >= 0)
            mr_unlock(&t->groups[g].lock);
    for (uint32_t p = 0; p < t->partition_cnt; p++)
        if (mr_log_lock(t, p) == 0)
            mr_unlock(&t->logs[p].lock);
    step_end();
}

static void report(const char *what, size_t k, const struct step_trace *trace, size_t repair_k)
{
    counts.wrong++;
    fprintf(stderr, "crash: %s: killed after instruction %zu of %zu (at %#llx)%s%zu: %s\n", scenario->name, k, trace->n,
            k < trace->n ? (unsigned long long)trace->rip[k] : 0, what, repair_k, world.error);
}

/* Brings a fresh world to the state after instruction k and kills the child there. Returns its client id. */
static uint64_t kill_at(const struct step_job *job, const struct step_trace *trace, size_t k)
{
    world_open(&world, bus, scenario);
    uint64_t ids[64];
    for (uint32_t slot = 0; slot < 64; slot++)
        ids[slot] = mr_client_id(bus, slot, NULL);
    pid_t pid = step_to(job, trace, k);
    world_must(pid > 0, "step");
    uint64_t id = 0;
    for (uint32_t slot = 0; slot < 64 && !id; slot++) {
        int32_t owner;
        uint64_t now = mr_client_id(bus, slot, &owner);
        if (now && now != ids[slot] && owner == (int32_t)pid)
            id = now;
    }
    step_kill(pid);
    return id;
}

static size_t state_cnt(const struct step_trace *trace)
{
    size_t n = 0;
    for (size_t i = 0; i < trace->n; i++)
        n += !trace->same[i];
    return n;
}

/* What the survivors found at the first point of the state at hand: with -a the others are compared with it. */
static void compare(int *first, int wrong, int same)
{
    if (!same)
        *first = wrong;
    else if (wrong != *first)
        counts.unlike++;
}

/* A state with a lock held, the redo log armed or not: somebody repairs it, and dies after each of its instructions. */
static void kill_repairers(const struct step_job *job, const struct step_trace *trace, size_t k)
{
    struct step_job repair = {.child = run_repair};
    struct step_trace repair_trace = {0};
    int completed = k + 1 >= trace->n, first = 0;
    alarm(60);
    uint64_t id = kill_at(job, trace, k);
    if (step_trace(&repair, &repair_trace) < 0) {
        snprintf(world.error, sizeof world.error, "the repair does not end");
        report(" ", k, trace, 0);
    }
    world_close(&world);
    mr_bus_forget(bus, id);
    counts.repair_instructions += repair_trace.n;
    counts.repair_states += state_cnt(&repair_trace);
    for (size_t r = 0; r < repair_trace.n && counts.wrong < failures_max; r++) {
        if (repair_trace.same[r] && !all)
            continue;
        alarm(20);
        id = kill_at(job, trace, k);
        pid_t pid = step_to(&repair, &repair_trace, r);
        world_must(pid > 0, "step the repairer");
        step_kill(pid);
        counts.repair_points++;
        int wrong = world_check(&world, 0, completed) < 0;
        if (wrong)
            report(", its repairer after ", k, trace, r);
        compare(&first, wrong, repair_trace.same[r]);
        world_close(&world);
        mr_bus_forget(bus, id);
    }
    step_trace_free(&repair_trace);
}

/* Kills after instruction k, once for each way to reap, and has what is left checked. */
static void one_point(const struct step_job *job, const struct step_trace *trace, size_t k)
{
    static int first[2];
    int held = 0, open = 0, completed = k + 1 >= trace->n, same = trace->same[k] && !completed;
    if (same && !all)
        return;
    for (int told = 0; told < 2; told++) {
        if (same && told != (int)(k % 2))
            continue;
        alarm(20);
        uint64_t id = kill_at(job, trace, k);
        if (!same && told == 0) {
            int armed;
            look(&held, &armed, &open);
            counts.held += (unsigned long)held;
            counts.armed += (unsigned long)armed;
        }
        counts.points++;
        int wrong = world_check(&world, told ? id : 0, completed) < 0 || (scenario->check && scenario->check(&world) < 0);
        if (wrong)
            report(told ? ", told " : " ", k, trace, 0);
        compare(&first[told], wrong, same);
        world_close(&world);
        mr_bus_forget(bus, id);
    }
    if (held && open)
        kill_repairers(job, trace, k);
}

static void one_scenario(void)
{
    struct step_job job = {.child = run_child, .asleep = wake_child};
    struct step_trace trace = {0};
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    counts = (struct counts){0};
    alarm(60);
    world_open(&world, bus, scenario);
    if (step_trace(&job, &trace) < 0) {
        fprintf(stderr, "crash: %s: the operation does not end\n", scenario->name);
        counts.wrong++;
    }
    world_close(&world);
    counts.instructions = trace.n;
    counts.states = state_cnt(&trace);
    for (size_t k = 0; k < trace.n && counts.wrong < failures_max; k++)
        one_point(&job, &trace, k);
    alarm(0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%-34s %7lu %6lu %6lu %6lu %6lu %7lu %6lu %6lu %6lu %6.1f\n", scenario->name, counts.instructions, counts.states, counts.points,
           counts.held, counts.armed, counts.repair_instructions, counts.repair_states, counts.repair_points, counts.wrong,
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    fflush(stdout);
    step_trace_free(&trace);
}

static int wanted(int argc, char **argv, const char *name)
{
    if (optind == argc)
        return 1;
    for (int i = optind; i < argc; i++)
        if (strstr(name, argv[i]))
            return 1;
    return 0;
}

/* What the processes that share the work have in common. */
struct shared {
    _Atomic size_t next; /* scenario that nobody has taken yet */
    struct counts total;
};

static void add_counts(struct counts *total)
{
    _Atomic unsigned long *to = (void *)total, *from = (void *)&counts;
    for (size_t i = 0; i < sizeof counts / sizeof *from; i++)
        to[i] += from[i];
}

/* Takes one scenario after the other, on a bus of its own. */
static void run_share(int argc, char **argv, size_t share, struct shared *shared)
{
    char name[MR_BUS_NAME_MAX + 1];
    snprintf(name, sizeof name, "test-%ld-crash", (long)getpid());
    cpu_set_t cpus; /* parent and child on one CPU: each of the many stops is a switch and not a wakeup */
    CPU_ZERO(&cpus);
    CPU_SET(share % (size_t)sysconf(_SC_NPROCESSORS_ONLN), &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    madvise(shared, sizeof *shared, MADV_DONTFORK); /* no memory that others change in those who are looked at by image.c */
    world_must(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &bus) == 0, "serve a bus");
    for (size_t s; (s = shared->next++) < record_scenario_cnt + life_scenario_cnt;) {
        scenario = s < record_scenario_cnt ? &record_scenarios[s] : &life_scenarios[s - record_scenario_cnt];
        if (!wanted(argc, argv, scenario->name) || (failures_max == 1 && shared->total.wrong))
            continue;
        one_scenario();
        add_counts(&shared->total);
    }
    mr_disconnect(bus);
}

/* By the parent: a process that ends because something is wrong leaves its bus as it is. */
static void remove_bus(pid_t pid)
{
    static const char *const suffixes[] = {"", "-left"}, *const topics[] = {"t", "t.dead", "made", "other"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[MR_BUS_NAME_MAX + 1];
        snprintf(name, sizeof name, "test-%ld-crash%s", (long)pid, suffixes[i]);
        for (size_t t = 0; t < sizeof topics / sizeof *topics; t++)
            mr_topic_unlink(name, topics[t]);
        mr_bus_remove(name);
    }
}

int main(int argc, char **argv)
{
    size_t shares = 1;
    for (int c; (c = getopt(argc, argv, "1aj:")) != -1;) {
        if (c == '1')
            failures_max = 1;
        else if (c == 'a')
            all = 1;
        else if (c == 'j')
            shares = (size_t)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (shares == 0)
        return 2;
    signal(SIGALRM, hung);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    world_must(shared != MAP_FAILED, "map");
    time_t begin = time(NULL);
    printf("%-34s %7s %6s %6s %6s %6s %7s %6s %6s %6s %6s\n", "operation", "instr.", "states", "kills", "locked", "redo", "repair", "states",
           "kills", "wrong", "s");
    fflush(stdout);
    for (size_t share = 0; share < shares; share++)
        if (fork() == 0) {
            run_share(argc, argv, share, shared);
            _exit(0);
        }
    int status, broken = 0;
    for (pid_t pid; (pid = wait(&status)) > 0; broken |= status)
        remove_bus(pid);
    const struct counts *total = &shared->total;
    printf("%lu instructions of operations, %lu distinct states, %lu kills; %lu instructions of repairers, %lu distinct states, %lu kills\n",
           total->instructions, total->states, total->points, total->repair_instructions, total->repair_states, total->repair_points);
    if (all)
        printf("%lu of the instructions that change nothing led to a state unlike the one before\n", total->unlike);
    printf("%lu wrong, %ld s\n", total->wrong, (long)(time(NULL) - begin));
    return broken || total->wrong || total->unlike || !total->points;
}
