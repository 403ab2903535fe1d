/* check_model.c - random operations on small topics against a model of plain arrays. After each
 * step the segment must show what the model says, and I1 to I5 must hold.
 *
 * MODEL_SEED=N repeats a run (a failure prints its seed), MODEL_STEPS=N makes it longer. */
#include "core/group.h"
#include "tests/shared/support.h"

enum { PARTITIONS = 4, GROUPS = 2, MEMBERS = 3, RECORDS = 20000, CLAIMS = 64, TRIES = 3 };

struct model_claim {
    int used, owner; /* owner: member's index, -1 an orphan */
    uint32_t p;
    uint64_t first, end; /* offsets: first unacknowledged, end */
    uint64_t blamed;     /* offset, or MR_NONE */
    unsigned tries;
};

struct model_group {
    int ordered;
    struct mr_consumer *members[MEMBERS]; /* NULL: not attached */
    uint64_t given[MEMBERS];              /* offset behind what mr_consumer_next has given */
    uint64_t stop[MEMBERS];               /* offset up to which it gives now */
    uint64_t in_hand[MEMBERS];            /* MR_NONE: none */
    uint64_t next[PARTITIONS];            /* first unclaimed offset */
    struct model_claim claims[CLAIMS];
    unsigned char done[PARTITIONS][RECORDS]; /* acknowledged or dead-lettered */
    uint64_t acked, dead;
};

static struct {
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_settings settings;
    int sealed;
    uint64_t starts[PARTITIONS][RECORDS + 1]; /* position of each record, and of the end */
    uint64_t cnt[PARTITIONS];                 /* records appended */
    struct model_group groups[GROUPS];
    struct mr_consumer *letters; /* reads the dead-letter topic */
    uint64_t steps, seed;
} m;

static uint64_t random_state;

static unsigned below(unsigned n) /* xorshift64*, Vigna */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return n ? (unsigned)((random_state * 0x2545f4914f6cdd1du) >> 33) % n : 0;
}

static const char *const group_names[GROUPS] = {"plain", "other"};

/* ---- records: contents follow from partition and offset ---- */

static size_t value_of(uint32_t p, uint64_t offset, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)('a' + (p * 5 + offset * 3 + i) % 26);
    return len;
}

static void check_record(const struct mr_record *r, uint32_t p, uint64_t offset)
{
    char expected[4096];
    ck_assert_uint_eq(r->partition, p);
    ck_assert_uint_eq(r->offset, offset);
    value_of(p, offset, r->value_len, expected);
    ck_assert_mem_eq(r->value, expected, r->value_len);
    ck_assert_uint_eq(mr_record_bytes(r->value_len, 0, 0),
                      m.starts[p][offset + 1] - m.starts[p][offset]);
}

/* ---- what the model says ---- */

/* The first offset that a group has not acknowledged. */
static uint64_t low_of(const struct model_group *g, uint32_t p)
{
    uint64_t low = g->next[p];
    for (int i = 0; i < CLAIMS; i++)
        if (g->claims[i].used && g->claims[i].p == p && g->claims[i].first < low)
            low = g->claims[i].first;
    return low;
}

static uint64_t limit_of(uint32_t p)
{
    uint64_t low = low_of(&m.groups[0], p), other = low_of(&m.groups[1], p);
    return low < other ? low : other;
}

static struct model_claim *claim_of(struct model_group *g, int member)
{
    for (int i = 0; i < CLAIMS; i++)
        if (g->claims[i].used && g->claims[i].owner == member)
            return &g->claims[i];
    return NULL;
}

static int free_member(const struct model_group *g)
{
    for (int i = 0; i < MEMBERS; i++)
        if (!g->members[i])
            return i;
    return -1;
}

static int some_member(const struct model_group *g)
{
    int start = (int)below(MEMBERS);
    for (int i = 0; i < MEMBERS; i++)
        if (g->members[(start + i) % MEMBERS])
            return (start + i) % MEMBERS;
    return -1;
}

