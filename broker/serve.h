/* serve.h - the serving broker: creates topics, notices deaths, cleans up. Records never pass
 * through it. */
#ifndef BROKER_SERVE_H
#define BROKER_SERVE_H

#include "millrace.h"

struct topic_spec {
    const char *name;
    struct mr_settings settings; /* 0 anywhere: the default */
    int made;                    /* set by broker_serve, if it created the topic */
};

struct serve_options {
    const char *bus;             /* checked */
    struct mr_settings defaults; /* all set; the mode is that of the bus, too */
    gid_t group;                 /* of the segments; (gid_t)-1: this process's */
    int automatic;               /* producers may have topics created */
    int ready_fds[2];            /* "READY\n" is written there, then they are closed; -1: none */
    /* once ready, standard error becomes /dev/null: the parent may wait until it is closed */
    int detached;
    struct topic_spec *specs;
    size_t spec_cnt;
};

/* broker_serve serves a bus until SIGINT, SIGTERM, SIGHUP (blocked during the call; an ignored
 * SIGHUP stays ignored) or a STOP request, then removes finished topics. Returns an exit status,
 * with the error printed. */
int broker_serve(const struct serve_options *options);

#endif
