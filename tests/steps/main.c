/* main.c - kills the programs themselves after a random number of instructions, counted from their
 * first touch of the topic, and has the survivors go on.
 *
 * Usage: steps [-n KILLS] [-j PROCESSES] [-s SEED] [-o SCENE]        -o: only scenes with this in
 * their name steps -x WORLD:ROUND:PLAN [-n TIMES]          repeats a round, as a failure says
 * MILLRACE_BIN: where the programs are.
 *
 * Each program is run once to its end, instruction by instruction. Half of the kills fall after any
 * of those instructions, all alike; the other half at any address that was among them, all alike,
 * and at any of the times that it came: so what is done rarely and in few instructions is hit, too.
 * One kill in seven is a SIGTERM instead, after which the program has to end by itself; one in
 * twenty is none. */
#include "scenes.h"

#include "core/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACTS_MAX     3u
#define SCENES_MAX   64u
#define ROUNDS       700u /* of one world: more than a topic has slots of any kind */
#define INSTRUCTIONS 1000000u

struct counts {
    _Atomic unsigned long kills, reached, used, told, alone, asleep, ended, elsewhere, rounds,
        worlds, failures, hit[SCENES_MAX];
};

static struct counts *counts;
static struct trace *traces; /* shared by all processes until they are sorted */
static unsigned long kills = 2000, failures_max = 1;
static const char *only = "", *bin = "bin";
static uint64_t seed;
static char base[MR_BUS_NAME_MAX + 1]; /* what the names of all our buses begin with */
static pid_t started[64];
static volatile sig_atomic_t told_to_stop;

/* ---- one run of a program ---- */

static int asleep(void *arg, unsigned turn)
{
    struct act *act = arg;
    struct world *w = act->w;
    if (act->scene->asleep)
        return act->scene->asleep(act, turn);
    if (act_read(act) < 0)
        return 0;
    if (act->scene->into_o)
        take_one(w, KEEP_O);
    else if (strncmp(act->scene->name, "producer", 8) == 0)
        take_all(w, 0);
    return turn < act->scene->patience;
}

static int act_begin(struct world *w, struct act *act, const struct scene *scene)
{
    memset(act, 0, sizeof *act);
    act->w = w;
    act->scene = scene;
    act->out = malloc(OUTPUT_MAX);
    act->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    act->err = memfd_create("stderr", MFD_CLOEXEC);
    if (!act->out || pipe2(act->pipe, O_CLOEXEC) < 0 || act->in < 0 || act->err < 0)
        return bad(w, "no descriptors: %s", strerror(errno));
    fcntl(act->pipe[0], F_SETFL, O_NONBLOCK);
    fcntl(act->pipe[1], F_SETPIPE_SZ, 1 << 18);
    if (scene->prepare(act) < 0)
        return -1;
    const char *bus = *act->other_bus ? act->other_bus : w->bus_name;
    if (*scene->topic)
        snprintf(act->touch, sizeof act->touch, "millrace.%u.%s.%s", (unsigned)geteuid(), bus,
                 scene->topic);
    else if (!*act->other_bus)
        snprintf(act->touch, sizeof act->touch, "millrace.%u.%s", (unsigned)geteuid(), bus);
    act->run = (struct run){.argv = act->argv,
                            .in = act->in,
                            .out = act->pipe[1],
                            .err = act->err,
                            .touch = act->touch,
                            .thread = scene->thread,
                            .asleep = asleep,
                            .arg = act};
    return 0;
}

static void act_end(struct act *act)
{
    trace_kill(&act->run);
    close(act->pipe[0]);
    close(act->pipe[1]);
    close(act->in);
    close(act->err);
    free(act->out);
    for (uint32_t p = 0; p < PARTS_MAX; p++)
        free(act->mine[p]);
}

/* Waits for one that was let go, while the survivors go on. */
static int wait_for_end(struct act *act)
{
    for (int i = 0; i < BOUND_S * 1000 && !trace_ended(&act->run, 1); i++)
        if (act_read(act) < 0 || take_all(act->w, 0) < 0)
            return -1;
    return act->run.gone
               ? 0
               : bad(act->w, "it does not end%s", act->end == TOLD ? " after SIGTERM" : "");
}

