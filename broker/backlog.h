/* backlog.h - what a topic still owes: the records that somebody has a right to. Serving, `stop`
 * and `clean` decide by the same rule. */
#ifndef BROKER_BACKLOG_H
#define BROKER_BACKLOG_H

#include "millrace.h"

struct backlog {
    uint64_t records; /* of the group that is furthest behind; all kept ones when no group exists */
    int waited_for;   /* a group with members attached is owed some */
    int in_use;       /* producers or consumers are attached */
    /* "12 records are not acknowledged: group billing (12), group audit (3)"; "..." cuts it */
    char text[280];
};

/* backlog_look looks at a topic. A topic is finished when records is 0. Returns 0; -EBADMSG
 * damaged; or another negative errno: it cannot be told. Never blocks. */
int backlog_look(const struct mr_topic *topic, struct backlog *out);

#endif
