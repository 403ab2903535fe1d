/* decimal.h - numbers as they are written, compared exactly: no rounding, whatever their length.
 * Pure; no locale, no memory. */
#ifndef CONSUMER_WHERE_DECIMAL_H
#define CONSUMER_WHERE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

struct decimal { /* 0.DIGITS times 10 to the exponent */
    /* in the text: from the first digit that is not 0 to the last such, perhaps with a '.' between;
     * equal: zero */
    const char *digits, *end;
    int64_t exponent;
    int negative;
};

/* decimal_parse reads all of text as a number: a sign, digits with a '.' among, before or after
 * them, an exponent; all but some digit may be missing ("007", "-.5", "1e3"). No blanks, no
 * hexadecimal, no infinity. *out points into text.
 * Returns  1; 0 it is no number, *out is untouched. Exponents beyond 10^15 count as 10^15. */
int decimal_parse(const char *text, size_t len, struct decimal *out);

/* decimal_compare returns < 0, 0 or > 0 as a is less than, equal to or greater than b. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

#endif