/* Brings the program to its point and ends it there. */
static int act_run(struct act *act, const struct point *point)
{
    enum reach reached = trace_reach(&act->run, point);
    if (*act->w->error)
        return -1;
    counts->asleep += reached == ASLEEP;
    counts->ended += reached == ENDED;
    counts->elsewhere += reached == ELSEWHERE;
    if (reached == ENDED)
        act->end = act->run.gone ? ALONE : KILLED; /* maybe it was just the thread */
    else if (act->end == ALONE && reached == ASLEEP)
        act->end = KILLED;
    if (act->end == KILLED) {
        counts->kills++;
        counts->reached += reached == REACHED;
        counts->used += act->scene->into_o && act->w->slots != SLOTS_FRESH;
        counts->hit[act->scene - scenes]++;
        if (act->scene->still && act->scene->still(act) < 0)
            return -1;
        trace_kill(&act->run);
    } else if (reached != ENDED) {
        counts->told += act->end == TOLD;
        counts->alone += act->end == ALONE;
        trace_let_go(&act->run, act->end == TOLD ? SIGTERM : 0, reached == ASLEEP);
        if (wait_for_end(act) < 0)
            return -1;
    }
    return 0;
}

static int act_dead(struct act *act)
{
    if (act_read(act) < 0)
        return -1;
    return act->scene->dead ? act->scene->dead(act) : 0;
}

/* ---- a round ---- */

struct plan { /* what happens in a round: which programs, and where they are ended */
    uint64_t seed;
    uint32_t cnt;
    struct {
        uint32_t scene;
        enum end end;
        struct point point;
    } acts[ACTS_MAX];
};

static void print_plan(const struct plan *plan, uint64_t world_seed, char *out, size_t cap)
{
    size_t len = (size_t)snprintf(out, cap, "%llu:%llu:", (unsigned long long)world_seed,
                                  (unsigned long long)plan->seed);
    for (uint32_t i = 0; i < plan->cnt && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s%u,%d,%llx,%llx,%u,%u", i ? "/" : "",
                                plan->acts[i].scene, (int)plan->acts[i].end,
                                (unsigned long long)plan->acts[i].point.rip,
                                (unsigned long long)plan->acts[i].point.anchor,
                                plan->acts[i].point.nth, plan->acts[i].point.back);
}

static int parse_plan(const char *text, uint64_t *world_seed, struct plan *plan)
{
    char *end;
    *plan = (struct plan){0};
    *world_seed = strtoull(text, &end, 10);
    if (*end++ != ':')
        return -1;
    plan->seed = strtoull(end, &end, 10);
    for (char before = ':'; *end == before && plan->cnt < ACTS_MAX; before = '/') {
        struct point *point = &plan->acts[plan->cnt].point;
        unsigned long long rip, anchor;
        int how, used;
        if (sscanf(end + 1, "%u,%d,%llx,%llx,%u,%u%n", &plan->acts[plan->cnt].scene, &how, &rip,
                   &anchor, &point->nth, &point->back, &used) < 6 ||
            plan->acts[plan->cnt].scene >= scene_cnt)
            return -1;
        point->rip = rip;
        point->anchor = anchor;
        plan->acts[plan->cnt++].end = (enum end)how;
        end += 1 + used;
    }
    return *end || !plan->cnt ? -1 : 0;
}

static void choose_point(struct world *w, const struct trace *trace, struct point *point)
{
    size_t k;
    do {
        if (chance(w, 50)) {
            k = dice(w, (uint32_t)trace->n);
        } else {
            uint32_t address = dice(w, (uint32_t)trace->distinct);
            k = trace->order[trace->first[address] +
                             dice(w, trace->first[address + 1] - trace->first[address])];
        }
    } while (trace_choose(trace, k, point) < 0);
}

