/* attach.h - attaches to the bus and the topic, which is created if necessary. */
#ifndef PRODUCER_ATTACH_H
#define PRODUCER_ATTACH_H

#include "millrace.h"
#include "options.h"

struct attachment {
    struct mr_bus *bus;
    struct mr_topic *topic;
};

/* attach_open returns 0, or an exit status with the message printed; call attach_close in both
 * cases.
 * Blocks up to options->wait_ns while there is no broker. */
int attach_open(struct attachment *at, const struct options *options);
void attach_close(struct attachment *at);

#endif
