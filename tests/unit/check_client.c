/* check_client.c - a bus and its clients: who lives, who serves, and what is refused. */
#include "tests/clock/clock.h"
#include "tests/shared/support.h"

#include <fcntl.h>
#include <sys/stat.h>

static char path[MR_PATH_MAX + 16];

static void setup(void)
{
    char name[MR_PATH_MAX];
    bus_setup();
    mr_segment_name(name, geteuid(), mr_bus_name(bus), NULL);
    snprintf(path, sizeof path, "/dev/shm%s", name);
}

static struct mr_bus *connected(void)
{
    struct mr_bus *client;
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), NULL, &client), 0);
    return client;
}

/* Connects, sends its client id and waits to be killed. */
static int lives(void *arg)
{
    int *fds = arg;
    struct mr_bus *own;
    struct mr_connect_options options = {.name = "someone"};
    if (mr_bus_connect(mr_bus_name(bus), &options, &own))
        return 1;
    uint64_t id = mr_bus_self(own);
    if (write(fds[1], &id, sizeof id) != sizeof id)
        return 2;
    for (;;)
        pause();
}

static uint64_t id_from(int fd)
{
    uint64_t id;
    ck_assert_int_eq(read(fd, &id, sizeof id), sizeof id);
    return id;
}

static int uses_no_standard_stream(void *arg)
{
    struct mr_bus *own;
    struct mr_topic *topic;
    (void)arg;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (mr_bus_connect(mr_bus_name(bus), NULL, &own) || mr_topic_open(own, "t", &topic))
        return 1;
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 2;
    return 0;
}

/* A program that has closed them and prints all the same would write into the segment. */
START_TEST(no_descriptor_is_a_standard_stream)
{
    mr_topic_close(topic_make("t", (struct mr_settings){0}));
    ck_assert_int_eq(ended(child(uses_no_standard_stream, NULL)), 0);
}
END_TEST

START_TEST(broker_is_seen_while_it_serves)
{
    struct mr_bus *client = connected();
    ck_assert_int_eq(mr_broker_pid(client), getpid());
    ck_assert_int_eq(mr_bus_holder(mr_bus_name(bus)), getpid());
    mr_bus_disconnect(bus);
    ck_assert_int_eq(mr_broker_pid(client), 0);
    ck_assert_int_eq(mr_bus_holder(mr_bus_name(client)), 0);
    bus = client; /* the bus is usable without a broker */
    mr_topic_close(topic_make("t", (struct mr_settings){0}));
}
END_TEST

START_TEST(second_broker_is_refused_and_the_next_one_adopts)
{
    struct mr_bus *second;
    char name[MR_BUS_NAME_MAX + 1];
    strcpy(name, mr_bus_name(bus));
    mr_topic_close(topic_make("t", (struct mr_settings){0}));
    ck_assert_int_eq(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &second), -EBUSY);
    mr_bus_disconnect(bus);
    ck_assert_int_eq(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &bus), 0);
    char **topics;
    ck_assert_int_eq(mr_bus_topics(bus, &topics), 1);
    ck_assert_str_eq(topics[0], "t");
    free(topics);
}
END_TEST

START_TEST(bus_that_nobody_made_is_enoent)
{
    struct mr_bus *client = NULL;
    ck_assert_int_eq(mr_bus_connect(bus_new_name(), NULL, &client), -ENOENT);
    ck_assert_ptr_null(client);
    ck_assert_int_eq(mr_bus_connect("../x", NULL, &client), -EINVAL);
    ck_assert_int_eq(mr_bus_connect("a.b", NULL, &client), -EINVAL);
}
END_TEST

START_TEST(bus_name_comes_from_the_environment)
{
    struct mr_bus *client;
    ck_assert_int_eq(setenv("MILLRACE_BUS", mr_bus_name(bus), 1), 0);
    ck_assert_int_eq(mr_bus_connect(NULL, NULL, &client), 0);
    ck_assert_str_eq(mr_bus_name(client), mr_bus_name(bus));
    mr_bus_disconnect(client);
}
END_TEST

