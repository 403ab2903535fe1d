/* bus.c - see bus.h. */
#include "bus.h"
#include "bench.h"
#include "core/client.h"
#include "core/lifecycle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOPICS_MAX 4

static char bus_name[MR_BUS_NAME_MAX + 1];
static char topics[TOPICS_MAX][32]; /* those that are there */
static struct mr_bus *server;
static pid_t owner; /* of the bus: a forked process inherits the handlers of exit() */

static void must(int error, const char *what)
{
    if (error < 0) {
        errno = -error;
        bench_fail(what);
    }
}

static void remove_all(void)
{
    if (getpid() != owner)
        return;
    for (int i = 0; i < TOPICS_MAX; i++)
        if (topics[i][0])
            mr_topic_unlink(bus_name, topics[i]);
    mr_bus_remove(bus_name);
    mr_bus_disconnect(server);
}

void bench_topic_make(const char *name, uint64_t size_bytes, uint64_t records)
{
    struct mr_settings settings = {.size_bytes = size_bytes,
                                   .records_max = records,
                                   .partitions = 1,
                                   .full = MR_FULL_BLOCK,
                                   .tries = 3,
                                   .mode = 0600};
    int i = 0;
    if (!server) {
        owner = getpid();
        snprintf(bus_name, sizeof bus_name, "bench-%ld", (long)owner);
        must(mr_bus_serve(bus_name, 0600, (gid_t)-1, NULL, &server), "make a bus");
        atexit(remove_all);
    }
    while (i + 1 < TOPICS_MAX && topics[i][0])
        i++;
    must(topics[i][0] ? -ENOSPC : mr_topic_create_segment(server, name, &settings), "make a topic");
    snprintf(topics[i], sizeof topics[i], "%s", name);
}

void bench_topic_remove(const char *name)
{
    for (int i = 0; i < TOPICS_MAX; i++)
        if (strcmp(topics[i], name) == 0) {
            must(mr_topic_unlink(bus_name, name), "remove a topic");
            topics[i][0] = 0;
        }
}

struct mr_topic *bench_topic_open(const char *name)
{
    static struct mr_bus *bus;
    struct mr_topic *topic;
    if (!bus)
        must(mr_bus_connect(bus_name, NULL, &bus), "connect");
    must(mr_topic_open(bus, name, &topic), "open a topic");
    return topic;
}
