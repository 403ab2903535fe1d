/* check_api.c - what millrace.h promises of the calls that belong to no one object, and of all
 * objects alike: version, errors in words. */
#include "tests/shared/support.h"

START_TEST(version_of_the_library_is_that_of_its_header)
{
    ck_assert_str_eq(mr_version(), MR_VERSION);
}
END_TEST

/* The errors that millrace.h lists, and those of its functions. */
START_TEST(error_has_a_meaning_in_words)
{
    static const int errors[] = {ENOENT, EPROTO,  EBADMSG,   EPIPE,     EIDRM,        ESTALE,
                                 EINTR,  EREMOTE, ETIMEDOUT, EPERM,     EINVAL,       EIO,
                                 EUSERS, EBUSY,   EEXIST,    ENOTEMPTY, ENODATA,      ERANGE,
                                 EAGAIN, ENOSPC,  EMSGSIZE,  EACCES,    ECONNREFUSED, EADDRINUSE,
                                 ENOLCK, EFBIG,   ENOMEM,    EMFILE};
    ck_assert_str_eq(mr_strerror(-EPIPE), "the topic is sealed");
    ck_assert_str_eq(mr_strerror(-EIDRM), "the topic was deleted");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const char *text = mr_strerror(-errors[i]);
        ck_assert_msg(text && *text && strcmp(text, strerror(errors[i])) != 0,
                      "errno %d has no meaning of its own: %s", errors[i], text);
    }
}
END_TEST

START_TEST(error_without_a_meaning_has_the_c_librarys_text)
{
    ck_assert_str_eq(mr_strerror(-ELOOP), strerror(ELOOP));
    ck_assert_ptr_nonnull(mr_strerror(0));
    ck_assert_ptr_nonnull(mr_strerror(-123456));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *tcase = tcase_create("words");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, version_of_the_library_is_that_of_its_header);
    tcase_add_test(tcase, error_has_a_meaning_in_words);
    tcase_add_test(tcase, error_without_a_meaning_has_the_c_librarys_text);
    return test_main(suite);
}
