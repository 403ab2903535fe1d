#include "connect.h"
#include "core/client.h"
#include "core/control.h"
#include "core/segment.h"
#include "exit.h"
#include "messages.h"
#include "signals.h"
#include "wait.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t second_ns = 1000000000;

#define NAME_MAX_SHOWN 64

/* The name of a user, else the number; copied, because the next look-up overwrites it. */
static const char *user_name(uid_t uid, char buf[static NAME_MAX_SHOWN])
{
    const struct passwd *user = getpwuid(uid);
    if (user)
        snprintf(buf, NAME_MAX_SHOWN, "%s", user->pw_name);
    else
        snprintf(buf, NAME_MAX_SHOWN, "%u", (unsigned)uid);
    return buf;
}

static const char *group_name(gid_t gid, char buf[static NAME_MAX_SHOWN])
{
    const struct group *group = getgrgid(gid);
    if (group)
        snprintf(buf, NAME_MAX_SHOWN, "%s", group->gr_name);
    else
        snprintf(buf, NAME_MAX_SHOWN, "%u", (unsigned)gid);
    return buf;
}

/* Explains -EPERM: the owner and rights of the file, and what the owner can do. */
static void no_rights(const char *bus, const char *topic)
{
    char path[MR_PATH_MAX], file[MR_PATH_MAX + 16], what[MR_TOPIC_NAME_MAX + 64];
    char owner_buf[NAME_MAX_SHOWN], group_buf[NAME_MAX_SHOWN], wanted_buf[NAME_MAX_SHOWN];
    const char *name;
    uid_t owner;
    struct stat st;
    if (topic)
        snprintf(what, sizeof what, "%s", topic);
    else
        snprintf(what, sizeof what, "bus \"%s\"", bus);
    if (mr_bus_address(bus, &owner, &name)) {
        program_fail(-EPERM, "%s", what);
        return;
    }
    mr_segment_name(path, owner, name, topic);
    snprintf(file, sizeof file, "/dev/shm%s", path);
    if (lstat(file, &st) < 0) {
        program_fail(-EPERM, "%s", what);
        return;
    }
    const char *has = user_name(st.st_uid, owner_buf), *group = group_name(st.st_gid, group_buf);
    if (st.st_uid != owner || !S_ISREG(st.st_mode))
        program_error(
            "%s: %s is not a segment of %s; it belongs to %s, who can remove it (as root can)",
            what, file, user_name(owner, wanted_buf), has);
    else if (topic)
        program_error("%s: %s belongs to %s, group %s, mode %04o: you lack the rights; %s can "
                      "share it: chgrp GROUP and chmod 0660",
                      what, file, has, group, (unsigned)(st.st_mode & 07777), has);
    else
        program_error(
            "%s: %s belongs to %s, group %s, mode %04o: you lack the rights; %s can share it: "
            "broker -b %s --mode 0660 --owner-group GROUP",
            what, file, has, group, (unsigned)(st.st_mode & 07777), has, name);
}

void program_bus_fail(int error, const char *bus)
{
    const char *slash = strchr(bus, '/');
    if (error == -EINTR) /* the user stopped the program */
        return;
    if (error == -EPERM)
        no_rights(bus, NULL);
    else if (error == -ENOENT && slash)
        program_error("no broker on bus \"%s\"; %.*s starts one with: broker -b %s --mode 0660 "
                      "--owner-group GROUP",
                      bus, (int)(slash - bus), bus, slash + 1);
    else if (error == -ENOENT)
        program_error("no broker on bus \"%s\"; start one with: broker%s%s", bus,
                      strcmp(bus, "default") == 0 ? "" : " -b ",
                      strcmp(bus, "default") == 0 ? "" : bus);
    else
        program_fail(error, "bus \"%s\"", bus);
}

void program_topic_fail(int error, const struct mr_bus *bus, const char *topic)
{
    char text[MR_BUS_NAME_MAX + 16];
    snprintf(text, sizeof text, "%u/%s", (unsigned)mr_bus_owner(bus), mr_bus_name(bus));
    if (error == -EINTR)
        return;
    if (error == -EPERM)
        no_rights(text, topic);
    else
        program_fail(error, "%s: open", topic);
}