static uint32_t choose_scene(struct world *w)
{
    uint32_t sum = 0, at = 0;
    for (unsigned i = 0; i < scene_cnt; i++)
        sum += traces[i].n ? scenes[i].weight : 0;
    for (uint32_t left = dice(w, sum);; at++) {
        uint32_t weight = traces[at].n ? scenes[at].weight : 0;
        if (left < weight)
            return at;
        left -= weight;
    }
}

static void choose_plan(struct world *w, struct plan *plan)
{
    *plan = (struct plan){.seed = w->seed, .cnt = chance(w, 60) ? 1 : 2 + dice(w, ACTS_MAX - 1)};
    for (uint32_t i = 0; i < plan->cnt; i++) {
        uint32_t scene = choose_scene(w), how = dice(w, 100);
        plan->acts[i].scene = scene;
        plan->acts[i].end = how < 5 && scenes[scene].told    ? ALONE
                            : how < 19 && scenes[scene].told ? TOLD
                                                             : KILLED;
        choose_point(w, &traces[scene], &plan->acts[i].point);
    }
}

/* What is in the topic when the first program comes. */
static int set_stage(struct world *w)
{
    uint32_t how = dice(w, 10);
    if (feed(w, how < 2 ? 0 : how < 8 ? 1 + dice(w, 40) : IDS_MAX) < 0)
        return -1;
    if (chance(w, 25))
        return die_in_group(w, "shared") < 0 ? -1 : trust(w, &w->members[SHARED]);
    return 0;
}

static void explain(struct act *acts, uint32_t cnt, const struct plan *plan)
{
    char where[1500], text[2000];
    for (uint32_t i = 0; i < cnt; i++) {
        struct act *act = &acts[i];
        static const char *const ends[] = {"killed", "SIGTERM", "ended by itself"};
        trace_where(&act->run, where, sizeof where);
        fprintf(stderr, "  %s (%s), at %s\n   ", act->scene->name, ends[act->end], where);
        for (int a = 0; a < act->argc; a++)
            fprintf(stderr, " %s", act->argv[a]);
        fprintf(stderr, "\n    the nth time at %#llx: %u, and %u steps\n",
                (unsigned long long)plan->acts[i].point.anchor, plan->acts[i].point.nth,
                plan->acts[i].point.back);
        ssize_t n = pread(act->err, text, sizeof text - 1, 0);
        if (n > 0)
            fprintf(stderr, "    it said: %.*s", (int)n, text);
    }
}

/* Plays a round. Returns 0, or -1 with w->error. */
static int play(struct world *w, const struct plan *plan, int may_explain)
{
    static struct act acts[ACTS_MAX];
    uint32_t begun = 0;
    w->seed = plan->seed + 1;
    dice(w, 2);
    int wrong = set_stage(w) < 0;
    for (uint32_t i = 0; i < plan->cnt && !wrong; i++) {
        struct act *act = &acts[begun++];
        wrong = act_begin(w, act, &scenes[plan->acts[i].scene]) < 0;
        act->end = plan->acts[i].end;
        wrong = wrong || act_run(act, &plan->acts[i].point) < 0 || act_dead(act) < 0;
    }
    wrong = wrong || fill(w) < 0;
    for (uint32_t i = 0; i < begun && !wrong; i++)
        wrong = acts[i].scene->after && acts[i].scene->after(&acts[i]) < 0;
    wrong = wrong || check_books(w) < 0;
    if (wrong && may_explain) {
        char text[700];
        print_plan(plan, w->own_seed, text, sizeof text);
        fprintf(stderr, "steps: %s\n  again: %s/tests/steps -x %s\n", w->error, bin, text);
        explain(acts, begun, plan);
    }
    while (begun > 0)
        act_end(&acts[--begun]);
    counts->rounds++;
    return wrong ? -1 : 0;
}

/* ---- worlds ---- */

static const char *world_name(uint64_t number)
{
    static char name[MR_BUS_NAME_MAX + 1];
    snprintf(name, sizeof name, "%.22s%llu", base, (unsigned long long)number % 1000);
    return name;
}

