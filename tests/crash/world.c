/* world.c - see world.h. */
#include "world.h"
#include "child.h"
#include "oracle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const shelf_names[SHELVES] = {"t", "other", "src", "t.dead"};

void world_must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "crash: cannot %s: %s\n", what, strerror(errno));
        _exit(99);
    }
}

int world_fail(struct world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!w->error[0]) /* the first one tells most */
        vsnprintf(w->error, sizeof w->error, format, args);
    va_end(args);
    return -1;
}

unsigned world_id(const struct mr_record *record)
{
    unsigned id = UINT32_MAX;
    if (record->value_len >= sizeof id)
        memcpy(&id, record->value, sizeof id);
    return id;
}

void world_fill(struct world *w, struct mr_message *msg, unsigned char *buf, unsigned id)
{
    memset(buf, (int)(id & 0xff), w->record_bytes);
    memcpy(buf, &id, sizeof id);
    *msg = (struct mr_message){.value = buf, .value_len = w->record_bytes};
}

void world_note(struct shelf *shelf, unsigned id, enum fate fate)
{
    for (unsigned i = 0; i < PLACES; i++)
        if (shelf->place[i].group[0]) {
            enum fate its = shelf->place[i].maybe && fate == MUST ? ANY : fate;
            shelf->place[i].fate[id] = shelf->place[i].after[id] = (unsigned char)its;
        }
}

unsigned world_try_send(struct world *w, enum shelf_name name, unsigned cnt)
{
    unsigned char buf[2048];
    struct shelf *shelf = &w->shelf[name];
    for (unsigned i = 0; i < cnt; i++) {
        struct mr_message msg;
        world_fill(w, &msg, buf, w->sent);
        if (mr_producer_append(shelf->producer, &msg, 1, 0) != 1)
            return i;
        world_note(shelf, w->sent++, MUST);
        shelf->sent++;
    }
    return cnt;
}

void world_send(struct world *w, enum shelf_name name, unsigned cnt)
{
    world_must(world_try_send(w, name, cnt) == cnt, "append");
}

void world_moves(struct world *w, enum shelf_name from, enum shelf_name to, unsigned id)
{
    w->moves = 1;
    w->move_a = from;
    w->move_b = to;
    w->shelf[from].place[0].fate[id] = w->shelf[from].place[0].after[id] = EITHER;
    world_note(&w->shelf[to], id, EITHER);
}

static struct place *add_place(struct shelf *shelf, const char *group)
{
    struct place *place = shelf->place;
    while (place->group[0])
        place++;
    world_must(place < shelf->place + PLACES, "remember another group");
    snprintf(place->group, sizeof place->group, "%s", group);
    return place;
}

struct place *world_join(struct world *w, enum shelf_name name, const char *group, uint32_t flags)
{
    struct place *place = add_place(&w->shelf[name], group);
    struct mr_consumer_options options = {.group = group, .flags = flags, .tries = 1000};
    world_must(mr_consumer_open(w->shelf[name].topic, &options, &place->consumer) == 0, "join");
    place->consumer->spin_ns = 0;
    place->is_private = (flags & MR_PRIVATE) != 0;
    return place;
}

struct place *world_lone(struct world *w, enum shelf_name name, const char *group, int maybe)
{
    struct place *place = add_place(&w->shelf[name], group);
    place->maybe = maybe;
    for (unsigned id = 0; id < w->sent && maybe; id++)
        place->fate[id] = place->after[id] =
            w->shelf[name].place[0].fate[id] == ABSENT ? ABSENT : ANY;
    return place;
}

void world_is_there(const struct world *w, struct place *place)
{
    for (unsigned id = place->since; id < w->sent && place->maybe; id++)
        if (place->fate[id] == ANY)
            place->fate[id] = place->after[id] = MUST;
    place->maybe = 0;
}

