/* backlog.h - the records of a topic that are not acknowledged. Serving, `stop` and `clean`
 * decide by the same rule whether a topic is finished. */
#ifndef BROKER_BACKLOG_H
#define BROKER_BACKLOG_H

#include "millrace.h"

struct backlog {
    uint64_t records; /* of the group that is furthest behind; all kept ones when no group exists */
    int waited_for;   /* a group with attached members has not acknowledged some */
    int in_use;       /* producers or consumers are attached */
    /* "12 records are not acknowledged: group billing (12), group audit (3)"; "..." cuts it */
    char text[280];
};

/* backlog_look inspects a topic; it is finished if records is 0. Returns 0; -EBADMSG if it is
 * damaged; or another negative errno. Never blocks. */
int backlog_look(const struct mr_topic *topic, struct backlog *out);

#endif
