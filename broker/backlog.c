/* backlog.c - see backlog.h. */
#include "backlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int backlog_look(const struct mr_topic *topic, struct backlog *out)
{
    struct mr_topic_info info = {0};
    int error = mr_topic_info(topic, &info);
    if (error)
        return error;
    if (info.damaged)
        return -EBADMSG;
    struct backlog owed = {.records = info.records_waiting,
                           .in_use = info.members + info.producers > 0};
    char groups[200] = "";
    size_t used = 0;
    struct mr_group_info group = {0};
    int found;
    for (uint32_t idx = 0; (found = mr_group_info(topic, idx, &group)) != -ERANGE; idx++) {
        if (found < 0)
            return found;
        if (!found || group.lag == 0)
            continue;
        owed.waited_for |= group.members > 0;
        if (group.lag > owed.records)
            owed.records = group.lag; /* the two were read a moment apart */
        char text[MR_GROUP_NAME_MAX + 40];
        int len = snprintf(text, sizeof text, "%sgroup %s (%" PRIu64 ")", used ? ", " : "",
                           group.name, group.lag);
        if (used >= sizeof groups)
            continue;
        if (used + (size_t)len + sizeof ", ..." > sizeof groups) {
            strcpy(groups + used, ", ...");
            used = sizeof groups; /* nothing fits any more */
        } else {
            memcpy(groups + used, text, (size_t)len + 1);
            used += (size_t)len;
        }
    }
    snprintf(owed.text, sizeof owed.text, "%" PRIu64 " record%s not acknowledged: %s", owed.records,
             owed.records == 1 ? " is" : "s are", used ? groups : "no group has read them");
    *out = owed;
    return 0;
}
