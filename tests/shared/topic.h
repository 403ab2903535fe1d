/* topic.h - the fixture of tests that need one topic with one producer. */
#ifndef TESTS_SHARED_TOPIC_H
#define TESTS_SHARED_TOPIC_H

#include "support.h"

extern struct mr_topic *topic;
extern struct mr_producer *producer;

/* use makes the topic "t" with these settings, and its producer. topic_teardown closes both, and
 * ends the bus: the teardown that goes with bus_setup. */
void use(struct mr_settings settings);
void topic_teardown(void);

#endif