START_TEST(attached_client_is_listed_with_pid_and_name)
{
    struct mr_client_info info = {0};
    struct mr_connect_options options = {.name = "a name that is longer than thirty-one bytes"};
    struct mr_bus *client;
    uint64_t before = mr_wall_ns();
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &client), 0);
    uint32_t slot = (uint32_t)(mr_bus_self(client) & 0xffff) - 1;
    ck_assert_int_eq(mr_client_info(bus, slot, &info), 1);
    ck_assert_int_eq(info.pid, getpid());
    ck_assert_str_eq(info.name, "a name that is longer than thir");
    ck_assert_uint_ge(info.since_ns, before);
    ck_assert_uint_le(info.since_ns, mr_wall_ns());
    mr_bus_disconnect(client);
    ck_assert_int_eq(mr_client_info(bus, slot, &info), 0);
    ck_assert_int_eq(mr_client_info(bus, mr_bus_slots(bus), &info), -ERANGE);
}
END_TEST

START_TEST(death_of_a_client_shows_at_once)
{
    int fds[2];
    int32_t pid_shown;
    char name[MR_CLIENT_NAME_MAX + 1];
    struct mr_client_info info = {0};
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(lives, fds);
    uint64_t id = id_from(fds[0]);
    ck_assert_int_eq(mr_client_alive(bus, id), 1);
    mr_client_about(bus, id, &pid_shown, name);
    ck_assert_int_eq(pid_shown, pid);
    ck_assert_str_eq(name, "someone");
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    ck_assert_int_eq(mr_client_alive(bus, id), 1); /* stopped is not dead */
    killed(pid);
    ck_assert_int_eq(mr_client_alive(bus, id), 0);
    ck_assert_int_eq(mr_client_info(bus, (uint32_t)(id & 0xffff) - 1, &info), 0);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(zombie_is_dead)
{
    int fds[2], status;
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(lives, fds);
    uint64_t id = id_from(fds[0]);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    wait_until(!mr_client_alive(bus, id)); /* before anybody waits for it */
    ck_assert_int_eq(kill(pid, 0), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(reused_slot_has_another_generation)
{
    struct mr_bus *client = connected();
    uint64_t first = mr_bus_self(client);
    mr_bus_disconnect(client);
    client = connected();
    ck_assert_uint_eq(mr_bus_self(client) & 0xffff, first & 0xffff);
    ck_assert_uint_ne(mr_bus_self(client), first);
    ck_assert_int_eq(mr_client_alive(bus, first), 0);
    ck_assert_int_eq(mr_client_alive(bus, mr_bus_self(client)), 1);
    int32_t pid;
    char name[MR_CLIENT_NAME_MAX + 1];
    mr_client_about(bus, first, &pid, name);
    ck_assert_int_eq(pid, 0);
    mr_bus_disconnect(client);
}
END_TEST

START_TEST(forget_frees_the_slot_of_a_dead_client_only)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(lives, fds);
    uint64_t id = id_from(fds[0]);
    uint32_t slot = (uint32_t)(id & 0xffff) - 1;
    mr_bus_forget(bus, id);
    ck_assert_uint_eq(mr_client_id(bus, slot, NULL), id);
    killed(pid);
    mr_bus_forget(bus, id);
    ck_assert_uint_eq(mr_client_id(bus, slot, NULL), 0);
    mr_bus_forget(bus, 0); /* and what is no id does no harm */
    mr_bus_forget(bus, UINT64_MAX);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* Everything that takes a handle, in a forked child. 0: all refused with -ESTALE. */
static int uses_handles(void *arg)
{
    void **handles = arg;
    struct mr_bus *b = handles[0];
    struct mr_topic *t = handles[1];
    struct mr_message msg = {.value = "x", .value_len = 1};
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_consumer *consumer;
    uint32_t seen = 0;
    if (mr_bus_usable(b) != -ESTALE || mr_topic_open(b, "t", &topic) != -ESTALE ||
        mr_topic_seal(t) != -ESTALE)
        return 1;
    if (mr_producer_open(t, NULL, &producer) != -ESTALE ||
        mr_producer_append(handles[2], &msg, 1, 0) != -ESTALE)
        return 2;
    if (mr_consumer_open(t, NULL, &consumer) != -ESTALE ||
        mr_consumer_claim(handles[3], 0, 0) != -ESTALE)
        return 3;
    struct mr_record record;
    if (mr_consumer_next(handles[3], &record) != -ESTALE ||
        mr_consumer_rewind(handles[3]) != -ESTALE || mr_consumer_ack(handles[3]) != -ESTALE ||
        mr_consumer_fail(handles[3], "") != -ESTALE || mr_consumer_give_back(handles[3]) != -ESTALE)
        return 6;
    if (mr_bus_wait_change(b, &seen, 0) != -ESTALE ||
        mr_topic_delete(t, MR_DELETE_ANYWAY) != -ESTALE)
        return 4;
    mr_producer_close(handles[2]); /* frees memory, changes nothing shared */
    mr_consumer_close(handles[3]);
    mr_topic_close(t);
    mr_bus_disconnect(b);
    struct mr_bus *own; /* of its own it may have one */
    return mr_bus_connect(getenv("MILLRACE_BUS"), NULL, &own) ? 5 : 0;
}

START_TEST(forked_child_must_not_use_the_parents_handles)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    void *handles[4] = {bus, topic, producer_on(topic),
                        consumer_with(topic, (struct mr_consumer_options){0})};
    struct mr_record record;
    ck_assert_int_eq(setenv("MILLRACE_BUS", mr_bus_name(bus), 1), 0);
    put_numbers(handles[2], 0, 0, 3);
    ck_assert_int_eq(mr_consumer_claim(handles[3], 0, 0), 3);
    ck_assert_int_eq(mr_consumer_next(handles[3], &record), 1);
    ck_assert_int_eq(ended(child(uses_handles, handles)), 0);
    /* and the parent has lost nothing by it */
    ck_assert_int_eq(mr_consumer_next(handles[3], &record), 1);
    ck_assert_uint_eq(record.offset, 1);
    ck_assert_int_eq(mr_consumer_ack(handles[3]), 0);
    ck_assert_int_eq(put(handles[2], 0, "still"), 1);
    ck_assert_int_eq(mr_client_alive(bus, mr_bus_self(bus)), 1);
    mr_producer_close(handles[2]);
    mr_consumer_close(handles[3]);
    mr_topic_close(topic);
}
END_TEST

/* Connects, forks a child that goes on, and ends: the grandchild's copy of the lock must not keep
 * it alive. */
static int leaves_a_child(void *arg)
{
    int *fds = arg;
    struct mr_bus *own;
    if (mr_bus_connect(mr_bus_name(bus), NULL, &own))
        return 1;
    uint64_t ids[2] = {mr_bus_self(own), 0};
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    ids[1] = (uint64_t)pid;
    return write(fds[1], ids, sizeof ids) == sizeof ids ? 0 : 2;
}

START_TEST(forked_child_does_not_keep_its_dead_parent_alive)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(ended(child(leaves_a_child, fds)), 0);
    uint64_t id = id_from(fds[0]), grandchild = id_from(fds[0]);
    /* The grandchild drops its copy as soon as it runs. */
    for (int looks = 0; mr_client_alive(bus, id) && looks < LOOKS; looks++)
        look_pause();
    int alive = mr_client_alive(bus, id), there = kill((pid_t)grandchild, 0);
    kill((pid_t)grandchild, SIGKILL);
    ck_assert_int_eq(there, 0);
    ck_assert_int_eq(alive, 0);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(bus_that_lost_its_name_takes_nobody_for_dead_and_the_next_one_knows_none_of_its_clients)
{
    int fds[2];
    struct mr_bus *next;
    char name[MR_BUS_NAME_MAX + 1];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(lives, fds);
    uint64_t id = id_from(fds[0]);
    strcpy(name, mr_bus_name(bus));
    ck_assert_int_eq(mr_bus_named(bus), 1);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mr_bus_named(bus), 0);
    ck_assert_int_eq(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &next), 0);
    killed(pid);
    /* clients of the next bus are not in this one, and may well live */
    ck_assert_int_eq(mr_client_alive(bus, id), 1);
    struct mr_bus *client = connected();
    ck_assert_int_eq(mr_client_alive(next, mr_bus_self(client)), 1);
    ck_assert_int_eq(mr_client_alive(next, id), 0);
    ck_assert_uint_ne(mr_bus_self(client), id); /* the same slot */
    mr_bus_disconnect(client);
    mr_bus_disconnect(next);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(another_users_bus_is_named_by_user)
{
    uid_t owner;
    const char *name;
    char text[64];
    ck_assert_int_eq(mr_bus_address("b", &owner, &name), 0);
    ck_assert_uint_eq(owner, geteuid());
    ck_assert_int_eq(mr_bus_address("root/b", &owner, &name), 0);
    ck_assert_uint_eq(owner, 0);
    ck_assert_str_eq(name, "b");
    ck_assert_int_eq(mr_bus_address("4242/b", &owner, &name), 0);
    ck_assert_uint_eq(owner, 4242);
    ck_assert_int_eq(mr_bus_address("4242/../b", &owner, &name), -EINVAL);
    ck_assert_int_eq(mr_bus_address("/b", &owner, &name), -EINVAL);
    ck_assert_int_eq(mr_bus_address("4242/", &owner, &name), -EINVAL);
    struct mr_bus *client;
    snprintf(text, sizeof text, "%u/%s", (unsigned)geteuid(), mr_bus_name(bus));
    ck_assert_int_eq(mr_bus_connect(text, NULL, &client), 0);
    ck_assert_str_eq(mr_bus_name(client), mr_bus_name(bus));
    mr_bus_disconnect(client);
    ck_assert_int_eq(mr_bus_serve("4242/b", 0600, (gid_t)-1, NULL, &client), -EPERM);
    ck_assert_int_eq(mr_bus_remove("4242/b"), -EPERM);
}
END_TEST

START_TEST(observer_takes_no_slot_and_changes_nothing)
{
    struct mr_connect_options options = {.flags = MR_OBSERVER};
    struct mr_bus *observer;
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0}), *seen;
    struct mr_producer *producer;
    struct mr_consumer *consumer;
    uint32_t change = 0;
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &observer), 0);
    ck_assert_uint_eq(mr_bus_self(observer), 0);
    ck_assert_uint_eq(mr_client_id(bus, 1, NULL), 0);
    ck_assert_int_eq(mr_broker_pid(observer), getpid());
    ck_assert_int_eq(mr_topic_open(observer, "t", &seen), 0);
    ck_assert_int_eq(mr_producer_open(seen, NULL, &producer), -EPERM);
    ck_assert_int_eq(mr_consumer_open(seen, NULL, &consumer), -EPERM);
    ck_assert_int_eq(mr_topic_seal(seen), -EPERM);
    ck_assert_int_eq(mr_topic_purge(seen), -EPERM);
    ck_assert_int_eq(mr_topic_set_columns(seen, "a", 1, 0), -EPERM);
    ck_assert_int_eq(mr_topic_delete(seen, MR_DELETE_ANYWAY), -EPERM);
    ck_assert_int_eq(mr_bus_wait_change(observer, &change, 0), -EPERM);
    mr_topic_close(seen);
    mr_topic_close(topic);
    mr_bus_disconnect(observer);
}
END_TEST