static struct model_claim *new_claim(struct model_group *g)
{
    for (int i = 0; i < CLAIMS; i++)
        if (!g->claims[i].used)
            return &g->claims[i];
    ck_abort_msg("the model has too few claims");
}

static int busy(const struct model_group *g, uint32_t p)
{
    for (int i = 0; i < CLAIMS; i++)
        if (g->claims[i].used && g->claims[i].p == p)
            return 1;
    return 0;
}

/* Is there something that a member without a claim gets? */
static int claimable(const struct model_group *g)
{
    for (int i = 0; i < CLAIMS; i++)
        if (g->claims[i].used && g->claims[i].owner < 0)
            return 1;
    for (uint32_t p = 0; p < m.settings.partitions; p++)
        if (g->next[p] < m.cnt[p] && !(g->ordered && busy(g, p)))
            return 1;
    return 0;
}

static void acknowledge(struct model_group *g, struct model_claim *claim, uint64_t end)
{
    for (; claim->first < end; claim->first++) {
        ck_assert_msg(!g->done[claim->p][claim->first],
                      "partition %u offset %lu was acknowledged before", claim->p, claim->first);
        g->done[claim->p][claim->first] = 1;
        g->acked++;
    }
    if (claim->first == claim->end)
        claim->used = 0;
}

/* ---- operations ---- */

/* How many records may wait in a partition: what does not divide evenly goes to the first ones. */
static uint64_t waiting_max(uint32_t p)
{
    return m.settings.records_max / m.settings.partitions +
           (p < m.settings.records_max % m.settings.partitions);
}

static void do_append(void)
{
    enum { BATCH = 12 };
    static char values[BATCH][1100];
    struct mr_message msgs[BATCH];
    uint64_t pos[PARTITIONS], next[PARTITIONS];
    size_t n = 1 + below(BATCH), expected = 0, size = below(20) ? below(120) : below(1000),
           order[BATCH];
    int full = 0;
    for (uint32_t p = 0; p < m.settings.partitions; p++) {
        pos[p] = m.starts[p][m.cnt[p]];
        next[p] = m.cnt[p];
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t p = below(m.settings.partitions);
        msgs[i] =
            (struct mr_message){.partition = MR_PARTITION(p),
                                .value = values[i],
                                .value_len = (uint32_t)(size ? below((unsigned)size + 1) : 0)};
    }
    /* Partition by partition, in order; the first record without room ends all. */
    for (uint32_t p = 0; p < m.settings.partitions && !full; p++)
        for (size_t i = 0; i < n && !full; i++) {
            if (msgs[i].partition != MR_PARTITION(p))
                continue;
            uint64_t bytes = mr_record_bytes(msgs[i].value_len, 0, 0), limit = limit_of(p);
            ck_assert_uint_lt(next[p], RECORDS);
            full = pos[p] + bytes > m.starts[p][limit] + m.topic->ring_bytes ||
                   (m.settings.records_max && next[p] >= limit + waiting_max(p));
            if (full)
                break;
            value_of(p, next[p], msgs[i].value_len, values[i]);
            pos[p] += bytes;
            m.starts[p][++next[p]] = pos[p];
            order[expected++] = i;
        }
    ssize_t got = mr_producer_append(m.producer, msgs, n, 0);
    if (m.sealed) {
        ck_assert_int_eq(got, -EPIPE);
        return;
    }
    ck_assert_int_eq(got, expected ? (ssize_t)expected : -EAGAIN);
    for (size_t i = 0; i < expected; i++) {
        uint32_t p = msgs[order[i]].placed;
        ck_assert_uint_eq(msgs[order[i]].offset, m.cnt[p]++);
        msgs[order[i]].offset = MR_OFFSET_NONE;
    }
    for (size_t i = 0; i < n; i++)
        /* the others were not accepted, and say so */
        ck_assert_uint_eq(msgs[i].offset, MR_OFFSET_NONE);
}

/* The orphans of a group in the order in which they are taken over, that of their slots. Returns
 * their number. */
