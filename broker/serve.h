/* serve.h - the serving broker: creates topics, notices deaths, cleans up. No data passes through
 * it. */
#ifndef BROKER_SERVE_H
#define BROKER_SERVE_H

#include "millrace.h"

struct topic_spec {
    const char *name;
    struct mr_settings settings; /* 0 anywhere: the default */
    int made;                    /* set by broker_serve: it was not there before */
};

struct serve_options {
    const char *bus;             /* checked */
    struct mr_settings defaults; /* all filled in; its mode is the bus's, too */
    gid_t group;                 /* of the segments; (gid_t)-1: this process's */
    int automatic;               /* producers may create topics by naming them */
    int ready_fds[2];            /* "READY\n" goes there, then they are closed; -1 none */
    /* once ready, standard error goes to /dev/null: whoever started us may wait for its end */
    int detached;
    struct topic_spec *specs;
    size_t spec_cnt;
};

/* broker_serve serves a bus until SIGINT, SIGTERM, SIGHUP (blocked during the call; an ignored
 * SIGHUP stays ignored) or a STOP request, then removes what is finished. Returns an exit status,
 * after having printed why when it is not 0. */
int broker_serve(const struct serve_options *options);

#endif
