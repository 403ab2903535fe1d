/* main.c - kills a process at every state that an operation leaves, in every scene, and has the
 * survivors go on.
 *
 * Usage: crash [-1al] [-j PROCESSES] [-s SCENE] [-w WAYS] [OPERATION...]
 *   OPERATION, SCENE  part of a name; WAYS: letters of k (killed), p (and its repairer), g (given
 *                     up), s (stopped), h (killed while another waits for its lock); all without
 *   -1  stop at the first thing that is wrong     -l  lists operations and scenes
 *   -a  nothing is left out, and each operation is also killed after every single instruction in
 *       the plain scene (way i)
 *
 * Each point is a fresh topic and a new process, killed for good. Where, see trap.h; what must hold
 * then, see oracle.h. */
#include "run.h"

#include "cli/program.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPERATIONS_MAX 96u

static const struct operation *operations[OPERATIONS_MAX];
static size_t operation_cnt;
static struct run_options options = {.wrong_max = 3, .ways = 63};
static const char *wanted_scene = "";
static int list;

/* What the processes that share the work have in common. */
static struct shared {
    _Atomic size_t next; /* the next operation and scene to take */
    _Atomic unsigned long wrong, hangs;
    struct counts counts[OPERATIONS_MAX];
} * shared;

/* ---- hangs ---- */

static char trying[400];

static void hung(int number)
{
    (void)number;
    static const char text[] = ": HANG: the survivors do not come on\n";
    if (write(2, trying, strlen(trying)) < 0 || write(2, text, sizeof text - 1) < 0)
        _exit(98);
    shared->hangs++;
    _exit(97);
}

static void try(const char *what)
{
    snprintf(trying, sizeof trying, "crash: %s", what);
}

/* ---- what is to be done ---- */

static void add(const struct operation *some, size_t cnt, char **names, int name_cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        int wanted = name_cnt == 0;
        for (int n = 0; n < name_cnt; n++)
            wanted |= strstr(some[i].name, names[n]) != NULL;
        if (wanted && operation_cnt < OPERATIONS_MAX)
            operations[operation_cnt++] = &some[i];
    }
}

static unsigned ways_of(const char *letters)
{
    static const char known[] = "kpgshi";
    unsigned ways = 0;
    for (; *letters; letters++)
        if (strchr(known, *letters))
            ways |= 1u << (strchr(known, *letters) - known);
    return ways;
}

static void run_share(size_t share)
{
    static char name[64];
    snprintf(name, sizeof name, "test-%ld-crash", (long)getpid());
    options.bus = name;
    options.hung = try;
    program_quiet = 1;
    cpu_set_t cpus; /* parent and child on one CPU: a switch and not a wakeup */
    CPU_ZERO(&cpus);
    CPU_SET(share % (size_t)sysconf(_SC_NPROCESSORS_ONLN), &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    for (size_t i; (i = shared->next++) < operation_cnt * scene_cnt;) {
        const struct operation *operation = operations[i % operation_cnt];
        const struct scene *scene = &scenes[i / operation_cnt];
        if (!strstr(scene->name, wanted_scene) || (options.wrong_max == 1 && shared->wrong))
            continue;
        unsigned long before = shared->counts[i % operation_cnt].wrong;
        run(&options, operation, scene, &shared->counts[i % operation_cnt]);
        shared->wrong += shared->counts[i % operation_cnt].wrong - before;
    }
}

/* By the parent: a process that ends because something is wrong leaves its bus as it is. */
static void remove_bus(pid_t pid)
{
    static const char *const topics[] = {"t", "t.dead", "other", "src", "made", "x"};
    char name[64];
    snprintf(name, sizeof name, "test-%ld-crash", (long)pid);
    for (size_t t = 0; t < sizeof topics / sizeof *topics; t++)
        mr_topic_unlink(name, topics[t]);
    mr_bus_remove(name);
}

static void fork_share(size_t share)
{
    if (fork() == 0) {
        run_share(share);
        _exit(0);
    }
}

static void print_counts(void)
{
    struct counts total = {0};
    printf("%-36s %7s %7s %7s %7s %7s %7s %7s %7s\n", "operation", "events", "states", "killed",
           "pairs", "gave up", "stopped", "heirs", "wrong");
    for (size_t i = 0; i < operation_cnt; i++) {
        const struct counts *c = &shared->counts[i];
        printf("%-36s %7lu %7lu %7lu %7lu %7lu %7lu %7lu %7lu\n", operations[i]->name, c->events,
               c->states, c->points[WAY_KILL], c->points[WAY_PAIR], c->points[WAY_GIVE_UP],
               c->points[WAY_STOP], c->points[WAY_HEIR], c->wrong);
        total.runs += c->runs;
        total.states += c->states;
        total.changes += c->changes;
        for (size_t way = 0; way < WAYS; way++)
            total.points[way] += c->points[way];
    }
    printf("%lu operations in scenes, %lu states; ", total.runs, total.states);
    if (options.all)
        printf("%lu kills between instructions, %lu of which change what is left; ",
               total.points[WAY_STEP], total.changes);
    printf("%lu kills, %lu pairs of kills, %lu calls given up, %lu processes stopped, %lu heirs\n",
           total.points[WAY_KILL], total.points[WAY_PAIR], total.points[WAY_GIVE_UP],
           total.points[WAY_STOP], total.points[WAY_HEIR]);
}

static int usage(void)
{
    fprintf(stderr, "Usage: crash [-1al] [-j PROCESSES] [-s SCENE] [-w WAYS] [OPERATION...]\n");
    return 2;
}

int main(int argc, char **argv)
{
    size_t shares = 1;
    for (int c; (c = getopt(argc, argv, "1alj:s:w:")) != -1;) {
        if (c == '1')
            options.wrong_max = 1;
        else if (c == 'a')
            options.all = 1;
        else if (c == 'l')
            list = 1;
        else if (c == 'j')
            shares = (size_t)strtoul(optarg, NULL, 10);
        else if (c == 's')
            wanted_scene = optarg;
        else if (c == 'w')
            options.ways = ways_of(optarg);
        else
            return usage();
    }
    add(broker_operations, broker_operation_cnt, argv + optind, argc - optind);
    add(life_operations, life_operation_cnt, argv + optind, argc - optind);
    add(odd_operations, odd_operation_cnt, argv + optind, argc - optind);
    add(record_operations, record_operation_cnt, argv + optind, argc - optind);
    for (size_t i = 0; i < operation_cnt && list; i++)
        printf("operation  %s\n", operations[i]->name);
    for (size_t i = 0; i < scene_cnt && list; i++)
        printf("scene      %s\n", scenes[i].name);
    if (list)
        return 0;
    if (shares == 0 || operation_cnt == 0)
        return usage();
    signal(SIGALRM, hung);
    signal(SIGPIPE, SIG_IGN);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    world_must(shared != MAP_FAILED, "map");
    time_t begun = time(NULL);
    for (size_t share = 0; share < shares; share++)
        fork_share(share);
    int status, broken = 0;
    unsigned forks = (unsigned)shares;
    for (pid_t pid; (pid = wait(&status)) > 0; broken |= status) {
        remove_bus(pid);
        if (status)
            fprintf(stderr, "crash: process %ld ended with wait status %#x\n", (long)pid,
                    (unsigned)status);
        /* what it had in hand counts as wrong; the rest goes on */
        if (status && options.wrong_max > 1 && forks < 200)
            fork_share(forks++);
    }
    print_counts();
    printf("%lu wrong, %lu hung, %ld s\n", shared->wrong, shared->hangs,
           (long)(time(NULL) - begun));
    return broken || shared->wrong;
}