static int open_world(struct world *w, uint64_t number, uint64_t world_seed)
{
    int error = world_open(w, bin, world_name(number), world_seed);
    w->own_seed = world_seed;
    counts->worlds++;
    if (error)
        fprintf(stderr, "steps: %s\n", w->error);
    return error;
}

/* Runs a program once, to its end, and notes its way. */
static int record_one(struct world *w, const struct scene *scene, struct trace *trace)
{
    static struct act act;
    trace->n = 0;
    int wrong = feed(w, 40) < 0 || act_begin(w, &act, scene) < 0;
    act.end = ALONE;
    if (!wrong && trace_record(&act.run, trace) < 0)
        wrong = bad(w, "it does not come to the topic") < 0;
    if (!wrong && act_status(&act) < 0)
        act.end = KILLED; /* it was left asleep */
    wrong = wrong || act_dead(&act) < 0 || fill(w) < 0 ||
            (scene->after && scene->after(&act) < 0) || check_books(w) < 0;
    if (wrong) {
        char text[1000];
        ssize_t n = pread(act.err, text, sizeof text, 0);
        fprintf(stderr, "steps: %s, stepped: %s %.*s\n", scene->name, w->error,
                (int)(n > 0 ? n : 0), text);
    }
    act_end(&act);
    return wrong ? -1 : 0;
}

/* Runs every jobs-th program once, and notes its way. */
static int record(unsigned job, unsigned jobs)
{
    static struct world w;
    int wrong = open_world(&w, 900 + job, seed) < 0;
    w.recording = 1;
    for (unsigned i = job; i < scene_cnt && !wrong; i += jobs) {
        if (!strstr(scenes[i].name, only))
            continue;
        /* A thread may find nothing to do; then again. */
        for (int tries = 0;
             !wrong && (tries == 0 || (scenes[i].thread && traces[i].n < 2000)) && tries < 8;
             tries++)
            wrong = record_one(&w, &scenes[i], &traces[i]) < 0;
        printf("  %-32s %7zu instructions\n", scenes[i].name, traces[i].n);
    }
    world_close(&w);
    return wrong;
}

static void pin(unsigned worker)
{
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    int n = (int)worker % CPU_COUNT(&all);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && n-- == 0)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one); /* a step is three times as fast as across CPUs */
}

static int work(unsigned worker, unsigned workers)
{
    static struct world w;
    for (uint64_t number = worker; counts->kills < kills && counts->failures < failures_max;
         number += workers) {
        int wrong = open_world(&w, number, seed + 1 + number) < 0;
        for (unsigned i = 0;
             i < ROUNDS && !wrong && counts->kills < kills && counts->failures < failures_max;
             i++) {
            struct plan plan;
            w.seed = (seed + number) * 1000003 + i;
            choose_plan(&w, &plan);
            wrong = play(&w, &plan, 1) < 0;
        }
        counts->failures += (unsigned long)wrong;
        world_close(&w);
    }
    return 0;
}

/* Removes what is left of our buses and their files. */
static void remove_all(void)
{
    char path[500], start[64], **names;
    int n = mr_bus_list(&names);
    for (int i = 0; i < n; i++)
        if (strncmp(names[i], base, strlen(base)) == 0)
            remove_bus(names[i]);
    if (n >= 0)
        free(names);
    DIR *dir = opendir(world_folder());
    snprintf(start, sizeof start, "millrace-%s", base);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strncmp(entry->d_name, start, strlen(start)) == 0) {
            snprintf(path, sizeof path, "%.200s/%.250s", world_folder(), entry->d_name);
            remove_folder(path);
        }
    if (dir)
        closedir(dir);
}

/* Runs that many processes of a kind. Returns 0 if all of them do. */
static int together(int (*what)(unsigned job, unsigned jobs), unsigned jobs)
{
    int status, wrong = 0;
    fflush(stdout);
    for (unsigned i = 0; i < jobs; i++)
        if ((started[i] = fork()) == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            signal(SIGINT, SIG_DFL);
            signal(SIGTERM, SIG_DFL);
            pin(i);
            int answer = what(i, jobs);
            fflush(stdout);
            _exit(answer);
        }
    for (unsigned left = jobs; left > 0;) {
        if (told_to_stop)
            for (unsigned i = 0; i < jobs; i++)
                kill(started[i], SIGKILL);
        pid_t pid = waitpid(-1, &status, 0);
        left -= pid > 0;
        wrong |= pid > 0 && status != 0;
    }
    return wrong;
}

