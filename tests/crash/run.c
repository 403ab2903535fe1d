/* run.c - see run.h. */
#include "run.h"
#include "child.h"
#include "oracle.h"
#include "others.h"
#include "step.h"

#include "core/log.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTS_PLAIN   400u /* kills at most, of one operation in the plain scene; without -a */
#define POINTS_CROSSED 40u  /* in another scene */
/* of the other process in such a scene, each crossed with fewer kills: */
#define DEATHS       3u
#define POINTS_DEATH 16u

static struct world world;
static const struct run_options *options;
static const struct operation *operation;
static const struct scene *scene;
static struct counts *counts;
static struct trap_plan *plan, *other_plan;
static unsigned long wrong;
static size_t points[TRAP_EVENTS_MAX]; /* events to try */
static char what[300];
static int staged;              /* scene->before has run */
static const struct heir *heir; /* who waits for the locks of the process; NULL: none */

enum end { ENDED, DIED, STOPPED, UNFIT, BROKEN };

/* The operation sleeps: what it waits for happens. */
static void wake(void)
{
    if (operation->asleep) {
        operation->asleep(&world);
    } else { /* it may be stopped, a lock in hand, before they are done: that is not waited for */
        child_gives_up = survivors_stop = 1;
        survivors_take(&world, 0);
        child_gives_up = survivors_stop = 0;
    }
}

/* Waits until the process ends or stops. watched: when it sleeps, the survivors go on. */
static enum end wait_for(pid_t pid, int watched)
{
    int status;
    for (unsigned spins = 1;; spins++) {
        pid_t got = waitpid(pid, &status, WUNTRACED | (watched ? WNOHANG : 0));
        if (got == 0 && spins % 200 == 0 && world_state(pid) == 'S')
            wake();
        if (got == 0) {
            sched_yield();
            continue;
        }
        if (WIFSTOPPED(status))
            return STOPPED;
        if (WIFEXITED(status))
            return WEXITSTATUS(status) == 0 ? ENDED : WEXITSTATUS(status) == 99 ? UNFIT : BROKEN;
        return WTERMSIG(status) == SIGKILL ? DIED : BROKEN;
    }
}

static pid_t launch(void (*body)(struct world *w), struct trap_plan *its, size_t at,
                    enum trap_how how, int waits)
{
    its->at = at;
    its->how = how;
    its->event_cnt = 0;
    its->ended = 0;
    its->client = 0;
    its->moved_cnt = 0;
    its->waits_at_begin = waits;
    pid_t pid = fork();
    world_must(pid >= 0, "fork");
    if (pid == 0) {
        child_plan = its;
        body(&world);
        if (child_gives_up)
            child_leave();
        _exit(0);
    }
    return pid;
}

static void dead(uint64_t client)
{
    if (client && world.dead_cnt < sizeof world.dead / sizeof *world.dead)
        world.dead[world.dead_cnt++] = client;
}

static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void report(const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wrong++;
    counts->wrong++;
    fprintf(stderr, "crash: %s: %s\n", what, text);
}

/* A world in this scene; 0: the operation does not fit into it. */
static int set_stage(void)
{
    staged = 0;
    world_open(&world, options->bus, operation);
    if (scene->fits && !scene->fits(&world, operation))
        return 0;
    if (scene->before)
        scene->before(&world);
    if (operation->staged)
        operation->staged(&world);
    if (heir && heir->before)
        heir->before(&world);
    staged = 1;
    return 1;
}

/* The same with the process up to where `how` happens to it. Returns its pid, or 0. death: the
 * event at which the scene's other process dies. */
static pid_t stage(size_t at, enum trap_how how, size_t death, enum end *end)
{
    *end = UNFIT;
    if (!set_stage())
        return 0;
    pid_t pid = launch(operation->child, plan, at, how, scene->child != NULL);
    *end = wait_for(pid, 1);
    if (scene->child && *end == STOPPED) {
        pid_t other = launch(scene->child, other_plan, death, TRAP_KILL, 0);
        enum end its = wait_for(other, 1);
        if (its == ENDED || its == DIED) {
            dead(other_plan->client);
            if (scene->died)
                scene->died(&world, other_plan->moved, other_plan->moved_cnt);
            kill(pid, SIGCONT);
            *end = wait_for(pid, 1);
        } else {
            kill(pid, SIGKILL);
            wait_for(pid, 0);
            *end = UNFIT;
        }
    }
    if (*end == ENDED || *end == DIED || *end == STOPPED)
        return pid;
    if (*end == BROKEN)
        report("the process crashed");
    return 0;
}

static void leave_stage(void)
{
    if (staged && scene->after)
        scene->after(&world);
    if (operation->after)
        operation->after(&world);
    world_close(&world);
}