static int orphans_of(struct model_group *g, struct model_claim *list[static CLAIMS])
{
    int n = 0;
    for (uint32_t i = 0; i < m.topic->member_cnt; i++) {
        const struct mr_member_shm *slot = &m.topic->members[i];
        if (word(&slot->group) != (uint64_t)(g - m.groups) + 1 || word(&slot->owner))
            continue;
        uint32_t p = (uint32_t)word(&slot->partition);
        uint64_t first = mr_log_offset(m.topic, p, word(&slot->cursor));
        list[n] = NULL;
        for (int k = 0; k < CLAIMS; k++)
            if (g->claims[k].used && g->claims[k].owner < 0 && g->claims[k].p == p &&
                g->claims[k].first == first)
                list[n] = &g->claims[k];
        ck_assert_ptr_nonnull(list[n]);
        ck_assert_uint_eq(mr_log_offset(m.topic, p, word(&slot->end)), list[n]->end);
        n++;
    }
    return n;
}

/* A fresh claim as the seat shows it: the next records of a partition, not more than the member's
 * share. */
static struct model_claim *fresh_claim(struct model_group *g, int member, uint64_t max)
{
    const struct mr_member_shm *slot = &m.topic->members[g->members[member]->seat.member];
    uint32_t p = (uint32_t)word(&slot->partition);
    uint64_t first = mr_log_offset(m.topic, p, word(&slot->cursor)),
             end = mr_log_offset(m.topic, p, word(&slot->end)), attached = 0;
    for (int i = 0; i < MEMBERS; i++)
        attached += g->members[i] != NULL;
    uint64_t left = m.cnt[p] - g->next[p],
             share = attached > 1 ? (left + attached - 1) / attached : max;
    ck_assert(!g->ordered || !busy(g, p));
    ck_assert_uint_eq(first, g->next[p]);
    ck_assert_uint_gt(end, first);
    ck_assert_uint_le(end - first, share < max ? share : max);
    ck_assert_uint_le(end, m.cnt[p]);
    struct model_claim *claim = new_claim(g);
    *claim = (struct model_claim){
        .used = 1, .owner = member, .p = p, .first = first, .end = end, .blamed = MR_NONE};
    g->next[p] = end;
    return claim;
}

/* What mr_consumer_claim gives now of a claim: up to the blamed record, or that one alone. */
static uint64_t stop_of(const struct model_claim *claim)
{
    if (claim->blamed == claim->first)
        return claim->first + 1;
    return claim->blamed != MR_NONE && claim->blamed > claim->first && claim->blamed < claim->end
               ? claim->blamed
               : claim->end;
}

static void read_letters(uint64_t expected)
{
    struct mr_topic *dead;
    struct mr_record r;
    if (!m.letters && expected) {
        ck_assert_int_eq(mr_topic_open(bus, "m.dead", &dead), 0);
        m.letters = consumer_with(dead, (struct mr_consumer_options){0});
    }
    for (uint64_t i = 0; i < expected; i++) {
        ck_assert_int_ge(mr_consumer_claim(m.letters, 1, 0), 1);
        ck_assert_int_eq(mr_consumer_next(m.letters, &r), 1);
        ck_assert_int_eq(mr_consumer_ack(m.letters), 0);
    }
    if (m.letters)
        ck_assert_int_eq(mr_consumer_claim(m.letters, 1, 0), -ETIMEDOUT); /* and no letter twice */
}

static void bury(struct model_group *g, struct model_claim *claim)
{
    acknowledge(g, claim, claim->first + 1);
    g->dead++;
    read_letters(1);
}