START_TEST(all_slots_taken_is_eusers)
{
    /* As if held by others: each byte locked through a description of our own. */
    struct mr_bus *client;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = MR_LOCK_CLIENT(1),
                         .l_len = MR_CLIENTS_MAX - 1};
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), NULL, &client),
                     -ENOENT); /* free, but none can be had: it is being removed */
    for (uint32_t slot = 1; slot < MR_CLIENTS_MAX; slot++)
        bus->shm->clients[slot].id = slot + 1;
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), NULL, &client), -EUSERS);
    for (uint32_t slot = 1; slot < MR_CLIENTS_MAX; slot++)
        bus->shm->clients[slot].id = 0;
    close(fd);
    client = connected();
    mr_bus_disconnect(client);
}
END_TEST

START_TEST(free_slots_go_before_those_of_the_dead)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(lives, fds);
    uint64_t dead = id_from(fds[0]);
    killed(pid);
    /* the dead one's slot still says who it was, for the broker to clean up after */
    struct mr_bus *client = connected();
    ck_assert_uint_ne(mr_bus_self(client) & 0xffff, dead & 0xffff);
    mr_bus_disconnect(client);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* ---- a bus segment that is not as it should be ---- */

static int connects(void)
{
    struct mr_bus *client;
    int error = mr_bus_connect(mr_bus_name(bus), NULL, &client);
    if (!error)
        mr_bus_disconnect(client);
    return error;
}

