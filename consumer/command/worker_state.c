#include "cli/program.h"
#include "workers.h"

#include <errno.h>

void workers_end(struct workers *workers, int status)
{
    pthread_mutex_lock(&workers->lock);
    /* a command that was running at the end may still fail */
    if (workers->status == RUNNING || workers->status == EXIT_OK)
        workers->status = status;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
}

/* With the lock held. A run that ends well (-e, -c, --drain) still tries failed records again. */
int workers_stopping_locked(const struct workers *workers)
{
    const struct run *run = workers->run;
    int over = run->take->max_ns >= 0 && program_now() - run->start_ns >= run->take->max_ns;
    return program_stop || over || (workers->status != RUNNING && workers->status != EXIT_OK);
}

int workers_stopping(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    int answer = workers_stopping_locked(workers);
    pthread_mutex_unlock(&workers->lock);
    return answer;
}

int workers_count_matching(struct workers *workers, struct source *source,
                           struct mr_consumer *consumer, size_t cnt, uint64_t *passing)
{
    struct run *run = workers->run;
    struct mr_record record;
    uint64_t found = 0;
    int error = 0, got = 0;
    *passing = cnt;
    if (!run->take->where)
        return 0;
    pthread_mutex_lock(&workers->formatting);
    while (!error && (got = mr_consumer_next(consumer, &record)) > 0) {
        int passes = run_passes(run, source, &record);
        if (passes == -EOVERFLOW) {
            found += found == 0;
            break;
        }
        error = passes < 0 ? passes : 0;
        found += passes > 0;
    }
    pthread_mutex_unlock(&workers->formatting);
    if (!error && got < 0)
        error = got;
    if (!error)
        error = found > 0 ? mr_consumer_rewind(consumer) : mr_consumer_ack(consumer);
    if (error)
        return error;
    *passing = found;
    if (found == 0) {
        pthread_mutex_lock(&workers->lock);
        run->taken->filtered += cnt;
        pthread_mutex_unlock(&workers->lock);
    }
    return 0;
}
