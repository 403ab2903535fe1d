/* values.h - what stands behind an option of the producer. All return 0 with *out set, or what
 * options_parse is to return: everything is said. */
#ifndef PRODUCER_VALUES_H
#define PRODUCER_VALUES_H

#include "options.h"
#include <stddef.h>
#include <stdint.h>

#define END(status) (1 + (status)) /* of options_parse: 0 goes on */

/* value_choose: one of names (NULL-terminated), as its index. */
int value_choose(const char *option, const char *value, const char *const *names, int *out);
int value_duration(const char *option, const char *value, int64_t *out);
int value_count(const char *option, const char *value, uint64_t min, uint64_t *out);
/* value_bytes copies text with \n \t \r \0 \\ and \xHH read as the byte they stand for, into *out,
 * which is freed before. */
int value_bytes(const char *option, const char *value, char **out, size_t *len);
int value_sep(const char *value, char *out);
int value_header(const char *value, struct options *options);
int value_rate(const char *value, double *interval_ns);
int value_jitter(const char *value, double *out);
/* value_factor: the F of "COLxF", digits and a point, more than 0. 0 or -EINVAL; says nothing. */
int value_factor(const char *value, double *out);

#endif