static int again(const char *text, unsigned long times)
{
    static struct world w;
    struct plan plan;
    uint64_t world_seed;
    if (parse_plan(text, &world_seed, &plan) < 0) {
        fprintf(stderr, "steps: -x %s: not understood\n", text);
        return 2;
    }
    for (unsigned long i = 0; i < times; i++) {
        int wrong = open_world(&w, 0, world_seed) < 0 || play(&w, &plan, 1) < 0;
        world_close(&w);
        if (wrong)
            return 1;
    }
    printf("%lu times nothing was wrong\n", times);
    return 0;
}

static void sum_up(void)
{
    printf(
        "%lu kills of programs (%lu asleep), %lu SIGTERM, %lu left alone; %lu of all ended before, "
        "%lu were elsewhere; %lu kills where all slots of the target were used; "
        "%lu rounds in %lu worlds; %lu failures\n",
        counts->kills, counts->asleep, counts->told, counts->alone, counts->ended,
        counts->elsewhere, counts->used, counts->rounds, counts->worlds, counts->failures);
    for (unsigned i = 0; i < scene_cnt; i++)
        if (counts->hit[i])
            printf("  %-32s %7lu\n", scenes[i].name, (unsigned long)counts->hit[i]);
}

static void *shared(size_t n)
{
    void *at =
        mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        abort();
    return at;
}

static int run_all(unsigned jobs)
{
    printf("steps: seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < scene_cnt; i++)
        traces[i] =
            (struct trace){.rip = shared(INSTRUCTIONS * sizeof(uint64_t)), .cap = INSTRUCTIONS};
    if (together(record, jobs))
        return 1;
    for (unsigned i = 0; i < scene_cnt; i++)
        trace_sort(&traces[i]);
    int wrong = together(work, jobs);
    sum_up();
    if (counts->reached * 2 < counts->kills && !counts->failures)
        wrong = !!fprintf(stderr, "steps: only %lu of %lu were where they were to be killed\n",
                          counts->reached, counts->kills);
    return wrong || counts->failures;
}

static void on_stop(int signal_number)
{
    told_to_stop = signal_number;
}

int main(int argc, char **argv)
{
    unsigned long times = 20;
    unsigned jobs = 1;
    const char *repeat = NULL;
    int option;
    seed = (uint64_t)getpid() * 2654435761u % 1000000;
    while ((option = getopt(argc, argv, "n:j:s:o:x:f:")) != -1) {
        if (option == 'n')
            kills = times = strtoul(optarg, NULL, 10);
        else if (option == 'f')
            failures_max = strtoul(optarg, NULL, 10);
        else if (option == 'j')
            jobs = (unsigned)atoi(optarg);
        else if (option == 's')
            seed = strtoull(optarg, NULL, 10);
        else if (option == 'o')
            only = optarg;
        else if (option == 'x')
            repeat = optarg;
        else
            return 2;
    }
    bin = getenv("MILLRACE_BIN") ? getenv("MILLRACE_BIN") : "bin";
    counts = shared(sizeof *counts);
    traces = shared(SCENES_MAX * sizeof *traces);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL); /* to be waited for */
    signal(SIGPIPE, SIG_IGN);
    setenv("LD_BIND_NOW", "1", 1); /* no symbol is looked up on the way */
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *given = getenv("MILLRACE_BUS");
    snprintf(base, sizeof base, "%.14s-%d-",
             given && strncmp(given, "test-", 5) == 0 ? given : "test-step", (int)getpid());
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_stop}, NULL); /* waitpid is to end */
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_stop}, NULL);
    int wrong = repeat ? again(repeat, times) : run_all(jobs < 64 ? jobs : 64);
    remove_all();
    return told_to_stop ? 128 + told_to_stop : wrong;
}
