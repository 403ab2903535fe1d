/* values.h - the values of options that only the producer has: calls of its table of options, which
 * return as cli_parse. */
#ifndef PRODUCER_VALUES_H
#define PRODUCER_VALUES_H

#include "cli/options.h"
#include "options.h"

/* value_bytes reads \n \t \r \0 \\ and \xHH as the byte they name. target: struct option_bytes;
 * what it had is freed. */
int value_bytes(const struct cli_option *option, const char *value);
/* value_sep: one byte, written as for value_bytes. target: char. */
int value_sep(const struct cli_option *option, const char *value);
/* value_header: NAME=VALUE, added to the headers. target: struct options. */
int value_header(const struct cli_option *option, const char *value);
/* value_rate: records per second. target: double, nanoseconds between two records. */
int value_rate(const struct cli_option *option, const char *value);
/* value_jitter: a percentage. target: double in [0, 1]. */
int value_jitter(const struct cli_option *option, const char *value);

/* value_factor: the F of "COLxF", digits and a point, more than 0. Returns 0 or -EINVAL; prints
 * nothing. */
int value_factor(const char *value, double *out);

#endif