START_TEST(another_layout_is_eproto)
{
    bus->shm->magic++;
    ck_assert_int_eq(connects(), -EPROTO);
}
END_TEST

START_TEST(damaged_header_is_ebadmsg)
{
    struct mr_bus_shm before = *bus->shm;
    bus->shm->magic = 0;
    ck_assert_int_eq(connects(), -EBADMSG);
    bus->shm->magic = UINT64_MAX;
    ck_assert_int_eq(connects(), -EBADMSG);
    bus->shm->magic = before.magic;
    bus->shm->client_cnt = 0;
    ck_assert_int_eq(connects(), -EBADMSG);
    bus->shm->client_cnt = MR_CLIENTS_MAX + 1;
    ck_assert_int_eq(connects(), -EBADMSG);
    bus->shm->client_cnt = UINT32_MAX;
    ck_assert_int_eq(connects(), -EBADMSG);
    bus->shm->client_cnt = before.client_cnt;
    bus->shm->total_bytes--;
    ck_assert_int_eq(connects(), -EBADMSG);
    bus->shm->total_bytes = before.total_bytes;
    ck_assert_int_eq(connects(), 0);
}
END_TEST

START_TEST(truncated_bus_is_ebadmsg)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - 4096), 0);
    ck_assert_int_eq(connects(), -EBADMSG);
    ck_assert_int_eq(truncate(path, 10), 0);
    ck_assert_int_eq(connects(), -EBADMSG);
    /* for the teardown, which stores into its slot */
    ck_assert_int_eq(truncate(path, st.st_size), 0);
}
END_TEST

