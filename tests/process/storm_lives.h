/* storm_lives.h - what those do who are killed in proc_storm.c, and what all of them write down. */
#ifndef TESTS_PROCESS_STORM_LIVES_H
#define TESTS_PROCESS_STORM_LIVES_H

#include "tests/shared/support.h"

#include <stdatomic.h>

#define GROUPS       3    /* a and b of topic t, f of topic d */
#define LIVES_MAX    6000 /* processes in the course of the storm; a life's number names it */
#define RECORDS_EACH 4000 /* that one producer sends in its life */
#define BATCH_MAX    20
#define TEXT_MAX     200
#define PARTITIONS   2

enum kind {
    PRODUCER, /* sends to t */
    CONSUMER, /* of group a or b */
    PRIVATE,  /* of a group of its own, for all its life */
    JOINER,   /* joins a private group, looks, leaves, and joins again */
    MOVER,    /* goes on with group r, or moves it */
    SENDER,   /* sends to d, slowly */
    FAILER,   /* of group f, which fails on many a record */
};

#define SENDS(kind) ((kind) == PRODUCER || (kind) == SENDER)

/* What is known of a record in a group: who had it last (life + 1; 0 none, or given back), whether
 * it was delivered and acknowledged. */
#define DELIVERED 0x10000u
#define NOTED                                                                                      \
    0x20000u /* as acknowledged; missing when its consumer was killed between acknowledging and    \
                noting */
#define OWNER(n) ((uint32_t)(n)&0xffffu)

struct chronicle {
    _Atomic uint32_t over; /* producers end after the batch at hand */
    _Atomic uint32_t killed[LIVES_MAX];
    _Atomic uint8_t accepted[LIVES_MAX * RECORDS_EACH];
    _Atomic uint32_t state[GROUPS][LIVES_MAX * RECORDS_EACH];
    _Atomic uint64_t deliveries,
        again; /* in all groups; those of records that a dead consumer had */
    _Atomic uint64_t joins, moves, letters;
    /* Group r, by partition: the first offset that is not noted as acknowledged, and the first that
     * was not delivered yet, plus 1; 0: it may have been moved. */
    _Atomic uint64_t low[PARTITIONS], high[PARTITIONS];
    char complaint[256];
};

struct life {
    enum kind kind;
    int group;
    uint32_t number;
    unsigned seed;
};

extern struct chronicle *chronicle; /* shared by all processes */
extern char storm_bus_name[MR_BUS_NAME_MAX + 1];

/* storm_live is the life of a process: arg is its struct life. Returns its exit status; what is
 * wrong is in the chronicle then. */
int storm_live(void *arg);

#endif
