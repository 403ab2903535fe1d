/* attach.h - to the bus, and to the topic (made if need be). */
#ifndef PRODUCER_ATTACH_H
#define PRODUCER_ATTACH_H

#include "millrace.h"
#include "options.h"

struct attachment {
    struct mr_bus *bus;
    struct mr_topic *topic;
};

/* attach_open returns 0, or an exit status (everything is said); attach_close is due in both cases.
 * Blocks up to options->wait_ns while there is no broker. */
int attach_open(struct attachment *at, const struct options *options);
void attach_close(struct attachment *at);

#endif