static void do_claim(struct model_group *g, int member)
{
    struct mr_consumer *c = g->members[member];
    struct model_claim *claim = claim_of(g, member);
    uint64_t max = 1 + below(9);
    if (claim && g->given[member] > claim->first) {
        /* given and not acknowledged: more of the same, or the caller's mistake */
        ssize_t got = mr_consumer_claim(c, max, 0);
        ck_assert_int_eq(got, g->given[member] < g->stop[member]
                                  ? (ssize_t)(g->stop[member] - g->given[member])
                                  : -EBUSY);
        return;
    }
    struct model_claim *orphans[CLAIMS];
    int n = orphans_of(g, orphans), taken = 0, all = m.sealed;
    ssize_t got = mr_consumer_claim(c, max, 0);
    /* What it holds, else an orphan, else fresh records; a blamed record whose tries are used up is
     * buried on the way. */
    for (;;) {
        if (!claim && taken < n) {
            claim = orphans[taken++];
            claim->owner = member;
        } else if (!claim && claimable(g)) {
            ck_assert_int_gt(got, 0);
            claim = fresh_claim(g, member, max);
        }
        if (!claim || claim->blamed != claim->first || claim->tries < TRIES)
            break;
        bury(g, claim);
        claim = claim->used ? claim : NULL;
    }
    for (uint32_t p = 0; p < m.settings.partitions; p++)
        all &= low_of(g, p) == m.cnt[p];
    if (claim) {
        g->given[member] = claim->first;
        g->stop[member] = stop_of(claim);
        g->in_hand[member] = MR_NONE;
        ck_assert_int_eq(got, (ssize_t)(g->stop[member] - claim->first));
    } else {
        ck_assert_int_eq(got, all ? -ENODATA : -ETIMEDOUT);
    }
}

static void do_next(struct model_group *g, int member)
{
    struct model_claim *claim = claim_of(g, member);
    struct mr_record r;
    int more = claim && g->given[member] < g->stop[member];
    ck_assert_int_eq(mr_consumer_next(g->members[member], &r), more);
    if (!more) {
        g->in_hand[member] = MR_NONE;
        return;
    }
    check_record(&r, claim->p, g->given[member]);
    ck_assert_uint_eq(r.try_number, claim->blamed == g->given[member] ? claim->tries + 1 : 1);
    g->in_hand[member] = g->given[member]++;
}

static void do_ack(struct model_group *g, int member)
{
    struct model_claim *claim = claim_of(g, member);
    ck_assert_int_eq(mr_consumer_ack(g->members[member]), 0);
    if (claim && g->given[member] > claim->first) {
        acknowledge(g, claim, g->given[member]);
        g->in_hand[member] = MR_NONE; /* what is acknowledged is not blamed */
    }
}

static void do_fail(struct model_group *g, int member)
{
    struct model_claim *claim = claim_of(g, member);
    uint64_t hand = g->in_hand[member];
    int got = mr_consumer_fail(g->members[member], "the model said so");
    if (hand == MR_NONE) {
        ck_assert_int_eq(got, -EINVAL);
        return;
    }
    acknowledge(g, claim, hand);
    claim->tries = claim->blamed == hand ? claim->tries + 1 : 1;
    claim->blamed = hand;
    ck_assert_int_eq(got, claim->tries >= TRIES);
    if (got)
        bury(g, claim);
    g->in_hand[member] = MR_NONE;
    g->given[member] = g->stop[member] = claim->first;
}

static void let_go(struct model_group *g, int member)
{
    struct model_claim *claim = claim_of(g, member);
    if (claim)
        claim->owner = -1;
    g->in_hand[member] = MR_NONE;
    g->given[member] = g->stop[member] = 0;
}

static void do_join(struct model_group *g, int member)
{
    struct mr_consumer_options options = {.group = group_names[g - m.groups],
                                          .flags = g->ordered ? MR_ORDERED : 0};
    g->members[member] = consumer_with(m.topic, options);
    g->in_hand[member] = MR_NONE;
    g->given[member] = g->stop[member] = 0;
}

/* A child joins, claims, reads, acknowledges some, and kills itself. It says first what it did. */
struct testament {
    ssize_t claimed;
    uint32_t p;
    uint64_t first, end, cursor, hand; /* offsets; hand MR_NONE: none */
};