/* ---- what is left is checked ---- */

static int may_fail(void)
{
    return scene->may_fail || (operation->flags & OP_MAY_FAIL);
}

static void check(const struct style *style, int given_up)
{
    dead(plan->client);
    if (operation->back)
        operation->back(&world);
    world.has_result = plan->ended;
    world.result = plan->result;
    world.completed = plan->ended && plan->result >= (world.add ? (long)world.add : 0);
    if (plan->ended && plan->result < 0 && !may_fail() && !given_up)
        report("it fails: %s", strerror((int)-plan->result));
    else if (oracle_check(&world, style) < 0 || (operation->check && operation->check(&world) < 0))
        report("%s", world.error);
}

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int used = snprintf(what, sizeof what, "%s; %s; ", operation->name, scene->name);
    vsnprintf(what + used, sizeof what - (size_t)used, format, args);
    va_end(args);
    options->hung(what);
    alarm(20);
}

static unsigned long long rip_of(size_t k)
{
    return k < plan->event_cnt && k < TRAP_EVENTS_MAX ? (unsigned long long)plan->event[k].rip : 0;
}

static struct style style_of(size_t turn)
{
    return (struct style){.told = turn & 1, .wait = turn >> 1 & 1, .many = turn % 16 == 5};
}

static void kill_at(size_t k, size_t death, struct style style)
{
    enum end end;
    if (scene->child)
        tell("killed after event %zu, the other after event %zu", k, death);
    else
        tell("killed after event %zu", k);
    pid_t pid = stage(k, TRAP_KILL, death, &end);
    snprintf(what + strlen(what), sizeof what - strlen(what), " (%#llx)%s%s", rip_of(k),
             style.told ? ", told" : "", style.wait ? ", waiting" : "");
    if (pid) {
        counts->points[WAY_KILL]++;
        check(&style, 0);
    }
    leave_stage();
}

static int t_is_there(void)
{
    const struct mr_topic *t = world.shelf[T].topic;
    return t && !atomic_load(&t->shm->deleted);
}

/* Another process comes upon what the dead one left, and dies there. */
static void kill_both(size_t k, size_t turn)
{
    static size_t event_cnt[16]; /* of each other, as last seen whole */
    static uint64_t random = 1;
    size_t o = turn % other_cnt, at = 0;
    enum end end;
    if (!event_cnt[o])
        event_cnt[o] = 40;
    random = random * 6364136223846793005u + 1442695040888963407u;
    at = (size_t)(random >> 33) % event_cnt[o];
    tell("killed after event %zu, then who %s after event %zu", k, others[o].name, at);
    pid_t pid = stage(k, TRAP_KILL, SIZE_MAX, &end);
    if (pid) {
        pid_t other = launch(others[o].child, other_plan, at, TRAP_KILL, 0);
        enum end its = wait_for(other, 1);
        if (its == BROKEN)
            report("the second process crashed");
        if (other_plan->ended)
            event_cnt[o] = other_plan->event_cnt;
        dead(other_plan->client);
        counts->points[WAY_PAIR]++;
        struct style style = style_of(turn);
        if (t_is_there())
            check(&style, 0);
    }
    leave_stage();
}

/* A lock that others hold for long, as a stopped process does: the topic's, the first group's, the
 * first log's, the other topic's log's. */
static struct mr_lock_shm *lock_of(unsigned i)
{
    struct mr_topic *t = world.shelf[i == 3 ? OTHER : T].topic;
    if (!t)
        return NULL;
    return i == 0 ? &t->shm->lock : i == 1 ? &t->groups[0].lock : &t->logs[0].lock;
}

/* The stop flag is set after event k, and a lock is held for good from then on: the call gives up,
 * the program closes everything and ends. */
static void give_up(size_t k, unsigned i)
{
    static const char *const names[] = {"topic", "first group", "first log", "other topic's log"};
    enum end end;
    tell("given up after event %zu, while the lock of the %s is held", k, names[i]);
    pid_t pid = stage(k, TRAP_GIVE_UP, SIZE_MAX, &end);
    struct mr_lock_shm *lock = lock_of(i);
    if (pid && end == STOPPED) {
        int held = lock && lock->mutex.__data.__lock == 0 &&
                   mr_lock(world.shelf[i == 3 ? OTHER : T].topic, lock) == 0;
        kill(pid, SIGCONT);
        end = wait_for(pid, !held);
        if (held)
            mr_unlock(lock);
        counts->points[WAY_GIVE_UP]++;
        struct style style = style_of(k);
        if (end == BROKEN)
            report("the process crashed");
        else
            check(&style, 1);
    } else if (pid) {
        wait_for(pid, 0);
    }
    leave_stage();
}