void program_socket_fail(const char *bus, const char *what)
{
    const char *name;
    char user[NAME_MAX_SHOWN];
    uid_t owner;
    struct ucred holder;
    if (mr_bus_address(bus, &owner, &name)) {
        program_fail(-EADDRINUSE, "%s", what);
        return;
    }
    int error = mr_control_holder(owner, name, &holder);
    if (error)
        program_error("%s: another process holds the socket of bus \"%s\" and does not listen "
                      "on it; end it (ss -xap shows "
                      "which: @millrace.%u.%s), or use another bus (-b NAME)",
                      what, bus, (unsigned)owner, name);
    else if (holder.uid != owner && holder.uid != 0)
        program_error("%s: pid %d of user %s holds the socket of bus \"%s\"; end it, or use "
                      "another bus (-b NAME)",
                      what, (int)holder.pid, user_name(holder.uid, user), bus);
    else if (holder.pid == 0)
        program_error("%s: a broker in another pid namespace (container) serves a bus \"%s\"; "
                      "use another bus (-b NAME)",
                      what, bus);
    else
        program_error("%s: pid %d holds the socket of bus \"%s\", but not the bus in this /dev/shm "
                      "(is it in a container?); end it, or use another bus (-b NAME)",
                      what, (int)holder.pid, bus);
}

void program_create_fail(int error, const struct mr_bus *bus, const char *topic)
{
    char what[MR_TOPIC_NAME_MAX + 16], address[MR_BUS_NAME_MAX + 16];
    if (error == -EPERM) { /* another process than this bus's broker answered */
        snprintf(what, sizeof what, "%s: create", topic);
        snprintf(address, sizeof address, "%u/%s", (unsigned)mr_bus_owner(bus), mr_bus_name(bus));
        program_socket_fail(mr_bus_owner(bus) == geteuid() ? mr_bus_name(bus) : address, what);
        return;
    }
    int pid = error == -ETIMEDOUT ? mr_broker_pid(bus) : 0;
    if (pid > 0)
        program_error(
            "%s: create: the broker, pid %d, does not answer; if it is stopped: kill -CONT %d",
            topic, pid, pid);
    else
        program_fail(error, "%s: create", topic);
}

int program_connect(const char *bus, const char *client_name, int64_t wait_ns, struct mr_bus **out)
{
    const struct mr_connect_options options = {
        .name = client_name, .on_wait = program_wait_notice, .stop = &program_stop};
    const char *name = bus ? bus : getenv("MILLRACE_BUS");
    if (!name || !*name)
        name = "default";
    const char *wrong = mr_name_check(MR_NAME_BUS, name);
    if (wrong)
        return program_usage("bad name of a bus \"%s\": %s", name, wrong);

    int64_t start = program_now();
    int said = 0;
    for (;;) {
        int error = mr_bus_connect(name, &options, out);
        if (error == 0)
            return EXIT_OK;
        if (error != -ENOENT) {
            program_bus_fail(error, name);
            return program_exit_for(error);
        }
        int64_t waited = program_now() - start;
        if (waited >= wait_ns) {
            program_bus_fail(error, name);
            return EXIT_NO_BROKER;
        }
        if (!said && waited >= second_ns / 2) {
            const char *flag = strcmp(name, "default") == 0 ? "" : " -b ";
            if (strchr(name, '/'))
                program_notice("no broker on bus \"%s\" yet, waiting for one", name);
            else
                program_notice(
                    "no broker on bus \"%s\" yet, waiting for one (start it with: broker%s%s)",
                    name, flag, *flag ? name : "");
            said = 1;
        }
        int64_t nap = waited < second_ns ? second_ns / 50 : second_ns / 10;
        if (program_sleep(nap < wait_ns - waited ? nap : wait_ns - waited) < 0)
            return program_exit_for(-EINTR);
    }
}