static int lives_and_dies(void *arg)
{
    int fd = ((int *)arg)[1];
    unsigned max = (unsigned)((int *)arg)[2], reads = (unsigned)((int *)arg)[3],
             acks = (unsigned)((int *)arg)[4];
    struct mr_topic *t = topic_of_child("m");
    struct mr_consumer *c;
    struct mr_record r;
    struct mr_consumer_options options = {.group = group_names[((int *)arg)[5]]};
    struct testament last = {.hand = MR_NONE};
    if (mr_consumer_open(t, &options, &c))
        return 1;
    last.claimed = mr_consumer_claim(c, max, 0);
    if (last.claimed > 0) {
        last.p = c->partition;
        last.first = mr_log_offset(t, c->partition, c->acked);
        last.end = mr_log_offset(t, c->partition, c->end);
        for (unsigned i = 0; i < reads; i++) {
            last.hand = mr_consumer_next(c, &r) > 0 ? r.offset : MR_NONE;
            if (i < acks && mr_consumer_ack(c))
                return 2;
        }
        last.cursor = mr_log_offset(t, c->partition, c->acked);
        if (last.hand != MR_NONE && last.hand < last.cursor)
            last.hand = MR_NONE;
    }
    if (write(fd, &last, sizeof last) != sizeof last)
        return 3;
    kill(getpid(), SIGKILL);
    return 4;
}

/* Not while a record may be buried: the child's testament could not tell. */
static int about_to_bury(const struct model_group *g)
{
    for (int i = 0; i < CLAIMS; i++)
        if (g->claims[i].used && g->claims[i].owner < 0 && g->claims[i].tries >= TRIES)
            return 1;
    return 0;
}

static void do_death(struct model_group *g)
{
    int args[6] = {0, 0, 1 + (int)below(9), (int)below(5), (int)below(4), (int)(g - m.groups)};
    int member = free_member(g);
    struct testament last;
    if (member < 0 || about_to_bury(g))
        return;
    ck_assert_int_eq(pipe(args), 0);
    int there = claimable(g);
    pid_t pid = child(lives_and_dies, args);
    close(args[1]);
    ck_assert_int_eq(read(args[0], &last, sizeof last), sizeof last);
    close(args[0]);
    ck_assert_int_eq(ended(pid), -SIGKILL);
    ck_assert_int_eq(last.claimed > 0, there);
    if (last.claimed > 0) {
        struct model_claim *claim = NULL;
        for (int i = 0; i < CLAIMS; i++)
            if (g->claims[i].used && g->claims[i].owner < 0 && g->claims[i].p == last.p &&
                g->claims[i].first == last.first)
                claim = &g->claims[i];
        if (!claim) {
            ck_assert_uint_eq(last.first, g->next[last.p]);
            claim = new_claim(g);
            *claim = (struct model_claim){
                .used = 1, .p = last.p, .first = last.first, .end = last.end, .blamed = MR_NONE};
            g->next[last.p] = last.end;
        }
        ck_assert_uint_eq(claim->end, last.end);
        claim->owner = -1;
        acknowledge(g, claim, last.cursor);
        if (claim->used && last.hand != MR_NONE) {
            claim->tries = claim->blamed == last.hand ? claim->tries + 1 : 1;
            claim->blamed = last.hand;
        }
    }
    mr_topic_reap_dead(m.topic);
}

/* ---- comparing ---- */

static void compare(void)
{
    check_invariants(m.topic);
    for (uint32_t p = 0; p < m.settings.partitions; p++) {
        struct mr_tip tip = mr_log_tip(m.topic, p);
        ck_assert_uint_eq(tip.next_offset, m.cnt[p]);
        ck_assert_uint_eq(tip.head, m.starts[p][m.cnt[p]]);
    }
    for (int i = 0; i < GROUPS; i++) {
        struct model_group *g = &m.groups[i];
        uint64_t lag = 0;
        struct mr_group_info info = {0};
        for (uint32_t p = 0; p < m.settings.partitions; p++) {
            ck_assert_uint_eq(word(&mr_group_part(m.topic, (uint32_t)i, p)->next_offset),
                              g->next[p]);
            ck_assert_int_eq(mr_group_settle(m.topic, (uint32_t)i, p), 0);
            ck_assert_uint_eq(word(&mr_group_part(m.topic, (uint32_t)i, p)->committed),
                              m.starts[p][low_of(g, p)]);
            lag += m.cnt[p] - g->next[p];
        }
        for (int k = 0; k < CLAIMS; k++)
            lag += g->claims[k].used ? g->claims[k].end - g->claims[k].first : 0;
        ck_assert_int_eq(mr_group_info(m.topic, (uint32_t)i, &info), 1);
        ck_assert_uint_eq(info.lag, lag);
        ck_assert_uint_eq(info.acked, g->acked);
        ck_assert_uint_eq(info.dead_lettered, g->dead);
    }
}