void world_take(struct world *w, enum shelf_name name, unsigned i, unsigned cnt)
{
    struct place *place = &w->shelf[name].place[i];
    struct mr_record record;
    unsigned taken = 0;
    while (taken < cnt && mr_consumer_claim(place->consumer, cnt - taken, 0) > 0) {
        while (mr_consumer_next(place->consumer, &record) == 1) {
            unsigned id = world_id(&record);
            world_must(id < w->sent, "know a record");
            place->fate[id] = place->after[id] = GONE;
            taken++;
        }
        world_must(mr_consumer_ack(place->consumer) == 0, "acknowledge");
    }
    world_must(taken == cnt, "take");
}

void world_adds(struct world *w, unsigned cnt)
{
    w->add = cnt;
    w->add_from = w->sent;
    for (unsigned i = 0; i < cnt; i++)
        world_note(&w->shelf[T], w->sent++, MAY_COME);
}

void world_shelf(struct world *w, enum shelf_name name, const char *group)
{
    struct shelf *shelf = &w->shelf[name];
    world_must(mr_topic_create_segment(w->bus, shelf_names[name], &w->settings) == 0,
               "make a topic");
    world_must(mr_topic_open(w->bus, shelf_names[name], &shelf->topic) == 0, "open a topic");
    world_must(mr_producer_open(shelf->topic, NULL, &shelf->producer) == 0, "open a producer");
    if (group)
        world_join(w, name, group, 0);
}

void some_records(struct world *w)
{
    world_join(w, T, "g", 0);
    world_join(w, T, "h", 0);
    world_send(w, T, 6);
    world_take(w, T, 0, 3);
}

char world_state(pid_t pid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *paren = strrchr(text, ')');
    return paren && paren[1] ? paren[2] : '\0';
}

void world_death(struct world *w, void (*body)(struct world *w), int reap)
{
    pid_t pid = fork();
    if (pid == 0) {
        child_plan = NULL;
        child_by_steps = 0;
        body(w);
        _exit(0);
    }
    int status;
    world_must(waitpid(pid, &status, 0) == pid && status == 0, "have a client die");
    for (int s = 0; s < SHELVES && reap; s++)
        if (w->shelf[s].topic)
            mr_topic_reap_dead(w->shelf[s].topic);
}

int world_connect(struct world *w)
{
    static const struct mr_connect_options options = {.name = "survivor", .stop = &survivors_stop};
    int error = mr_bus_connect(w->bus_name, &options, &w->bus);
    world_must(error == 0 || error == -ENOENT, "connect");
    return error;
}

void world_leave(struct world *w)
{
    for (int s = 0; s < SHELVES; s++) {
        struct shelf *shelf = &w->shelf[s];
        for (int i = 0; i < PLACES; i++) {
            mr_consumer_close(shelf->place[i].consumer);
            shelf->place[i].consumer = NULL;
        }
        mr_producer_close(shelf->producer);
        mr_topic_close(shelf->topic);
        shelf->producer = NULL;
        shelf->topic = NULL;
    }
    mr_bus_disconnect(w->bus);
    w->bus = NULL;
}

void world_open(struct world *w, const char *bus_name, const struct operation *operation)
{
    static const char *const more[] = {"made", "x"};
    survivors_ahead_ns = 0;
    *w = (struct world){.bus_name = bus_name, .record_bytes = 40};
    w->settings = (struct mr_settings){
        .size_bytes = 4096, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    if (operation->settings)
        operation->settings(&w->settings);
    for (int s = 0; s < SHELVES; s++)
        mr_topic_unlink(bus_name, shelf_names[s]);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        mr_topic_unlink(bus_name, more[i]);
    if (world_connect(w) == -ENOENT) { /* the last operation removed it */
        struct mr_bus *made;
        world_must(mr_bus_serve(bus_name, 0600, (gid_t)-1, NULL, &made) == 0, "make a bus");
        mr_bus_disconnect(made);
        world_must(world_connect(w) == 0, "connect");
    }
    world_shelf(w, T, NULL);
    operation->prepare(w);
}

void world_close(struct world *w)
{
    /* of this bus none but we are alive now */
    for (uint32_t slot = 0; w->bus && slot < 64; slot++) {
        uint64_t id = mr_client_id(w->bus, slot, NULL);
        if (id)
            mr_bus_forget(w->bus, id);
    }
    world_leave(w);
}
