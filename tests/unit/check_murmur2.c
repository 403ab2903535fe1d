/* check_murmur2.c - keys go where Kafka's Java client sends them. The vectors are those of Kafka's
 * own UtilsTest. */
#include "core/murmur2.h"
#include "tests/shared/support.h"

START_TEST(hash_is_that_of_the_java_client)
{
    static const struct {
        const char *key;
        int32_t hash;
    } vectors[] = {{"21", -973932308},
                   {"foobar", -790332482},
                   {"a-little-bit-long-string", -985981536},
                   {"a-little-bit-longer-string", -1486304829},
                   {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                   {"abc", 479470107}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        ck_assert_int_eq((int32_t)mr_murmur2(vectors[i].key, strlen(vectors[i].key)),
                         vectors[i].hash);
}
END_TEST

START_TEST(hash_depends_on_no_byte_outside_the_key)
{
    char a[24], b[24];
    memset(a, 'x', sizeof a);
    memset(b, 'y', sizeof b);
    for (size_t len = 0; len <= 12; len++)
        for (size_t at = 0; at < 8; at++) { /* any alignment */
            memset(a, 'x', sizeof a);
            memset(b, 'y', sizeof b);
            memcpy(a + at, "0123456789ab", len);
            memcpy(b + at, "0123456789ab", len);
            ck_assert_uint_eq(mr_murmur2(a + at, len), mr_murmur2(b + at, len));
        }
}
END_TEST

START_TEST(negative_hash_loses_its_sign_bit_and_is_not_negated)
{
    ck_assert_uint_eq(mr_partition_for("21", 2, 10), ((uint32_t)-973932308 & 0x7fffffff) % 10);
    ck_assert_uint_eq(mr_partition_for("foobar", 6, 7), ((uint32_t)-790332482 & 0x7fffffff) % 7);
}
END_TEST

START_TEST(one_partition_takes_every_key)
{
    ck_assert_uint_eq(mr_partition_for("21", 2, 1), 0);
    ck_assert_uint_eq(mr_partition_for("", 0, 1), 0);
}
END_TEST

START_TEST(keys_reach_all_partitions_evenly)
{
    unsigned seen[16] = {0};
    char key[16];
    for (unsigned i = 0; i < 16000; i++)
        seen[mr_partition_for(key, (size_t)snprintf(key, sizeof key, "user-%u", i), 16)]++;
    for (unsigned p = 0; p < 16; p++) {
        ck_assert_uint_gt(seen[p], 800);
        ck_assert_uint_lt(seen[p], 1200);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("murmur2");
    TCase *tcase = tcase_create("murmur2");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, hash_is_that_of_the_java_client);
    tcase_add_test(tcase, hash_depends_on_no_byte_outside_the_key);
    tcase_add_test(tcase, negative_hash_loses_its_sign_bit_and_is_not_negated);
    tcase_add_test(tcase, one_partition_takes_every_key);
    tcase_add_test(tcase, keys_reach_all_partitions_evenly);
    return test_main(suite);
}