START_TEST(bus_with_a_hole_is_ebadmsg)
{
    int fd = open(path, O_RDWR);
    ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 4096), 0);
    ck_assert_int_eq(connects(), -EBADMSG);
    close(fd);
}
END_TEST

START_TEST(another_pid_namespace_is_eremote)
{
    bus->shm->pid_namespace++;
    ck_assert_int_eq(connects(), -EREMOTE);
}
END_TEST

START_TEST(bus_of_another_owner_is_eperm)
{
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 65534, 65534), 0);
        ck_assert_int_eq(connects(), -EPERM);
    }
}
END_TEST

/* ---- names and changes ---- */

START_TEST(topics_are_listed_in_order)
{
    char **names;
    static const char *const made[] = {"b", "a.dead", "a"};
    for (int i = 0; i < 3; i++)
        mr_topic_close(topic_make(made[i], (struct mr_settings){0}));
    ck_assert_int_eq(mr_bus_topics(bus, &names), 3);
    ck_assert_str_eq(names[0], "a");
    ck_assert_str_eq(names[1], "a.dead");
    ck_assert_str_eq(names[2], "b");
    free(names);
}
END_TEST

START_TEST(bus_is_listed_once_also_when_only_a_topic_of_it_is_left)
{
    char **names;
    mr_topic_close(topic_make("a", (struct mr_settings){0}));
    mr_topic_close(topic_make("b", (struct mr_settings){0}));
    for (int round = 0; round < 2; round++) {
        int found = 0;
        ck_assert_int_ge(mr_bus_list(&names), 1);
        for (char **name = names; *name; name++)
            found += strcmp(*name, mr_bus_name(bus)) == 0;
        free(names);
        ck_assert_int_eq(found, 1);
        if (round == 0)
            ck_assert_int_eq(mr_bus_remove(mr_bus_name(bus)), 0);
    }
}
END_TEST

