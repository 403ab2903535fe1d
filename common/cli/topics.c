#include "topics.h"
#include "connect.h"
#include "core/client.h"
#include "exit.h"
#include "messages.h"
#include "signals.h"
#include "text/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t second_ns = 1000000000;

/* Writes " (did you mean "order"?; topics: a, b)" into text, for a user who mistyped a topic. */
static void topic_hints(const struct mr_bus *bus, const char *topic, char *text, size_t cap)
{
    char **names = NULL;
    ssize_t cnt = mr_bus_topics(bus, &names);
    text[0] = '\0';
    if (cnt < 0)
        return;
    if (cnt == 0) {
        snprintf(text, cap, " (bus \"%s\" has no topics)", mr_bus_name(bus));
        free(names);
        return;
    }
    const char *near = text_suggest(topic, (const char *const *)names);
    int len = near ? snprintf(text, cap, " (did you mean \"%s\"?; topics:", near)
                   : snprintf(text, cap, " (topics:");
    size_t used = len < 0 ? 0 : (size_t)len;
    for (ssize_t i = 0; i < cnt && used < cap; i++) {
        if (i == 20) { /* a message must end */
            len = snprintf(text + used, cap - used, ", and %zd more", cnt - i);
            used += len < 0 ? 0 : (size_t)len;
            break;
        }
        len = snprintf(text + used, cap - used, "%s %s", i ? "," : "", names[i]);
        used += len < 0 ? 0 : (size_t)len;
    }
    if (used < cap)
        snprintf(text + used, cap - used, ")");
    free(names);
}

void program_no_topic(const struct mr_bus *bus, const char *topic)
{
    char hints[2048];
    topic_hints(bus, topic, hints, sizeof hints);
    program_error("%s: no such topic%s", topic, hints);
}

void program_await_topic(const struct mr_bus *bus, const char *topic)
{
    char hints[2048];
    topic_hints(bus, topic, hints, sizeof hints);
    program_notice("%s: no such topic yet, waiting for it%s", topic, hints);
}

/* ---- topics to write to ---- */

/* A bus outlives its broker, but only a broker creates topics: waits for one to come back. */
static int create_topic(struct mr_bus *bus, const char *topic, int64_t wait_ns)
{
    int64_t end = program_now() + wait_ns;
    const struct mr_settings defaults = {0};
    int error, told = 0;

    for (;;) {
        error = mr_topic_create(bus, topic, &defaults, 1);
        if (error != -ECONNREFUSED || program_stop || program_now() >= end)
            break;
        if (!told && program_now() >= end - wait_ns + second_ns / 2) {
            program_notice(
                "%s: no such topic, and no broker runs that could create it; waiting for one",
                topic);
            told = 1;
        }
        program_sleep(second_ns / 20);
    }
    return program_stop ? -EINTR : error;
}

int program_open_topic(struct mr_bus *bus, const char *topic, int create, int64_t wait_ns,
                       struct mr_topic **out)
{
    int error = mr_topic_open(bus, topic, out);

    if (error == -ENOENT && !create) {
        program_no_topic(bus, topic);
        return EXIT_NO_TOPIC;
    }
    if (error == -ENOENT) {
        error = create_topic(bus, topic, wait_ns);
        if (error == -ECONNREFUSED) {
            program_error("%s: no such topic, and no broker runs that could create it (start one: "
                          "broker -b %s)",
                          topic, mr_bus_name(bus));
            return EXIT_NO_BROKER;
        }
        if (error == -EACCES) {
            program_no_topic(bus, topic);
            program_error("the broker creates no topics by itself (broker create %s)", topic);
            return EXIT_NO_TOPIC;
        }
        if (error == 0)
            program_notice("created topic %s", topic);
        if (error && error != -EEXIST) { /* another program created it first */
            if (error != -EINTR)
                program_create_fail(error, bus, topic);
            return program_exit_for(error);
        }
        error = mr_topic_open(bus, topic, out);
    }
    if (!error)
        return 0;
    program_topic_fail(error, bus, topic);
    return program_exit_for(error);
}
