/* team.h - the processes of one measurement: forked together, and let go together. */
#ifndef TESTS_BENCH_TEAM_H
#define TESTS_BENCH_TEAM_H

#include <stddef.h>

struct team;

/* What each member does, in a process of its own; who is in [0, members). It ends by returning, or
 * by bench_fail. */
typedef void team_work(struct team *team, int who, void *what);

/* team_shared: zeroed memory that all members see, for as long as this process lives. */
void *team_shared(size_t size);

/* team_run forks the members and waits for them; what should lie in team_shared memory if they
 * change it. If one fails or is killed, the others are killed and this process ends with 1. */
void team_run(int members, team_work *work, void *what);

/* team_gate waits until every member is at it. team_gate_s: the seconds since it opened last. */
void team_gate(struct team *team);
double team_gate_s(struct team *team);

#endif