START_TEST(change_is_seen_once)
{
    uint32_t seen = 0;
    mr_topic_close(topic_make("a", (struct mr_settings){0}));
    ck_assert_int_eq(mr_bus_wait_change(bus, &seen, 0), 0);
    ck_assert_int_eq(mr_bus_wait_change(bus, &seen, 0), -ETIMEDOUT);
    clock_begin(CLOCK_ALONE);
    ck_assert_int_eq(mr_bus_wait_change(bus, &seen, 10000000), -ETIMEDOUT);
    ck_assert_int_eq(clock_now_ns(), 10000000);
}
END_TEST

static int waits_for_change(void *arg)
{
    int *fds = arg;
    struct mr_bus *own;
    uint32_t seen = 0;
    if (mr_bus_connect(mr_bus_name(bus), NULL, &own) || write(fds[1], "r", 1) != 1)
        return 100;
    int error = mr_bus_wait_change(own, &seen, HUNG_NS);
    return error == -EIDRM ? 10 : error ? 1 : 0;
}

START_TEST(change_wakes_who_waits_for_it)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(waits_for_change, fds);
    ck_assert_int_eq(said(fds[0]), 'r');
    mr_topic_close(topic_make("a", (struct mr_settings){0}));
    ck_assert_int_eq(ended(pid), 0);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(removal_of_the_bus_wakes_who_waits_for_changes)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(waits_for_change, fds);
    ck_assert_int_eq(said(fds[0]), 'r');
    ck_assert_int_eq(mr_bus_remove(mr_bus_name(bus)), 0);
    ck_assert_int_eq(ended(pid), 10);
    ck_assert_int_eq(mr_bus_remove(mr_bus_name(bus)), -ENOENT);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tcase = tcase_create("client");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, bus_teardown);
    tcase_add_test(tcase, no_descriptor_is_a_standard_stream);
    tcase_add_test(tcase, broker_is_seen_while_it_serves);
    tcase_add_test(tcase, second_broker_is_refused_and_the_next_one_adopts);
    tcase_add_test(tcase, bus_that_nobody_made_is_enoent);
    tcase_add_test(tcase, bus_name_comes_from_the_environment);
    tcase_add_test(tcase, attached_client_is_listed_with_pid_and_name);
    tcase_add_test(tcase, death_of_a_client_shows_at_once);
    tcase_add_test(tcase, zombie_is_dead);
    tcase_add_test(tcase, reused_slot_has_another_generation);
    tcase_add_test(tcase, forget_frees_the_slot_of_a_dead_client_only);
    tcase_add_test(tcase, forked_child_must_not_use_the_parents_handles);
    tcase_add_test(tcase, forked_child_does_not_keep_its_dead_parent_alive);
    tcase_add_test(
        tcase,
        bus_that_lost_its_name_takes_nobody_for_dead_and_the_next_one_knows_none_of_its_clients);
    tcase_add_test(tcase, another_users_bus_is_named_by_user);
    tcase_add_test(tcase, observer_takes_no_slot_and_changes_nothing);
    tcase_add_test(tcase, all_slots_taken_is_eusers);
    tcase_add_test(tcase, free_slots_go_before_those_of_the_dead);
    tcase_add_test(tcase, another_layout_is_eproto);
    tcase_add_test(tcase, damaged_header_is_ebadmsg);
    tcase_add_test(tcase, truncated_bus_is_ebadmsg);
    tcase_add_test(tcase, bus_with_a_hole_is_ebadmsg);
    tcase_add_test(tcase, another_pid_namespace_is_eremote);
    tcase_add_test(tcase, bus_of_another_owner_is_eperm);
    tcase_add_test(tcase, topics_are_listed_in_order);
    tcase_add_test(tcase, bus_is_listed_once_also_when_only_a_topic_of_it_is_left);
    tcase_add_test(tcase, change_is_seen_once);
    tcase_add_test(tcase, change_wakes_who_waits_for_it);
    tcase_add_test(tcase, removal_of_the_bus_wakes_who_waits_for_changes);
    return test_main(suite);
}