static void step(void)
{
    struct model_group *g = &m.groups[below(GROUPS)];
    unsigned what = below(100);
    int member = some_member(g);
    if (what < 25)
        do_append();
    else if (what < 28 && free_member(g) >= 0)
        do_join(g, free_member(g));
    else if (what < 30)
        do_death(g);
    else if (member < 0)
        return;
    else if (what < 45)
        do_claim(g, member);
    else if (what < 75)
        do_next(g, member);
    else if (what < 90)
        do_ack(g, member);
    else if (what < 93)
        do_fail(g, member);
    else if (what < 97) {
        ck_assert_int_eq(mr_consumer_give_back(g->members[member]), 0);
        let_go(g, member);
    } else {
        mr_consumer_close(g->members[member]);
        g->members[member] = NULL;
        let_go(g, member);
    }
}

/* One member of each group reads what is left: in the end every record is acknowledged in both. */
static void drain(struct model_group *g)
{
    for (int i = 0; i < MEMBERS; i++)
        if (g->members[i]) {
            mr_consumer_close(g->members[i]);
            g->members[i] = NULL;
            let_go(g, i);
        }
    do_join(g, 0);
    for (int left = 1; left;) {
        do_claim(g, 0);
        while (claim_of(g, 0) && g->given[0] < g->stop[0])
            do_next(g, 0);
        do_ack(g, 0);
        left = 0;
        for (uint32_t p = 0; p < m.settings.partitions; p++)
            left |= low_of(g, p) < m.cnt[p];
    }
    ck_assert_int_eq(mr_consumer_claim(g->members[0], 0, 0), -ENODATA);
    for (uint32_t p = 0; p < m.settings.partitions; p++)
        for (uint64_t i = 0; i < m.cnt[p]; i++)
            ck_assert_uint_eq(g->done[p][i], 1);
    mr_consumer_close(g->members[0]);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(random_operations_do_what_the_model_says)
{
    m.seed = setting("MODEL_SEED", (mr_wall_ns() ^ (uint64_t)getpid() << 40) % 1000000000) +
             (uint64_t)_i;
    m.steps = setting("MODEL_STEPS", 2000);
    random_state = m.seed * 0x9e3779b97f4a7c15u + 1;
    printf("MODEL_SEED=%lu\n", m.seed);
    fflush(stdout);
    m.settings = (struct mr_settings){.partitions = 1 + below(PARTITIONS),
                                      .tries = TRIES,
                                      .records_max = below(3) ? 0 : 1 + below(7)};
    if (m.settings.records_max && m.settings.records_max < m.settings.partitions)
        m.settings.records_max = m.settings.partitions;
    m.settings.size_bytes = 4096 * (uint64_t)m.settings.partitions;
    m.topic = topic_make("m", m.settings);
    m.producer = producer_on(m.topic);
    m.groups[1].ordered = (int)below(2);
    for (int i = 0; i < GROUPS; i++)
        do_join(&m.groups[i], 0);
    for (uint64_t i = 0; i < m.steps; i++) {
        step();
        compare();
    }
    ck_assert_int_eq(mr_topic_seal(m.topic), 0);
    m.sealed = 1;
    do_append();
    for (int i = 0; i < GROUPS; i++) {
        drain(&m.groups[i]);
        compare();
    }
    if (m.letters) {
        struct mr_topic *dead = m.letters->topic;
        mr_consumer_close(m.letters);
        mr_topic_close(dead);
    }
    mr_producer_close(m.producer);
    mr_topic_close(m.topic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tcase = test_case(suite, "model");
    tcase_add_loop_test(tcase, random_operations_do_what_the_model_says, 0, 8);
    return test_main(suite);
}