/* The process stands still after event k, with whatever it holds; another comes, gives up and ends;
 * then it goes on. */
static void stop(size_t k, size_t turn, enum trap_how how)
{
    size_t o = turn % other_cnt;
    enum end end;
    tell("stopped %s event %zu; who %s gives up",
         how == TRAP_STOP ? "after" : "before what follows", k,
         operation->meanwhile ? "comes" : others[o].name);
    pid_t pid = stage(k, how, SIZE_MAX, &end);
    if (pid && end == STOPPED) {
        if (operation->meanwhile) {
            operation->meanwhile(&world);
        } else {
            child_gives_up = 1;
            pid_t other = launch(others[o].child, other_plan, SIZE_MAX, TRAP_NOTHING, 0);
            child_gives_up = 0;
            if (wait_for(other, 0) == BROKEN)
                report("the second process crashed");
        }
        kill(pid, SIGCONT);
        end = wait_for(pid, 1);
        counts->points[WAY_STOP]++;
        struct style style = style_of(k);
        if (end == BROKEN)
            report("the process crashed");
        else
            check(&style, 0);
    }
    leave_stage();
}

/* Is a lock of t held? */
static int locked(void)
{
    const struct mr_topic *t = world.shelf[T].topic;
    int held = t->shm->lock.mutex.__data.__lock != 0;
    for (uint32_t g = 0; g < t->group_cnt; g++)
        held |= t->groups[g].lock.mutex.__data.__lock != 0;
    for (uint32_t p = 0; p < t->partition_cnt; p++)
        held |= t->logs[p].lock.mutex.__data.__lock != 0;
    return held;
}

/* The process stands still after event k and has a lock. Another comes and sleeps for it; then the
 * first is killed. So the other has looked around before, and goes on under the lock of a dead one.
 */
static void inherit(size_t k, const struct heir *whom)
{
    enum end end;
    heir = whom;
    tell("killed after event %zu, when who %s waits for its lock", k, heir->name);
    pid_t pid = stage(k, TRAP_STOP, SIZE_MAX, &end);
    if (pid && end == STOPPED && locked()) {
        pid_t other = launch(heir->child, other_plan, SIZE_MAX, TRAP_NOTHING, 0);
        for (char state = 0; state != 'S' && state != 'Z'; state = world_state(other))
            sched_yield();
        kill(pid, SIGKILL);
        wait_for(pid, 0);
        end = wait_for(other, 1);
        dead(other_plan->client);
        counts->points[WAY_HEIR]++;
        struct style style = style_of(k);
        if (end != ENDED || !other_plan->ended || other_plan->result < 0)
            report("it fails: %s",
                   end == ENDED ? strerror((int)-other_plan->result) : "it crashed");
        else if (heir->joined)
            heir->joined(&world);
        check(&style, 0);
    } else if (pid && end == STOPPED) {
        kill(pid, SIGKILL);
        wait_for(pid, 0);
    }
    heir = NULL;
    leave_stage();
}

static int enough(void)
{
    return wrong >= options->wrong_max;
}

/* ---- every instruction ---- */

static void run_stepped(void *arg)
{
    (void)arg;
    child_plan = plan;
    child_by_steps = 1;
    operation->child(&world);
}

static int wake_stepped(void *arg)
{
    (void)arg;
    if (plan->client) /* the operation has begun: before, it may wait for what it prepares */
        wake();
    return 0;
}

/* Nothing is taken for granted of where a state begins: it is killed after each instruction. */
static void step_through(void)
{
    struct step_job job = {.child = run_stepped, .asleep = wake_stepped};
    struct step_trace trace = {0};
    plan->waits_at_begin = plan->ended = 0;
    tell("by instructions");
    alarm(600); /* each of them is looked at */
    if (set_stage() && step_trace(&job, &trace) < 0)
        report("its instructions do not come to an end");
    leave_stage();
    for (size_t k = 0; k < trace.n && !enough(); k++) {
        tell("killed after instruction %zu of %zu (%#llx)", k, trace.n,
             (unsigned long long)trace.rip[k]);
        plan->client = 0;
        set_stage();
        pid_t pid = step_to(&job, &trace, k);
        if (pid < 0) {
            report("it does not get there");
        } else {
            step_kill(pid);
            counts->points[WAY_STEP]++;
            counts->changes += !trace.same[k];
            struct style style = style_of(k);
            check(&style, 0);
        }
        leave_stage();
    }
    step_trace_free(&trace);
}

/* ---- which points ---- */

