#include "wait.h"
#include "messages.h"
#include "signals.h"
#include "text/text.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const int64_t second_ns = 1000000000;

static void describe_holder(const struct mr_wait *wait, const char *topic)
{
    const char *why = wait->what == MR_WAIT_ROOM ? "full" : "not all acknowledged";
    const char *group = wait->group ? wait->group : "", *name = wait->name ? wait->name : "";
    char held[32];
    int private_pid = 0; /* "private:PID:..." is a name that no user can give */
    (void)sscanf(group, "private:%d:", &private_pid);
    if (!*group)
        program_notice("%s: %s, and no consumer has come yet; waiting for one (consumer %s)", topic,
                       why, topic);
    else if (wait->pid == 0 && private_pid)
        program_notice(
            "%s: %s; the private group of pid %d does not take the next records%s; waiting", topic,
            why, private_pid,
            program_stopped(private_pid) ? ", because it is stopped (kill -CONT resumes it)" : "");
    else if (wait->pid == 0)
        program_notice("%s: %s; group %s has no consumer that takes the next records; waiting "
                       "(consumer -g %s %s)",
                       topic, why, group, group, topic);
    else
        program_notice(
            "%s: %s; group %s: pid %" PRId32 "%s%s%s has held it for %s%s", topic, why, group,
            wait->pid, *name ? " (" : "", name, *name ? ")" : "", text_ns(held, wait->held_ns),
            program_stopped(wait->pid) ? ", and is stopped (kill -CONT resumes it)" : "");
}

/* Not a wait but a failure, which comes back about every second and for each record: says each
 * cause once. */
static int say_dead(const struct mr_wait *wait)
{
    enum { CAUSES = 16 };
    static struct {
        char topic[MR_TOPIC_NAME_MAX + 16]; /* it may be too long by the suffix */
        int error;
    } said[CAUSES];
    static size_t said_cnt;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int unfit = wait->error == -EPIPE || wait->error == -EMSGSIZE, again = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < said_cnt; i++)
        again |= said[i].error == wait->error && strcmp(said[i].topic, wait->topic) == 0;
    if (!again && said_cnt < CAUSES) {
        snprintf(said[said_cnt].topic, sizeof said[said_cnt].topic, "%s", wait->topic);
        said[said_cnt++].error = wait->error;
    }
    pthread_mutex_unlock(&lock);
    if (!again)
        program_error(
            "%s: did not take record %" PRIu64 " of partition %" PRIu32
            ": %s; the record is kept and tried again%s%s",
            wait->topic, wait->offset, wait->partition,
            wait->error == -EAGAIN || wait->error == -ETIMEDOUT
                ? "it is full (consume its records, or send them back: broker redrive)"
            : wait->error == -EINVAL
                ? "this name is too long for a topic (--on-fail skip needs no such topic)"
                : mr_strerror(wait->error),
            unfit ? "; read that topic, then delete it, so that a new one is made: broker delete "
                  : "",
            unfit ? wait->topic : "");
    return 0;
}

int program_wait_notice(const struct mr_wait *wait, void *arg)
{
    if (wait->what == MR_WAIT_DEAD)
        return say_dead(wait);
    /* What the last notice said: the next is due when that changes, or after 10 s. */
    static struct {
        char topic[MR_TOPIC_NAME_MAX + 1], group[MR_GROUP_NAME_MAX + 1];
        enum mr_wait_for what;
        int32_t pid;
        int stopped;
        int64_t said_ns; /* 0: never */
    } last;
    /* several threads may wait at a time */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const char *topic = wait->topic ? wait->topic : "", *group = wait->group ? wait->group : "";
    int64_t now = program_now();
    int stopped = program_stopped(wait->pid);
    pthread_mutex_lock(&lock);
    int same = last.said_ns && last.what == wait->what && last.pid == wait->pid &&
               last.stopped == stopped && strcmp(last.topic, topic) == 0 &&
               strcmp(last.group, group) == 0;
    (void)arg;
    /* An idle consumer is normal: say it once. */
    if (same && (wait->what == MR_WAIT_RECORDS || now - last.said_ns < 10 * second_ns)) {
        pthread_mutex_unlock(&lock);
        return 0;
    }
    last.what = wait->what;
    last.pid = wait->pid;
    last.stopped = stopped;
    last.said_ns = now;
    snprintf(last.topic, sizeof last.topic, "%s", topic);
    snprintf(last.group, sizeof last.group, "%s", group);
    pthread_mutex_unlock(&lock);

    switch (wait->what) {
    case MR_WAIT_ROOM:
    case MR_WAIT_ACKNOWLEDGED:
        describe_holder(wait, topic);
        break;
    case MR_WAIT_LOCK:
        program_notice("%s%swaiting for a lock that pid %" PRId32
                       " holds; if that process is stopped: kill -CONT %" PRId32,
                       topic, *topic ? ": " : "", wait->pid, wait->pid);
        break;
    case MR_WAIT_BROKER:
        program_notice("%s: waiting for the broker, pid %" PRId32
                       ", to create it; if that process is stopped: kill -CONT %" PRId32,
                       topic, wait->pid, wait->pid);
        break;
    case MR_WAIT_DEAD: /* see above */
        break;
    case MR_WAIT_RECORDS:
        program_notice("%s%swaiting for records", topic, *topic ? ": " : "");
        break;
    }
    return 0;
}
