/* topics.h - topics by their names: opened to write to, or not there. */
#ifndef COMMON_CLI_TOPICS_H
#define COMMON_CLI_TOPICS_H

#include "millrace.h"

/* program_open_topic opens a topic to write to. create: if it does not exist, the broker is asked
 * to create it, and if no broker runs, waits up to wait_ns for one. Returns 0, else an exit status,
 * with a message. */
int program_open_topic(struct mr_bus *bus, const char *topic, int create, int64_t wait_ns,
                       struct mr_topic **out);

/* program_no_topic prints the error "orders: no such topic (did you mean "order"?; topics: a, b)".
 * program_await_topic prints the notice "orders: no such topic yet, waiting for it (...)". */
void program_no_topic(const struct mr_bus *bus, const char *topic);
void program_await_topic(const struct mr_bus *bus, const char *topic);

#endif