/* The events of the run at hand that leave a state of their own, the last one always. */
static size_t find_points(void)
{
    size_t n = plan->event_cnt < TRAP_EVENTS_MAX ? plan->event_cnt : TRAP_EVENTS_MAX, slots = 64,
           found = 0;
    while (slots < 2 * n)
        slots *= 2;
    size_t *seen = calloc(slots, sizeof *seen);
    world_must(seen != NULL, "allocate");
    if (!seen)
        abort(); /* world_must has ended it: the analyzer does not see that */
    for (size_t i = 0; i + 1 < n; i++) {
        size_t at = (size_t)(plan->event[i].state >> 20) & (slots - 1);
        while (seen[at] && plan->event[seen[at] - 1].state != plan->event[i].state)
            at = (at + 1) & (slots - 1);
        if (!seen[at] || options->all)
            points[found++] = i;
        if (!seen[at])
            seen[at] = i + 1;
    }
    free(seen);
    points[found++] = n - 1;
    counts->events += n;
    counts->states += found;
    return found;
}

/* One run to its end, which is also the kill after the last event. Returns the number of points; 0:
 * it does not fit, or fails. */
static size_t whole(size_t death)
{
    enum end end;
    tell("whole");
    pid_t pid = stage(SIZE_MAX, TRAP_NOTHING, death, &end);
    size_t n = 0;
    if (pid) {
        struct style style = {.many = 1};
        unsigned long before = wrong;
        n = find_points();
        check(&style, 0);
        if (wrong != before)
            n = 0;
    }
    leave_stage();
    return n;
}

static size_t step_for(size_t n, size_t most)
{
    return options->all || n <= most ? 1 : (n + most - 1) / most;
}

static int run_deaths(void)
{
    enum end end;
    size_t deaths = 0;
    /* How many events has the other process's own operation? */
    tell("the other, whole");
    pid_t pid = stage(SIZE_MAX, TRAP_NOTHING, SIZE_MAX, &end);
    if (pid)
        deaths = other_plan->event_cnt;
    leave_stage();
    if (!deaths)
        return -1;
    size_t step = step_for(deaths, DEATHS);
    for (size_t death = step / 2; death < deaths && !enough(); death += step) {
        size_t n = whole(death), by = step_for(n, POINTS_DEATH);
        for (size_t i = 0; i < n && !enough(); i += by)
            kill_at(points[i], death, style_of(i + death));
    }
    return 0;
}

int run(const struct run_options *with, const struct operation *of, const struct scene *in,
        struct counts *into)
{
    options = with;
    operation = of;
    scene = in;
    counts = into;
    wrong = 0;
    if (!plan) {
        plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        other_plan =
            mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        world_must(plan != MAP_FAILED && other_plan != MAP_FAILED, "map");
    }
    int plain = scene == scenes;
    if (!plain && (operation->flags & OP_PLAIN))
        return -1;
    counts->runs++;
    if (scene->child)
        return run_deaths();
    size_t n = whole(SIZE_MAX);
    if (!n || (operation->flags & OP_ONCE))
        return wrong || n ? 0 : -1;
    size_t by = step_for(n, plain ? POINTS_PLAIN : POINTS_CROSSED);
    for (size_t i = 0; i < n && !enough() && (options->ways & 1u << WAY_KILL); i += by) {
        struct style style = style_of(i / by);
        kill_at(points[i], SIZE_MAX, style);
        style.told = !style.told;
        style.many = 0;
        if (plain)
            kill_at(points[i], SIZE_MAX, style);
    }
    for (size_t i = 0; i < n && !enough() && plain && !(operation->flags & OP_ALONE) &&
                       (options->ways & 1u << WAY_PAIR);
         i += by)
        kill_both(points[i], i);
    for (size_t i = 0; i < n && !enough() && (plain || scene == scenes + 1) &&
                       (options->ways & 1u << WAY_GIVE_UP);
         i += by)
        for (unsigned lock = plain ? 0 : (unsigned)(i % 4); lock < 4 && !enough();
             lock += plain ? 1 : 4)
            if (lock < 3 || world.shelf[OTHER].topic)
                give_up(points[i], lock);
    for (size_t i = 0; i < n && !enough() && plain && (options->ways & 1u << WAY_STOP); i += by)
        for (enum trap_how how = TRAP_STOP; how <= TRAP_STOP_LATE && !enough(); how++)
            stop(points[i], i, how);
    for (size_t i = 0; i < n && !enough() && plain && (operation->flags & OP_GROUPS) &&
                       (options->ways & 1u << WAY_HEIR);
         i += by)
        for (size_t h = 0; h < heir_cnt && !enough(); h++)
            inherit(points[i], &heirs[h]);
    if (plain && options->all && (options->ways & 1u << WAY_STEP))
        step_through();
    alarm(0);
    return 0;
}
