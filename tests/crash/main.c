/* main.c - kills a process after every single instruction of every operation, and has the survivors go on.
 *
 * Usage: crash [-1] [-j PROCESSES] [-s STRIDE] [SCENARIO...]     -1: stop at the first thing that is wrong;
 * STRIDE: only every STRIDEth instruction; SCENARIO: part of a name
 * Each kill point is a fresh topic; the survivors reap by turns as a broker does (told who died) and as waiting processes do (by probing).
 * When a kill leaves an armed redo log, the first repairer is killed after each of its instructions, too. */
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
#include <unistd.h>

static struct mr_bus *bus;
static struct world world;
static const struct scenario *scenario;
static unsigned long points, repaired, redone, repair_points, failures, failures_max = 5; /* of one operation */

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

/* Which locks did the dead one leave held, and which redo logs armed? *image tells apart how far armed logs were applied: that, and not
 * the thread ids and times that differ from run to run, is what a repairer can find. */
static void look(int *held, int *armed, uint64_t *image)
{
    struct mr_topic *t = world.topic;
    struct mr_lock_shm *locks[2 + MR_GROUPS + MR_PARTITIONS_MAX];
    size_t n = 0;
    locks[n++] = &t->shm->lock;
    for (uint32_t g = 0; g < t->group_cnt; g++)
        locks[n++] = &t->groups[g].lock;
    for (uint32_t p = 0; p < t->partition_cnt; p++)
        locks[n++] = &t->logs[p].lock;
    *held = *armed = 0;
    *image = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) {
        const struct mr_redo_shm *redo = &locks[i]->redo;
        uint64_t cnt = atomic_load(&redo->armed);
        *held |= (locks[i]->mutex.__data.__lock & FUTEX_OWNER_DIED) != 0;
        *armed |= cnt != 0;
        for (uint64_t e = 0; e < cnt; e++) {
            uint64_t word = atomic_load(&redo->entries[e].word);
            uint64_t applied = *(const uint64_t *)(const void *)(t->base + word) == atomic_load(&redo->entries[e].value);
            *image = (*image ^ (word * 2 + applied)) * 1099511628211u;
        }
    }
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
    failures++;
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

static void one_point(const struct step_job *job, const struct step_trace *trace, size_t k, uint64_t *last_image)
{
    int held, armed;
    uint64_t image;
    alarm(20);
    uint64_t id = kill_at(job, trace, k);
    look(&held, &armed, &image);
    points++;
    repaired += (unsigned long)held;
    redone += (unsigned long)armed;
    int completed = k + 1 >= trace->n;
    if (world_check(&world, k % 2 ? id : 0, completed) < 0 || (scenario->check && scenario->check(&world) < 0))
        report(" ", k, trace, 0);
    world_close(&world);
    mr_bus_forget(bus, id);
    if (!armed || image == *last_image)
        return;
    *last_image = image;
    /* The same state again, and now the repairer dies, after each of its instructions. */
    struct step_job repair = {.child = run_repair};
    struct step_trace repair_trace = {0};
    kill_at(job, trace, k);
    if (step_trace(&repair, &repair_trace) < 0) {
        snprintf(world.error, sizeof world.error, "the repair does not end");
        report(" ", k, trace, 0);
    }
    world_close(&world);
    for (size_t r = 0; r < repair_trace.n && failures < failures_max; r++) {
        alarm(20);
        uint64_t first = kill_at(job, trace, k);
        pid_t pid = step_to(&repair, &repair_trace, r);
        world_must(pid > 0, "step the repairer");
        step_kill(pid);
        repair_points++;
        if (world_check(&world, 0, completed) < 0)
            report(", its repairer after ", k, trace, r);
        world_close(&world);
        mr_bus_forget(bus, first);
    }
    step_trace_free(&repair_trace);
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

struct totals {
    _Atomic unsigned long points, repairs, wrong;
};

/* The scenarios whose number is `share` modulo `shares`, on a bus of their own. */
static void run_share(int argc, char **argv, size_t stride, size_t share, size_t shares, struct totals *totals)
{
    char name[MR_BUS_NAME_MAX + 1];
    snprintf(name, sizeof name, "test-%ld-crash", (long)getpid());
    cpu_set_t cpus; /* parent and child on one CPU: each of the millions of stops is a switch and not a wakeup */
    CPU_ZERO(&cpus);
    CPU_SET(share % (size_t)sysconf(_SC_NPROCESSORS_ONLN), &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    world_must(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &bus) == 0, "serve a bus");
    for (size_t s = share; s < record_scenario_cnt + life_scenario_cnt; s += shares) {
        scenario = s < record_scenario_cnt ? &record_scenarios[s] : &life_scenarios[s - record_scenario_cnt];
        if (!wanted(argc, argv, scenario->name) || (failures_max == 1 && totals->wrong))
            continue;
        struct step_job job = {.child = run_child, .asleep = wake_child};
        struct step_trace trace = {0};
        points = repaired = redone = repair_points = failures = 0;
        alarm(60);
        world_open(&world, bus, scenario);
        if (step_trace(&job, &trace) < 0) {
            fprintf(stderr, "crash: %s: the operation does not end\n", scenario->name);
            failures++;
        }
        world_close(&world);
        uint64_t last_image = 0;
        for (size_t k = 0; k < trace.n && failures < failures_max; k += stride * (scenario->stride ? scenario->stride : 1))
            one_point(&job, &trace, k, &last_image);
        printf("%-34s %8lu %8lu %8lu %8lu %8lu\n", scenario->name, points, repaired, redone, repair_points, failures);
        fflush(stdout);
        step_trace_free(&trace);
        totals->points += points;
        totals->repairs += repair_points;
        totals->wrong += failures;
    }
    alarm(0);
    mr_topic_unlink(name, "t");
    mr_topic_unlink(name, "t.dead");
    mr_topic_unlink(name, "made");
    mr_topic_unlink(name, "other");
    mr_bus_remove(name);
    mr_disconnect(bus);
}

int main(int argc, char **argv)
{
    size_t stride = 1, shares = 1;
    for (int c; (c = getopt(argc, argv, "1j:s:")) != -1;) {
        if (c == '1')
            failures_max = 1;
        else if (c == 'j' || c == 's')
            *(c == 's' ? &stride : &shares) = (size_t)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (stride == 0 || shares == 0)
        return 2;
    signal(SIGALRM, hung);
    struct totals *totals = mmap(NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    world_must(totals != MAP_FAILED, "map");
    printf("%-34s %8s %8s %8s %8s %8s\n", "operation", "kills", "locks", "redo", "repairer", "wrong");
    fflush(stdout);
    for (size_t share = 0; share < shares; share++)
        if (fork() == 0) {
            run_share(argc, argv, stride, share, shares, totals);
            _exit(0);
        }
    int status, broken = 0;
    while (wait(&status) > 0)
        broken |= status;
    printf("%lu kill points, %lu more with the repairer killed, %lu wrong\n", totals->points, totals->repairs, totals->wrong);
    return broken || totals->wrong || !totals->points;
}
