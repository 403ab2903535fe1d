/* oracle.h - what must hold after a kill, and how it is found out.
 *
 *   survive     survivors only: none joins, none leaves. Each ring is filled twice over while
 *               the groups keep up; a producer that still waits after TURNS_MAX turns is held up
 *               for ever. A turn is one bounded wait that is over, without waiting for it.
 *   words_idle  then: no group without an owner, none in the making, no slot of the dead, by the
 *               segment's own words
 *   newcomers   then others join every group, also those where no survivor was, and take what is
 *               theirs: each record as the model says
 *   rounds      and more come and go than there are slots
 *   words_all   I1 to I5, I7 and I9 at the end
 * All return 0, or -1 with w->error. */
#ifndef TESTS_CRASH_ORACLE_H
#define TESTS_CRASH_ORACLE_H

#include "world.h"

#include <signal.h>

#define TURNS_MAX 40 /* of 50 ms each: two seconds */

struct style {
    int told; /* a broker tells of the dead; else they are found by who waits */
    int wait; /* consumers wait; else they poll */
    int many; /* rounds, too */
};

extern int64_t survivors_ahead_ns;           /* the time that their waits would have taken */
extern volatile sig_atomic_t survivors_stop; /* the stop flag of the survivors' bus */

int oracle_check(struct world *w, const struct style *style);

int survive(struct world *w, const struct style *style);
/* every survivor takes what there is for its group */
int survivors_take(struct world *w, int wait);
/* One group takes what there is and waits for more, while a stopped process may have locks. Where
 * it waits for a lock that is held, it is ended, and survivors_lock_waits counts it. */
void survivors_wait_beside(struct world *w, struct place *place);
extern unsigned survivors_lock_waits;
int words_idle(struct world *w);
int words_all(struct world *w);
/* The place of the group that holds partition p of a shelf back; -1 with w->error if that group has
 * no right to. */
int words_holder(struct world *w, struct shelf *shelf, uint32_t p);
int newcomers(struct world *w, const struct style *style);
int rounds(struct world *w);
int model_holds(struct world *w); /* has come what had to? */
int take_all(struct world *w, struct place *place, struct mr_consumer *consumer, int wait);

#endif
